//! What `plugin!` expands to, and what its expansion calls. The only place where the exports of a
//! component are made; everything else is plain Rust that runs natively too.

use crate::bindings::exports::caplet::plugin::http_handler;
use crate::log;
use crate::plugin::Plugin;
use crate::problem::Problem;
use crate::response::IntoResponse;

/// Makes the crate a plugin: `plugin!(Plugin::new("hello")…)`.
///
/// Expands to a function `plugin()` that builds it, for native tests, and, in a build for
/// WebAssembly, to the component's exports. The version is the crate's own.
#[macro_export]
macro_rules! plugin {
    ($plugin:expr $(,)?) => {
        /// Builds the plugin that this crate is.
        pub fn plugin() -> $crate::Plugin {
            $crate::Plugin::version($plugin, ::core::env!("CARGO_PKG_VERSION"))
        }

        #[cfg(target_family = "wasm")]
        #[allow(unsafe_code, missing_docs)]
        const _: () = {
            use $crate::bindings::exports::caplet::plugin::{guest, http_handler};

            static PLUGIN: ::std::sync::OnceLock<$crate::Plugin> = ::std::sync::OnceLock::new();

            struct Component;

            impl guest::Guest for Component {
                fn describe() -> guest::Description {
                    PLUGIN.get_or_init(|| $crate::glue::prepare(plugin())).describe()
                }
            }

            impl http_handler::Guest for Component {
                fn handle(request: http_handler::Request) -> http_handler::Response {
                    let plugin = PLUGIN.get_or_init(|| $crate::glue::prepare(plugin()));
                    $crate::glue::handle(plugin, request)
                }
            }

    $crate::bindings::export!(Component with_types_in $crate::bindings);
        };
    };
}

/// Done once for each instance, before the first call.
#[doc(hidden)]
pub fn prepare(plugin: Plugin) -> Plugin {
    log::install_panic_hook();
    plugin
}

#[doc(hidden)]
pub fn handle(plugin: &Plugin, mut request: http_handler::Request) -> http_handler::Response {
    let operation = std::mem::take(&mut request.operation);
    let response = plugin.call(&operation, &mut request.into()).unwrap_or_else(|| {
        log::error!("the host asked for an operation that the plugin does not have");
        Problem::internal().into_response()
    });
    response.into()
}
