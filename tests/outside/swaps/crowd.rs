//! Clients in processes of their own, each with some lanes: what asks for one thing, again and again, one request
//! after another. So what a lane is told has the order in which it was so.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use caplet_tests::PATIENCE;
use caplet_tests::outside::{node, python};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::{sleep, timeout};

/// An answer that began before a change may be the next that a lane gets; the one behind it began later.
const N_BEHIND_A_CHANGE: usize = 2;

/// How often clients are looked at that are waited for.
const LOOK: Duration = Duration::from_millis(10);

/// A client, and one of its lanes. What the lane asks for is before the slash.
pub type Lane = (&'static str, String);

/// What a client told of its lanes.
#[derive(Default)]
pub struct Told {
    answers: BTreeMap<Lane, Vec<Value>>,
    /// Lanes that found nobody who listens.
    refused: BTreeSet<Lane>,
    wrong: Vec<String>,
}

/// What clients ask for: httpx all of it, the others the first of it.
const ASKED: [&str; 5] =
    ["upgrade/version", "upgrade/notes", "upgrade/upload", "upgrade/slow", "echo/settings"];

/// What fetch asks for. Its uploads are sent at once.
const ASKED_AT_ONCE: [&str; 3] = ["upgrade/version", "upgrade/notes", "upgrade/large"];

/// What readers of events open.
const STREAMS: [&str; 2] = ["feed", "events/stream"];

/// The client that cannot be told goodbye: its library takes that for the end of the connection, with all that was
/// asked on it. So it is sent away before, as its users would do.
const UNTAUGHT: &str = "httpx over HTTP/2";

/// Clients at work.
pub struct Crowd {
    told: Arc<Mutex<Told>>,
    /// With their lanes.
    clients: Vec<(Child, Vec<Lane>)>,
}

impl Crowd {
    /// Has all of them ask the host at `url`.
    pub fn begin(url: &str) -> Self {
        let with = |mut command: Command| {
            command.arg(url);
            command
        };
        let mut httpx = with(python("swaps/with_httpx.py"));
        httpx.arg("1");
        let mut curl = Command::new("bash");
        curl.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/outside/swaps/with_curl.sh"));
        let mut crowd = Self { told: Arc::default(), clients: Vec::new() };
        crowd.add("httpx over HTTP/1.1", httpx, &ASKED);
        crowd.add("fetch", with(node("swaps/with_fetch.mjs")), &ASKED_AT_ONCE);
        crowd.add("http2", with(node("swaps/with_http2.mjs")), &ASKED[..4]);
        crowd.add("curl", with(curl), &ASKED[..1]);
        crowd.add("httpx-sse", with(python("swaps/with_httpx_sse.py")), &STREAMS);
        crowd.add("eventsource", with(node("swaps/with_eventsource.mjs")), &STREAMS);
        crowd.add_untaught(url);
        crowd
    }

    /// Has that client ask, too, which [`Self::send_untaught_away`] ends.
    pub fn add_untaught(&mut self, url: &str) {
        let mut httpx = python("swaps/with_httpx.py");
        httpx.arg(url).arg("2");
        self.add(UNTAUGHT, httpx, &ASKED);
    }

    /// Ends the client that must not be told to go.
    pub async fn send_untaught_away(&mut self) {
        let (away, staying) = std::mem::take(&mut self.clients)
            .into_iter()
            .partition(|(_, lanes)| lanes.iter().all(|lane| lane.0 == UNTAUGHT));
        self.clients = staying;
        end(away).await;
    }

    fn add(&mut self, name: &'static str, mut command: Command, lanes: &[&str]) {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().expect("the client starts");
        let output = process.stdout.take().expect("its output is piped");
        tokio::spawn(listen(name, output, self.told.clone()));
        let lanes = lanes.iter().map(|lane| (name, (*lane).to_owned())).collect();
        self.clients.push((process, lanes));
    }

    /// All lanes.
    pub fn lanes(&self) -> impl Iterator<Item = &Lane> {
        self.clients.iter().flat_map(|(_, lanes)| lanes)
    }

    /// Waits until every lane got answers to what it asked from now on. Returns the first answer that each got,
    /// which it may have asked for before.
    pub async fn goes_on(&self) -> BTreeMap<Lane, String> {
        let before: BTreeMap<Lane, usize> = self
            .lanes()
            .map(|lane| (lane.clone(), self.told(|told| told.of(lane).len())))
            .collect();
        let enough = |(lane, n_before): (&Lane, &usize)| {
            self.told(|told| told.of(lane).len() >= n_before + N_BEHIND_A_CHANGE)
        };
        self.wait("goes on", || before.iter().all(enough)).await;
        let first = |(lane, at): (&Lane, &usize)| self.told(|told| said(&told.of(lane)[*at]));
        before.iter().map(|entry| (entry.0.clone(), first(entry))).collect()
    }

    /// Waits until every lane has found nobody who listens.
    pub async fn is_refused(&self) {
        self.wait("is refused", || {
            self.lanes().all(|lane| self.told(|told| told.refused.contains(lane)))
        })
        .await;
    }

    /// Fails when anything went wrong meanwhile, or what is waited for does not come.
    async fn wait(&self, what: &str, is_so: impl Fn() -> bool) {
        let waiting = async {
            while !is_so() {
                self.told(|told| assert!(told.wrong.is_empty(), "{:#?}", told.wrong));
                sleep(LOOK).await;
            }
        };
        if timeout(PATIENCE, waiting).await.is_err() {
            let numbers: Vec<_> =
                self.lanes().map(|lane| (lane, self.told(|told| told.of(lane).len()))).collect();
            panic!("not every lane {what}: {numbers:#?}");
        }
    }

    /// Ends the clients, and returns what they said.
    pub async fn end(mut self) -> Told {
        end(std::mem::take(&mut self.clients)).await;
        self.told(std::mem::take)
    }

    /// What was told so far.
    pub fn told<T>(&self, look: impl FnOnce(&mut Told) -> T) -> T {
        look(&mut self.told.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn end(clients: Vec<(Child, Vec<Lane>)>) {
    for (mut process, lanes) in clients {
        drop(process.stdin.take());
        let status = timeout(PATIENCE, process.wait()).await.expect("it ends in time");
        assert!(status.expect("it ran").success(), "{lanes:?}");
    }
}

async fn listen(name: &'static str, output: ChildStdout, told: Arc<Mutex<Told>>) {
    let mut lines = BufReader::new(output).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        told.lock().unwrap_or_else(PoisonError::into_inner).add(name, &line);
    }
}

fn said(answer: &Value) -> String {
    answer["said"].as_str().expect("an answer says something").to_owned()
}

impl Told {
    fn add(&mut self, name: &'static str, line: &str) {
        let Ok(mut what) = serde_json::from_str::<Value>(line) else {
            self.wrong.push(format!("{name}: {line}"));
            return;
        };
        let lane = (name, what["lane"].as_str().unwrap_or_default().to_owned());
        if what["refused"] == true {
            self.refused.insert(lane);
        } else if what["said"].is_string() {
            self.answers.entry(lane).or_default().push(what.take());
        } else {
            self.wrong.push(format!("{name}: {line}"));
        }
    }

    fn of(&self, lane: &Lane) -> &[Value] {
        self.answers.get(lane).map_or(&[], Vec::as_slice)
    }

    /// What went wrong, and who found nobody.
    pub fn failures(&self) -> Vec<String> {
        let refused = self.refused.iter().map(|lane| format!("{lane:?} was refused"));
        self.wrong.iter().cloned().chain(refused).collect()
    }

    /// By how many connections each lane got its answers, where its client tells.
    pub fn n_connections(&self) -> BTreeMap<&Lane, usize> {
        let of = |answers: &Vec<Value>| {
            let all = answers.iter().filter_map(|answer| answer["connection"].as_u64());
            all.collect::<BTreeSet<u64>>().len()
        };
        let all = self.answers.iter().map(|(lane, answers)| (lane, of(answers)));
        all.filter(|(_, n)| *n > 0).collect()
    }

    /// What each lane was told, one after the other.
    pub fn stories(&self) -> impl Iterator<Item = (&Lane, Vec<String>)> {
        self.answers.iter().map(|(lane, answers)| (lane, answers.iter().map(said).collect()))
    }
}
