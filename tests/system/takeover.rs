//! Takeovers that do not go well, and streams that are under way during one.

use caplet_tests::{PATIENCE, Place, Server, binary, guest_path};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, UnixStream};
use tokio::process::Command;
use tokio::sync::oneshot;

use crate::load::Load;

/// A successor that says what it likes.
struct Impostor(BufReader<UnixStream>);

impl Impostor {
    async fn connect(place: &Place) -> Self {
        let stream = UnixStream::connect(place.data().join("takeover.sock")).await;
        Self(BufReader::new(stream.expect("a host runs")))
    }

    async fn tell(&mut self, line: &str) {
        self.0.get_mut().write_all(format!("{line}\n").as_bytes()).await.expect("it is heard");
    }

    /// Says hello, and returns what the host says of itself. The socket that comes with the first byte
    /// is dropped; the byte is read alone, because a read ends at a socket, which would look like the
    /// end of what there is.
    async fn greet(place: &Place) -> (Self, String) {
        let mut impostor = Self::connect(place).await;
        impostor.tell("caplet takeover 1").await;
        let byte = impostor.0.get_mut().read_u8();
        let byte = tokio::time::timeout(PATIENCE, byte).await.expect("in time").expect("a byte");
        assert_eq!(byte, b'+');
        let greeting = impostor.hear().await;
        (impostor, greeting)
    }

    /// The next line.
    async fn hear(&mut self) -> String {
        let mut line = String::new();
        let hearing = self.0.read_line(&mut line);
        tokio::time::timeout(PATIENCE, hearing).await.expect("in time").expect("a line");
        line
    }
}

