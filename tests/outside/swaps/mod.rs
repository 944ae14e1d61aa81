//! Clients that were written elsewhere ask without pause while the plugins and the host they ask are replaced:
//! httpx over HTTP/1.1 and HTTP/2, curl over HTTP/2, the fetch and the HTTP/2 of Node.js, httpx-sse and `eventsource`.
//! None sees a request fail, an answer of two versions, or one of a version that does not serve any more.

mod crowd;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use caplet_tests::outside::{python, run, tool};
use caplet_tests::{PATIENCE, Place, Server, binary, guest_path};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::components::cargo;
use crowd::{Crowd, Lane};

/// The plugin whose streams are events, in the words that its component has and in those that its successor gets.
const RELEASES: [&str; 2] = ["release 1", "release 2"];

/// Lanes whose requests take longer than a change.
const LONG: [&str; 2] = ["upgrade/upload", "events/stream"];

/// How often the streams' plugin is upgraded and rolled back, at most, until each of them was under way meanwhile.
const N_UPS_MAX: usize = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_go_on_through_every_change() {
    let place = Place::new();
    for guest in ["echo", "ledger"] {
        place.install(guest, &format!("{guest}.wasm"));
    }
    place.install("upgrade-v1", "upgrade.wasm");
    let releases = releases(&place).await;
    std::fs::copy(&releases[0], place.plugins().join("events.wasm")).expect("a copy");
    let (address, _service) = service().await;
    let settings = [
        ("CAPLET_SERVICES__FEED__URL", address.as_str()),
        ("CAPLET_SERVICES__FEED__ACCESS", "public"),
        ("CAPLET_UPGRADE__WATCH_MS", "1000"),
    ];
    let server = place.start(&settings).await;
    let crowd = Crowd::begin(&server.url(""));
    let mut operator = Operator::new(&place, &server, crowd);
    operator.crowd.goes_on().await;

    operator.changes_the_plugin().await;
    operator.is_refused_what_is_bad().await;
    operator.changes_what_is_set().await;
    operator.swaps_the_streams(&releases).await;
    operator.gives_up_the_old_shape().await;
    operator.crowd.told(|told| {
        assert_eq!(told.failures(), [""; 0]);
        let connections = told.n_connections();
        assert!(connections.values().all(|n| *n == 1), "no swap closes one: {connections:#?}");
    });

    operator.crowd.send_untaught_away().await;
    let successor = place.take_over(&settings).await;
    assert_eq!(server.end().await, 0);
    operator.crowd.add_untaught(&successor.url(""));
    operator.crowd.goes_on().await;
    operator.upgrade(4).await;
    operator.crowd.told(|told| {
        assert_eq!(told.failures(), [""; 0]);
        let connections = told.n_connections();
        assert!(connections.values().all(|n| *n == 2), "{connections:#?}");
    });

    operator.crowd.send_untaught_away().await;
    assert_eq!(successor.stop().await, 0);
    operator.crowd.is_refused().await;
    operator.judge().await;
}

/// The components of the streams' plugin, which differ by their release.
async fn releases(place: &Place) -> [PathBuf; 2] {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("outside/swaps/events");
    let target = tool("").join("components/target");
    let mut build = cargo();
    build.args(["build", "--locked", "--release", "--target", "wasm32-wasip2"]);
    run(build.current_dir(project).env("CARGO_TARGET_DIR", &target)).await;
    let built = target.join("wasm32-wasip2/release/swaps_events.wasm");
    let mut component = std::fs::read(built).expect("what was built");
    let [first, second] = RELEASES.map(str::as_bytes);
    let places: Vec<usize> = component
        .windows(first.len())
        .enumerate()
        .filter_map(|(at, bytes)| (bytes == first).then_some(at))
        .collect();
    let folder = place.plugins().with_file_name("releases");
    std::fs::create_dir(&folder).expect("a folder");
    let [one, other] = ["1.wasm", "2.wasm"].map(|name| folder.join(name));
    std::fs::write(&one, &component).expect("it is written");
    assert!(!places.is_empty());
    for at in places {
        component[at..at + second.len()].copy_from_slice(second);
    }
    std::fs::write(&other, &component).expect("it is written");
    [one, other]
}

/// The service whose events have no end, and its address. It ends with the test.
async fn service() -> (String, Child) {
    let mut command = python("swaps/service.py");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut process = command.spawn().expect("the service starts");
    let output = process.stdout.take().expect("its output is piped");
    let mut lines = BufReader::new(output).lines();
    let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.expect("it listens in time");
    (line.expect("text").expect("an address"), process)
}

/// One who changes what serves, by the command line, and sees that the clients go on after each change.
struct Operator<'a> {
    place: &'a Place,
    url: String,
    crowd: Crowd,
    /// What answers of each plugin said, in this order.
    history: BTreeMap<&'static str, Vec<String>>,
    /// Lanes that got an answer of the version before, after the new one served.
    under_way: BTreeSet<Lane>,
}

impl<'a> Operator<'a> {
    fn new(place: &'a Place, server: &Server, crowd: Crowd) -> Self {
        let first = [("upgrade", "1.0.0"), ("echo", "hello"), ("events", RELEASES[0])];
        let history = first.map(|(plugin, said)| (plugin, vec![said.to_owned()])).into();
        Self { place, url: server.url(""), crowd, history, under_way: BTreeSet::new() }
    }

