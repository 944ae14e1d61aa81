//! `caplet serve` as a process: the line it prints, the signals it takes, the directory it locks.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

/// A host that ends with the test.
struct Server {
    child: Child,
    /// Kept open: a host may go on to write.
    _output: BufReader<ChildStdout>,
    address: String,
}

impl Server {
    fn start(place: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_caplet"))
            .current_dir(place)
            .args(["serve", "--listen", "127.0.0.1:0"])
            .env_clear()
            .env("CAPLET_ENGINE__COMPILE_WAIT_MS", "300000")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let (_, address) = line.trim().rsplit_once("http://").expect("the line names the address");
        Self { child, _output: output, address: address.to_owned() }
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended already in most tests.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn listens_where_it_says_and_ends_well_on_either_signal() {
    for signal in ["TERM", "INT"] {
        let place = tempfile::tempdir().unwrap();
        let mut server = Server::start(place.path());
        assert!(server.get("/healthz").starts_with("HTTP/1.1 200 "));
        server.signal(signal);
        assert_eq!(server.child.wait().unwrap().code(), Some(0), "{signal}");
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let place = tempfile::tempdir().unwrap();
    let mut server = Server::start(place.path());
    // A request whose body never comes keeps the host from ending by itself.
    let mut stuck = TcpStream::connect(&server.address).unwrap();
    let folder = place.path().join("plugins");
    std::fs::write(folder.join("echo.wasm.new"), caplet_testing::component("echo")).unwrap();
    std::fs::rename(folder.join("echo.wasm.new"), folder.join("echo.wasm")).unwrap();
    while !server.get("/api/echo/x").starts_with("HTTP/1.1 200 ") {
        std::thread::yield_now();
    }
    let head =
        "POST /api/echo/x HTTP/1.1\r\nhost: h\r\ncontent-length: 9\r\nexpect: 100-continue\r\n\r\n";
    stuck.write_all(head.as_bytes()).unwrap();
    let mut going_on = [0; 12];
    stuck.read_exact(&mut going_on).unwrap();
    assert_eq!(&going_on, b"HTTP/1.1 100");
    server.signal("TERM");
    while TcpStream::connect(&server.address).is_ok() {
        std::thread::yield_now();
    }
    assert!(server.child.try_wait().unwrap().is_none(), "it waits for the request");
    server.signal("TERM");
    assert_eq!(server.child.wait().unwrap().code(), Some(1));
}

#[test]
fn a_data_directory_is_one_hosts() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start(place.path());
    let second = Command::new(env!("CARGO_BIN_EXE_caplet"))
        .current_dir(place.path())
        .args(["serve", "--listen", "127.0.0.1:0"])
        .env_clear()
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&second.stderr);
    assert_eq!(second.status.code(), Some(1), "{errors}");
    assert!(errors.contains("data/databases"), "{errors}");
    assert!(server.get("/healthz").starts_with("HTTP/1.1 200 "));
}

#[test]
fn status_asks_the_running_host_without_a_token() {
    let place = tempfile::tempdir().unwrap();
    let plugins = place.path().join("plugins");
    std::fs::create_dir(&plugins).unwrap();
    std::fs::write(plugins.join("echo.wasm"), caplet_testing::component("echo")).unwrap();
    let server = Server::start(place.path());
    while !server.get("/readyz").starts_with("HTTP/1.1 200 ") {
        std::thread::yield_now();
    }
    let url = format!("http://{}", server.address);
    let status = |token: Option<&str>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_caplet"));
        command.current_dir(place.path()).args(["status", "--url", &url]).env_clear();
        command.envs(token.map(|token| ("CAPLET_ADMIN_TOKEN", token))).output().unwrap()
    };
    let own = status(None);
    let output = String::from_utf8(own.stdout).unwrap();
    assert_eq!(own.status.code(), Some(0));
    assert!(output.contains("PLUGIN") && output.contains("echo"), "{output}");
    let wrong = status(Some("nonsense"));
    let errors = String::from_utf8(wrong.stderr).unwrap();
    assert_eq!(wrong.status.code(), Some(1));
    assert!(errors.contains("token-invalid"), "{errors}");
    drop(server);
    let gone = String::from_utf8(status(None).stderr).unwrap();
    assert!(gone.contains("is the host running?"), "{gone}");
}

#[test]
fn keys_are_made_listed_and_revoked_with_effect_at_once() {
    let place = tempfile::tempdir().unwrap();
    let plugins = place.path().join("plugins");
    std::fs::create_dir(&plugins).unwrap();
    std::fs::write(plugins.join("echo.wasm"), caplet_testing::component("echo")).unwrap();
    let server = Server::start(place.path());
    while !server.get("/readyz").starts_with("HTTP/1.1 200 ") {
        std::thread::yield_now();
    }
    let url = format!("http://{}", server.address);
    let caplet = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_caplet"));
        command.current_dir(place.path()).args(arguments).args(["--url", &url]).env_clear();
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (code, key, errors) = caplet(&["key", "create", "--name", "ci", "--ttl", "90d"]);
    assert_eq!(code, Some(0), "{errors}");
    let key = key.trim();
    let id = key.strip_prefix("cap_").unwrap().split('_').next().unwrap();
    assert!(errors.contains(id) && !errors.contains(key), "{errors}");
    let with_key = format!("/api/echo/signed-in HTTP/1.1\r\nx-api-key: {key}\r\nx: ");
    assert!(server.get(&with_key).starts_with("HTTP/1.1 200 "));
    let (_, listed, _) = caplet(&["key", "list"]);
    assert!(listed.contains(id) && listed.contains("ci") && !listed.contains(key), "{listed}");
    assert_eq!(caplet(&["key", "revoke", key]).1.trim(), format!("revoked {id}"));
    assert!(server.get(&with_key).starts_with("HTTP/1.1 401 "));
    let (code, _, errors) = caplet(&["key", "revoke", id]);
    assert_eq!(code, Some(1));
    assert!(errors.contains("not-found"), "{errors}");
    assert_eq!(caplet(&["key", "revoke", "../plugins"]).0, Some(2));
    let (_, listed, _) = caplet(&["key", "list", "--json"]);
    assert!(listed.contains("\"revoked_at\": \"2"), "{listed}");
}

#[test]
fn settings_about_callers_that_do_not_fit_end_it_before_it_begins() {
    let place = tempfile::tempdir().unwrap();
    for (text, key) in [
        ("[cors]\norigins = [\"shop.example\"]", "cors.origins"),
        ("[[auth.issuers]]\nissuer = \"https://a.example\"", "auth.issuers[0].audiences"),
        ("[auth]\nclock_skew_s = 3600", "auth.clock_skew_s"),
        ("[[auth.issuers]]\nalgorithms = [\"HS256\"]", "auth.issuers.0.algorithms"),
    ] {
        std::fs::write(place.path().join("caplet.toml"), text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_caplet"));
        let output = command.current_dir(place.path()).arg("serve").env_clear().output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{errors}");
        assert!(errors.contains(key), "{errors}");
        assert!(!place.path().join("data/databases").exists(), "nothing was begun");
    }
}
