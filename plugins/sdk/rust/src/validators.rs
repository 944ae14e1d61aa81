//! Validators: what tells the versions of an answer apart, and HTTP's way of writing dates.

use std::time::{Duration, SystemTime};

use crate::clock;
use crate::etag::ETag;

/// The entity tag of an answer, and the time it was changed last where that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validators {
    etag: ETag,
    modified_s: Option<u64>,
}

impl Validators {
    /// With the time of the last change, in Unix milliseconds.
    ///
    /// `Last-Modified` counts whole seconds. A time within the last second is left out, because a
    /// second change in it could not be told from the first (RFC 9110, section 8.8.2.2).
    pub fn modified(etag: ETag, modified_ms: i64) -> Self {
        let is_over = clock::now_ms() / 1_000 > modified_ms / 1_000;
        let modified_s = u64::try_from(modified_ms.div_euclid(1_000)).ok().filter(|_| is_over);
        Self { etag, modified_s }
    }

    pub(crate) fn etag(&self) -> &ETag {
        &self.etag
    }

    pub(crate) fn modified_s(&self) -> Option<u64> {
        self.modified_s
    }

    /// The value of `Last-Modified`.
    pub(crate) fn last_modified(&self) -> Option<String> {
        self.modified_s.map(format_date)
    }
}

impl From<ETag> for Validators {
    fn from(etag: ETag) -> Self {
        Self { etag, modified_s: None }
    }
}

/// Reads a date in any of the three forms of HTTP; none when it is no date, which a recipient
/// ignores.
pub(crate) fn parse_date(text: &str) -> Option<u64> {
    let date = httpdate::parse_http_date(text).ok()?;
    date.duration_since(SystemTime::UNIX_EPOCH).ok().map(|since| since.as_secs())
}

fn format_date(unix_s: u64) -> String {
    // What is later than the year 9999 cannot be written; the last second of it stands for it.
    const LAST_S: u64 = 253_402_300_799;
    let since = Duration::from_secs(unix_s.min(LAST_S));
    httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + since)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Host;

    #[test]
    fn dates_are_read_in_all_three_forms() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(parse_date(text), Some(784_111_777), "{text}");
        }
        assert_eq!(format_date(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        for text in ["", "yesterday", "784111777", "Sun, 06 Nov 1994 08:49:37 +0100"] {
            assert_eq!(parse_date(text), None, "{text}");
        }
        assert!(format_date(u64::MAX).contains("9999"));
    }

    #[test]
    fn a_change_of_this_second_has_no_date_yet() {
        Host { now_ms: 10_999, ..Host::default() }.enter();
        assert_eq!(Validators::modified(ETag::strong(1), 10_000).last_modified(), None);
        let before = Validators::modified(ETag::strong(1), 9_999).last_modified();
        assert_eq!(before.as_deref(), Some("Thu, 01 Jan 1970 00:00:09 GMT"));
        assert_eq!(Validators::modified(ETag::strong(1), -5).last_modified(), None);
    }
}
