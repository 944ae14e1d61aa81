//! Requests that the host itself makes: one way to make a client, so that all of them trust the same
//! roots, follow no redirects and use no proxy from the environment. How long a request may take and
//! how much it may bring is set by who makes it.

use std::sync::Arc;

use reqwest::ClientBuilder;
use reqwest::redirect::Policy;
use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls_platform_verifier::BuilderVerifierExt;

/// Begins a client that trusts what the operating system trusts.
///
/// The provider of the cryptography is handed to the client: the process's default belongs to whoever
/// embeds the host.
///
/// # Errors
/// The operating system's roots cannot be read.
pub fn client() -> Result<ClientBuilder, rustls::Error> {
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_platform_verifier()?
        .with_no_client_auth();
    Ok(reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(Policy::none())
        .no_proxy()
        .user_agent(concat!("caplet/", env!("CARGO_PKG_VERSION"))))
}
