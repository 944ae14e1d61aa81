//! What a scenario notices: each thing that is not as the file says, and nothing that is.

use std::path::Path;

use caplet_runtime::Compiler;
use caplet_testing::component;
use caplet_testing::scenario::{Logs, Outcome, ScenarioFile, Subject, run};

const PEOPLE: &str = "people: { ada: {}, grace: { permissions: [notes.pin] } }\n";

/// Runs steps against the example `notes`.
async fn outcome(steps: &str) -> Outcome {
    let text = format!("{PEOPLE}scenarios:\n  - name: It is so\n    steps:\n{steps}");
    let file = ScenarioFile::parse(Path::new("notes.yaml"), &text);
    let file = file.unwrap_or_else(|mistake| panic!("{mistake}"));
    let subject = Subject {
        plugin: "notes".to_owned(),
        component: component("notes"),
        cache: None,
        compiler: Compiler::default(),
        logs: Logs::default(),
        filter: None,
    };
    run(&file, &subject).await.0.remove(0)
}

/// What was not as the steps say.
async fn differences(steps: &str) -> Vec<String> {
    let Some((_, _, misplay)) = outcome(steps).await.failure else { return Vec::new() };
    let differences = misplay.differences.into_iter();
    differences.map(|it| format!("{}: {}", it.place.trim_end(), it.text)).collect()
}

const WRITE: &str = "      - as: ada
        request: POST /api/notes
        json: { body: Bread }
";

#[tokio::test]
async fn every_part_of_an_answer_is_held_against_the_file() {
    let steps = format!(
        "{WRITE}        expect:
          status: 200
          headers: {{ location: /elsewhere, content-type: null }}
          json: {{ id: $uuid, author: grace, body: Bread, pinned: false }}
"
    );
    let found = differences(&steps).await;
    assert!(found.contains(&"status: expected 200, got 201".to_owned()), "{found:?}");
    assert!(found.iter().any(|it| it.starts_with("header location: expected \"/elsewhere\"")));
    assert!(found.iter().any(|it| it.starts_with("header content-type: expected null")));
    let author = "body /author: expected \"grace\", got \"ada\"".to_owned();
    assert!(found.contains(&author), "{found:?}");
    let more = "body /created_at: not expected, got \"2026-01-01T00:00:00.000Z\"".to_owned();
    assert!(found.contains(&more), "{found:?}");
    assert_eq!(found.len(), 5, "{found:?}");
}

#[tokio::test]
async fn a_body_that_is_not_spoken_of_is_noticed() {
    let found = differences(&format!("{WRITE}        expect: {{ status: 201 }}\n")).await;
    assert!(found[0].starts_with("body: expected none: say what it is"), "{found:?}");
}

#[tokio::test]
async fn what_is_stored_is_held_against_the_file() {
    let stored = "      - stored: { query: 'SELECT body FROM notes', rows: [{ body: Butter }] }\n";
    let found = differences(&format!("{WRITE}{stored}")).await;
    let expected = "stored `SELECT body FROM notes` /0/body: expected \"Butter\", got \"Bread\"";
    assert_eq!(found, [expected]);
    let wrong = differences("      - stored: { query: 'SELECT x FROM nowhere', rows: [] }\n").await;
    assert!(wrong[0].contains("nowhere"), "{wrong:?}");
}

#[tokio::test]
async fn a_step_without_expectations_has_to_succeed() {
    let found = differences("      - request: GET /api/notes/none\n").await;
    assert_eq!(found, ["status: expected one below 400, got 404"]);
    assert!(differences(WRITE).await.is_empty());
}

#[tokio::test]
async fn a_scenario_ends_at_the_step_that_fails() {
    let failed =
        outcome("      - request: GET /api/notes/${nobody}\n      - restart: true\n").await;
    assert_eq!(failed.n_steps, 1);
    let (place, step, misplay) = failed.failure.expect("the variable is not there");
    assert_eq!((place.as_str(), step.contains("nobody known")), ("notes.yaml:5", true));
    assert!(misplay.differences[0].text.contains("there is no variable `nobody`"));
}

#[tokio::test]
async fn settings_that_the_plugin_does_not_take_are_told() {
    let found = differences("      - settings: { body_characters_max: 0 }\n").await;
    assert!(found[0].starts_with("settings: "), "{found:?}");
    assert!(found[0].contains("body_characters_max"), "{found:?}");
}
