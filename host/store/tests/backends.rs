//! Every promise of the store, asked of every backend.
//!
//! The scenarios in `suite` know only `dyn Store`; this file runs each over each backend.

mod suite;

use suite::Ground;

macro_rules! backends {
    ($($module:ident :: $scenario:ident),* $(,)?) => {
        mod file {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $scenario() {
                super::suite::$module::$scenario(&super::file()).await;
            })*
        }

        mod temporary {
            // One thread only: nothing may need a second one.
            $(#[tokio::test]
            async fn $scenario() {
                super::suite::$module::$scenario(&super::temporary()).await;
            })*
        }
    };
}

fn file() -> Ground {
    Ground::sqlite_file()
}

fn temporary() -> Ground {
    Ground::sqlite_temporary()
}

backends! {
    basics::reads_back_what_was_written,
}
