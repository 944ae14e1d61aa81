//! Writes a feed as Atom.

use super::xml::Document;
use super::{ATOM, Entry, FEED_MAX_BYTES, Feed, rfc_3339};

/// Writes the feed; as many entries as fit.
pub fn write(feed: &Feed) -> Vec<u8> {
    let mut document = Document::new();
    let namespaces = [
        ("xmlns", "http://www.w3.org/2005/Atom"),
        ("xmlns:thr", "http://purl.org/syndication/thread/1.0"),
    ];
    document.open("feed", &namespaces);
    document.element("id", &[], &format!("urn:uuid:{}", feed.id));
    document.element("title", &[], &feed.title());
    document.element("updated", &[], &rfc_3339(feed.updated_ms));
    document.empty("link", &[("rel", "self"), ("type", ATOM), ("href", &feed.path)]);
    if let Some(page) = &feed.page {
        document.empty("link", &[("rel", "alternate"), ("href", page)]);
    }
    for entry in &feed.entries {
        if document.len() > FEED_MAX_BYTES {
            break;
        }
        write_entry(&mut document, feed, entry);
    }
    document.close("feed");
    document.finish()
}

fn write_entry(document: &mut Document, feed: &Feed, entry: &Entry) {
    document.open("entry", &[]);
    document.element("id", &[], &format!("urn:uuid:{}", entry.id));
    document.element("title", &[], &entry.title());
    document.element("published", &[], &rfc_3339(entry.created_ms));
    document.element("updated", &[], &rfc_3339(entry.updated_ms()));
    document.open("author", &[]);
    document.element("name", &[], entry.author());
    document.close("author");
    if let Some(link) = feed.link(entry) {
        document.empty("link", &[("rel", "alternate"), ("href", &link)]);
    }
    if let Some(answered) = &entry.reply_to {
        document.empty("thr:in-reply-to", &[("ref", &format!("urn:uuid:{answered}"))]);
    }
    document.element("content", &[("type", "html")], &entry.html());
    document.close("entry");
}
