//! What an author does: begins a plugin, tests it, and writes it while it is served.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

/// How long a build may take on a machine that has much to do and has built nothing yet.
const PATIENCE: Duration = Duration::from_secs(280);

/// A plugin that `caplet new` has begun.
struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    async fn begin() -> Self {
        let desk = Self { folder: tempfile::tempdir().expect("a temporary directory") };
        let begun = desk.caplet(&["new", "garden", "--lang", "rust"]).output().await;
        assert!(begun.expect("caplet runs").status.success());
        // The versions of the project itself: nothing has to be looked up or fetched.
        let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock");
        std::fs::copy(lock, desk.path("Cargo.lock")).expect("the versions are copied");
        desk
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join("garden").join(file)
    }

    /// `caplet`, whose builds share a folder, so that libraries are built once and not in each run.
    fn caplet(&self, arguments: &[&str]) -> Command {
        let binary = caplet_tests::binary();
        let target = binary.ancestors().nth(2).expect("a target directory").join("authoring");
        let mut command = Command::new(binary);
        command.current_dir(self.folder.path()).args(arguments).kill_on_drop(true);
        command.env("CARGO_TARGET_DIR", target).env("CARGO_NET_OFFLINE", "true");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    async fn test(&self, arguments: &[&str]) -> (Output, String) {
        let arguments = [&["test", "garden"], arguments].concat();
        let tested = tokio::time::timeout(PATIENCE, self.caplet(&arguments).output()).await;
        let tested = tested.expect("it ends in time").expect("caplet runs");
        let said = String::from_utf8_lossy(&tested.stdout).into_owned();
        (tested, said)
    }

    fn replace(&self, file: &str, from: &str, to: &str) {
        let path = self.path(file);
        let text = std::fs::read_to_string(&path).expect("the file is read");
        assert!(text.contains(from), "{file} has no {from}");
        std::fs::write(path, text.replace(from, to)).expect("the file is written");
    }
}

/// The lines that a process writes.
fn lines(output: impl AsyncRead + Unpin + Send + 'static) -> mpsc::UnboundedReceiver<String> {
    let (line, lines) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut read = BufReader::new(output).lines();
        // Whoever listens may have heard enough; the process must not wait for that.
        while let Ok(Some(text)) = read.next_line().await {
            let _ = line.send(text);
        }
    });
    lines
}

/// Waits for a line that has `part` in it.
async fn until(lines: &mut mpsc::UnboundedReceiver<String>, part: &str) -> String {
    let mut heard = Vec::new();
    let hearing = async {
        while let Some(line) = lines.recv().await {
            if line.contains(part) {
                return Some(line);
            }
            heard.push(line);
        }
        None
    };
    let found = tokio::time::timeout(PATIENCE, hearing).await.ok().flatten();
    found.unwrap_or_else(|| panic!("no line has `{part}`:\n{}", heard.join("\n")))
}

async fn get(url: &str) -> String {
    let client =
        caplet_server::outbound::client().expect("certificates").build().expect("a client");
    let answer = client.get(url).send().await.expect("the host answers");
    answer.text().await.expect("an answer")
}

async fn end(mut child: Child) {
    let id = child.id().and_then(|id| i32::try_from(id).ok()).expect("it runs");
    kill(Pid::from_raw(id), Signal::SIGTERM).expect("it is told to stop");
    assert!(child.wait().await.expect("it ends").success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_plugin_passes_its_scenarios_and_is_served_while_it_is_written() {
    let desk = Desk::begin().await;
    let (tested, said) = desk.test(&[]).await;
    assert!(tested.status.success(), "{said}{}", String::from_utf8_lossy(&tested.stderr));
    assert!(said.contains("5 passed, 0 failed; 4 of 4 operations called"), "{said}");
    desk.replace("tests/notes.yaml", "pinned: true", "pinned: false");
    let (tested, said) = desk.test(&["--filter", "may pin"]).await;
    assert_eq!(tested.status.code(), Some(1), "{said}");
    assert!(said.contains("body /pinned: expected false, got true"), "{said}");
    assert!(said.contains("tests/notes.yaml:"), "{said}");

    let dev = desk.caplet(&["dev", "garden", "--listen", "127.0.0.1:0"]).spawn();
    let mut dev = dev.expect("caplet runs");
    let mut said = lines(dev.stderr.take().expect("its errors are piped"));
    let mut output = lines(dev.stdout.take().expect("its output is piped"));
    let url = until(&mut output, "http://").await;
    let url = url.rsplit(' ').next().expect("an address").to_owned();
    until(&mut said, "garden 0.1.0 is served after").await;
    let listed = format!("{url}/api/garden");
    desk.replace("src/note.rs", "There is no such note.", "Nobody wrote that.");
    until(&mut said, "garden 0.1.0 is served after").await;
    assert!(get(&format!("{listed}/none")).await.contains("Nobody wrote that."));
    assert!(get(&listed).await.contains("Welcome"), "the seed is there");
    desk.replace("src/note.rs", "Nobody wrote that.", "\" + ");
    until(&mut said, "not built; what served before serves on").await;
    assert!(get(&format!("{listed}/none")).await.contains("Nobody wrote that."));
    end(dev).await;
}
