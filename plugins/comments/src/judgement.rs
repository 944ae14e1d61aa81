//! What becomes of a text before a person has looked at it: the rules that need no other service.
//!
//! Moderators are trusted. For others, what is written may be refused, held or taken for spam by the
//! words and links in it, or held because its author is new here.

use caplet_sdk::prelude::*;

use crate::MODERATE;
use crate::settings::{BannedWordsAction, CommentsSettings, Hold};
use crate::state::State;

/// A text, as it was written and as it was rendered.
pub struct Text<'a> {
    pub body: &'a str,
    pub html: &'a str,
}

/// What the words and links of a text make of it. Asks the store nothing.
///
/// # Errors
/// 422 when it has a banned word and those are refused.
pub fn of_text(text: &Text<'_>, settings: &CommentsSettings) -> Result<State, Problem> {
    let words = &settings.banned_words;
    if !words.is_empty() && !identity::permitted(MODERATE) {
        let is_banned = words.are_in(text.body) || words.are_in(&plain(text.html));
        match settings.banned_words_action {
            _ if !is_banned => {}
            BannedWordsAction::Refuse => {
                return Err(Problem::unprocessable_at("/body", "has a word that is banned here"));
            }
            BannedWordsAction::Hold => return Ok(State::Held),
            BannedWordsAction::Spam => return Ok(State::Spam),
        }
    }
    let most = usize::from(settings.links_max);
    let has_many = most > 0 && text.html.matches("<a href=").count() > most;
    if has_many && !identity::permitted(MODERATE) {
        return Ok(State::Held);
    }
    Ok(State::Approved)
}

/// Whether what an author writes is held because of who they are.
///
/// # Errors
/// Those of the store.
pub fn of_author(author: &str, settings: &CommentsSettings) -> Result<State, Problem> {
    let is_held = match settings.hold {
        Hold::Nobody => false,
        Hold::Newcomers => is_newcomer(author, settings.newcomer_comments)?,
        Hold::Everybody => true,
    };
    Ok(if is_held && !identity::permitted(MODERATE) { State::Held } else { State::Approved })
}

fn is_newcomer(author: &str, n_approved_needed: u8) -> Result<bool, Problem> {
    let statement = "SELECT count(*) FROM (SELECT 1 FROM comments WHERE tenant = $tenant \
                     AND author = $1 AND state = 'approved' LIMIT $2) approved";
    let n_approved: i64 = sql::query_one(statement, params![author, n_approved_needed])?;
    Ok(n_approved < i64::from(n_approved_needed))
}

/// The text of rendered HTML: emphasis inside a word must not hide it. Entities stay, which stand
/// for characters that no word has.
fn plain(html: &str) -> String {
    let mut plain = String::with_capacity(html.len());
    let mut rest = html;
    while let Some((before, tag)) = rest.split_once('<') {
        plain.push_str(before);
        // Inside an attribute the renderer writes `>` as an entity.
        let (tag, after) = tag.split_once('>').unwrap_or((tag, ""));
        if !is_inline(tag) {
            plain.push(' ');
        }
        rest = after;
    }
    plain.push_str(rest);
    plain
}

fn is_inline(tag: &str) -> bool {
    let name = tag.trim_start_matches('/').split(' ').next().unwrap_or_default();
    matches!(name, "a" | "code" | "del" | "em" | "strong")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::markdown::render;

    fn judge(body: &str, settings: &serde_json::Value) -> Result<State, u16> {
        let settings: CommentsSettings = serde_json::from_value(settings.clone()).unwrap();
        let html = render(body);
        let text = Text { body, html: &html };
        of_text(&text, &settings).map_err(|problem| problem.status())
    }

    #[test]
    fn banned_words_are_held_refused_or_spam() {
        caplet_sdk::testing::Host::default().enter();
        for (action, verdict) in
            [("hold", Ok(State::Held)), ("refuse", Err(422)), ("spam", Ok(State::Spam))]
        {
            let settings =
                serde_json::json!({ "banned_words": ["casino"], "banned_words_action": action });
            assert_eq!(judge("A CASINO!", &settings), verdict);
            assert_eq!(judge("c*asi*no", &settings), verdict, "emphasis hides nothing");
            assert_eq!(judge("[ca](https://a.example)sino", &settings), verdict);
            assert_eq!(judge("a case, no more", &settings), Ok(State::Approved));
            assert_eq!(judge("- ca\\n- sino", &settings), Ok(State::Approved));
        }
    }

    #[test]
    fn many_links_are_held() {
        caplet_sdk::testing::Host::default().enter();
        let settings = serde_json::json!({ "links_max": 1 });
        assert_eq!(judge("<https://a.example>", &settings), Ok(State::Approved));
        let two = "<https://a.example> <https://b.example>";
        assert_eq!(judge(two, &settings), Ok(State::Held));
        assert_eq!(judge(two, &serde_json::json!({})), Ok(State::Approved));
    }
}
