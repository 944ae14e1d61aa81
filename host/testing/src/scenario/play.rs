//! One step against a host: the request as the person makes it, and what has to come of it.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use caplet_runtime::{Kind, RouteMatch};
use caplet_server::{Claims, Host};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};

use super::file::{Expect, Line, Person, Step};
use super::logs::{Logged, Logs};
use super::pattern::{Comparison, Difference, Extent, Variables, fill_text, fill_value};
use crate::answer::Answer;

/// How long the token of a request is valid.
const TOKEN_TIME: Duration = Duration::from_secs(60);

/// Plays steps, and keeps what one step has to tell the next.
pub struct Player<'a> {
    /// The plugin.
    pub plugin: &'a str,
    /// The people of the file.
    pub people: &'a BTreeMap<String, Person>,
    /// What was kept so far.
    pub variables: Variables,
    /// What the plugin logs.
    pub logs: Logs,
    n_requests: u32,
}

/// Why a step failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Misplay {
    /// What was not as it should be.
    pub differences: Vec<Difference>,
    /// What the host answered, when it did.
    pub answer: String,
    /// What the plugin logged.
    pub log: Vec<Logged>,
}

impl Misplay {
    /// A step that could not be done.
    pub(super) fn of(place: &str, text: impl Into<String>) -> Self {
        let difference = Difference { place: place.to_owned(), text: text.into() };
        Self { differences: vec![difference], ..Self::default() }
    }
}

/// What was asked, and what came back.
pub(super) struct Exchange {
    pub(super) operation: Option<String>,
    pub(super) answer: Answer,
    pub(super) log: Vec<Logged>,
}

/// The claims of a person's token.
#[must_use]
pub fn claims(name: &str, person: &Person) -> Claims {
    let subject = person.subject.as_deref().unwrap_or(name);
    let known = Claims::user(subject);
    Claims {
        kind: if person.service { Kind::Service } else { Kind::User },
        tenant: person.tenant.clone().unwrap_or_else(|| known.tenant.clone()),
        roles: person.roles.clone(),
        teams: person.teams.clone(),
        scopes: person.permissions.clone(),
        ..known
    }
}

impl<'a> Player<'a> {
    /// Somebody who has played nothing yet.
    #[must_use]
    pub fn new(plugin: &'a str, people: &'a BTreeMap<String, Person>, logs: Logs) -> Self {
        Self { plugin, people, variables: Variables::new(), logs, n_requests: 0 }
    }

    /// Makes the request of a step, and checks its answer. What the step says of the database is not
    /// looked at. Steps that are no requests are passed over.
    ///
    /// # Errors
    /// What was not as the step says.
    pub async fn play(&mut self, host: &Host, step: &Step) -> Result<(), Misplay> {
        let Some(target) = &step.request else { return Ok(()) };
        let exchange = self.exchange(host, target, step).await?;
        self.check(step, &exchange)
    }

    /// Makes the request.
    pub(super) async fn exchange(
        &mut self,
        host: &Host,
        target: &str,
        step: &Step,
    ) -> Result<Exchange, Misplay> {
        self.n_requests += 1;
        let request_id = format!("step-{}-{}", std::process::id(), self.n_requests);
        let request = self.request(host, target, step, &request_id);
        let request = request.map_err(|reason| Misplay::of("request", reason))?;
        let operation = self.operation(host, request.method(), request.uri().path());
        let (head, body) = host.handle(request).await.into_parts();
        let body = body.collect().await;
        let body =
            body.map_err(|reason| Misplay::of("answer", format!("it broke off: {reason}")))?;
        let answer = Answer::new(head.status, head.headers, body.to_bytes());
        Ok(Exchange { operation, answer, log: self.logs.take(&request_id) })
    }

    fn request(
        &self,
        host: &Host,
        target: &str,
        step: &Step,
        request_id: &str,
    ) -> Result<http::Request<Full<Bytes>>, String> {
        let target = fill_text(target, &self.variables)?;
        let (method, path) =
            target.split_once(' ').ok_or("a request is a method and a path: `GET /api/notes`")?;
        let mut request = http::Request::builder()
            .method(method)
            .uri(path.trim())
            .body(Full::default())
            .map_err(|reason| format!("{target}: {reason}"))?;
        let headers = request.headers_mut();
        put(headers, "x-request-id", request_id)?;
        if let Some(name) = &step.person {
            let person = self.people.get(name).ok_or_else(|| format!("nobody is `{name}`"))?;
            let token = host.issue_token(&claims(name, person), TOKEN_TIME);
            let token = token.map_err(|refused| format!("`{name}` has no token: {refused}"))?;
            put(headers, AUTHORIZATION.as_str(), &format!("Bearer {token}"))?;
        }
        if step.json.is_some() {
            put(headers, CONTENT_TYPE.as_str(), "application/json")?;
        }
        for (name, value) in &step.headers {
            put(headers, name, &fill_text(value, &self.variables)?)?;
        }
        *request.body_mut() = Full::new(self.body(step)?);
        Ok(request)
    }

