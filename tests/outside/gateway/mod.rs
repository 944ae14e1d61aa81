//! Outside services through the gateway, as curl, httpx and websockets see them. The services are
//! Python's own HTTP server and a server of `websockets`.

use std::process::Stdio;

use caplet_tests::outside::{python, run};
use caplet_tests::{PATIENCE, Place, Server};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// The services, and the host before them.
struct Set {
    server: Server,
    /// The services, which end with this.
    _services: Child,
}

impl Set {
    async fn start(place: &Place) -> Self {
        let certificate = place.plugins().with_file_name("certificate.pem");
        let mut services = python("gateway/services.py")
            .arg(&certificate)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the services start");
        let output = services.stdout.take().expect("their output is piped");
        let mut lines = BufReader::new(output).lines();
        let line = tokio::time::timeout(PATIENCE, lines.next_line()).await;
        let line = line.expect("they listen in time").expect("text").expect("a line");
        let addresses: Vec<&str> = line.split(' ').collect();
        let [plain, encrypted, sockets] = addresses[..] else { panic!("{line}") };
        let settings = [
            ("CAPLET_SERVICES__ENCRYPTED__URL", encrypted),
            ("CAPLET_SERVICES__ENCRYPTED__ACCESS", "public"),
            ("CAPLET_SERVICES__ENCRYPTED__TLS_CA_FILE", certificate.to_str().expect("a text")),
            ("CAPLET_SERVICES__STRANGE__URL", encrypted),
            ("CAPLET_SERVICES__STRANGE__ACCESS", "public"),
            ("CAPLET_SERVICES__PLAIN__URL", plain),
            ("CAPLET_SERVICES__PLAIN__ACCESS", "public"),
            ("CAPLET_SERVICES__SIGNED__URL", plain),
            ("CAPLET_SERVICES__SIGNED__CREDENTIALS__SCHEME", "bearer"),
            ("CAPLET_SERVICES__SIGNED__CREDENTIALS__SECRET", "1234"),
            ("CAPLET_SERVICES__SOCKETS__URL", sockets),
            ("CAPLET_SERVICES__SOCKETS__ACCESS", "public"),
        ];
        Self { server: place.start(&settings).await, _services: services }
    }

    /// Runs a client to its end; it fails when what it sees is not what it should.
    async fn run(&self, client: &mut Command) {
        let token = self.server.token(&["--subject", "ada"]).await;
        run(client.env("CAPLET_URL", self.server.url("")).env("CAPLET_TOKEN", token)).await;
    }
}

#[tokio::test]
async fn curl() {
    let place = Place::new();
    let set = Set::start(&place).await;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/outside/gateway/curl.sh");
    set.run(Command::new("bash").arg(script)).await;
}

#[tokio::test]
async fn httpx() {
    let place = Place::new();
    let set = Set::start(&place).await;
    set.run(&mut python("gateway/with_httpx.py")).await;
}

#[tokio::test]
async fn websockets() {
    let place = Place::new();
    let set = Set::start(&place).await;
    set.run(&mut python("gateway/with_websockets.py")).await;
    let services = set.server.get("/metrics").await.1;
    let open = "caplet_service_upgrades_open{service=\"sockets\"} 0";
    assert!(services.contains(open), "{services}");
}
