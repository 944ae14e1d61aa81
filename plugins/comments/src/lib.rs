//! Comments on anything: threads of replies, Markdown, reactions, votes, edits with history, and what
//! keeps them civil: states, reports, banned words, paces.
//!
//! One module for each noun; reading and writing of comments have one each. What a comment looks
//! like to a caller is decided in one place, the columns of [`select`], and comes from the database
//! as JSON. The README describes the routes.

mod comment;
mod count;
mod create;
mod derived;
mod edit;
mod feed;
mod history;
mod judgement;
mod listing;
mod markdown;
mod pace;
mod place;
mod queue;
mod reaction;
mod remove;
mod report;
mod select;
mod settings;
mod standing;
mod state;
mod subject;
mod subscription;
mod thread;
mod transfer;
mod tree;
mod vote;
mod words;

use caplet_sdk::prelude::*;
use caplet_sdk::route::Route;

/// Who may edit, hide and delete what others wrote, see reports, and lock and pin.
const MODERATE: &str = "comments.moderate";

/// Who may take all comments elsewhere, and bring comments of others here.
const TRANSFER: &str = "comments.transfer";

/// Room for a body of 10 000 characters, each written as two `\u` escapes of six bytes.
const BODY_MAX_BYTES: u32 = 128 * 1024;

const NO_COMMENT: &str = "There is no such comment.";

const NO_REACTION: &str = "There is no such reaction.";

plugin!(
    Plugin::new("comments")
        .title("Comments")
        .summary("Comments on anything: threads of replies, Markdown, reactions, votes, history.")
        .settings::<settings::CommentsSettings>()
        .permission(
            MODERATE,
            "Edit, hide and delete comments of others; see reports; lock and pin."
        )
        .permission(TRANSFER, "Export all comments, and import comments of any author.")
        .migration(1, "create comments", include_str!("../migrations/0001_create_comments.sql"))
        .migration(
            2,
            "moderate, report, subscribe",
            include_str!("../migrations/0002_moderate_report_subscribe.sql"),
        )
        .migration(3, "find by person", include_str!("../migrations/0003_find_by_person.sql"))
        .routes(reading())
        .routes(writing())
        .routes(reacting())
        .routes(threads())
        .routes(moderating())
        .routes(subscribing())
        .routes(transferring())
);

fn reading() -> [Route; 5] {
    [
        get("/", listing::list_comments)
            .public()
            .summary("List the comments of a target, flat or as a tree")
            .tag("comments"),
        get("/{id}", comment::read_comment)
            .public()
            .summary("Read a comment")
            .tag("comments")
            .answers(404, NO_COMMENT),
        get("/{id}/replies", listing::list_replies)
            .public()
            .summary("List the direct replies to a comment")
            .tag("comments")
            .answers(404, NO_COMMENT),
        get("/{id}/history", history::list_revisions)
            .summary("List the texts a comment had before its edits")
            .tag("comments")
            .answers(403, "Only the author and moderators may see them.")
            .answers(404, NO_COMMENT),
        get("/counts", count::count_comments)
            .public()
            .summary("Count the comments of up to 100 targets")
            .tag("comments"),
    ]
}

fn writing() -> [Route; 3] {
    [
        post("/", create::create_comment)
            .body_max_bytes(BODY_MAX_BYTES)
            .summary("Write a comment or a reply")
            .tag("comments")
            .answers(403, "Not everybody may post in this thread.")
            .answers(409, "The thread is locked, or the answered comment is deleted or hidden.")
            .answers(429, "These are too many in a minute."),
        patch("/{id}", edit::edit_comment)
            .body_max_bytes(BODY_MAX_BYTES)
            .summary("Edit a comment within its edit window; moderators at any time")
            .tag("comments")
            .answers(403, "It is somebody else's.")
            .answers(404, NO_COMMENT)
            .answers(409, "The edit window is over, or the comment is deleted."),
        delete("/{id}", remove::delete_comment)
            .summary("Delete a comment; replies to it stay")
            .tag("comments")
            .answers(403, "It is somebody else's.")
            .answers(404, NO_COMMENT),
    ]
}

