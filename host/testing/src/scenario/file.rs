//! The scenario file: its keys, and what is said of a mistake in it.
//!
//! A key that is not known is an error with its place, because a check that is misspelt would else be
//! a check that never fails.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;
use serde_saphyr::{Error, Spanned};

/// How alike a known key must be to be suggested, from 0 to 1.
const LIKENESS_MIN: f64 = 0.7;

/// A file of scenarios.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScenarioFile {
    /// Where it was read from.
    #[serde(skip)]
    pub path: PathBuf,
    /// The plugin's settings in all scenarios: a mapping.
    pub settings: Option<Value>,
    /// The rights the plugin is granted; all it asks for, when not given.
    pub grants: Option<Vec<String>>,
    /// Who makes requests, by the names that steps give in `as`.
    #[serde(default)]
    pub people: BTreeMap<String, Person>,
    /// Steps before each scenario, and once in a host of `caplet dev`.
    #[serde(default)]
    pub seed: Vec<Spanned<Step>>,
    /// The scenarios; each begins with an empty database.
    pub scenarios: Vec<Spanned<Scenario>>,
}

/// Somebody who makes requests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Person {
    /// The subject of the token; the person's name, when not given.
    pub subject: Option<String>,
    /// The tenant; `default`, when not given.
    pub tenant: Option<String>,
    /// Whether it is a program and no person.
    pub service: bool,
    /// Roles.
    pub roles: Vec<String>,
    /// Teams.
    pub teams: Vec<String>,
    /// Permissions, each by a scope of the token.
    pub permissions: Vec<String>,
}

/// Steps with a beginning of their own.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it shows, as a sentence.
    pub name: String,
    /// The plugin's settings in this scenario, instead of the file's.
    pub settings: Option<Value>,
    /// Its steps, one after the other; it ends at the first one that fails.
    pub steps: Vec<Spanned<Step>>,
}

/// One step: exactly one of `request`, `advance`, `restart`, `settings` and `stored`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Step {
    /// Who makes the request; nobody known, when not given.
    #[serde(rename = "as")]
    pub person: Option<String>,
    /// Method and path with its query: `POST /api/notes`.
    pub request: Option<String>,
    /// Headers of the request.
    pub headers: BTreeMap<String, String>,
    /// The body, as JSON.
    pub json: Option<Value>,
    /// The body, as a text.
    pub body: Option<String>,
    /// What has to come of the request.
    pub expect: Option<Expect>,
    /// Moves the clock forward, by `90s`, `2h`, `30days`.
    pub advance: Option<String>,
    /// Starts the host again on the same data.
    pub restart: Option<bool>,
    /// Starts the host again with other settings of the plugin.
    pub settings: Option<Value>,
    /// Looks into the plugin's database.
    pub stored: Option<Stored>,
}

/// What has to come of a request, and nothing else: an answer with a body that is not spoken of fails.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// The status.
    pub status: u16,
    /// Headers and their values; `null`: the header must not be there.
    #[serde(default)]
    pub headers: BTreeMap<String, Option<String>>,
    /// The whole body, as JSON.
    pub json: Option<Value>,
    /// Members that the body, which is JSON, has among others.
    pub includes: Option<Value>,
    /// The whole body, as a text.
    pub text: Option<String>,
    /// The code of the problem document that the body is.
    pub problem: Option<String>,
    /// `true`: whatever the body is, it is right.
    #[serde(default)]
    pub any_body: bool,
    /// What is in the database afterwards.
    #[serde(default)]
    pub stored: Vec<Stored>,
    /// The lines that the plugin logs, and no others; not looked at, when not given.
    pub log: Option<Vec<Line>>,
}

/// A look into the plugin's database.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stored {
    /// One `SELECT`.
    pub query: String,
    /// What `$tenant` is in it; `default`, when not given.
    pub tenant: Option<String>,
    /// The rows, in their order: a mapping from column to value each.
    pub rows: Vec<Value>,
}

/// A line of the plugin's log.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// `error`, `warn`, `info`, `debug` or `trace`; any, when not given.
    pub level: Option<String>,
    /// The message.
    pub message: String,
}

/// A mistake in a file: one line, with its place and the remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake(pub String);

impl std::fmt::Display for Mistake {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl ScenarioFile {
    /// Reads a file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(path: &Path) -> Result<Self, Mistake> {
        let text = std::fs::read_to_string(path)
            .map_err(|reason| Mistake(format!("{} cannot be read: {reason}", path.display())))?;
        Self::parse(path, &text)
    }

