//! The host as a person runs it: the `caplet` binary as a child process, on a free port, with a data
//! directory and a plugin folder of its own, spoken to over HTTP.

pub mod outside;
pub mod wasm;

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use caplet_server::outbound;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStderr, Command};
use tokio::sync::mpsc;

/// How long anything in these tests may take before it counts as failed.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The directories of a host, which outlive the process.
pub struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    /// An empty place.
    #[must_use]
    pub fn new() -> Self {
        let place = Self { directory: tempfile::tempdir().expect("a temporary directory") };
        std::fs::create_dir(place.plugins()).expect("a plugin folder");
        place
    }

    /// The data directory.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// The plugin folder.
    #[must_use]
    pub fn plugins(&self) -> PathBuf {
        self.directory.path().join("plugins")
    }

    /// Puts a guest into the plugin folder under a file name, by rename, as a careful person would.
    pub fn install(&self, guest: &str, file: &str) {
        let new = self.plugins().join(format!(".{file}.new"));
        std::fs::copy(guest_path(guest), &new).expect("the guest is copied");
        std::fs::rename(new, self.plugins().join(file)).expect("the guest is put in place");
    }

    /// Starts the host with settings from the environment, and waits until it is ready.
    pub async fn start(&self, settings: &[(&str, &str)]) -> Server {
        Server::spawn(self, self.command(Command::new(binary()), settings)).await
    }

    /// Starts another host that takes over from the one that runs here, and waits until it is ready.
    pub async fn take_over(&self, settings: &[(&str, &str)]) -> Server {
        let mut command = self.command(Command::new(binary()), settings);
        command.arg("--takeover");
        Server::spawn(self, command).await
    }

    /// What [`Self::take_over`] runs, for those who expect that it ends early.
    #[must_use]
    pub fn takeover_command(&self, settings: &[(&str, &str)]) -> Command {
        let mut command = self.command(Command::new(binary()), settings);
        command.arg("--takeover").stderr(Stdio::piped());
        command
    }

    /// Starts the host on a socket that this process holds, as systemd does, and waits until it is
    /// ready.
    pub async fn start_on(&self, listener: &TcpListener) -> Server {
        let mut shell = Command::new("sh");
        // The socket is the standard input at first, because that can be passed on without ado.
        let script = "LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" \"$@\" 3<&0 </dev/null";
        shell.args(["-c", script]).arg(binary());
        let mut command = self.command(shell, &[]);
        command.stdin(OwnedFd::from(listener.try_clone().expect("a copy of the socket")));
        Server::spawn(self, command).await
    }

    /// As [`Self::start`], with the lines that the host writes to its log.
    pub async fn start_telling(
        &self,
        settings: &[(&str, &str)],
    ) -> (Server, mpsc::UnboundedReceiver<String>) {
        let mut command = self.command(Command::new(binary()), settings);
        command.stderr(Stdio::piped());
        let (line, lines) = mpsc::unbounded_channel();
        let server = Server::spawn_heard(self, command, |stderr| {
            let mut read = BufReader::new(stderr).lines();
            tokio::spawn(async move {
                // Whoever listens may have heard enough; the host must not wait for that.
                while let Ok(Some(text)) = read.next_line().await {
                    let _ = line.send(text);
                }
            });
        });
        (server.await, lines)
    }

    /// `program` with what every host here is told.
    fn command(&self, mut program: Command, settings: &[(&str, &str)]) -> Command {
        program.arg("serve").args(["--listen", "127.0.0.1:0"]);
        program.arg("--data").arg(self.data()).arg("--plugins").arg(self.plugins());
        // However busy the machine is that runs these tests: what is ready has everything.
        program.env("CAPLET_ENGINE__COMPILE_WAIT_MS", "300000");
        program.envs(settings.iter().copied()).stdout(Stdio::piped()).kill_on_drop(true);
        program
    }

    /// Starts the host with a data directory that is a disk of its own, of so many MiB. It can be
    /// seen through [`Server::inside`] and is gone with the process.
    pub async fn start_on_small_disk(&self, mebibytes: u32) -> Server {
        std::fs::create_dir_all(self.data()).expect("a data directory");
        let data = self.data();
        // A user and a mount namespace of its own: mounting needs no privilege there.
        let script = format!(
            "mount -t tmpfs -o size={mebibytes}m tmpfs '{}' && exec '{}' \"$@\"",
            data.display(),
            binary().display()
        );
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-c", &script, "sh"]);
        Server::spawn(self, self.command(command, &[])).await
    }
}

impl Default for Place {
    fn default() -> Self {
        Self::new()
    }
}

