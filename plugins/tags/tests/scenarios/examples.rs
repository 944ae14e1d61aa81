//! One good request for each route, in a small world of tags. Whoever adds a route adds its example
//! here: `contract` fails for a route without one.

use caplet_testing::{Caller, Method, Person, TestHost, json};

use crate::stage::{CURATE, TAGS, item_path, make, make_below, set};

/// What stands in every name of a world, so that it is noticed where it must not be.
pub const CANARY: &str = "canary";

/// Tags of one tenant: `canary-one` with `canary-below` below it, a synonym and a group; `canary-two`.
pub struct World;

impl World {
    pub async fn populate(host: &TestHost, tenant: &str) -> Self {
        let ada = host.user("ada").tenant(tenant);
        let mia = Who::Curator.caller(host, tenant);
        for name in ["Canary one", "Canary two", "Canary old"] {
            make(&ada, name).await;
        }
        make_below(&ada, "canary-one", "Canary below").await;
        set(&ada, "post/1", &["canary one", "canary two"]).await;
        set(&ada, "post/2", &["canary below"]).await;
        let synonym = mia.put(&format!("{TAGS}/canary-one/synonyms/canary-1"));
        synonym.send().await.expect_status(204);
        let group = json!({ "title": "Canaries", "tags": ["canary-one"] });
        let group = mia.put(&format!("{TAGS}/groups/canaries")).json(&group);
        group.send().await.expect_status(200);
        Self
    }
}

/// Who may make a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    Anybody,
    Curator,
}

impl Person for Who {
    fn caller<'a>(self, host: &'a TestHost, tenant: &str) -> Caller<'a> {
        match self {
            Self::Anybody => host.user("zoe").tenant(tenant),
            Self::Curator => host.user("mia").tenant(tenant).permission(CURATE),
        }
    }
}

pub type Example = caplet_testing::Example<Who>;

/// An example for each route, in an order in which all succeed.
pub fn examples(_world: &World) -> Vec<Example> {
    let mut all = reading();
    all.extend(tagging());
    all.extend(curating());
    all
}

fn reading() -> Vec<Example> {
    let get = |operation, path: &str| {
        Example::new(operation, Who::Anybody, Method::GET, format!("{TAGS}{path}"))
    };
    vec![
        get("list_tags", ""),
        get("list_tags", "?sort=popular&limit=1"),
        get("read_tag", "/canary-one"),
        get("list_synonyms", "/canary-one/synonyms"),
        get("list_items_of_tag", "/canary-one/items"),
        get("list_items_of_tag", "/canary-one/items?include_children=true&type=post"),
        get("search_items", "/items?all=canary-one,canary-two&none=canary-old"),
        get("search_items", "/items?any=canary-one,canary-two&include_children=true"),
        get("suggest_tags", "/suggest?q=can"),
        get("list_popular", "/popular"),
        get("list_popular", "/popular?window=week&limit=1"),
        get("read_item", "/items/post/1"),
        get("list_groups", "/groups"),
        get("read_group", "/groups/canaries"),
    ]
}

fn tagging() -> Vec<Example> {
    let make = |operation, method, path: &str| {
        Example::new(operation, Who::Anybody, method, format!("{TAGS}{path}"))
    };
    vec![
        make("parse_tag_string", Method::POST, "/parse").with_body(json!({ "text": "a, b" })),
        make("create_tag", Method::POST, "").with_body(json!({ "name": "example" })),
        Example::new("set_tags", Who::Anybody, Method::PUT, item_path("post/1"))
            .with_body(json!({ "tags": ["canary one", "example 2"] })),
        Example::new("set_tags", Who::Anybody, Method::PUT, item_path("post/1"))
            .with_body(json!({ "text": "\"canary one\" example" })),
        Example::new("add_tag", Who::Anybody, Method::POST, item_path("post/1"))
            .with_body(json!({ "tag": "canary two" })),
        make("remove_tag", Method::DELETE, "/items/post/1/canary-two"),
    ]
}

fn curating() -> Vec<Example> {
    let make = |operation, method, path: &str| {
        Example::new(operation, Who::Curator, method, format!("{TAGS}{path}"))
    };
    vec![
        make("edit_tag", Method::PATCH, "/canary-two").with_body(json!({ "description": "Two" })),
        make("add_synonym", Method::PUT, "/canary-two/synonyms/canary-2"),
        make("remove_synonym", Method::DELETE, "/canary-one/synonyms/canary-1"),
        make("merge_tag", Method::POST, "/canary-old/merge")
            .with_body(json!({ "into": "canary-one" })),
        make("write_group", Method::PUT, "/groups/canaries")
            .with_body(json!({ "title": "All", "tags": ["canary-two"] })),
        make("delete_group", Method::DELETE, "/groups/canaries"),
        make("delete_tag", Method::DELETE, "/canary-below"),
    ]
}

/// The operations of the plugin's routes, in order.
pub fn operations(host: &TestHost) -> Vec<String> {
    caplet_testing::operations(host, "tags")
}
