//! The files of the pages, kept in the binary. The large ones are kept compressed and sent as they
//! are: every browser takes gzip. Where they come from and how they are renewed is in
//! `host/server/assets/README.md`.

use std::sync::LazyLock;

use bytes::Bytes;
use data_encoding::HEXLOWER;
use http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, VARY};
use http::{HeaderMap, HeaderValue, StatusCode};
use sha2::{Digest as _, Sha256};

use crate::answer;
use crate::problem::{Answered, Problem};
use crate::request::Exchange;

/// Where the files lie.
pub(crate) const FOLDER: &str = "/-/";

/// For an address that changes with the file: a cache may keep it for a year and need not ask.
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// A file of the pages.
struct Asset {
    name: &'static str,
    media_type: &'static str,
    content: &'static [u8],
    is_gzip: bool,
}

macro_rules! asset {
    ($name:literal, $media_type:literal) => {
        Asset {
            name: $name,
            media_type: $media_type,
            content: include_bytes!(concat!("../../assets/", $name)),
            is_gzip: false,
        }
    };
    ($name:literal, $media_type:literal, gzip) => {
        Asset {
            name: $name,
            media_type: $media_type,
            content: include_bytes!(concat!("../../assets/", $name, ".gz")),
            is_gzip: true,
        }
    };
}

const ASSETS: [Asset; 6] = [
    asset!("icon.svg", "image/svg+xml"),
    asset!("page.css", "text/css; charset=utf-8"),
    asset!("reference.css", "text/css; charset=utf-8"),
    asset!("reference.js", "text/javascript; charset=utf-8"),
    asset!("swagger-ui.css", "text/css; charset=utf-8", gzip),
    asset!("swagger-ui-bundle.js", "text/javascript; charset=utf-8", gzip),
];

/// The digest of each file. Derived from constants, so that all hosts of a process may share it.
static VERSIONS: LazyLock<[String; ASSETS.len()]> =
    LazyLock::new(|| ASSETS.map(|asset| HEXLOWER.encode(&Sha256::digest(asset.content)[..8])));

/// What changes with the file `name`; empty when there is none.
pub(super) fn version(name: &str) -> &'static str {
    let place = ASSETS.iter().position(|asset| asset.name == name);
    place.map_or("", |place| VERSIONS[place].as_str())
}

/// Serves the file `name`.
///
/// # Errors
/// 404 when there is none, 406 for those who refuse the one encoding there is.
pub(crate) fn serve(exchange: &Exchange<'_>, name: &str) -> Result<Answered, Problem> {
    let asset = ASSETS.iter().find(|asset| asset.name == name).ok_or_else(Problem::not_found)?;
    let request = &exchange.parts.headers;
    if asset.is_gzip && refuses_gzip(request) {
        let detail = "This file is there with the encoding gzip only.";
        return Err(Problem::new(StatusCode::NOT_ACCEPTABLE, "encoding-unavailable", detail));
    }
    let version = version(name);
    let etag = HeaderValue::from_str(&format!("\"{version}\"")).map_err(|_| Problem::internal())?;
    let media_type = HeaderValue::from_static(asset.media_type);
    let mut response =
        answer::cacheable(request, etag, media_type, Bytes::from_static(asset.content));
    let headers = response.headers_mut();
    if asset.is_gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        headers.insert(VARY, HeaderValue::from_name(ACCEPT_ENCODING));
    }
    if exchange.parts.uri.query().and_then(|query| query.strip_prefix("v=")) == Some(version) {
        headers.insert(CACHE_CONTROL, IMMUTABLE);
    }
    Ok(response)
}

/// Whether the request names encodings and gzip is not among them. One that names none takes all
/// (RFC 9110, section 12.5.3).
fn refuses_gzip(request: &HeaderMap) -> bool {
    let mut named = false;
    for value in request.get_all(ACCEPT_ENCODING) {
        named = true;
        for item in value.to_str().unwrap_or_default().split(',') {
            let (coding, parameters) = item.split_once(';').unwrap_or((item, ""));
            let zero = parameters
                .trim()
                .strip_prefix("q=")
                .is_some_and(|quality| quality.parse::<f32>().is_ok_and(|weight| weight == 0.0));
            let coding = coding.trim();
            if !zero && (coding.eq_ignore_ascii_case("gzip") || coding == "*") {
                return false;
            }
        }
    }
    named
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_names_encodings_without_gzip_refuses_it() {
        let refuses = |encodings: &str| {
            refuses_gzip(&HeaderMap::from_iter([(ACCEPT_ENCODING, encodings.parse().unwrap())]))
        };
        assert!(!refuses_gzip(&HeaderMap::new()));
        for taken in ["gzip", "br, GZIP;q=0.5", "*", "gzip, deflate, br, zstd"] {
            assert!(!refuses(taken), "{taken}");
        }
        for refused in ["", "identity", "br", "gzip;q=0", "gzip; q=0.0, identity"] {
            assert!(refuses(refused), "{refused}");
        }
    }

    #[test]
    fn every_file_has_a_version_of_its_own() {
        let mut versions: Vec<_> = ASSETS.iter().map(|asset| version(asset.name)).collect();
        versions.sort_unstable();
        versions.dedup();
        assert_eq!(versions.len(), ASSETS.len());
        assert_eq!(version("nothing"), "");
    }
}
