//! Feeds of a target: its newest comments as Atom (RFC 4287, with the threads of RFC 4685) and as
//! RSS 2.0. `atom` and `rss` write them; here is what they are made of.

mod atom;
mod rss;
mod xml;

use caplet_sdk::prelude::*;
use caplet_sdk::{Operation, Target};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::derived::derived_id;
use crate::markdown::render;
use crate::select::Reader;
use crate::settings::CommentsSettings;
use crate::state::State;

/// The most comments of a feed.
const ENTRIES_MAX: u32 = 50;
/// No further comment is written into a feed that is larger than this.
const FEED_MAX_BYTES: usize = 1024 * 1024;

const ATOM: &str = "application/atom+xml";
const RSS: &str = "application/rss+xml";

/// What a feed is made of.
pub struct Feed {
    target: Target,
    /// Does not change while the tenant and the target do not.
    id: String,
    /// The path of the feed itself.
    path: String,
    /// Where the target's page is, if that is known.
    page: Option<String>,
    updated_ms: i64,
    entries: Vec<Entry>,
}

/// A comment of a feed, the newest first.
#[derive(Deserialize)]
pub struct Entry {
    id: String,
    reply_to: Option<String>,
    author: Option<String>,
    author_name: Option<String>,
    /// None when an older renderer made it.
    html: Option<String>,
    /// None when the html is current.
    body: Option<String>,
    created_ms: i64,
    edited_ms: Option<i64>,
    deleted: bool,
    state: State,
}

impl Entry {
    fn author(&self) -> &str {
        self.author_name.as_deref().or(self.author.as_deref()).unwrap_or("unknown")
    }

    fn title(&self) -> String {
        format!("Comment by {}", self.author())
    }

    fn updated_ms(&self) -> i64 {
        self.edited_ms.unwrap_or(self.created_ms)
    }

    fn html(&self) -> String {
        match (&self.html, &self.body) {
            (Some(html), _) => html.clone(),
            (None, Some(body)) => render(body),
            (None, None) => String::new(),
        }
    }
}

impl Feed {
    fn title(&self) -> String {
        format!("Comments on {}", self.target.as_str())
    }

    /// Where a comment is on the target's page.
    fn link(&self, entry: &Entry) -> Option<String> {
        self.page.as_ref().map(|page| format!("{page}#comment-{}", entry.id))
    }
}

/// `GET /threads/{target}/atom`
pub fn read_atom(
    _reader: Reader,
    Path(target): Path<Target>,
    preconditions: Preconditions,
    settings: Settings<CommentsSettings>,
) -> Result<Conditional<Atom>, Problem> {
    let feed = load(target, "atom", &settings)?;
    let written = atom::write(&feed);
    preconditions.unless(validators(&feed, &written), || Atom(written))
}

/// `GET /threads/{target}/rss`
pub fn read_rss(
    _reader: Reader,
    Path(target): Path<Target>,
    preconditions: Preconditions,
    settings: Settings<CommentsSettings>,
) -> Result<Conditional<Rss>, Problem> {
    let feed = load(target, "rss", &settings)?;
    let written = rss::write(&feed);
    preconditions.unless(validators(&feed, &written), || Rss(written))
}

/// A tag made of all bytes, because settings and renderer are part of a feed as well.
fn validators(feed: &Feed, written: &[u8]) -> Validators {
    let hash = Sha256::digest(written);
    let hash: String = hash[..12].iter().map(|byte| format!("{byte:02x}")).collect();
    match feed.updated_ms {
        0 => ETag::strong(hash).into(),
        updated_ms => Validators::modified(ETag::strong(hash), updated_ms),
    }
}

fn load(target: Target, form: &str, settings: &CommentsSettings) -> Result<Feed, Problem> {
    let statement = "SELECT activity_ms FROM threads WHERE tenant = $tenant AND target = $1";
    let activity_ms: Option<i64> = sql::query_optional(statement, params![target.as_str()])?;
    let mut entries = newest(&target)?;
    entries.retain(|entry| !entry.deleted && entry.state.is_approved());
    let times = entries.iter().map(Entry::updated_ms).chain(activity_ms);
    let name = format!("{}\0{}", identity::tenant(), target.as_str());
    Ok(Feed {
        id: derived_id("feed", &name, 0),
        path: format!("/api/comments/threads/{}/{form}", target.as_str().replace('/', "%2F")),
        page: page_of(&target, &settings.page_url),
        updated_ms: times.max().unwrap_or(0),
        target,
        entries,
    })
}

