//! Commands of a page, run by `bash` in the page's folder, in the environment that pages speak of.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

/// How long one block may take: the longest compiles a plugin on a machine that has much to do.
const PATIENCE: Duration = Duration::from_secs(500);

/// An error status fails the block.
const CURL: &str = "curl() { command curl --silent --show-error --fail-with-body \"$@\"; }\n";

/// The block shows an error.
const CURL_TO_ERRORS: &str = "curl() { command curl --silent --show-error \"$@\"; }\n";

/// What the commands of a page can use.
pub struct Shell {
    variables: Vec<(&'static str, String)>,
}

impl Shell {
    /// A shell with these variables, in which `caplet` is the program that was built with this test.
    pub fn new(mut variables: Vec<(&'static str, String)>) -> Self {
        let binary = caplet_tests::binary();
        let programs = binary.parent().map(Path::display);
        let others = std::env::var("PATH").unwrap_or_default();
        variables.push(("PATH", format!("{}:{others}", programs.expect("a folder"))));
        Self { variables }
    }

    /// Runs commands and returns what they wrote to the standard output.
    pub async fn run(&self, folder: &Path, commands: &str) -> Result<String, String> {
        self.execute(folder, format!("{CURL}{commands}")).await
    }

    /// The same for commands that end in an error answer.
    pub async fn run_to_error(&self, folder: &Path, commands: &str) -> Result<String, String> {
        self.execute(folder, format!("{CURL_TO_ERRORS}{commands}")).await
    }

    async fn execute(&self, folder: &Path, script: String) -> Result<String, String> {
        let running = Command::new("bash")
            .args(["-eu", "-o", "pipefail", "-c", &script])
            .current_dir(folder)
            // A reader's own build goes to the folder `target` beside the sources.
            .env_remove("CARGO_TARGET_DIR")
            .env("CARGO_NET_OFFLINE", "true")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(PATIENCE, running).await;
        let output = output.map_err(|_| format!("took longer than {PATIENCE:?}"))?;
        let output = output.map_err(|reason| format!("bash: {reason}"))?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(said);
        }
        let complained = String::from_utf8_lossy(&output.stderr);
        Err(format!("{}\n{said}\n{complained}", output.status))
    }
}
