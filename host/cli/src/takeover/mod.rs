//! One host takes over the listening socket of another, so that no client is refused or reset while
//! the program is replaced. The running host is the *predecessor*, the new process its *successor*;
//! they speak over a Unix socket in the data directory, which only one user may use.
//!
//! | step | successor | predecessor | who accepts | who has the databases |
//! |---|---|---|---|---|
//! | 0 | says [`SURVEY`] | says what it serves with a [`Greeting`]; the conversation ends | predecessor | predecessor |
//! | 1 | checks settings, starts an engine, compiles the plugins and what is served; says [`HELLO`] | | predecessor | predecessor |
//! | 2 | | checks who asks; hands over a copy of the listening socket with a [`Greeting`] | predecessor | predecessor |
//! | 3 | checks the socket; says [`READY`] | accepts no more; answers what was asked on its connections | nobody | predecessor |
//! | 4 | | closes its databases, unlocks the directory; says [`RELEASED`] | nobody | nobody |
//! | 5 | locks it, loads all that the predecessor served | waits | nobody | successor |
//! | 6 | accepts; says [`SERVING`] | closes its copy, sends answers to their end, ends | successor | successor |
//!
//! While nobody accepts, connections wait in the socket's queue in the kernel, which both hold open.
//!
//! When the successor's side of the conversation ends before step 6, whatever the reason, the
//! predecessor serves on: until step 4 it only accepts again, after it it opens its databases again
//! first. When the predecessor dies, the successor has the socket and, once the directory is unlocked,
//! everything else. A conversation that comes while another is going on waits for it.
//!
//! - `wire`: lines and a socket over the connection; `offer`: the predecessor's side; `claim`: the
//!   successor's.
//!
//! What the hosts do between the steps is in [`crate::serve`].

mod claim;
mod offer;
mod wire;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use claim::{Predecessor, claim, served};
pub use offer::{Offer, Successor};

/// What a successor begins with: the protocol and its version.
const HELLO: &str = "caplet takeover 1";

/// What somebody begins with who only wants to know what is served.
const SURVEY: &str = "caplet takeover 1 survey";

/// The successor can be a host, as far as it can know without the databases.
const READY: &str = "ready";

/// The predecessor has closed the databases.
const RELEASED: &str = "released";

/// The successor accepts connections.
const SERVING: &str = "serving";

/// How long each side may take for a step that needs no work.
const STEP_TIME_MAX: Duration = Duration::from_secs(10);

/// What the predecessor says of itself when it hands over the socket.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Greeting {
    /// How long it answers what was asked, at most, in milliseconds.
    pub grace_ms: u64,
    /// Whether a third process holds the socket as well, such as the system's manager.
    pub is_shared: bool,
    /// The plugins it serves, by name: the successor has to serve them, too.
    pub plugins: Vec<String>,
    /// The components it serves, by the SHA-256 of each in hexadecimal digits: they are kept in the data
    /// directory, and a new program may have to compile them. Hosts of before do not say it.
    #[serde(default)]
    pub components: Vec<String>,
}

/// Where the predecessor listens for its successor.
fn path(data: &Path) -> PathBuf {
    data.join("takeover.sock")
}
