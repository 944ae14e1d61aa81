//! `caplet token`: a token from the host's secret, and nothing else on the standard output.

use std::sync::Arc;

use caplet_runtime::{Kind, SystemClock};
use caplet_server::Claims;
use caplet_server::secret;
use caplet_server::token::Tokens;

use crate::arguments::{self, Token};
use crate::failure::Failure;
use crate::output;
use crate::settings::Settings;

/// Prints a token.
///
/// # Errors
/// When there is no secret, or a claim is not allowed.
pub fn run(options: &Token) -> Result<(), Failure> {
    let settings = Settings::load(&options.common, None)?;
    let secret = secret::load(&settings.auth, Some(&settings.data))
        .map_err(|error| Failure::run_time(error.to_string()))?;
    let tokens = Tokens::new(&secret, &settings.auth, Arc::new(SystemClock));
    let token = tokens
        .issue(&claims(options), options.ttl)
        .map_err(|refused| Failure::usage(format!("no token: {refused}")))?;
    output::print(&format!("{token}\n"))
}

fn claims(options: &Token) -> Claims {
    Claims {
        subject: options.subject.clone(),
        kind: match options.kind {
            arguments::Kind::User => Kind::User,
            arguments::Kind::Service => Kind::Service,
        },
        tenant: options.tenant.clone(),
        roles: options.roles.clone(),
        teams: options.teams.clone(),
        scopes: options.scopes.clone(),
    }
}
