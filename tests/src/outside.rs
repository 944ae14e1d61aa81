//! Programs that were written elsewhere, run against the host: Python with the packages of
//! `tests/outside/requirements.txt`, Node.js with those of its `package.json`, Debian's Chromium.
//! `cargo xtask outside` installs them, and `CAPLET_OUTSIDE` says where.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

/// How long one program may run.
const PROGRAM_TIME_MAX: Duration = Duration::from_secs(240);

/// A Python script in `tests/outside`, such as `openapi/validate.py`.
#[must_use]
pub fn python(script: &str) -> Command {
    program(&tool("venv/bin/python"), script)
}

/// An ECMAScript module in `tests/outside`, such as `identity/mint.mjs`. It finds the path of the
/// browser in `CHROMIUM`.
#[must_use]
pub fn node(script: &str) -> Command {
    let mut command = program(Path::new("node"), script);
    command.env("CHROMIUM", "/usr/bin/chromium");
    command
}

/// Something that the environment of Python installed as a command, such as `venv/bin/schemathesis`.
///
/// # Panics
/// When it is not there.
#[must_use]
pub fn tool(path: &str) -> PathBuf {
    let folder = std::env::var_os("CAPLET_OUTSIDE")
        .expect("CAPLET_OUTSIDE names the folder of the tools; run `cargo xtask test`");
    let path = Path::new(&folder).join(path);
    assert!(path.exists(), "{} is missing; run `cargo xtask outside`", path.display());
    path
}

fn program(interpreter: &Path, script: &str) -> Command {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("outside");
    let mut command = Command::new(interpreter);
    command.arg(scripts.join(script)).current_dir(scripts);
    command
}

/// Runs a program to its end, and returns what it wrote on its standard output.
///
/// # Panics
/// When it does not end well, or not in four minutes; with all that it wrote.
pub async fn run(command: &mut Command) -> String {
    command.stdin(Stdio::null()).kill_on_drop(true);
    let running = tokio::time::timeout(PROGRAM_TIME_MAX, command.output());
    let output = running.await.expect("it ends in time").expect("it can be started");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (said, errors) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{:?}\n{said}\n{errors}", command.as_std());
    said
}
