//! Getting the text of a set of keys: from a file, or over HTTP, bounded in size and time, without
//! following anybody elsewhere. When it is got is decided in [`super::keeper`].

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::FutureExt;
use futures::future::BoxFuture;
use http::StatusCode;
use http::header::{ACCEPT, CACHE_CONTROL};

use super::key_set::KEY_SET_BYTES_MAX;

/// How long getting a set may take, from the name's resolution to the last byte.
pub(crate) const FETCH_TIME_MAX: Duration = Duration::from_secs(5);

/// How long a set is fresh at least: an issuer that says less would be asked without end.
pub(crate) const AGE_MIN: Duration = Duration::from_secs(60);

/// How long a set is fresh when its issuer says nothing of it.
const AGE_UNSAID: Duration = Duration::from_secs(600);

/// How often a file is read again.
const FILE_AGE: Duration = Duration::from_secs(60);

/// Gets the text of a set.
pub(crate) type Fetch =
    Box<dyn Fn() -> BoxFuture<'static, Result<Fetched, Error>> + Send + Sync + 'static>;

/// The text of a set, and how long it is fresh.
pub(crate) struct Fetched {
    pub(crate) text: Bytes,
    pub(crate) age: Duration,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{0}")]
    Transport(String),
    #[error("it took longer than {} s", FETCH_TIME_MAX.as_secs())]
    Slow,
    #[error("the answer was {0}; redirects are not followed")]
    Status(StatusCode),
    #[error("it is larger than {KEY_SET_BYTES_MAX} bytes")]
    Large,
    #[error("{}: {reason}", path.display())]
    File { path: PathBuf, reason: std::io::Error },
}

/// Reads a file, which may be replaced while the host runs.
pub(crate) fn from_file(path: PathBuf) -> Fetch {
    Box::new(move || {
        let path = path.clone();
        let read = tokio::task::spawn_blocking(move || read_file(&path));
        async move {
            let text = read.await.map_err(|error| Error::Transport(error.to_string()))??;
            Ok(Fetched { text, age: FILE_AGE })
        }
        .boxed()
    })
}

/// The content of a file of keys.
pub(crate) fn read_file(path: &Path) -> Result<Bytes, Error> {
    let failed = |reason| Error::File { path: path.to_owned(), reason };
    let mut text = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(KEY_SET_BYTES_MAX as u64 + 1).read_to_end(&mut text).map_err(failed)?;
    if text.len() > KEY_SET_BYTES_MAX {
        return Err(Error::Large);
    }
    Ok(text.into())
}

/// Asks an address. What the issuer says of freshness is cut to between [`AGE_MIN`] and `age_max`.
pub(crate) fn from_url(client: reqwest::Client, url: String, age_max: Duration) -> Fetch {
    Box::new(move || {
        let request = client.get(&url).header(ACCEPT, "application/jwk-set+json, application/json");
        async move {
            let got = tokio::time::timeout(FETCH_TIME_MAX, get(request)).await;
            let (text, said) = got.map_err(|_| Error::Slow)??;
            let age = said.unwrap_or(AGE_UNSAID).min(age_max).max(AGE_MIN);
            Ok(Fetched { text, age })
        }
        .boxed()
    })
}

async fn get(request: reqwest::RequestBuilder) -> Result<(Bytes, Option<Duration>), Error> {
    // The text of an error has the causes, but not the address, which is logged beside it.
    let failed = |error: reqwest::Error| Error::Transport(causes(&error.without_url()));
    let mut response = request.send().await.map_err(failed)?;
    if response.status() != StatusCode::OK {
        return Err(Error::Status(response.status()));
    }
    let said = response.headers().get(CACHE_CONTROL).and_then(|value| value.to_str().ok());
    let said = said.and_then(max_age);
    let mut text = BytesMut::new();
    while let Some(part) = response.chunk().await.map_err(failed)? {
        if text.len() + part.len() > KEY_SET_BYTES_MAX {
            return Err(Error::Large);
        }
        text.extend_from_slice(&part);
    }
    Ok((text.freeze(), said))
}

fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// `max-age` of a `Cache-Control`; a set that must not be kept is fresh for no time.
fn max_age(value: &str) -> Option<Duration> {
    let directives: Vec<_> =
        value.split(',').map(|part| part.trim().to_ascii_lowercase()).collect();
    if directives.iter().any(|directive| directive == "no-store" || directive == "no-cache") {
        return Some(Duration::ZERO);
    }
    let seconds = directives.iter().find_map(|directive| directive.strip_prefix("max-age="))?;
    seconds.trim_matches('"').parse().ok().map(Duration::from_secs)
}

/// The client that all issuers are asked with.
pub(crate) fn client() -> Result<reqwest::Client, String> {
    let client = crate::outbound::client().map_err(|error| error.to_string())?;
    let client = client.timeout(FETCH_TIME_MAX).pool_max_idle_per_host(1).build();
    client.map_err(|error| causes(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_how_long_a_set_is_fresh() {
        for (value, seconds) in [
            ("max-age=300", Some(300)),
            ("public, Max-Age=\"7\", must-revalidate", Some(7)),
            ("no-store", Some(0)),
            ("no-cache, max-age=9", Some(0)),
            ("public", None),
            ("max-age=-1", None),
            ("max-age=soon", None),
        ] {
            assert_eq!(max_age(value), seconds.map(Duration::from_secs), "{value}");
        }
    }

    #[test]
    fn a_file_is_bounded_and_named_when_it_is_missing() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        std::io::Write::write_all(&mut file, &vec![b' '; KEY_SET_BYTES_MAX + 1]).unwrap();
        assert!(matches!(read_file(file.path()), Err(Error::Large)));
        let error = read_file(Path::new("/nowhere/key.pem")).unwrap_err().to_string();
        assert!(error.starts_with("/nowhere/key.pem: "), "{error}");
    }
}
