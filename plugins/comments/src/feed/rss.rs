//! Writes a feed as RSS 2.0.

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

use super::xml::Document;
use super::{Entry, FEED_MAX_BYTES, Feed, RSS};

/// Writes the feed; as many items as fit.
pub fn write(feed: &Feed) -> Vec<u8> {
    let mut document = Document::new();
    let namespaces = [
        ("version", "2.0"),
        ("xmlns:atom", "http://www.w3.org/2005/Atom"),
        ("xmlns:dc", "http://purl.org/dc/elements/1.1/"),
    ];
    document.open("rss", &namespaces);
    document.open("channel", &[]);
    document.element("title", &[], &feed.title());
    document.element("link", &[], feed.page.as_deref().unwrap_or(&feed.path));
    document.element("description", &[], &feed.title());
    document.element("lastBuildDate", &[], &date(feed.updated_ms));
    document.empty("atom:link", &[("rel", "self"), ("type", RSS), ("href", &feed.path)]);
    for entry in &feed.entries {
        if document.len() > FEED_MAX_BYTES {
            break;
        }
        write_item(&mut document, feed, entry);
    }
    document.close("channel");
    document.close("rss");
    document.finish()
}

fn write_item(document: &mut Document, feed: &Feed, entry: &Entry) {
    document.open("item", &[]);
    document.element("title", &[], &entry.title());
    if let Some(link) = feed.link(entry) {
        document.element("link", &[], &link);
    }
    document.element("guid", &[("isPermaLink", "false")], &format!("urn:uuid:{}", entry.id));
    document.element("pubDate", &[], &date(entry.created_ms));
    document.element("dc:creator", &[], entry.author());
    document.element("description", &[], &entry.html());
    document.close("item");
}

/// A time as RSS writes it.
fn date(time_ms: i64) -> String {
    let time = Timestamp::from_millisecond(time_ms).unwrap_or_default();
    // Only a year that has more than four digits cannot be written; no comment has such a time.
    DateTimePrinter::new().timestamp_to_rfc9110_string(&time).unwrap_or_default()
}
