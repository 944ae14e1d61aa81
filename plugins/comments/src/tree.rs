//! Pages of a tree: the comments at the top, each with its first replies nested in it.
//!
//! A page costs two statements, however many comments it has: one for the tops, one for the first
//! replies below all of them. Those are the first in the order of creation, so a reply is never
//! shown without its parent. What is left out shows as an `n_replies` larger than `replies`, and is
//! read by `GET /{id}/replies`.

use std::collections::BTreeMap;

use caplet_sdk::prelude::*;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::comment::Comment;
use crate::listing::Range;
use crate::select::{self, Reader};

/// The most replies shown below one comment at the top, at all levels together.
const REPLIES_MAX: u32 = 20;
/// The most replies of one page: what one statement may return, less a reserve.
const PAGE_REPLIES_MAX: u32 = 900;

/// A page of a tree.
///
/// # Errors
/// Those of the store.
pub fn list(tops: &Range<'_>, reader: &Reader) -> Result<Listing<Comment>, Problem> {
    let page = tops.read(reader)?;
    let replies = if page.count == 0 { b"[]".to_vec() } else { replies(tops, page.count, reader)? };
    let items = nest(&page.items, &replies).map_err(|error| {
        log::error!("comments are not the JSON they should be", error = error);
        Problem::internal()
    })?;
    Ok(Listing::from_json(tops.order_name(), sql::JsonPage { items, ..page }))
}

/// The first replies below the `n_tops` comments of the page, parents before their children.
fn replies(tops: &Range<'_>, n_tops: u32, reader: &Reader) -> Result<Vec<u8>, Problem> {
    let replies_max = REPLIES_MAX.min(PAGE_REPLIES_MAX / n_tops);
    let statement = |limit: u32| {
        let mut statement = select::columns(reader);
        statement.push(
            " FROM comments c WHERE c.tenant = $tenant AND c.shown = 1 AND c.ordinal > 0 \
                   AND c.ordinal <= ",
        );
        // Less of each, rather than all of some, when they are too large together.
        statement.bind((limit / n_tops).max(1)).push(" AND c.root IN (SELECT c.id FROM comments c");
        tops.restrict(&mut statement, n_tops);
        statement.push(") ORDER BY c.root, c.ordinal");
        statement
    };
    Ok(select::page(replies_max * n_tops, statement)?.items)
}

#[derive(Deserialize)]
struct Keys<'a> {
    id: &'a str,
    parent: Option<&'a str>,
}

type Children<'a> = BTreeMap<&'a str, Vec<(&'a str, &'a str)>>;

/// Puts each reply into `replies` of its parent, as text: what the comments hold is not looked at.
fn nest(tops: &[u8], replies: &[u8]) -> serde_json::Result<Vec<u8>> {
    let replies: Vec<&RawValue> = serde_json::from_slice(replies)?;
    let mut children = Children::new();
    for reply in &replies {
        let keys: Keys<'_> = serde_json::from_str(reply.get())?;
        children.entry(keys.parent.unwrap_or_default()).or_default().push((keys.id, reply.get()));
    }
    let tops: Vec<&RawValue> = serde_json::from_slice(tops)?;
    let tops = tops
        .iter()
        .map(|top| serde_json::from_str::<Keys<'_>>(top.get()).map(|keys| (keys.id, top.get())));
    let tops: Vec<(&str, &str)> = tops.collect::<serde_json::Result<_>>()?;
    let mut nested = String::new();
    write_level(&mut nested, &tops, &children);
    Ok(nested.into_bytes())
}

/// Writes comments with those below them; as deep as the tree, which has a few levels at most.
fn write_level(nested: &mut String, comments: &[(&str, &str)], children: &Children<'_>) {
    nested.push('[');
    for (place, (id, comment)) in comments.iter().enumerate() {
        if place > 0 {
            nested.push(',');
        }
        nested.push_str(comment.strip_suffix('}').unwrap_or(comment));
        nested.push_str(",\"replies\":");
        write_level(nested, children.get(id).map_or(&[], Vec::as_slice), children);
        nested.push('}');
    }
    nested.push(']');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_stand_below_their_parents_in_order() {
        let tops = br#"[{"id":"a","parent":null},{"id":"b","parent":null}]"#;
        let replies =
            br#"[{"id":"a1","parent":"a"},{"id":"a11","parent":"a1"},{"id":"a2","parent":"a"}]"#;
        let nested: serde_json::Value =
            serde_json::from_slice(&nest(tops, replies).unwrap()).unwrap();
        assert_eq!(nested[0]["replies"][0]["replies"][0]["id"], "a11");
        assert_eq!(nested[0]["replies"][1]["id"], "a2");
        assert_eq!(nested[1]["replies"], serde_json::json!([]));
    }

    #[test]
    fn an_empty_page_is_an_empty_list() {
        assert_eq!(nest(b"[]", b"[]").unwrap(), b"[]");
    }
}
