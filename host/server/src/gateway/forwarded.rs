//! What a service is told about the way that a request took: `X-Forwarded-*` and `Forwarded`
//! (RFC 7239). What the caller says about it counts only when the caller is a proxy of the operator's.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use axum::extract::ConnectInfo;
use http::header::{FORWARDED, HOST};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// An address, or all whose first bits are the same: `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Network {
    address: IpAddr,
    n_bits: u8,
}

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused =
            || format!("found `{text}`, expected an address such as 10.0.0.1 or 10.0.0.0/8");
        let (address, n_bits) = match text.split_once('/') {
            Some((address, n_bits)) => (address, Some(n_bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| refused())?;
        let n_bits_max = bits(address).1;
        let n_bits = match n_bits {
            Some(n_bits) => n_bits.parse().map_err(|_| refused())?,
            None => n_bits_max,
        };
        if n_bits > n_bits_max { Err(refused()) } else { Ok(Self { address, n_bits }) }
    }
}

impl Network {
    /// Whether `address` is one of it.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let ((own, n_bits_max), (other, n_bits_other)) =
            (bits(self.address), bits(address.to_canonical()));
        let n_differing = n_bits_max - self.n_bits;
        n_bits_max == n_bits_other
            && own.checked_shr(n_differing.into()).unwrap_or(0)
                == other.checked_shr(n_differing.into()).unwrap_or(0)
    }
}

/// An address as a number, and how many bits it has.
fn bits(address: IpAddr) -> (u128, u8) {
    match address {
        IpAddr::V4(address) => (address.to_bits().into(), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    }
}

/// Who is at the other end of the connection: known to the host's own listener, or said by axum to an
/// embedded host.
pub(crate) fn peer(known: Option<SocketAddr>, parts: &Parts) -> Option<IpAddr> {
    let by_axum = || parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
    known.or_else(by_axum).map(|address| address.ip().to_canonical())
}

/// Writes what the service is told. `request` are the caller's headers, `prefix` what is left out of
/// the path.
pub(crate) fn write(
    headers: &mut HeaderMap,
    request: &Parts,
    peer: Option<IpAddr>,
    trusted: &[Network],
    prefix: Option<&str>,
) {
    let is_trusted = peer.is_some_and(|peer| trusted.iter().any(|network| network.contains(peer)));
    let said = |name: &HeaderName| {
        let value = request.headers.get(name).filter(|_| is_trusted)?;
        value.to_str().ok().map(str::to_owned)
    };
    let host = said(&FORWARDED_HOST).or_else(|| host(request));
    let proto = said(&PROTO).unwrap_or_else(|| "http".to_owned());
    let own = element(peer, host.as_deref(), &proto);
    let mut write = |name: HeaderName, value: Option<String>| {
        if let Some(Ok(value)) = value.map(HeaderValue::try_from) {
            headers.insert(name, value);
        }
    };
    let chain = |before: Option<String>, own: String| match before {
        Some(before) => format!("{before}, {own}"),
        None => own,
    };
    write(FOR, peer.map(|peer| chain(said(&FOR), peer.to_string())));
    write(FORWARDED, Some(chain(said(&FORWARDED), own)));
    write(FORWARDED_HOST, host);
    write(PROTO, Some(proto));
    let before = said(&PREFIX).unwrap_or_default();
    write(PREFIX, prefix.map(|prefix| format!("{}{prefix}", before.trim_end_matches('/'))));
}

/// The host that was asked for: a header in HTTP/1.1, part of the address in HTTP/2.
pub(crate) fn host(request: &Parts) -> Option<String> {
    let by_header = || request.headers.get(HOST).and_then(|value| value.to_str().ok());
    request
        .uri
        .authority()
        .map(|authority| authority.as_str())
        .or_else(by_header)
        .map(str::to_owned)
}

fn element(peer: Option<IpAddr>, host: Option<&str>, proto: &str) -> String {
    let peer = match peer {
        Some(IpAddr::V4(peer)) => peer.to_string(),
        Some(IpAddr::V6(peer)) => format!("\"[{peer}]\""),
        None => "unknown".to_owned(),
    };
    // A host with a port has a colon, which only a quoted text may have.
    let quotable = |host: &&str| !host.contains(['"', '\\']);
    let host = host.filter(quotable).map(|host| format!(";host=\"{host}\"")).unwrap_or_default();
    let is_token = proto.bytes().all(|byte| byte.is_ascii_alphanumeric());
    format!("for={peer}{host};proto={}", if is_token { proto } else { "http" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(headers: &[(&str, &str)], peer: &str, trusted: &[&str]) -> HeaderMap {
        let mut request = http::Request::get("/api/billing/x").header("host", "api.example:8080");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let trusted: Vec<Network> = trusted.iter().map(|text| text.parse().unwrap()).collect();
        let mut told = HeaderMap::new();
        write(&mut told, &parts, peer.parse().ok(), &trusted, Some("/api/billing"));
        told
    }

    #[test]
    fn tells_who_asked_for_what() {
        let told = told(&[], "10.1.2.3", &[]);
        assert_eq!(told[FOR], "10.1.2.3");
        assert_eq!(told[FORWARDED_HOST], "api.example:8080");
        assert_eq!(told[PROTO], "http");
        assert_eq!(told[PREFIX], "/api/billing");
        assert_eq!(told[FORWARDED], "for=10.1.2.3;host=\"api.example:8080\";proto=http");
    }

    #[test]
    fn what_strangers_say_of_themselves_is_replaced() {
        let claims = [("x-forwarded-for", "6.6.6.6"), ("x-forwarded-proto", "https")];
        let told = told(&claims, "10.1.2.3", &["192.168.0.0/16"]);
        assert_eq!(
            (&told[FOR], &told[PROTO]),
            (&"10.1.2.3".parse().unwrap(), &"http".parse().unwrap())
        );
    }

    #[test]
    fn what_a_trusted_proxy_says_is_continued() {
        let claims = [
            ("x-forwarded-for", "6.6.6.6"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "shop.example"),
            ("x-forwarded-prefix", "/v1/"),
        ];
        let told = told(&claims, "10.1.2.3", &["10.0.0.0/8"]);
        assert_eq!(told[FOR], "6.6.6.6, 10.1.2.3");
        assert_eq!(told[PROTO], "https");
        assert_eq!(told[FORWARDED_HOST], "shop.example");
        assert_eq!(told[PREFIX], "/v1/api/billing");
    }

    #[test]
    fn without_a_peer_nothing_is_made_up() {
        let told = told(&[("x-forwarded-for", "6.6.6.6")], "", &["0.0.0.0/0"]);
        assert!(!told.contains_key(FOR));
        assert!(told[FORWARDED].to_str().unwrap().starts_with("for=unknown;"));
    }

    #[test]
    fn networks_are_read_and_compared() {
        let contains = |network: &str, address: &str| {
            network.parse::<Network>().unwrap().contains(address.parse().unwrap())
        };
        assert!(contains("10.0.0.0/8", "10.255.0.1") && !contains("10.0.0.0/8", "11.0.0.1"));
        assert!(contains("10.0.0.1", "10.0.0.1") && !contains("10.0.0.1", "10.0.0.2"));
        assert!(contains("0.0.0.0/0", "1.2.3.4") && !contains("0.0.0.0/0", "::1"));
        assert!(contains("::/0", "::1") && contains("fd00::/8", "fd12::1"));
        assert!(contains("10.0.0.0/8", "::ffff:10.0.0.1"));
        for wrong in ["", "10.0.0.0/33", "10.0.0", "::/129", "10.0.0.0/x", "proxy"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }
}