    /// Reads a file's text.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(path: &Path, text: &str) -> Result<Self, Mistake> {
        let options = serde_saphyr::options! { with_snippet: false };
        let file: Self = serde_saphyr::from_str_with_options(text, options)
            .map_err(|error| Mistake(format!("{}{}", place(path, &error), explain(&error))))?;
        let file = Self { path: path.to_owned(), ..file };
        let scenarios = file.scenarios.iter().flat_map(|scenario| &scenario.value.steps);
        for step in file.seed.iter().chain(scenarios) {
            file.check(&step.value).map_err(|reason| {
                Mistake(format!("{}: {reason}", file.place(step.referenced.line())))
            })?;
        }
        Ok(file)
    }

    /// `tests/notes.yaml:12`.
    pub fn place(&self, line: u64) -> String {
        format!("{}:{line}", self.path.display())
    }

    /// What the types cannot say.
    fn check(&self, step: &Step) -> Result<(), String> {
        let kinds = [
            step.request.is_some(),
            step.advance.is_some(),
            step.restart.is_some(),
            step.settings.is_some(),
            step.stored.is_some(),
        ];
        if kinds.iter().filter(|is_there| **is_there).count() != 1 {
            return Err(
                "a step has exactly one of request, advance, restart, settings and stored".into()
            );
        }
        if step.request.is_none() {
            return Ok(());
        }
        if step.json.is_some() && step.body.is_some() {
            return Err("a request has one body: `json` or `body`".into());
        }
        let Some(person) = &step.person else { return Ok(()) };
        if self.people.contains_key(person) {
            return Ok(());
        }
        let names = self.people.keys().map(String::as_str);
        Err(format!("`{person}` is not among the people{}", suggestion(person, names)))
    }
}

fn place(path: &Path, error: &Error) -> String {
    match error.location() {
        Some(at) if at.line() > 0 => format!("{}:{}:{}: ", path.display(), at.line(), at.column()),
        _ => format!("{}: ", path.display()),
    }
}

/// One line about a mistake.
fn explain(error: &Error) -> String {
    match error {
        Error::SerdeUnknownField { field, expected, .. } => {
            let suggestion = suggestion(field, expected.iter().copied());
            format!("`{field}` is no key here{suggestion}; known are {}", expected.join(", "))
        }
        Error::SerdeMissingField { field, .. } => format!("the key `{field}` is missing"),
        other => {
            let text = other.to_string();
            text.lines().next().unwrap_or_default().to_owned()
        }
    }
}

/// `; did you mean …?`, when something known is like it.
fn suggestion<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> String {
    let alike = known.map(|known| (strsim::jaro_winkler(word, known), known));
    match alike.max_by(|one, other| one.0.total_cmp(&other.0)) {
        Some((likeness, known)) if likeness >= LIKENESS_MIN => {
            format!("; did you mean `{known}`?")
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistake(text: &str) -> String {
        ScenarioFile::parse(Path::new("a.yaml"), text).unwrap_err().0
    }

    #[test]
    fn an_unknown_key_is_named_with_its_place_and_what_was_meant() {
        let said = mistake(
            "scenarios:\n  - name: x\n    steps:\n      - request: GET /\n        expct:\n          status: 200\n",
        );
        assert!(said.starts_with("a.yaml:5:9: `expct` is no key here"), "{said}");
        assert!(said.contains("did you mean `expect`?"), "{said}");
        assert_eq!(said.lines().count(), 1);
    }

    #[test]
    fn a_step_does_one_thing() {
        let said = mistake(
            "scenarios:\n  - name: x\n    steps:\n      - request: GET /\n        restart: true\n",
        );
        assert!(said.starts_with("a.yaml:4: a step has exactly one of"), "{said}");
    }

    #[test]
    fn people_are_known_by_name() {
        let said = mistake(
            "people:\n  grace: {}\nscenarios:\n  - name: x\n    steps:\n      - as: grase\n        request: GET /\n",
        );
        assert!(said.contains("a.yaml:6"), "{said}");
        assert!(said.contains("`grase` is not among the people; did you mean `grace`?"), "{said}");
    }

    #[test]
    fn what_is_no_yaml_or_lacks_a_key_has_a_place() {
        assert!(mistake("scenarios: [").starts_with("a.yaml:"));
        let said = mistake("scenarios:\n  - steps: []\n");
        assert!(said.contains("the key `name` is missing"), "{said}");
        let said = mistake(
            "scenarios:\n  - name: x\n    steps:\n      - request: GET /\n        expect: { status: fine }\n",
        );
        assert!(said.starts_with("a.yaml:5:"), "{said}");
    }
}
