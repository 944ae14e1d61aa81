//! Whether the one who asks wants a page or data.

use http::HeaderMap;
use http::header::ACCEPT;

/// Whether HTML is named, and JSON not named with a higher weight. Who takes anything, as programs do
/// by default, gets data.
pub(super) fn prefers_html(headers: &HeaderMap) -> bool {
    let accepted = || headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let weight = |media_type: &str| {
        accepted().flat_map(|value| value.split(',')).filter_map(|item| of(item, media_type)).max()
    };
    let html = weight("text/html").unwrap_or(0);
    html > 0 && html >= weight("application/json").unwrap_or(0)
}

/// The weight of an item of `Accept` in thousandths, when it names the media type.
fn of(item: &str, media_type: &str) -> Option<u32> {
    let mut parts = item.split(';').map(str::trim);
    if !parts.next()?.eq_ignore_ascii_case(media_type) {
        return None;
    }
    let quality = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
    Some(quality.map_or(1_000, thousandths))
}

/// `0.5` is 500; what is no weight counts as none.
fn thousandths(quality: &str) -> u32 {
    let weight = quality.parse::<f32>().unwrap_or(0.0).clamp(0.0, 1.0);
    // Between 0 and 1 000, so nothing is cut off.
    (weight * 1_000.0) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefers(accept: &str) -> bool {
        prefers_html(&HeaderMap::from_iter([(ACCEPT, accept.parse().unwrap())]))
    }

    #[test]
    fn browsers_get_pages() {
        assert!(prefers("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"));
        assert!(prefers("TEXT/HTML;q=0.1"));
        assert!(prefers("application/json;q=0.5, text/html;q=0.6"));
    }

    #[test]
    fn programs_get_data() {
        assert!(!prefers_html(&HeaderMap::new()));
        for accept in [
            "*/*",
            "application/json",
            "application/json, text/html;q=0.9",
            "text/html;q=0",
            "text/html;q=x",
            "text/plain",
            "",
        ] {
            assert!(!prefers(accept), "{accept}");
        }
    }
}
