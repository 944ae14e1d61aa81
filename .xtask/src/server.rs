//! A server as a child process, one side of a benchmark or a host that is tried: started, asked, ended. It is in this program's process group, so that
//! Ctrl-C ends both.

use crate::memory::{self, Memory};
use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// How long a side may take to be ready. The host compiles its plugins the first time.
const PATIENCE: Duration = Duration::from_secs(300);

/// How often it is asked.
const POLL_TIME: Duration = Duration::from_millis(20);

/// A running side.
pub struct Server {
    child: Child,
    url: String,
    log: PathBuf,
}

impl Server {
    /// Starts a program that prints `http://…` once it listens. What else it says goes to `log`.
    pub fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let mut log_file = File::create(log)?;
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log_file.try_clone()?);
        let mut child = command.spawn().context("cannot start a side")?;
        let stdout = child.stdout.take().context("a side has no output")?;
        let mut server = Self { child, url: String::new(), log: log.to_owned() };
        let mut stdout = BufReader::new(stdout);
        server.url = match url(&mut stdout)? {
            Some(url) => url,
            None => return Err(server.ended()),
        };
        // What comes later must still be read, or the side would wait for us.
        thread::spawn(move || io::copy(&mut stdout, &mut log_file));
        Ok(server)
    }

    /// Where it listens, `http://…`, without a path.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Waits until `/readyz` is answered well.
    pub fn wait_until_ready(&mut self) -> Result<()> {
        let began = Instant::now();
        let url = format!("{}/readyz", self.url);
        while ureq::get(&url).call().is_err() {
            if self.child.try_wait()?.is_some() {
                return Err(self.ended());
            }
            if began.elapsed() > PATIENCE {
                bail!("a side is not ready after {PATIENCE:?}: see {}", self.log.display());
            }
            thread::sleep(POLL_TIME);
        }
        Ok(())
    }

    /// What it and the processes it started hold.
    pub fn memory(&self) -> Result<Memory> {
        memory::of_tree(self.child.id())
    }

    /// How much processor time it has used, the system's for it included.
    pub fn processor_time(&self) -> Result<Duration> {
        let file = format!("/proc/{}/stat", self.child.id());
        let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {file}"))?;
        ticks(&text)
            .map(|ticks| TICK * ticks)
            .with_context(|| format!("{file} has another form: {text}"))
    }

    /// Asks it to end, and does not wait.
    pub fn tell_to_stop(&self) -> Result<()> {
        Ok(kill_process(Pid::from_child(&self.child), Signal::TERM)?)
    }

    /// Ends it as a power cut would.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Waits until it ends by itself or because it was told to; its exit code, unless a signal ended
    /// it.
    pub fn wait(mut self) -> Result<Option<i32>> {
        Ok(self.child.wait().context("cannot wait for a server")?.code())
    }

    /// Asks it to end, and waits until it has: what it wrote is in its files then.
    pub fn stop(mut self) -> Result<()> {
        self.end()
    }

    fn end(&mut self) -> Result<()> {
        if self.child.try_wait()?.is_none() {
            kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        }
        self.child.wait().context("cannot wait for a side")?;
        Ok(())
    }

    fn ended(&self) -> anyhow::Error {
        anyhow::anyhow!("a side ended early: see {}", self.log.display())
    }
}

/// What Linux counts processor time in, for programs, on every machine that it runs on.
const TICK: Duration = Duration::from_millis(10);

/// The processor time in what Linux tells of a process: `utime` and `stime`, behind its name, which may
/// have anything in it.
fn ticks(stat: &str) -> Option<u32> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut numbers = fields.split_whitespace().skip(11);
    let mut next = || numbers.next()?.parse::<u32>().ok();
    Some(next()? + next()?)
}

/// A side does not outlive this program, whatever ended it early.
impl Drop for Server {
    fn drop(&mut self) {
        // Nothing is left to be done about an error.
        let _ = self.end();
    }
}

/// The first address in what a program prints; none when it ends without one.
fn url(output: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = String::new();
    while output.read_line(&mut line)? > 0 {
        if let Some(start) = line.find("http://") {
            let url = line[start..].split(['"', ' ', '\n']).next().unwrap_or_default();
            return Ok(Some(url.trim_end_matches('/').to_owned()));
        }
        line.clear();
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::{Server, ticks, url};
    use std::process::Command;

    #[test]
    fn the_address_is_found_among_other_lines() {
        let said = "starting\nlistening on http://127.0.0.1:81/ now\n";
        assert_eq!(url(&mut said.as_bytes()).unwrap().unwrap(), "http://127.0.0.1:81");
        assert_eq!(url(&mut "nothing\n".as_bytes()).unwrap(), None);
    }

    #[test]
    fn processor_time_is_found_behind_any_name() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 100 0 0 0 12 30 0 0 20 0 1 0 5 6 7";
        assert_eq!(ticks(stat), Some(42));
        assert_eq!(ticks("7 (a)"), None);
    }

    #[test]
    fn a_side_that_ends_early_is_an_error_that_names_its_log() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("side.log");
        let mut command = Command::new("sh");
        let error = Server::start(command.args(["-c", "echo why >&2"]), &log).err().unwrap();
        assert!(error.to_string().contains("side.log"), "{error}");
        assert_eq!(std::fs::read_to_string(log).unwrap(), "why\n");
    }
}
