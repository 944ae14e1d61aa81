//! Whether a plugin is well: asked before a new version takes requests. A version that is not well
//! never does, and the one before serves on.
//!
//! ```
//! use caplet_sdk::prelude::*;
//!
//! fn check() -> Result<(), Problem> {
//!     Ok(sql::query_json("SELECT id FROM notes", &[], 1).map(drop)?)
//! }
//!
//! caplet_sdk::health!(check);
//! # fn main() {}
//! ```

#[doc(hidden)]
pub use crate::bindings::tells_its_health::exports::caplet::plugin::health as wire;

use crate::{Problem, log};

/// What the host is told of a problem. The log has more.
#[doc(hidden)]
pub fn told(outcome: Result<(), Problem>) -> Result<(), String> {
    outcome.map_err(|problem| {
        log::warn!("the plugin is not well", code = problem.code());
        format!("{} ({})", problem.code(), problem.status())
    })
}

/// Makes the crate say whether it is well: `health!(check)`, where `check` is a
/// `fn() -> Result<(), Problem>`, in any module, once. The store can be read; the tenant is `default`,
/// and there is no caller.
#[macro_export]
macro_rules! health {
    ($check:path $(,)?) => {
        /// Looks whether this plugin is well.
        #[cfg_attr(not(target_family = "wasm"), allow(dead_code))]
        pub fn health() -> ::std::result::Result<(), $crate::Problem> {
            $check()
        }

        #[cfg(target_family = "wasm")]
        #[allow(unsafe_code, missing_docs)]
        const _: () = {
            struct Component;

            impl $crate::health::wire::Guest for Component {
                fn check() -> ::std::result::Result<(), ::std::string::String> {
                    $crate::health::told(health())
                }
            }

            $crate::bindings::tells_its_health::export_health!(
                Component with_types_in $crate::bindings::tells_its_health
            );
        };
    };
}
