//! What a plugin tells the host about itself: routes, headers, settings and the OpenAPI document.

use caplet_sdk::prelude::*;
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Deserialize, JsonSchema, Validate)]
struct NewNote {
    /// The text.
    #[garde(length(chars, min = 1, max = 100))]
    text: String,
    #[garde(skip)]
    colour: Option<Colour>,
}

#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Colour {
    Red,
    Green,
}

#[derive(Serialize, JsonSchema)]
struct Note {
    id: u32,
    colour: Colour,
}

#[derive(Deserialize, JsonSchema, Validate)]
struct Filter {
    /// Only notes of this colour.
    #[garde(skip)]
    colour: Option<Colour>,
}

#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(default)]
struct NoteSettings {
    /// How many notes a person may have.
    notes_max: u32,
}

impl Default for NoteSettings {
    fn default() -> Self {
        Self { notes_max: 100 }
    }
}

fn list(Query(filter): Query<Filter>, page: Page) -> Result<Listing<Note>, Problem> {
    let colour = filter.colour.unwrap_or(Colour::Red);
    Listing::from_items(&[Note { id: page.limit, colour }], None)
}

fn create(caller: Caller, Json(note): Json<NewNote>) -> WithEtag<Created<Json<Note>>> {
    let id = u32::try_from(note.text.len() + caller.subject.len()).unwrap_or_default();
    let note = Note { id, colour: note.colour.unwrap_or(Colour::Green) };
    WithEtag(ETag::strong(1), Created::new(format!("/api/notes/{id}"), Json(note)))
}

fn read(Path(id): Path<u32>, if_none_match: IfNoneMatch) -> Conditional<Json<Note>> {
    if_none_match.unless(ETag::strong(id), || Json(Note { id, colour: Colour::Red }))
}

fn remove(Path(_id): Path<u32>, if_match: IfMatch) -> Result<NoContent, Problem> {
    if_match.require(&ETag::strong(1))?;
    Ok(NoContent)
}

fn notes() -> Plugin {
    Plugin::new("notes")
        .version("1.2.3")
        .title("Notes")
        .settings::<NoteSettings>()
        .permission("notes.remove", "Remove notes.")
        .migration(1, "create notes", "CREATE TABLE notes (id BIGINT)")
        .route(get("/", list).public())
        .route(post("/", create))
        .route(get("/{id}", read).public())
        .route(delete("/{id}", remove).permission("notes.remove").answers(404, "No such note."))
        .route(any("/hooks/{*path}", |_: Request| NoContent).public())
}

fn openapi() -> Value {
    serde_json::from_str(&notes().describe().openapi).unwrap()
}

fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|member| references(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn every_route_is_an_operation_and_one_for_any_method_shows_as_get() {
    let document = openapi();
    for route in &notes().describe().routes {
        let method =
            if route.method == "*" { "get".to_owned() } else { route.method.to_lowercase() };
        let operation = &document["paths"][route.pattern.replace("{*", "{")][method];
        assert_eq!(operation["operationId"], route.operation.as_str());
        assert!(operation["responses"].as_object().is_some_and(|r| !r.is_empty()));
    }
}

#[test]
fn every_reference_resolves() {
    let document = openapi();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.contains(&"#/components/schemas/Note".to_owned()));
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

#[test]
fn rules_that_validate_are_documented() {
    let document = openapi();
    let text = &document["components"]["schemas"]["NewNote"]["properties"]["text"];
    assert_eq!((&text["minLength"], &text["maxLength"]), (&1.into(), &100.into()));
    assert_eq!(text["description"], "The text.");
}

#[test]
fn parameters_come_from_path_query_and_headers() {
    let document = openapi();
    let names = |path: &str, method: &str| -> Vec<String> {
        let parameters = document["paths"][path][method]["parameters"].as_array().unwrap().iter();
        parameters.map(|p| format!("{} {}", p["in"], p["name"]).replace('"', "")).collect()
    };
    assert_eq!(names("/", "get"), ["query colour", "query limit", "query cursor"]);
    assert_eq!(names("/{id}", "delete"), ["path id", "header if-match"]);
}

#[test]
fn security_follows_the_access_rule() {
    let document = openapi();
    assert_eq!(document["paths"]["/"]["get"]["security"], serde_json::json!([]));
    assert_eq!(document["paths"]["/"]["post"]["security"], serde_json::json!([{ "bearer": [] }]));
    let refused = &document["paths"]["/{id}"]["delete"]["responses"];
    assert!(refused["403"]["description"].as_str().unwrap().contains("notes.remove"));
    assert_eq!(refused["404"]["description"], "No such note.");
}

#[test]
fn answers_name_their_headers() {
    let document = openapi();
    let created = &document["paths"]["/"]["post"]["responses"]["201"];
    assert!(created["headers"]["location"].is_object() && created["headers"]["etag"].is_object());
    assert!(document["paths"]["/{id}"]["get"]["responses"]["304"].is_object());
}

#[test]
fn routes_ask_for_the_headers_their_handlers_read() {
    let description = notes().describe();
    let headers = |operation: &str| {
        let route = description.routes.iter().find(|route| route.operation == operation).unwrap();
        route.headers.clone()
    };
    assert_eq!(headers("create"), ["content-type"]);
    assert_eq!(headers("read"), ["if-none-match"]);
    assert!(headers("list").is_empty());
}

#[test]
fn settings_have_a_schema_with_defaults() {
    let schema: Value = serde_json::from_str(&notes().describe().settings_schema).unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(schema["type"], "object");
    assert_eq!(schema["properties"]["notes_max"]["default"], 100);
}

#[test]
fn a_call_goes_to_the_operation_that_was_asked_for() {
    use caplet_sdk::testing::{Host, call, user};
    let host = Host { caller: Some(user("ada")), ..Host::default() };
    host.enter();
    let created = call(
        &notes(),
        "create",
        Request {
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: br#"{"text":"Hi"}"#.to_vec(),
            ..Request::default()
        },
    );
    assert_eq!((created.status, created.header("location")), (201, Some("/api/notes/5")));
    assert_eq!(created.header("etag"), Some("\"1\""));
    assert_eq!(call(&notes(), "list", Request::default()).status, 200);
}

#[test]
fn without_a_caller_the_answer_is_401() {
    caplet_sdk::testing::Host::default().enter();
    let response = caplet_sdk::testing::call(&notes(), "create", Request::default());
    assert_eq!((response.status, response.header("www-authenticate")), (401, Some("Bearer")));
}

#[test]
fn migrations_have_the_phase_they_are_added_with() {
    let plugin = Plugin::new("notes")
        .migration(1, "create", "CREATE TABLE notes (id BIGINT)")
        .backfill(2, "fill", "DELETE FROM notes WHERE id IN (SELECT id FROM notes LIMIT 1)")
        .contract(3, "drop", "DROP TABLE notes")
        .migration_on_postgres("DROP TABLE notes CASCADE");
    let found = plugin.describe().migrations;
    let phases: Vec<_> = found.iter().map(|it| (it.number, format!("{:?}", it.phase))).collect();
    let expected = [(1, "Expand"), (2, "Backfill"), (3, "Contract")];
    assert_eq!(phases, expected.map(|(number, name)| (number, format!("Phase::{name}"))));
    assert!(found[2].postgres.is_some());
}