/// A running host.
pub struct Server {
    child: Child,
    url: String,
    client: reqwest::Client,
    data: PathBuf,
}

impl Server {
    async fn spawn(place: &Place, command: Command) -> Self {
        Self::spawn_heard(place, command, |_stderr| {}).await
    }

    /// `hear` is given the host's standard error, when that is piped.
    async fn spawn_heard(
        place: &Place,
        mut command: Command,
        hear: impl FnOnce(ChildStderr),
    ) -> Self {
        let mut child = command.spawn().expect("the host starts");
        if let Some(stderr) = child.stderr.take() {
            hear(stderr);
        }
        let stdout = child.stdout.take().expect("its output is piped");
        let url = tokio::time::timeout(PATIENCE, listening_url(stdout))
            .await
            .expect("the host listens in time");
        let client = outbound::client().expect("the machine's certificates");
        let client = client.timeout(PATIENCE).build().expect("a client");
        let server = Self { child, url, client, data: place.data() };
        server.until(|server| server.answers("/readyz", 200)).await;
        server
    }

    /// The address of a path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// A client that keeps its connections.
    #[must_use]
    pub fn client(&self) -> &reqwest::Client {
        &self.client
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> Pid {
        let id = self.child.id().expect("the host runs");
        Pid::from_raw(i32::try_from(id).expect("a process id"))
    }

    /// A path as the host's process sees it.
    #[must_use]
    pub fn inside(&self, path: &Path) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.pid()));
        root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// A token of the host's own making.
    pub async fn token(&self, arguments: &[&str]) -> String {
        let output = Command::new(binary())
            .arg("token")
            .arg("--data")
            .arg(self.inside(&self.data))
            .args(arguments)
            .output()
            .await
            .expect("a token is made");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("a token is text").trim().to_owned()
    }

    /// The status and the text of a GET.
    pub async fn get(&self, path: &str) -> (u16, String) {
        let answer = self.client.get(self.url(path)).send().await.expect("the host answers");
        (answer.status().as_u16(), answer.text().await.expect("a text"))
    }

    /// Whether a GET is answered with a status.
    pub async fn answers(&self, path: &str, status: u16) -> bool {
        let answer = self.client.get(self.url(path)).send().await;
        answer.is_ok_and(|answer| answer.status() == status)
    }

    /// Asks until it is so.
    ///
    /// # Panics
    /// When it is not so in time.
    pub async fn until<'a, F>(&'a self, is_so: impl Fn(&'a Self) -> F)
    where
        F: Future<Output = bool> + 'a,
    {
        let asking = async {
            let mut pause = tokio::time::interval(Duration::from_millis(20));
            while !is_so(self).await {
                pause.tick().await;
            }
        };
        tokio::time::timeout(PATIENCE, asking).await.expect("it comes to be so in time");
    }

    /// Ends the process as a power cut would.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("the host is killed");
    }

    /// Asks the process to end, and returns its exit code.
    pub async fn stop(self) -> i32 {
        kill(self.pid(), Signal::SIGTERM).expect("the signal is sent");
        self.end().await
    }

    /// Waits until the process ends by itself, and returns its exit code.
    pub async fn end(mut self) -> i32 {
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        status.expect("the host ends in time").expect("it can be waited for").code().unwrap_or(-1)
    }
}

/// The address in the line `… http://…` that the host prints when it listens.
async fn listening_url(stdout: tokio::process::ChildStdout) -> String {
    let mut lines = BufReader::new(stdout).lines();
    while let Some(line) = lines.next_line().await.expect("the host's output is text") {
        if let Some(at) = line.find("http://") {
            let url = line[at..].split_whitespace().next().unwrap_or_default().to_owned();
            // What comes later must still be read, or the host would wait for us.
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return url;
        }
    }
    panic!("the host ended before it listened");
}

/// The binary that was built with these tests.
///
/// # Panics
/// When it is not there.
#[must_use]
pub fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("this test has a path");
    let profile = test.ancestors().nth(2).expect("tests are built in <profile>/deps");
    let binary = profile.join("caplet");
    assert!(
        binary.exists(),
        "{} is missing; run `cargo build --workspace --bin caplet`",
        binary.display()
    );
    binary
}

/// Where a guest's component is.
///
/// # Panics
/// When it is not there.
#[must_use]
pub fn guest_path(guest: &str) -> PathBuf {
    let folder = std::env::var_os("CAPLET_GUESTS")
        .expect("CAPLET_GUESTS names the folder of the guests; run `cargo xtask test`");
    let path = Path::new(&folder).join(format!("{guest}.wasm"));
    assert!(path.exists(), "{} is missing; run `cargo xtask plugins`", path.display());
    path
}
