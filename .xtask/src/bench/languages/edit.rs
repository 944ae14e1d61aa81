//! From an edit to the answer that shows it: `caplet dev`, as an author has it beside the editor.

use super::make::{Made, Maker};
use crate::{bench::report::median, server::Server};
use anyhow::{Context, Result, bail};
use std::{
    fs, thread,
    time::{Duration, Instant},
};

/// How often the source is edited. Before the first edit all is built once.
const EDITS: u32 = 5;

/// The text of the source that is edited, as a caller sees it.
const TEXT: &str = "There is no such note";

/// How long it may take until an edit is served.
const PATIENCE: Duration = Duration::from_secs(600);

/// How often the host is asked whether it is.
const POLL_TIME: Duration = Duration::from_millis(5);

/// The median of the times from an edit to the answer that shows it, in seconds.
pub fn edit_to_serving(maker: &Maker<'_>, made: &Made) -> Result<f64> {
    println!("Editing the plugin in {}.", made.language.title);
    let folder = made.folder.join(made.name());
    let mut command = maker.caplet(&folder);
    command.args(["dev", "--listen", "127.0.0.1:0"]);
    let server = Server::start(&mut command, &folder.join("dev.log"))?;
    let path = format!("/api/{}/none", made.name());
    until_said(&server, &path, TEXT)?;
    let source = folder.join(made.language.source);
    let text = fs::read_to_string(&source)?;
    let mut times = Vec::new();
    for number in 1..=EDITS {
        let edited = format!("{TEXT} ({number})");
        let began = Instant::now();
        fs::write(&source, text.replace(TEXT, &edited))?;
        until_said(&server, &path, &edited)?;
        times.push(began.elapsed().as_secs_f64());
    }
    fs::write(&source, text)?;
    server.stop()?;
    Ok(median(&times))
}

/// Waits until an answer has a text.
fn until_said(server: &Server, path: &str, text: &str) -> Result<()> {
    let (began, url) = (Instant::now(), format!("{}{path}", server.url()));
    let agent = ureq::Agent::new_with_config(
        ureq::Agent::config_builder().http_status_as_error(false).build(),
    );
    loop {
        let mut answer = agent.get(&url).call().context("`caplet dev` does not answer")?;
        if answer.body_mut().read_to_string()?.contains(text) {
            return Ok(());
        }
        if began.elapsed() > PATIENCE {
            bail!("{path} is not answered with {text:?} after {PATIENCE:?}");
        }
        thread::sleep(POLL_TIME);
    }
}
