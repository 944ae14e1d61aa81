//! Requests that the host itself makes: one way to make a client, so that all of them trust the same
//! roots, follow no redirects and use no proxy from the environment. How long a request may take and
//! how much it may bring is set by who makes it.

use std::sync::Arc;

use reqwest::ClientBuilder;
use reqwest::redirect::Policy;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;

/// Begins a client that trusts what the operating system trusts.
///
/// # Errors
/// The operating system's roots cannot be read.
pub fn client() -> Result<ClientBuilder, rustls::Error> {
    Ok(reqwest::Client::builder()
        .tls_backend_preconfigured(tls(None)?)
        .redirect(Policy::none())
        .no_proxy()
        .user_agent(concat!("caplet/", env!("CARGO_PKG_VERSION"))))
}

/// What TLS of a client trusts: `roots`, or without them what the operating system trusts.
///
/// The provider of the cryptography is handed to it: the process's default belongs to whoever embeds
/// the host.
///
/// # Errors
/// The operating system's roots cannot be read.
pub(crate) fn tls(roots: Option<RootCertStore>) -> Result<ClientConfig, rustls::Error> {
    let versions = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?;
    let verified = match roots {
        Some(roots) => versions.with_root_certificates(roots),
        None => versions.with_platform_verifier()?,
    };
    Ok(verified.with_no_client_auth())
}
