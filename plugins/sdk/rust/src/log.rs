//! Structured log lines: `log::info!("comment created", id = id, depth = 3)`.
//!
//! The host adds time, plugin, version, request and trace id, and cuts lines at 8 KiB. Lines are
//! written at once, also when the invocation is rolled back. Never log what is private.

use crate::host;

pub use crate::bindings::caplet::plugin::log::Level;
pub use crate::{
    __log_debug as debug, __log_error as error, __log_info as info, __log_trace as trace,
    __log_warn as warn,
};

/// Writes one line. The macros of this module are its short forms.
pub fn write(level: Level, message: &str, fields: &[(String, String)]) {
    host::log(level, message, fields);
}

/// Logs every panic at `error` before it traps, because a trap alone carries no message.
pub(crate) fn install_panic_hook() {
    #[cfg(target_family = "wasm")]
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("a panic without a message");
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        write(Level::Error, message, &[("panicked_at".to_owned(), place)]);
    }));
}

#[doc(hidden)]
#[macro_export]
macro_rules! __log_line {
    ($level:ident, $message:expr $(, $name:ident = $value:expr)* $(,)?) => {
        $crate::log::write(
            $crate::log::Level::$level,
            ::core::convert::AsRef::<str>::as_ref(&$message),
            &[$((
                ::std::string::String::from(::core::stringify!($name)),
                ::std::string::ToString::to_string(&$value),
            )),*],
        )
    };
}

/// Logs at `trace`: `trace!(message, name = value, …)`.
#[doc(hidden)]
#[macro_export]
macro_rules! __log_trace { ($($line:tt)*) => { $crate::__log_line!(Trace, $($line)*) } }

/// Logs at `debug`: `debug!(message, name = value, …)`.
#[doc(hidden)]
#[macro_export]
macro_rules! __log_debug { ($($line:tt)*) => { $crate::__log_line!(Debug, $($line)*) } }

/// Logs at `info`: `info!(message, name = value, …)`.
#[doc(hidden)]
#[macro_export]
macro_rules! __log_info { ($($line:tt)*) => { $crate::__log_line!(Info, $($line)*) } }

/// Logs at `warn`: `warn!(message, name = value, …)`.
#[doc(hidden)]
#[macro_export]
macro_rules! __log_warn { ($($line:tt)*) => { $crate::__log_line!(Warn, $($line)*) } }

/// Logs at `error`: `error!(message, name = value, …)`.
#[doc(hidden)]
#[macro_export]
macro_rules! __log_error { ($($line:tt)*) => { $crate::__log_line!(Error, $($line)*) } }

#[cfg(test)]
mod tests {
    use crate::testing::{Host, logged};

    #[test]
    fn writes_message_and_named_values() {
        Host::default().enter();
        super::info!("comment created", id = "c1", depth = 3);
        let (level, message, fields) = logged().remove(0);
        assert_eq!((level, message.as_str()), (super::Level::Info, "comment created"));
        assert_eq!(fields[1], ("depth".to_owned(), "3".to_owned()));
    }
}
