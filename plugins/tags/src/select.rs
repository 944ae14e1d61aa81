//! How a tag looks to a caller: the one list of columns that every answer with tags is made of.
//!
//! The JSON comes straight from the database, so its members are the columns here. An entity tag is
//! made of it, so that it changes whenever an answer does: also when a tag it names is renamed.

use std::borrow::Cow;

use caplet_sdk::prelude::*;
use caplet_sdk::sql::Statement;

use crate::tag::Tag;

/// The columns of a tag `t`.
const COLUMNS: &str = r#"SELECT t.slug, t.name, t.description,
(SELECT p.slug FROM tags p WHERE p.tenant = $tenant AND p.id = t.parent) AS parent, t.depth,
t.n_items,
(SELECT l.slug FROM tags l WHERE l.tenant = $tenant AND l.id = t.looks_like) AS looks_like,
t.created_ms AS "created_at:time", t.updated_ms AS "updated_at:time""#;

/// Begins a statement with the columns of a tag, up to `FROM`.
pub fn columns() -> Statement {
    Statement::new(COLUMNS)
}

/// An entity tag for what is answered.
pub fn etag_of(body: &[u8]) -> ETag {
    // FNV-1a with 128 bits (Fowler, Noll, Vo): small, and the same in every version of the plugin.
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let step = |hash: u128, byte: &u8| (hash ^ u128::from(*byte)).wrapping_mul(PRIME);
    ETag::strong(format!("{:032x}", body.iter().fold(BASIS, step)))
}

/// A tag as JSON, with its entity tag.
///
/// # Errors
/// Those of the store; 500 when there is no such tag.
pub fn one(id: i64) -> Result<(JsonBytes<Tag>, ETag), Problem> {
    let mut statement = columns();
    statement.push(" FROM tags t WHERE t.tenant = $tenant AND t.id = ").bind(id);
    let page = statement.query_json(1)?;
    let tag = page.items.strip_prefix(b"[").and_then(|items| items.strip_suffix(b"]"));
    match tag {
        Some(tag) if page.count == 1 => Ok((JsonBytes::new(tag.to_vec()), etag_of(tag))),
        _ => {
            log::error!("a slug leads to no tag", tag = id);
            Err(Problem::internal())
        }
    }
}

/// A text in which a character cannot be misread as part of a URL: what is no ASCII letter, digit or
/// hyphen is percent-encoded.
pub fn in_url(slug: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if slug.bytes().all(is_plain) {
        return Cow::Borrowed(slug);
    }
    let encoded = slug.bytes().map(|byte| {
        if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    });
    Cow::Owned(encoded.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entity_tags_tell_contents_apart() {
        assert_eq!(etag_of(b"a"), etag_of(b"a"));
        assert_ne!(etag_of(b"a"), etag_of(b"b"));
        // The published value for the empty text.
        assert_eq!(etag_of(b"").to_string(), "\"6c62272e07bb014262b821756295c58d\"");
    }

    #[test]
    fn slugs_of_any_script_stand_in_urls() {
        assert_eq!(in_url("a-1"), "a-1");
        assert_eq!(in_url("é"), "%C3%A9");
    }
}
