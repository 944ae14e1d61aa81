//! Requests: asked once, to see what a side answers, and by `wrk` as fast as it can.

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;
use std::{fs, path::Path, process::Stdio};

use crate::command::{output, program};
use crate::server::Server;

/// How long a side is loaded before it is measured, in seconds.
const WARM_UP_SECONDS: u32 = 1;

/// How long an answer may take before it counts as none, in seconds.
const PATIENCE_SECONDS: u32 = 60;

/// Where a posted text has [`NUMBER`], each request has another number of as many digits.
pub const NUMBER: &str = "@--a-new-number--@";

/// Threads of the load generator. More would take the time of the side that is measured.
const THREADS_MAX: u32 = 2;

/// What `wrk` prints at the end, besides its own text: one line of JSON.
const DONE: &str = r#"
done = function(summary, latency, requests)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format('{"requests":%d,"time_us":%d,"p99_us":%d,"failed":%d}\n',
    summary.requests, summary.duration, latency:percentile(99), failed))
end
"#;

/// Gives each thread of `wrk` a number of its own.
const THREADS: &str = r"
local threads = 0
setup = function(thread)
  threads = threads + 1
  thread:set('id', threads)
end
";

/// The next request with a number that no other has: of the run, of the thread, of the request. It is
/// as long as [`NUMBER`], so that the length of the body stays.
const NUMBERED: &str = r"(requests[turn % #requests + 1]:gsub('@%-%-a%-new%-number%-%-@',
    string.format('%010d%01d%07d', os.time(), id, turn)))";

/// What all sides are asked.
#[derive(Debug, Clone)]
pub struct Request {
    path: String,
    /// JSON and who posts it, if anybody is said to, for a POST.
    posted: Option<(String, Option<String>)>,
}

impl Request {
    /// A GET without a token.
    pub fn get(path: &str) -> Self {
        Self { path: path.to_owned(), posted: None }
    }

    /// A POST of JSON with what stands in `Authorization`.
    pub fn post(path: &str, json: String, authorization: String) -> Self {
        Self { path: path.to_owned(), posted: Some((json, Some(authorization))) }
    }

    /// A POST of JSON by nobody in particular.
    pub fn anonymous_post(path: &str, json: String) -> Self {
        Self { path: path.to_owned(), posted: Some((json, None)) }
    }
}

impl Request {
    /// The line of Lua that adds it to those of a load.
    fn script(&self) -> String {
        let path = lua(&self.path);
        let format = match &self.posted {
            None => format!("'GET', {path}"),
            Some((json, who)) => {
                let who = who.iter().map(|who| format!(", ['authorization'] = {}", lua(who)));
                let who: String = who.collect();
                let json = lua(json);
                format!("'POST', {path}, {{['content-type'] = 'application/json'{who}}}, {json}")
            }
        };
        format!("  requests[#requests + 1] = wrk.format({format})\n")
    }
}

/// What a side answered.
#[derive(Debug, PartialEq)]
pub struct Answer {
    pub status: u16,
    pub media_type: String,
    /// What is no JSON is a text.
    pub json: Value,
}

impl Answer {
    /// The answer without members that differ each time.
    pub fn without(mut self, members: &[&str]) -> Self {
        if let Value::Object(object) = &mut self.json {
            object.retain(|name, _| !members.contains(&name.as_str()));
        }
        self
    }
}

/// Asks a side once. Any status is an answer.
pub fn ask(agent: &ureq::Agent, url: &str, request: &Request) -> Result<Answer> {
    let url = format!("{url}{}", request.path);
    let answer = match &request.posted {
        None => agent.get(&url).config().http_status_as_error(false).build().call(),
        Some((json, authorization)) => {
            let post = agent.post(&url).config().http_status_as_error(false).build();
            let mut post = post.header("content-type", "application/json");
            if let Some(authorization) = authorization {
                post = post.header("authorization", authorization);
            }
            post.send(json.replace(NUMBER, "0"))
        }
    };
    let mut answer = answer.with_context(|| format!("{url} is not answered"))?;
    let status = answer.status().as_u16();
    let media_type = answer.body().mime_type().unwrap_or_default().to_owned();
    let text = answer.body_mut().read_to_string()?;
    let json = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Ok(Answer { status, media_type, json })
}

/// A load: requests in turn, over connections that stay open.
#[derive(Debug)]
pub struct Load {
    pub requests: Vec<Request>,
    pub connections: u32,
}

/// What came of a load.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    pub requests_per_s: f64,
    pub p99_ms: f64,
    /// Of all processes of the side, after the load.
    pub memory_mib: f64,
}

/// The line of [`DONE`].
#[derive(Debug, Deserialize)]
struct Summary {
    requests: u64,
    time_us: u64,
    p99_us: f64,
    failed: u64,
}