/// Starts a host that is to replace the one at `place`, and returns its exit code and what it said.
async fn failed_takeover(place: &Place, settings: &[(&str, &str)]) -> (Option<i32>, String) {
    let output = place.takeover_command(settings).output();
    let output = tokio::time::timeout(PATIENCE, output).await.expect("it ends in time");
    let output = output.expect("it runs");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

async fn version(server: &Server) -> String {
    server.get("/api/upgrade/version").await.1
}

#[tokio::test]
async fn without_a_running_host_it_just_starts() {
    let place = Place::new();
    place.install("echo", "echo.wasm");
    let server = place.take_over(&[]).await;
    assert_eq!(server.get("/api/echo/x").await.0, 200);
    assert_eq!(server.stop().await, 0);
    // A host that was killed leaves the place where it could be asked behind.
    place.take_over(&[]).await.kill().await;
    assert_eq!(place.take_over(&[]).await.get("/api/echo/x").await.0, 200);
}

#[tokio::test]
async fn settings_that_make_no_host_end_it_before_the_running_one_is_asked() {
    let place = Place::new();
    place.install("echo", "echo.wasm");
    let server = place.start(&[]).await;
    for (setting, said) in [
        (("CAPLET_AUTH__CLOCK_SKEW_S", "3600"), "auth.clock_skew_s"),
        (("CAPLET_CORS__ORIGINS", "[\"shop.example\"]"), "cors.origins"),
    ] {
        let (code, error) = failed_takeover(&place, &[setting]).await;
        assert_eq!(code, Some(2), "{error}");
        assert!(error.contains(said), "{error}");
    }
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let elsewhere = port.local_addr().expect("an address").to_string();
    let mut command = place.takeover_command(&[]);
    let output = command.args(["--listen", &elsewhere]).output().await.expect("it runs");
    assert!(!output.status.success());
    assert_eq!(server.get("/api/echo/x").await.0, 200);
    assert_eq!(server.stop().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_successor_that_dies_on_the_way_is_not_noticed() {
    let place = Place::new();
    for guest in ["echo", "ledger", "sleep"] {
        place.install(guest, &format!("{guest}.wasm"));
    }
    let server = place.start(&[]).await;
    let load = Load::begin(&server, false);
    let (before_ready, greeting) = Impostor::greet(&place).await;
    assert!(greeting.contains("ledger"), "{greeting}");
    drop(before_ready);
    load.answers(50).await;

    let (mut while_waiting, _) = Impostor::greet(&place).await;
    while_waiting.tell("ready").await;
    drop(while_waiting);
    load.answers(50).await;

    let (mut with_the_databases, _) = Impostor::greet(&place).await;
    with_the_databases.tell("ready").await;
    assert_eq!(with_the_databases.hear().await, "released\n");
    drop(with_the_databases);
    load.answers(50).await;

    let successor = place.take_over(&[]).await;
    assert_eq!(server.end().await, 0);
    load.answers(50).await;
    let (_, wrong) = load.end().await;
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(successor.stop().await, 0);
}

#[tokio::test]
async fn a_successor_that_lacks_a_plugin_leaves_the_running_host() {
    let place = Place::new();
    place.install("upgrade-v1", "upgrade.wasm");
    let server = place.start(&[]).await;
    let before = version(&server).await;
    // Without the right that the plugin asks for, the new host does not load it.
    let settings = [("CAPLET_PLUGIN__UPGRADE__GRANTS", "[]")];
    let (code, error) = failed_takeover(&place, &settings).await;
    assert_eq!(code, Some(1), "{error}");
    assert!(error.contains("cannot load: upgrade"), "{error}");
    server.until(|server| server.answers("/api/upgrade/version", 200)).await;
    assert_eq!(version(&server).await, before);
    assert_eq!(server.stop().await, 0);
}

#[tokio::test]
async fn another_protocol_is_refused_and_said() {
    let place = Place::new();
    let server = place.start(&[]).await;
    let mut impostor = Impostor::connect(&place).await;
    impostor.tell("caplet takeover 99").await;
    let refusal = impostor.hear().await;
    assert!(refusal.contains("caplet takeover 1"), "{refusal}");
    assert_eq!(server.get("/healthz").await.0, 200);
}

/// A service whose one answer is a stream of two events, the second of which is sent when told.
async fn service(told: oneshot::Receiver<()>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut request = [0; 4_096];
        assert_ne!(stream.read(&mut request).await.expect("a request"), 0);
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: first\n\n";
        stream.write_all(head.as_bytes()).await.expect("it is taken");
        told.await.expect("it is told");
        stream.write_all(b"data: last\n\n").await.expect("it is taken");
    });
    format!("http://{address}")
}

#[tokio::test]
async fn a_stream_that_is_under_way_ends_with_the_host_that_began_it() {
    let (tell, told) = oneshot::channel();
    let url = service(told).await;
    let place = Place::new();
    let settings =
        [("CAPLET_SERVICES__FEED__URL", url.as_str()), ("CAPLET_SERVICES__FEED__ACCESS", "public")];
    let server = place.start(&settings).await;
    let request = server.client().get(server.url("/api/feed/events")).send();
    let mut stream = request.await.expect("an answer");
    let first = stream.chunk().await.expect("an event").expect("an event");
    assert_eq!(first, "data: first\n\n");

    let successor = place.take_over(&settings).await;
    assert_eq!(successor.get("/healthz").await.0, 200);
    tell.send(()).expect("the service waits");
    assert_eq!(stream.chunk().await.expect("an event").expect("an event"), "data: last\n\n");
    assert!(stream.chunk().await.expect("a proper end").is_none());
    assert_eq!(server.end().await, 0);
}

/// Has a host install a component by the command line.
async fn install(place: &Place, server: &Server, arguments: &[&str]) {
    let mut command = Command::new(binary());
    command.arg("install").args(arguments).args(["--url", &server.url("")]);
    let output = command.arg("--data").arg(place.data()).output().await.expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// How many components have compiled code in the data directory.
fn n_compiled(place: &Place) -> usize {
    let files = std::fs::read_dir(place.data().join("cache")).expect("a cache");
    let paths = files.map(|file| file.expect("a file").path());
    paths.filter(|path| path.extension().is_some_and(|it| it == "cwasm")).count()
}

#[tokio::test]
async fn what_serves_is_compiled_while_the_running_host_serves() {
    let place = Place::new();
    let server = place.start(&[]).await;
    install(&place, &server, &[guest_path("echo").to_str().expect("a path")]).await;
    assert_eq!(n_compiled(&place), 1);
    for file in std::fs::read_dir(place.data().join("cache")).expect("a cache") {
        let path = file.expect("a file").path();
        if path.extension().is_some_and(|it| it == "cwasm") {
            std::fs::remove_file(path).expect("the code of another program is of no use");
        }
    }
    // It finds out that it cannot listen elsewhere when all is compiled, and before the other host ends.
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let elsewhere = port.local_addr().expect("an address").to_string();
    let mut command = Command::new(binary());
    command.args(["serve", "--takeover", "--listen", &elsewhere]);
    command.arg("--data").arg(place.data()).arg("--plugins").arg(place.plugins());
    let output = command.output().await.expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("another address"), "{said}");
    assert_eq!(n_compiled(&place), 1, "the plugin is in no folder, and was compiled");
    assert_eq!(server.get("/api/echo/x").await.0, 200);
    assert_eq!(server.stop().await, 0);
}

#[tokio::test]
async fn an_endless_answer_of_a_component_keeps_nobody_waiting() {
    let place = Place::new();
    place.install("http-service", "feed.wasm");
    // Longer than anything may take here: whoever waits for the end of the answer waits in vain.
    let settings = [("CAPLET_HTTP__SHUTDOWN_GRACE_MS", "300000")];
    let server = place.start(&settings).await;
    let mut feed =
        server.client().get(server.url("/api/feed/feed")).send().await.expect("an answer");
    feed.chunk().await.expect("a part").expect("a part");

    let successor = place.take_over(&settings).await;
    assert_eq!(successor.get("/api/feed/").await, (200, "hello from 0.3".to_owned()));
    for _ in 0..3 {
        feed.chunk().await.expect("the answer goes on").expect("the answer goes on");
    }
    drop(feed);
    assert_eq!(server.end().await, 0);
    assert_eq!(successor.stop().await, 0);
}