    async fn changes_the_plugin(&mut self) {
        self.upgrade(2).await;
        self.rolls_back("upgrade", "1.0.0").await;
        self.upgrade(2).await;
    }

    /// One version says that it is not well, another one traps at each request: it is given copies only.
    async fn is_refused_what_is_bad(&mut self) {
        let unwell = guest("upgrade-unhealthy");
        let (is_done, said) = self.caplet(&["upgrade", "--approve", &unwell]).await;
        assert!(!is_done && said.contains("refused at the step health"), "{said}");
        self.crowd.goes_on().await;
        self.does(&["upgrade", "--approve", "--shadow", &guest("upgrade-trapping")]).await;
        self.crowd.goes_on().await;
        let told = self.does(&["rollout", "upgrade", "--json"]).await;
        let told: Value = serde_json::from_str(&told).expect("JSON");
        assert!(told["shadow"]["failed"].as_u64() > Some(0), "{told}");
        self.does(&["rollout", "upgrade", "--abort"]).await;
        self.crowd.goes_on().await;
    }

    async fn changes_what_is_set(&mut self) {
        self.does(&["limits", "upgrade", "set", "cpu_ms_max=200"]).await;
        self.crowd.goes_on().await;
        self.does(&["settings", "echo", "set", "greeting=good day"]).await;
        self.serves("echo", "good day").await;
        for command in ["disable", "enable"] {
            self.does(&[command, "ledger"]).await;
            self.crowd.goes_on().await;
        }
    }

    /// Up and back, until each stream was under way during a swap.
    async fn swaps_the_streams(&mut self, releases: &[PathBuf; 2]) {
        let release = releases[1].to_str().expect("a path");
        for _ in 0..N_UPS_MAX {
            self.does(&["upgrade", "--approve", "--name", "events", release]).await;
            self.serves("events", RELEASES[1]).await;
            self.rolls_back("events", RELEASES[0]).await;
            let mut streams = self.crowd.lanes().filter(|lane| plugin_of(lane) == "events");
            if streams.all(|lane| self.under_way.contains(lane)) {
                return;
            }
        }
    }

    /// Two versions with a contract migration between, and one back of what can be gone back.
    async fn gives_up_the_old_shape(&mut self) {
        self.does(&["upgrade", "--approve", "--wait", &guest("upgrade-v3")]).await;
        self.serves("upgrade", "3.0.0").await;
        self.upgrade(4).await;
        self.rolls_back("upgrade", "3.0.0").await;
    }

    async fn upgrade(&mut self, version: u8) {
        self.does(&["upgrade", "--approve", &guest(&format!("upgrade-v{version}"))]).await;
        self.serves("upgrade", &format!("{version}.0.0")).await;
    }

    async fn rolls_back(&mut self, plugin: &'static str, to: &str) {
        self.does(&["rollback", plugin]).await;
        self.serves(plugin, to).await;
    }

    /// Notes what a plugin says from now on, and waits until all clients were told.
    async fn serves(&mut self, plugin: &'static str, said: &str) {
        let story = self.history.entry(plugin).or_default();
        let before = story.last().cloned();
        story.push(said.to_owned());
        let first = self.crowd.goes_on().await.into_iter();
        let is_old = |(lane, said): &(Lane, String)| {
            plugin_of(lane) == plugin && before.as_ref() == Some(said)
        };
        self.under_way.extend(first.filter(is_old).map(|(lane, _)| lane));
    }

    /// What a command says that does what it is asked.
    async fn does(&self, arguments: &[&str]) -> String {
        let (is_done, said) = self.caplet(arguments).await;
        assert!(is_done, "{arguments:?}: {said}");
        said
    }

    async fn caplet(&self, arguments: &[&str]) -> (bool, String) {
        let mut command = Command::new(binary());
        command.args(arguments).args(["--url", &self.url]).arg("--data").arg(self.place.data());
        let output = command.stdin(Stdio::null()).output().await.expect("the command runs");
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    }

    /// Holds what every lane was told against what served.
    async fn judge(self) {
        let told = self.crowd.end().await;
        for (lane, mut story) in told.stories() {
            if let Some(history) = self.history.get(plugin_of(lane)) {
                story.dedup();
                assert_eq!(&story, history, "{lane:?}");
            } else {
                assert_numbered(lane, &story);
            }
        }
        let long =
            told.stories().map(|(lane, _)| lane).filter(|lane| LONG.contains(&lane.1.as_str()));
        let missed: Vec<_> = long.filter(|lane| !self.under_way.contains(*lane)).collect();
        assert!(missed.is_empty(), "{missed:?} never went on through a swap");
    }
}

fn guest(name: &str) -> String {
    guest_path(name).to_str().expect("a path").to_owned()
}

fn plugin_of(lane: &Lane) -> &str {
    lane.1.split('/').next().unwrap_or_default()
}

/// The events of the service: each of them, once.
fn assert_numbered(lane: &Lane, story: &[String]) {
    let numbers: Vec<u64> = story.iter().map(|said| said.parse().expect("a number")).collect();
    let is_next = |pair: &[u64]| pair[0] + 1 == pair[1];
    assert!(numbers.windows(2).all(is_next), "{lane:?}: {numbers:?}");
}