    fn body(&self, step: &Step) -> Result<Bytes, String> {
        if let Some(json) = &step.json {
            let json = fill_value(json, &self.variables)?;
            return Ok(json.to_string().into());
        }
        let text = step.body.as_deref().unwrap_or_default();
        Ok(fill_text(text, &self.variables)?.into())
    }

    /// The operation that a request comes to.
    fn operation(&self, host: &Host, method: &Method, path: &str) -> Option<String> {
        let below = path.strip_prefix("/api/")?.strip_prefix(self.plugin)?;
        let table = host.runtime().table();
        let generation = table.get(self.plugin)?;
        match generation.route(method, if below.is_empty() { "/" } else { below }) {
            RouteMatch::Found(found) => Some(generation.route_info(found.route).operation.clone()),
            _ => None,
        }
    }

    /// Checks an answer.
    pub(super) fn check(&mut self, step: &Step, exchange: &Exchange) -> Result<(), Misplay> {
        let mut differences = Vec::new();
        let answer = &exchange.answer;
        match &step.expect {
            None if answer.status() < 400 => {}
            None => {
                let text = format!("expected one below 400, got {}", answer.status());
                differences.push(Difference { place: "status".into(), text });
            }
            Some(expect) => self.check_answer(expect, exchange, &mut differences),
        }
        if differences.is_empty() {
            return Ok(());
        }
        Err(Misplay { differences, answer: answer.to_string(), log: exchange.log.clone() })
    }

    fn check_answer(
        &mut self,
        expect: &Expect,
        exchange: &Exchange,
        differences: &mut Vec<Difference>,
    ) {
        let answer = &exchange.answer;
        let mut compare = |extent, place: &str, expected: &Value, actual: &Value| {
            let variables = &mut self.variables;
            Comparison { variables, extent, differences }.compare(place, expected, actual);
        };
        compare(Extent::Whole, "status", &json!(expect.status), &json!(answer.status()));
        for (name, expected) in &expect.headers {
            let actual = json!(answer.header(name));
            compare(Extent::Whole, &format!("header {name}"), &json!(expected), &actual);
        }
        if let Some(code) = &expect.problem {
            compare(Extent::Whole, "problem", &json!(code), &json!(answer.problem_code()));
        }
        if let Some(text) = &expect.text {
            let actual = json!(String::from_utf8_lossy(answer.body()));
            compare(Extent::Whole, "body", &json!(text), &actual);
        }
        let wanted = [(Extent::Whole, &expect.json), (Extent::Part, &expect.includes)];
        for (extent, expected) in
            wanted.into_iter().filter_map(|(it, json)| Some((it, json.as_ref()?)))
        {
            match serde_json::from_slice(answer.body()) {
                Ok(actual) => compare(extent, "body ", expected, &actual),
                Err(reason) => {
                    compare(extent, "body", expected, &json!(format!("no JSON: {reason}")))
                }
            }
        }
        if !is_spoken_of(expect) && !answer.body().is_empty() {
            let text = "expected none: say what it is with json, includes, text or problem, or any_body: true";
            differences.push(Difference { place: "body".into(), text: text.into() });
        }
        if let Some(lines) = &expect.log {
            self.check_log(lines, &exchange.log, differences);
        }
    }

    fn check_log(&mut self, lines: &[Line], logged: &[Logged], differences: &mut Vec<Difference>) {
        let expected = lines.iter().map(|line| {
            json!({ "level": line.level.as_deref().unwrap_or("$any"), "message": line.message })
        });
        let actual = logged.iter().map(|it| json!({ "level": it.level, "message": it.message }));
        let (expected, actual) = (expected.collect::<Value>(), actual.collect::<Value>());
        let variables = &mut self.variables;
        Comparison { variables, extent: Extent::Whole, differences }
            .compare("log ", &expected, &actual);
    }
}

fn is_spoken_of(expect: &Expect) -> bool {
    expect.any_body
        || expect.json.is_some()
        || expect.includes.is_some()
        || expect.text.is_some()
        || expect.problem.is_some()
}

fn put(headers: &mut HeaderMap, name: &str, value: &str) -> Result<(), String> {
    let name: HeaderName = name.parse().map_err(|reason| format!("header {name}: {reason}"))?;
    let value =
        HeaderValue::from_str(value).map_err(|reason| format!("header {name}: {reason}"))?;
    headers.insert(name, value);
    Ok(())
}