impl Load {
    /// Warms a side up and measures it for some seconds. `script` is a file for what `wrk` is told.
    ///
    /// # Errors
    /// When a single request fails or is answered with an error.
    pub fn run(&self, server: &Server, seconds: u32, script: &Path) -> Result<Measured> {
        fs::write(script, self.script())?;
        let path = &self.requests.first().context("a load has requests")?.path;
        let url = format!("{}{path}", server.url());
        self.wrk(&url, WARM_UP_SECONDS, script)?;
        // A side that answers one after the other has some left that nobody waits for any more: what is
        // asked now is answered, in whatever way, when they are done.
        let _ = ureq::get(server.url()).call();
        let summary = self.wrk(&url, seconds, script)?;
        if summary.requests == 0 {
            bail!("{url} answered nothing in {seconds} s");
        }
        let time_s = summary.time_us as f64 / 1e6;
        let requests_per_s = summary.requests as f64 / time_s;
        let memory_mib = server.memory()?.proportional_kib as f64 / 1024.0;
        Ok(Measured { requests_per_s, p99_ms: summary.p99_us / 1e3, memory_mib })
    }

    fn wrk(&self, url: &str, seconds: u32, script: &Path) -> Result<Summary> {
        let mut command = program("wrk");
        command.arg(format!("-t{}", THREADS_MAX.min(self.connections)));
        command.arg(format!("-c{}", self.connections)).arg(format!("-d{seconds}s"));
        command.arg("--timeout").arg(format!("{PATIENCE_SECONDS}s"));
        let text = output(command.arg("-s").arg(script).arg(url).stdin(Stdio::null()))?;
        let summary = summary(&text)?;
        if summary.failed > 0 {
            bail!("{} of {} requests to {url} failed", summary.failed, summary.requests);
        }
        Ok(summary)
    }

    /// What `wrk` is told in Lua. Without a function `request` it sends the same bytes again and
    /// again, which costs it least.
    fn script(&self) -> String {
        if matches!(&self.requests[..], [Request { posted: None, .. }]) {
            return DONE.to_owned();
        }
        let formats: String = self.requests.iter().map(Request::script).collect();
        let has_numbers = formats.contains(NUMBER);
        let asked = if has_numbers { NUMBERED } else { "requests[turn % #requests + 1]" };
        format!(
            "{THREADS}local requests, turn = {{}}, 0\n\
             init = function(arguments)\n{formats}end\n\
             request = function()\n  turn = turn + 1\n  return {asked}\nend\n\
             {DONE}"
        )
    }
}

fn summary(text: &str) -> Result<Summary> {
    let line = text.lines().rfind(|line| line.starts_with('{'));
    let line = line.with_context(|| format!("wrk did not say what it measured: {text}"))?;
    serde_json::from_str(line).with_context(|| format!("wrk said {line}"))
}

/// A text in Lua's quotes.
fn lua(text: &str) -> String {
    let escape = |character| match character {
        '\'' | '\\' => format!("\\{character}"),
        '\n' => "\\n".to_owned(),
        other => other.to_string(),
    };
    let escaped: String = text.chars().map(escape).collect();
    format!("'{escaped}'")
}

#[cfg(test)]
mod tests {
    use super::{Answer, Load, NUMBER, NUMBERED, Request, lua, summary};
    use serde_json::json;

    #[test]
    fn texts_are_quoted_for_lua() {
        assert_eq!(lua("it's\n\"\\n\""), r#"'it\'s\n"\\n"'"#);
    }

    #[test]
    fn the_summary_is_found_below_what_wrk_says() {
        let text = "Running 1s test\n{\"requests\":10,\"time_us\":5,\"p99_us\":1.5,\"failed\":0}\n";
        assert_eq!(summary(text).unwrap().requests, 10);
        assert!(summary("Running 1s test\n").is_err());
    }

    #[test]
    fn only_one_request_without_a_body_needs_no_function() {
        let load = |request| Load { requests: vec![request], connections: 1 }.script();
        assert!(!load(Request::get("/a")).contains("request = "));
        let requests = ["/a", "/b"].map(Request::get).into();
        assert!(Load { requests, connections: 1 }.script().contains("wrk.format('GET', '/b')"));
        let post = |json: &str| Request::post("/a", json.to_owned(), "Bearer t".to_owned());
        let script = load(post("{\"b\":1}"));
        assert!(script.contains("'Bearer t'") && script.contains("'{\"b\":1}'"), "{script}");
        assert!(!script.contains("gsub") && load(post(NUMBER)).contains("gsub"));
    }

    #[test]
    fn a_number_takes_the_place_of_as_many_characters() {
        assert_eq!(NUMBER.len(), 10 + 1 + 7);
        assert_eq!(NUMBER.replace('-', "%-"), "@%-%-a%-new%-number%-%-@");
        assert!(NUMBERED.contains(&NUMBER.replace('-', "%-")));
    }

    #[test]
    fn answers_are_compared_without_what_differs_each_time() {
        let answer = |id| {
            let json = json!({ "id": id, "body": "b" });
            Answer { status: 201, media_type: "application/json".to_owned(), json }
        };
        assert_ne!(answer(1), answer(2));
        assert_eq!(answer(1).without(&["id"]), answer(2).without(&["id"]));
    }
}
