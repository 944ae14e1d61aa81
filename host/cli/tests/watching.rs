//! What can be seen of a running host: its log in both forms, slow calls, and `caplet top`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;

/// How long a line of the log may take to come.
const PATIENCE: Duration = Duration::from_secs(60);

/// A host with the plugin `ledger`, whose log is read.
struct Server {
    child: Child,
    address: String,
    log: Mutex<Receiver<String>>,
}

impl Server {
    fn start(place: &Path, variables: &[(&str, &str)]) -> Self {
        std::fs::create_dir_all(place.join("plugins")).unwrap();
        std::fs::write(place.join("plugins/ledger.wasm"), caplet_testing::component("ledger"))
            .unwrap();
        let mut child = caplet(place, &["serve", "--listen", "127.0.0.1:0"])
            .envs(variables.iter().copied())
            .env("CAPLET_ENGINE__COMPILE_WAIT_MS", "300000")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let (_, address) = line.trim().rsplit_once("http://").expect("the line names the address");
        let errors = BufReader::new(child.stderr.take().unwrap());
        let (sender, log) = channel();
        std::thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                // The test may have seen enough.
                let _ = sender.send(line);
            }
        });
        let server = Self { child, address: address.to_owned(), log: Mutex::new(log) };
        while !server.ask("GET", "/readyz").starts_with("HTTP/1.1 200 ") {
            std::thread::yield_now();
        }
        server
    }

    fn ask(&self, method: &str, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let head = "host: h\r\nconnection: close\r\ncontent-length: 0\r\nx-request-id: seen";
        write!(stream, "{method} {path} HTTP/1.1\r\n{head}\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// The next line of the log with these words.
    fn line(&self, words: &str) -> String {
        loop {
            let line = self.log.lock().unwrap().recv_timeout(PATIENCE).expect("the line comes");
            if line.contains(words) {
                return line;
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn caplet(place: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_caplet"));
    command.current_dir(place).args(arguments).env_clear();
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_log_is_json_where_nobody_looks() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start(place.path(), &[("CAPLET_LOG", "info,caplet::access=debug")]);
    server.ask("GET", "/api/ledger/entries");
    let line: Value = serde_json::from_str(&server.line("/api/ledger/entries")).unwrap();
    assert_eq!(line["level"], "DEBUG");
    assert_eq!((&line["target"], &line["status"]), (&"caplet::access".into(), &200.into()));
    assert_eq!(line["request_id"], "seen");
}

#[test]
fn the_log_is_text_when_it_is_asked_for_and_coloured_only_then() {
    for (variables, has_colours) in [
        (vec![("CAPLET_LOG__FORMAT", "text")], false),
        (vec![("CAPLET_LOG__FORMAT", "text"), ("CLICOLOR_FORCE", "1")], true),
        (vec![("CAPLET_LOG__FORMAT", "text"), ("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false),
    ] {
        let place = tempfile::tempdir().unwrap();
        let server = Server::start(place.path(), &variables);
        let line = server.line("listening");
        assert!(line.contains("INFO") && !line.starts_with('{'), "{line}");
        assert_eq!(line.contains('\u{1b}'), has_colours, "{variables:?}: {line}");
    }
}

#[test]
fn a_slow_call_is_told_with_where_its_time_went() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start(place.path(), &[("CAPLET_LOG__SLOW_CALL_MS", "1")]);
    // One of many is slow enough: all wait for the disk, and for each other.
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let server = &server;
            scope.spawn(move || {
                for number in 0..100 {
                    server.ask("POST", &format!("/api/ledger/entries/{writer}-{number}"));
                }
            });
        }
    });
    let line: Value = serde_json::from_str(&server.line("a slow call")).unwrap();
    assert_eq!((&line["target"], &line["level"]), (&"caplet::slow".into(), &"WARN".into()));
    assert_eq!((&line["plugin"], &line["operation"]), (&"ledger".into(), &"add".into()));
    assert_eq!((&line["sql_statements"], &line["request_id"]), (&2.into(), &"seen".into()));
    let slowest = line["slowest_sql"].as_str().unwrap();
    assert!(slowest.starts_with("INSERT INTO") || slowest.starts_with("SELECT"), "{slowest}");
    assert!(!slowest.contains('\n'), "{slowest}");
    let number = |name: &str| line[name].as_f64().unwrap();
    assert!(number("took_ms") >= 1.0 && number("took_ms") >= number("sql_ms"), "{line}");
    assert!(line["trace_id"].as_str().is_some_and(|id| id.len() == 32), "{line}");
    assert!(server.ask("GET", "/metrics").contains("caplet_slow_calls_total{plugin=\"ledger\"}"));
}

#[test]
fn a_call_that_is_not_slow_is_not_told() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start(place.path(), &[("CAPLET_LOG__SLOW_CALL_MS", "0")]);
    for number in 0..20 {
        server.ask("POST", &format!("/api/ledger/entries/{number}"));
    }
    let metrics = server.ask("GET", "/metrics");
    assert!(metrics.contains("caplet_slow_calls_total{plugin=\"ledger\"} 0"), "{metrics}");
}

fn top(place: &Path, arguments: &[&str]) -> Output {
    caplet(place, &[&["top"], arguments].concat()).stdin(Stdio::null()).output().unwrap()
}

#[test]
fn top_prints_one_table_for_scripts() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start(place.path(), &[]);
    server.ask("GET", "/api/ledger/entries");
    let url = format!("http://{}", server.address);
    let once = ["--once", "--interval", "100ms", "--sort", "name", "--url", &url];
    let outcome = top(place.path(), &once);
    assert_eq!(outcome.status.code(), Some(0), "{}", text(&outcome.stderr));
    let printed = text(&outcome.stdout);
    let lines: Vec<&str> = printed.lines().collect();
    assert!(lines[0].starts_with("PLUGIN ") && lines[0].contains("P99"), "{printed}");
    assert!(lines[1].starts_with("(host) ") && lines[2].starts_with("ledger "), "{printed}");
    assert!(!printed.contains('\u{1b}'), "{printed}");
}

#[test]
fn top_names_what_hinders_it() {
    let place = tempfile::tempdir().unwrap();
    let no_terminal = top(place.path(), &[]);
    assert_eq!(no_terminal.status.code(), Some(2));
    assert!(text(&no_terminal.stderr).contains("--once"), "{}", text(&no_terminal.stderr));
    let away = top(place.path(), &["--once", "--url", "http://127.0.0.1:1"]);
    assert_eq!(away.status.code(), Some(1));
    assert!(text(&away.stderr).contains("http://127.0.0.1:1/metrics"), "{}", text(&away.stderr));
    let no_address = top(place.path(), &["--once", "--url", "here"]);
    assert_eq!(no_address.status.code(), Some(2));
    let no_interval = top(place.path(), &["--once", "--interval", "0s"]);
    assert_eq!(no_interval.status.code(), Some(2));
}
