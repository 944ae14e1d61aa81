//! One plugin in the making: built, swapped in, seeded; what comes of it is said on the standard error,
//! between the lines of the host's log.

use std::io::Write;
use std::time::{Duration, Instant};

use caplet_runtime::{Digest, LoadError, Step};
use caplet_server::Host;
use caplet_testing::scenario::{Logs, Person, Player, ScenarioFile, claims};

use super::watch::Watch;
use crate::build::{self, Project, Purpose};
use crate::terminal::{self, Style};

/// How long the printed tokens are valid.
const TOKEN_TIME: Duration = Duration::from_secs(12 * 60 * 60);

/// Folders that no language's author writes into.
const BUILT_FOLDERS: &[&str] = &["build", "node_modules", "__pycache__"];

/// A plugin in the making, and the host that serves it.
pub struct Workbench {
    project: Project,
    files: Vec<ScenarioFile>,
    host: Host,
    url: String,
    serving: Option<Digest>,
}

impl Workbench {
    /// Nothing is built yet.
    pub fn new(project: Project, files: Vec<ScenarioFile>, host: Host, url: String) -> Self {
        Self { project, files, host, url, serving: None }
    }

    /// Builds, serves, waits for a change, and so on.
    pub async fn work(mut self) {
        let mut ignored = BUILT_FOLDERS.to_vec();
        ignored.extend(self.project.language.toolchain().built_folders());
        let mut watch = Watch::new(&self.project.folder, &ignored);
        self.show_people();
        loop {
            self.renew().await;
            watch.changed().await;
        }
    }

    /// Builds what is there now, and has it served when it can be.
    async fn renew(&mut self) {
        let begin = Instant::now();
        let project = self.project.clone();
        let building = tokio::task::spawn_blocking(move || build::make(&project, Purpose::Trial));
        let component = match building.await {
            Ok(Ok(component)) => component,
            Ok(Err(failure)) => {
                failure.tell();
                return self.say(Style::Bad, "not built; what served before serves on");
            }
            Err(panicked) => return self.say(Style::Bad, &format!("not built: {panicked}")),
        };
        let digest = Digest::of(&component);
        if self.serving == Some(digest) {
            return self.say(Style::Faint, "built; nothing of the component has changed");
        }
        let built_ms = begin.elapsed().as_millis();
        match self.host.runtime().load(component).await {
            Ok(generation) => {
                let is_first = self.serving.replace(digest).is_none();
                let total_ms = begin.elapsed().as_millis();
                let swapped_ms = total_ms - built_ms;
                self.say(
                    Style::Good,
                    &format!(
                        "{} {} is served after {total_ms} ms (build {built_ms}, swap {swapped_ms}): {}/api/{}",
                        generation.name(), generation.version(), self.url, generation.name()
                    ),
                );
                if is_first {
                    self.seed().await;
                }
            }
            Err(error) => self.refused(&error),
        }
    }

    fn refused(&self, error: &LoadError) {
        self.say(Style::Bad, &format!("built, and not served: {}", error.step));
        for reason in &error.reasons {
            self.say(Style::Bad, &format!("  - {reason}"));
        }
        if self.serving.is_some()
            && matches!(error.step, Step::Compare | Step::Trial | Step::Expand)
        {
            self.say(
                Style::Doubtful,
                "for data that begin empty, end `caplet dev` and start it again",
            );
        }
    }

    /// Plays the `seed` steps of all files.
    async fn seed(&self) {
        for file in &self.files {
            let mut player = Player::new(&self.project.name, &file.people, Logs::default());
            for step in &file.seed {
                if let Err(misplay) = player.play(&self.host, &step.value).await {
                    let place = file.place(step.referenced.line());
                    for difference in misplay.differences {
                        let text =
                            format!("{place}: seed: {}: {}", difference.place, difference.text);
                        self.say(Style::Doubtful, &text);
                    }
                    break;
                }
            }
        }
    }

    /// Prints a token for everybody, as assignments that a shell takes.
    fn show_people(&self) {
        let nobody = [("ada".to_owned(), Person::default())];
        let mut people: Vec<_> = self.files.iter().flat_map(|file| &file.people).collect();
        if people.is_empty() {
            people.extend(nobody.iter().map(|(name, person)| (name, person)));
        }
        people.sort_by_key(|(name, _)| name.as_str());
        people.dedup_by_key(|(name, _)| name.as_str());
        for (name, person) in people {
            let rights = [&person.roles[..], &person.permissions[..]].concat().join(", ");
            let who = if rights.is_empty() { name.clone() } else { format!("{name} ({rights})") };
            match self.host.issue_token(&claims(name, person), TOKEN_TIME) {
                Ok(token) => {
                    self.say(
                        Style::Faint,
                        &format!("a token of {who}, for `-H \"authorization: Bearer …\"`:"),
                    );
                    self.write(&format!("{}={token}", variable(name)));
                }
                Err(refused) => {
                    self.say(Style::Doubtful, &format!("{who} has no token: {refused}"))
                }
            }
        }
    }

    fn say(&self, style: Style, text: &str) {
        self.write(&terminal::paint(style, text, terminal::has_colours()).to_string());
    }

    fn write(&self, text: &str) {
        // Nobody is left to be told when this fails.
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    }
}

/// A person's name as the name of a shell's variable.
fn variable(name: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    name.chars().map(letter).collect()
}