/// The newest comments, and fewer where they are too large together.
fn newest(target: &Target) -> Result<Vec<Entry>, Problem> {
    let statement = "SELECT id, reply_to, author, author_name, created_ms, edited_ms, deleted, \
                     state, CASE WHEN renderer < 2 THEN NULL ELSE html END AS html, \
                     CASE WHEN renderer < 2 THEN body END AS body FROM comments \
                     WHERE tenant = $tenant AND target = $1 AND shown = 1 \
                     ORDER BY id DESC LIMIT $2";
    let mut limit = ENTRIES_MAX;
    loop {
        match sql::query(statement, params![target.as_str(), limit]) {
            Err(sql::Error::TooLarge(_)) if limit > 1 => limit /= 2,
            entries => return Ok(entries?),
        }
    }
}

fn page_of(target: &Target, template: &str) -> Option<String> {
    let (kind, id) = target.as_str().split_once(':')?;
    (!template.is_empty()).then(|| template.replace("{type}", kind).replace("{id}", id))
}

/// A time as RFC 3339 writes it.
fn rfc_3339(time_ms: i64) -> String {
    jiff::Timestamp::from_millisecond(time_ms).unwrap_or_default().to_string()
}

macro_rules! feeds {
    ($($(#[$doc:meta])* $name:ident $media_type:ident;)*) => {$(
        $(#[$doc])*
        pub struct $name(Vec<u8>);

        impl IntoResponse for $name {
            fn into_response(self) -> Response {
                Response::new(200, $media_type, self.0)
            }

            fn describe(operation: &mut Operation<'_>) {
                let schema = serde_json::json!({ "type": "string" });
                operation.content(200, "The newest comments.", $media_type, schema);
            }
        }
    )*};
}

feeds! {
    /// A feed as Atom.
    Atom ATOM;
    /// A feed as RSS.
    Rss RSS;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::markdown::RENDERER_VERSION;

    pub fn feed() -> Feed {
        let entry = |id: &str, reply_to: Option<&str>| Entry {
            id: id.to_owned(),
            reply_to: reply_to.map(str::to_owned),
            author: Some("ada".to_owned()),
            author_name: Some("Ada <&> \u{8}Lovelace".to_owned()),
            html: Some("<p>a ]]> b</p>".to_owned()),
            body: None,
            created_ms: 1_000,
            edited_ms: Some(5_000),
            deleted: false,
            state: State::Approved,
        };
        Feed {
            target: Target::parse("post:1").unwrap(),
            id: "018bcfe5-6800-7000-8000-000000000000".to_owned(),
            path: "/api/comments/threads/post:1/atom".to_owned(),
            page: Some("https://example.org/post/1".to_owned()),
            updated_ms: 5_000,
            entries: vec![entry("b", Some("a")), entry("a", None)],
        }
    }

    #[test]
    fn both_forms_escape_what_they_hold() {
        for written in [atom::write(&feed()), rss::write(&feed())] {
            let text = String::from_utf8(written).unwrap();
            assert!(text.contains("Ada &lt;&amp;&gt; Lovelace"), "{text}");
            assert!(text.contains("&lt;p&gt;a ]]&gt; b&lt;/p&gt;"), "{text}");
            assert!(text.contains("https://example.org/post/1#comment-b"), "{text}");
        }
    }

    #[test]
    fn the_statement_knows_the_current_renderer() {
        assert_eq!(RENDERER_VERSION, 2, "change the numbers in `newest` as well");
    }

    #[test]
    fn pages_are_where_the_operator_says() {
        let target = Target::parse("post:a/1").unwrap();
        let page = page_of(&target, "https://example.org/{type}/{id}");
        assert_eq!(page.as_deref(), Some("https://example.org/post/a/1"));
        assert_eq!(page_of(&target, ""), None);
    }
}
