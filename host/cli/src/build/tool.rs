//! The programs of other people that a build needs: whether they are there, which version they have,
//! and running them so that their words reach the author.

use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::process::{Command, Output, Stdio};

use semver::Version;

use crate::failure::Failure;

/// A program that a build needs.
#[derive(Debug, Clone, Copy)]
pub struct Tool {
    /// The program, as it is found on the `PATH`.
    pub program: &'static str,
    /// What makes it print its version.
    pub version_arguments: &'static [&'static str],
    /// The oldest version that will do: major, minor, patch.
    pub at_least: (u64, u64, u64),
    /// How to get it: a command, with the version.
    pub install: &'static str,
}

impl Tool {
    /// Finds the program and returns its version.
    ///
    /// # Errors
    /// That it is missing or too old, and how to get it: one line.
    pub fn find(&self) -> Result<Version, Failure> {
        let Self { program, install, at_least: (major, minor, patch), .. } = *self;
        let wanted = Version::new(major, minor, patch);
        let output = Command::new(program).args(self.version_arguments).output();
        let output = match output {
            Ok(output) if output.status.success() => output,
            Err(reason) if reason.kind() != ErrorKind::NotFound => {
                return Err(failure(format!("`{program}` cannot be run: {reason}")));
            }
            // Programs that only stand in for others, as rustup's and pyenv's do, are found and fail.
            _ => {
                return Err(failure(format!(
                    "`{program}` is missing; version {wanted} or newer is needed: {install}"
                )));
            }
        };
        match version(&output) {
            Some(found) if found < wanted => Err(failure(format!(
                "`{program}` {found} is too old; {wanted} or newer is needed: {install}"
            ))),
            Some(found) => Ok(found),
            None => Err(failure(format!(
                "`{program}` does not say which version it has; {wanted} or newer is needed: {install}"
            ))),
        }
    }
}

/// The first version that a program names, on whichever of its outputs.
fn version(output: &Output) -> Option<Version> {
    let text = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    text.iter().find_map(|text| text.split_whitespace().find_map(word_as_version))
}

/// `1.95.0`, `v20.1`, `go1.27.3` and `1.95.0-nightly,` as versions.
fn word_as_version(word: &str) -> Option<Version> {
    let start = word.find(|c: char| c.is_ascii_digit())?;
    let digits = |c: char| c.is_ascii_digit() || c == '.';
    let number: &str = word[start..].split(|c| !digits(c)).next()?;
    let mut parts = number.trim_end_matches('.').split('.').map(str::parse::<u64>);
    let (major, minor) = (parts.next()?.ok()?, parts.next()?.ok()?);
    let patch = parts.next().and_then(Result::ok).unwrap_or(0);
    Some(Version::new(major, minor, patch))
}

/// Runs a program to its end. What it writes goes to the standard error: the standard output belongs
/// to the command that was asked for.
///
/// # Errors
/// That `what` failed, after the program has said why.
pub fn run(command: &mut Command, what: &str) -> Result<(), Failure> {
    let errors = std::io::stderr().as_fd().try_clone_to_owned();
    command.stdout(errors.map_or_else(|_| Stdio::null(), Stdio::from));
    let status = command.status().map_err(|reason| cannot_run(command, &reason))?;
    if status.success() { Ok(()) } else { Err(failure(format!("{what} failed ({status})"))) }
}

/// Runs a program to its end and returns what it wrote to the standard output; the rest goes to the
/// standard error.
///
/// # Errors
/// As [`run`].
pub fn read(command: &mut Command, what: &str) -> Result<Vec<u8>, Failure> {
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.map_err(|reason| cannot_run(command, &reason))?;
    let status = output.status;
    if status.success() {
        Ok(output.stdout)
    } else {
        Err(failure(format!("{what} failed ({status})")))
    }
}

fn cannot_run(command: &Command, reason: &std::io::Error) -> Failure {
    failure(format!("`{}` cannot be run: {reason}", command.get_program().to_string_lossy()))
}

fn failure(text: String) -> Failure {
    Failure::run_time(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHELL: Tool = Tool {
        program: "sh",
        version_arguments: &["-c", "echo tool version v1.27.3 of 2026.1"],
        at_least: (1, 27, 0),
        install: "apt-get install sh",
    };

    #[test]
    fn versions_are_read_as_programs_write_them() {
        let version = |word| word_as_version(word).map(|version| version.to_string());
        assert_eq!(version("go1.27.3").as_deref(), Some("1.27.3"));
        assert_eq!(version("v20.1").as_deref(), Some("20.1.0"));
        assert_eq!(version("1.95.0-nightly,").as_deref(), Some("1.95.0"));
        assert_eq!(version("(built"), None);
        assert_eq!(version("64"), None);
    }

    #[test]
    fn a_tool_that_will_do_is_found() {
        assert_eq!(SHELL.find(), Ok(Version::new(1, 27, 3)));
    }

    #[test]
    fn what_is_missing_or_too_old_is_named_with_the_remedy() {
        let absent = Tool { program: "caplet-no-such-tool", ..SHELL };
        let said = absent.find().unwrap_err();
        assert_eq!(
            said.text(),
            "`caplet-no-such-tool` is missing; version 1.27.0 or newer is needed: apt-get install sh"
        );
        let old = Tool { at_least: (2, 0, 0), ..SHELL };
        let said = old.find().unwrap_err();
        assert!(said.text().contains("`sh` 1.27.3 is too old; 2.0.0 or newer"), "{said:?}");
        assert!(said.text().ends_with("apt-get install sh"), "{said:?}");
        let broken = Tool { version_arguments: &["-c", "exit 3"], ..SHELL };
        assert!(broken.find().unwrap_err().text().contains("is missing"));
    }
}
