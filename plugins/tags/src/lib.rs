//! Tags on anything: hierarchy, synonyms, groups, suggestions, popularity.
//!
//! One module for each noun; pure rules (`name`, `parse`, `distance`) know no store. Every change of
//! taggings goes through [`tagging`], which keeps the counts of [`trend`] exact. What a tag looks like
//! to a caller is decided in one place, the columns of [`select`]. The README describes the routes.

mod access;
mod create;
mod distance;
mod edit;
mod gram;
mod group;
mod hierarchy;
mod item;
mod listing;
mod name;
mod parse;
mod popular;
mod remove;
mod rule;
mod search;
mod select;
mod settings;
mod slug;
mod subject;
mod suggest;
mod synonym;
mod tag;
mod tagging;
mod trend;

use access::{ASSIGN, CREATE, CURATE};
use caplet_sdk::prelude::*;
use caplet_sdk::route::Route;

const NO_TAG: &str = "There is no such tag.";
const NO_GROUP: &str = "There is no such group.";
const MOVED: &str = "It has another slug by now.";

plugin!(
    Plugin::new("tags")
        .title("Tags")
        .summary("Tags on anything: hierarchy, synonyms, groups, suggestions, popularity.")
        .settings::<settings::TagsSettings>()
        .permission(CURATE, "Rename, move, merge and delete tags; synonyms and groups of them.")
        .permission(ASSIGN, "Tag items where not everyone may.")
        .permission(CREATE, "Make new tags where not everyone may.")
        .migration(1, "create tags", include_str!("../migrations/0001_create_tags.sql"))
        .migration(2, "find by person", include_str!("../migrations/0002_find_by_person.sql"))
        .routes(finding())
        .routes(tagging_items())
        .routes(tags())
        .routes(curating())
        .routes(groups())
);

fn finding() -> [Route; 4] {
    let suggest = get("/suggest", suggest::suggest_tags)
        .summary("Suggest tags for the beginning of a name, typing errors forgiven");
    let popular = get("/popular", popular::list_popular)
        .summary("List the tags that were used most, ever or of late");
    let search = get("/items", search::search_items)
        .summary("List the items that have all, any or none of some tags");
    let items = get("/{slug}/items", search::list_items_of_tag)
        .summary("List the items of a tag, also of those below it")
        .answers(404, NO_TAG);
    [suggest, popular, search, items].map(|route| route.public().tag("finding"))
}

fn tagging_items() -> [Route; 5] {
    let path = "/items/{type}/{id}";
    let read = get(path, item::read_item).public().summary("Read the tags of an item");
    let set = put(path, item::set_tags).summary("Set the tags of an item");
    let add = post(path, item::add_tag).summary("Give an item one more tag");
    let remove = delete("/items/{type}/{id}/{slug}", item::remove_tag)
        .summary("Take a tag from an item")
        .answers(404, NO_TAG);
    let parse = post("/parse", parse::parse_tag_string)
        .public()
        .no_store()
        .summary("Read a tag string: names with spaces or commas between them, and quotes");
    let rules = "The item would have tags that it may not have.";
    let [add, remove] = [add, remove].map(|route| route.answers(409, rules));
    [read, set, add, remove, parse].map(|route| route.tag("items"))
}

fn tags() -> [Route; 4] {
    let list = get("/", listing::list_tags).public().summary("List tags");
    let create = post("/", create::create_tag)
        .summary("Make a tag")
        .answers(403, "Not everybody may make tags here.")
        .answers(409, "There is one of this name, or it would be too deep.");
    let read = get("/{slug}", tag::read_tag).public().summary("Read a tag").answers(404, NO_TAG);
    let synonyms = get("/{slug}/synonyms", synonym::list_synonyms)
        .public()
        .summary("List the other names of a tag")
        .answers(404, NO_TAG);
    [list, create, read, synonyms].map(|route| route.tag("tags"))
}

fn curating() -> [Route; 5] {
    let edit = patch("/{slug}", edit::edit_tag).summary("Rename, move or describe a tag");
    let remove =
        delete("/{slug}", remove::delete_tag).summary("Delete a tag; those below it move up");
    let merge =
        post("/{slug}/merge", remove::merge_tag).summary("Let another tag be instead of a tag");
    let add = put("/{slug}/synonyms/{name}", synonym::add_synonym)
        .summary("Give a tag one more name")
        .answers(400, "It can be no name.");
    let take = delete("/{slug}/synonyms/{name}", synonym::remove_synonym)
        .summary("Take another name from a tag")
        .answers(400, "It can be no name.");
    [edit, remove, merge, add, take]
        .map(|route| route.permission(CURATE).tag("tags").answers(404, NO_TAG).answers(409, MOVED))
}

fn groups() -> [Route; 4] {
    let path = "/groups/{group}";
    let list = get("/groups", group::list_groups).public().summary("List groups of tags");
    let read = get(path, group::read_group).public().summary("Read a group of tags");
    let write = put(path, group::write_group)
        .permission(CURATE)
        .summary("Make or replace a group of tags")
        .answers(409, "There are too many groups.");
    let remove = delete(path, group::delete_group)
        .permission(CURATE)
        .summary("Delete a group; its tags stay");
    let [read, remove] = [read, remove].map(|route| route.answers(404, NO_GROUP));
    [list, read, write, remove].map(|route| route.tag("groups"))
}

#[cfg(test)]
mod tests {
    use super::plugin;

    #[test]
    fn operations_are_unique_and_no_tag_can_hide_a_route() {
        let description = plugin().describe();
        let mut operations: Vec<_> = description.routes.iter().map(|r| &r.operation).collect();
        operations.sort();
        operations.dedup();
        assert_eq!(operations.len(), 22);
        for route in &description.routes {
            let first = route.pattern.trim_start_matches('/').split('/').next().unwrap_or_default();
            let is_free = first.is_empty() || first.starts_with('{');
            assert!(is_free || super::slug::RESERVED.contains(&first), "{}", route.pattern);
        }
        assert_eq!(description.permissions.len(), 3);
    }
}
