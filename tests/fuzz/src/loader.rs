//! Components: whatever the bytes are, they are loaded or refused with a reason.

use caplet_runtime::{Limits, Options, Runtime};
use caplet_store::sqlite::{Options as Place, Sqlite};
use std::sync::{Arc, LazyLock};

/// Larger ones are compiled for too long, which is another test's.
const BYTES_MAX: usize = 128 << 10;

struct Ground {
    threads: tokio::runtime::Runtime,
    runtime: Runtime,
}

static GROUND: LazyLock<Ground> = LazyLock::new(|| {
    let threads =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let threads = threads.expect("threads start");
    let store = Sqlite::open(Place::temporary()).expect("a store in memory");
    let limits = Limits { component_bytes_max: BYTES_MAX, ..Limits::default() };
    let options = Options { limits, ..Options::new(Arc::new(store)) };
    let runtime = threads.block_on(options.start()).expect("the engine starts");
    Ground { threads, runtime }
});

/// Prepares a component, and has it described when it is one.
///
/// # Panics
/// It was refused without a reason, or changed what serves.
pub fn run(bytes: &[u8]) {
    let prepared =
        GROUND.threads.block_on(GROUND.runtime.prepare(bytes.to_vec(), Some("component")));
    if let Err(error) = prepared {
        assert!(!error.to_string().is_empty(), "refused without a reason");
    }
    assert_eq!(GROUND.runtime.table().iter().count(), 0, "preparing has no effect");
}
