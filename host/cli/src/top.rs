//! `caplet top`: what the plugins of a running host do now. Read from the host's `/metrics`, twice and
//! again: everything shown is the difference of two looks.
//!
//! - `exposition`: the text format of `/metrics`.
//! - `sample`: one look; `rate`: the difference of two.
//! - `view`: what is on the screen, and which key does what; `screen`: how it is drawn.
//!
//! A host that goes away is said to be away, and its last numbers stay until it is back.

mod exposition;
mod rate;
mod sample;
mod screen;
mod view;

use std::io::{self, IsTerminal};
use std::time::Duration;

use caplet_server::outbound;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyEvent};
use reqwest::{Client, Url};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use crate::arguments::Top;
use crate::failure::Failure;
use crate::output;
use crate::remote;
use crate::table::aligned;

use sample::Sample;
use view::{Next, View};

pub use view::Sort;

/// How long the host may take to answer.
const TIME_MAX: Duration = Duration::from_secs(5);

/// The longest answer that is read, in bytes.
const METRICS_BYTES_MAX: usize = 8 << 20;

/// How long a key may wait to be looked at.
const KEY_PERIOD: Duration = Duration::from_millis(100);

/// Shows the plugins until somebody has seen enough, or once.
///
/// # Errors
/// An address or terminal that does not serve; with `--once`, a host that does not answer.
pub async fn run(options: &Top) -> Result<(), Failure> {
    let host = Metrics::new(options)?;
    if options.once {
        return once(options, &host).await;
    }
    if !io::stdout().is_terminal() {
        let remedy = "--once prints one table and ends";
        return Err(Failure::usage(format!("the standard output is no terminal: {remedy}")));
    }
    let view = View::new(host.base.to_string(), options.sort, options.interval);
    let mut terminal = ratatui::try_init()
        .map_err(|reason| Failure::run_time(format!("the terminal cannot be used: {reason}")))?;
    let shown = show(&mut terminal, view, &host).await;
    ratatui::restore();
    shown.map_err(|reason| Failure::run_time(format!("the terminal cannot be used: {reason}")))
}

/// Prints the difference of two looks.
async fn once(options: &Top, host: &Metrics) -> Result<(), Failure> {
    let failed = |reason| Failure::run_time(format!("cannot read {}: {reason}", host.url));
    let before = host.look().await.map_err(failed)?;
    tokio::time::sleep(options.interval).await;
    let after = host.look().await.map_err(failed)?;
    let mut view = View::new(host.base.to_string(), options.sort, options.interval);
    view.take(Ok(before));
    view.take(Ok(after));
    let head = view::COLUMNS.map(str::to_owned);
    let rows: Vec<_> = std::iter::once(head).chain(view.rows().iter().map(view::cells)).collect();
    output::print(&aligned(0, &rows))
}

/// The screen's life: a look at each interval, a drawing after each look and each key.
async fn show(terminal: &mut DefaultTerminal, mut view: View, host: &Metrics) -> io::Result<()> {
    let mut keys = keys();
    let mut looks = interval(view.interval());
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut terminate = signal(SignalKind::terminate())?;
    loop {
        terminal.draw(|frame| screen::draw(frame, &view))?;
        let next = tokio::select! {
            key = keys.recv() => match key {
                Some(Some(key)) => view.press(key),
                Some(None) => Next::Draw,
                None => Next::End,
            },
            _ = terminate.recv() => Next::End,
            looked = look_at(&mut looks, host), if !view.is_paused() => {
                view.take(looked);
                Next::Draw
            }
        };
        if next == Next::End {
            return Ok(());
        }
    }
}

async fn look_at(looks: &mut tokio::time::Interval, host: &Metrics) -> Result<Sample, String> {
    looks.tick().await;
    host.look().await
}

/// The keys that are pressed; nothing for what changes only the screen's size. Reading them holds up
/// a thread, which ends when nobody listens any more.
fn keys() -> mpsc::Receiver<Option<KeyEvent>> {
    let (sender, keys) = mpsc::channel(16);
    std::thread::spawn(move || {
        while !sender.is_closed() {
            let event = match event::poll(KEY_PERIOD) {
                Ok(true) => event::read(),
                Ok(false) => continue,
                Err(_) => return,
            };
            let sent = match event {
                Ok(Event::Key(key)) if key.is_press() => sender.blocking_send(Some(key)),
                Ok(Event::Resize(..)) => sender.blocking_send(None),
                Ok(_) => Ok(()),
                Err(_) => return,
            };
            if sent.is_err() {
                return;
            }
        }
    });
    keys
}

/// The `/metrics` of a host.
struct Metrics {
    client: Client,
    base: Url,
    url: String,
}

impl Metrics {
    fn new(options: &Top) -> Result<Self, Failure> {
        let base = remote::address(&options.common, options.url.as_deref())?;
        let client = outbound::client()
            .map_err(|error| Failure::run_time(format!("no certificates: {error}")))?
            .timeout(TIME_MAX)
            .build()
            .map_err(|error| Failure::run_time(format!("no HTTP client: {error}")))?;
        let url = format!("{}/metrics", base.as_str().trim_end_matches('/'));
        Ok(Self { client, base, url })
    }

    async fn look(&self) -> Result<Sample, String> {
        let text = self.read().await?;
        let sample = Sample::of(&exposition::parse(&text));
        sample.ok_or_else(|| "what is there are not the metrics of a caplet host".to_owned())
    }

    async fn read(&self) -> Result<String, String> {
        let reason = |error: reqwest::Error| match error {
            error if error.is_timeout() => format!("no answer in {} s", TIME_MAX.as_secs()),
            error if error.is_connect() => "nothing listens there; is the host running?".to_owned(),
            error => error.to_string(),
        };
        let mut answer = self.client.get(&self.url).send().await.map_err(reason)?;
        if !answer.status().is_success() {
            return Err(format!("it answered {}", answer.status()));
        }
        let mut bytes = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(reason)? {
            if bytes.len() + part.len() > METRICS_BYTES_MAX {
                return Err(format!("it has more than {METRICS_BYTES_MAX} bytes"));
            }
            bytes.extend_from_slice(&part);
        }
        String::from_utf8(bytes).map_err(|_| "it is no text".to_owned())
    }
}