fn reacting() -> [Route; 4] {
    let react = put("/{id}/reactions/{kind}", reaction::add_reaction).summary("React to a comment");
    let unreact =
        delete("/{id}/reactions/{kind}", reaction::remove_reaction).summary("Take a reaction back");
    let vote = put("/{id}/vote", vote::cast_vote).summary("Vote a comment up or down");
    let unvote = delete("/{id}/vote", vote::withdraw_vote).summary("Take a vote back");
    let [react, unreact] = [react, unreact].map(|route| route.answers(422, NO_REACTION));
    [react, unreact, vote, unvote].map(|route| {
        route
            .tag("reactions")
            .answers(404, NO_COMMENT)
            .answers(409, "The comment is deleted or hidden.")
            .answers(429, "These are too many in a minute.")
    })
}

fn moderating() -> [Route; 6] {
    [
        put("/{id}/report", report::report_comment)
            .summary("Report a comment to the moderators")
            .tag("moderation")
            .answers(404, NO_COMMENT)
            .answers(409, "The comment is deleted or hidden."),
        delete("/{id}/report", report::withdraw_report)
            .summary("Take a report back that nobody has resolved")
            .tag("moderation")
            .answers(404, NO_COMMENT),
        get("/reports", report::list_reports)
            .permission(MODERATE)
            .summary("List reports, the oldest first")
            .tag("moderation"),
        put("/{id}/reports/resolution", report::resolve_reports)
            .permission(MODERATE)
            .summary("Resolve all open reports of a comment")
            .tag("moderation")
            .answers(404, NO_COMMENT),
        get("/moderation", queue::list_hidden)
            .permission(MODERATE)
            .summary("List the comments that are held or spam, the oldest first")
            .tag("moderation"),
        put("/{id}/state", state::decide_state)
            .permission(MODERATE)
            .summary("Approve a comment, hold it, or call it spam")
            .tag("moderation")
            .answers(404, NO_COMMENT)
            .answers(409, "The comment is deleted."),
    ]
}

fn transferring() -> [Route; 2] {
    [
        get("/export", transfer::export::export_comments)
            .permission(TRANSFER)
            .summary("Export comments, a JSON object a line, the oldest first")
            .tag("transfer"),
        post("/import", transfer::import::import_comments)
            .permission(TRANSFER)
            .body_max_bytes(transfer::import::FILE_MAX_BYTES)
            .summary("Import comments from an archive, Disqus or Commento")
            .tag("transfer")
            .answers(400, "The file cannot be read, or a parameter is wrong."),
    ]
}

fn subscribing() -> [Route; 4] {
    [
        get("/threads/{target}/subscription", subscription::read_subscription)
            .summary("Read whether the caller watches a thread or has muted it")
            .tag("subscriptions")
            .answers(404, "The thread is neither watched nor muted."),
        put("/threads/{target}/subscription", subscription::subscribe)
            .summary("Watch a thread or mute it")
            .tag("subscriptions")
            .answers(409, "There are too many subscriptions."),
        delete("/threads/{target}/subscription", subscription::unsubscribe)
            .summary("Neither watch a thread nor mute it")
            .tag("subscriptions"),
        get("/subscriptions", subscription::list_subscriptions)
            .summary("List the threads that the caller watches or has muted")
            .tag("subscriptions"),
    ]
}

fn threads() -> [Route; 4] {
    [
        get("/threads/{target}", thread::read_thread)
            .public()
            .summary("Read a thread's settings")
            .tag("threads"),
        get("/threads/{target}/atom", feed::read_atom)
            .public()
            .summary("Read the newest comments of a target as an Atom feed")
            .tag("feeds"),
        get("/threads/{target}/rss", feed::read_rss)
            .public()
            .summary("Read the newest comments of a target as an RSS feed")
            .tag("feeds"),
        put("/threads/{target}", thread::write_thread)
            .permission(MODERATE)
            .summary("Lock a thread, pin a comment in it, decide who may post")
            .tag("threads"),
    ]
}

#[cfg(test)]
mod tests {
    use super::plugin;

    #[test]
    fn operations_are_unique_and_permissions_declared() {
        let description = plugin().describe();
        let mut operations: Vec<_> = description.routes.iter().map(|r| &r.operation).collect();
        operations.sort();
        operations.dedup();
        assert_eq!(operations.len(), 28);
        assert!(description.permissions.iter().any(|p| p.name == super::MODERATE));
        assert!(!description.settings_schema.is_empty());
    }
}
