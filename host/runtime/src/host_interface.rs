//! Interfaces of the application around the host: functions of its own that plugins import beside
//! those of the contract. Here is what a function gets to know of the call, and how it is held to the
//! invocation's limits; who may import an interface is decided by grants ([`crate::load`]).

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use tracing::Instrument;
use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentNamedList, Lift, Linker, LinkerInstance, Lower};

use crate::guest::{Context, Guest, Stop};
use crate::identity::Identity;

/// Namespaces that belong to the host's own contract and to WASI.
const RESERVED_NAMESPACES: [&str; 2] = ["caplet", "wasi"];

type Definition = Box<dyn Fn(&mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> + Send + Sync>;

/// An interface that the application around the host implements, for plugins to import.
///
/// No plugin may import it that was not granted it by its full name. Functions are matched with the
/// types that the plugin was compiled against when the plugin is loaded; where they differ, the
/// plugin is refused.
///
/// ```
/// use caplet_runtime::HostInterface;
///
/// let stock = HostInterface::new("shop:inventory/stock@1.0.0", "see how much is in stock").function(
///     "level",
///     |call, (article,): (String,)| async move {
///         Ok((if call.tenant() == "acme" { article.len() as u32 } else { 0 },))
///     },
/// );
/// assert_eq!(stock.name(), "shop:inventory/stock@1.0.0");
/// ```
///
/// Each call counts as one of the invocation's host calls. At the invocation's deadline the
/// function's future is dropped and the invocation ended. What the function does elsewhere is not
/// part of the invocation's transaction: it stays when that is rolled back, and happens again when
/// the store has the invocation run again. [`CallContext::request_id`] tells such runs apart from new
/// requests. The function runs on the host's asynchronous threads and must not block them; the time
/// of its polls is charged to the invocation.
pub struct HostInterface {
    name: String,
    meaning: String,
    functions: Vec<Definition>,
}

impl HostInterface {
    /// An interface by its full name, such as `shop:inventory/stock@1.0.0`, and what a plugin that
    /// is granted it may do, as the end of the sentence "it may …".
    #[must_use]
    pub fn new(name: impl Into<String>, meaning: impl Into<String>) -> Self {
        Self { name: name.into(), meaning: meaning.into(), functions: Vec::new() }
    }

    /// Adds a function by its name in WIT. `Parameters` and `Returned` are tuples of Rust's types for
    /// the function's parameters and its result: `(String, u32)`, `(Result<u32, String>,)`, `()`.
    /// Records and variants derive `wasmtime::component`'s `ComponentType`, with `Lift` where they
    /// are parameters and `Lower` where they are results.
    ///
    /// A [`HostFailure`], like a panic, ends the invocation; what a plugin should be able to handle
    /// is a `result` in WIT.
    #[must_use]
    pub fn function<F, Running, Parameters, Returned>(mut self, name: &str, function: F) -> Self
    where
        F: Fn(CallContext, Parameters) -> Running + Send + Sync + 'static,
        Running: Future<Output = Result<Returned, HostFailure>> + Send + 'static,
        Parameters: ComponentNamedList + Lift + Send + 'static,
        Returned: ComponentNamedList + Lower + Send + 'static,
    {
        let place: Arc<str> = format!("{}#{name}", self.name).into();
        let (name, function) = (name.to_owned(), Arc::new(function));
        self.functions.push(Box::new(move |linker| {
            let (place, function) = (place.clone(), function.clone());
            linker.func_wrap_async(
                &name,
                move |store: StoreContextMut<'_, Guest>, parameters: Parameters| {
                    Box::new(call(store, place.clone(), function.clone(), parameters))
                },
            )
        }));
        self
    }

    /// Its full name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What a plugin that has it may do.
    #[must_use]
    pub fn meaning(&self) -> &str {
        &self.meaning
    }

    /// Offers it to the components that `linker` links.
    ///
    /// # Errors
    /// What is wrong with its name, or the function that it has twice.
    pub(crate) fn add_to_linker(&self, linker: &mut Linker<Guest>) -> Result<(), String> {
        check_name(&self.name)?;
        let mut instance = linker.instance(&self.name).map_err(|error| format!("{error:#}"))?;
        for function in &self.functions {
            function(&mut instance).map_err(|error| format!("{error:#}"))?;
        }
        Ok(())
    }
}

impl std::fmt::Debug for HostInterface {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HostInterface")
            .field("name", &self.name)
            .field("functions", &self.functions.len())
            .finish_non_exhaustive()
    }
}

/// Runs a function within the invocation's limits.
async fn call<F, Running, Parameters, Returned>(
    mut store: StoreContextMut<'_, Guest>,
    place: Arc<str>,
    function: Arc<F>,
    parameters: Parameters,
) -> wasmtime::Result<Returned>
where
    F: Fn(CallContext, Parameters) -> Running + Send + Sync,
    Running: Future<Output = Result<Returned, HostFailure>> + Send,
{
    let guest = store.data_mut();
    guest.enter_serving(&place)?;
    let deadline = guest.invocation.deadline;
    let context = CallContext::of(guest);
    // The function itself, too, may panic before there is a future.
    let running = AssertUnwindSafe(async move { function(context, parameters).await });
    let span = tracing::trace_span!("application.call", function = %place);
    let bounded =
        tokio::time::timeout_at(deadline.into(), running.catch_unwind()).instrument(span).await;
    let reason = match bounded {
        Err(_) => return Err(wasmtime::Error::new(Stop::Wall)),
        Ok(Ok(Ok(returned))) => return Ok(returned),
        Ok(Ok(Err(failure))) => failure.0,
        Ok(Err(_)) => "it panicked".to_owned(),
    };
    Err(wasmtime::Error::new(Stop::Application(format!("`{place}`: {reason}"))))
}

/// Why a function of the application failed. It ends the invocation; the text is for the log and
/// never shown to the plugin or its caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct HostFailure(String);

impl HostFailure {
    /// A failure for that reason.
    pub fn new(reason: impl std::fmt::Display) -> Self {
        Self(reason.to_string())
    }
}

/// For whom and until when a plugin calls a function of the application.
#[derive(Clone)]
pub struct CallContext {
    context: Arc<Context>,
    request_id: Arc<str>,
    trace_id: Arc<str>,
    identity: Option<Arc<Identity>>,
    tenant: Arc<str>,
    deadline: Instant,
}

impl CallContext {
    fn of(guest: &Guest) -> Self {
        let invocation = &guest.invocation;
        Self {
            context: guest.context.clone(),
            request_id: invocation.request_id.clone(),
            trace_id: invocation.trace_id.clone(),
            identity: invocation.identity.clone(),
            tenant: invocation.tenant.clone(),
            deadline: invocation.deadline,
        }
    }

    /// The name of the plugin that calls.
    #[must_use]
    pub fn plugin(&self) -> &str {
        &self.context.plugin
    }

    /// Who called the plugin, as the host verified it; none without a token.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_deref()
    }

    /// Whether that caller holds a permission, by the host's authorizer.
    #[must_use]
    pub fn permitted(&self, permission: &str) -> bool {
        self.identity().is_some_and(|it| self.context.authorizer.permitted(it, permission))
    }

    /// The tenant of the invocation.
    #[must_use]
    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    /// Names the request in logs and answers. The same when the invocation is run again.
    #[must_use]
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// The W3C trace id, 32 hexadecimal digits.
    #[must_use]
    pub fn trace_id(&self) -> &str {
        &self.trace_id
    }

    /// How long until the function is cancelled and the invocation ended.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

/// Checks that a name has the form `namespace:package/interface@1.2.3` and takes nobody else's place.
fn check_name(name: &str) -> Result<(), String> {
    let parts = || {
        let (package, interface) = name.split_once('/')?;
        let (namespace, package) = package.split_once(':')?;
        let (interface, version) = interface.split_once('@')?;
        let well_formed = [namespace, package, interface].into_iter().all(is_word);
        (well_formed && semver::Version::parse(version).is_ok()).then_some(namespace)
    };
    match parts() {
        None => Err("a name has the form `namespace:package/interface@1.0.0`".to_owned()),
        Some(namespace) if RESERVED_NAMESPACES.contains(&namespace) => {
            Err(format!("the namespace `{namespace}` is not the application's; use its own"))
        }
        Some(_) => Ok(()),
    }
}

/// Words of lower-case letters and digits, joined by single hyphens.
fn is_word(text: &str) -> bool {
    text.split('-').all(|word| {
        word.starts_with(|first: char| first.is_ascii_lowercase())
            && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_a_package_an_interface_and_a_version() {
        for name in ["shop:inventory/stock@1.0.0", "my-shop:in2/a-b@0.1.0-rc.1"] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        for name in [
            "",
            "stock",
            "shop:inventory/stock",
            "shop/stock@1.0.0",
            "shop:inventory@1.0.0",
            "shop:inventory/stock@1",
            "shop:Inventory/stock@1.0.0",
            "shop:inventory/-stock@1.0.0",
            "shop:a/b/c@1.0.0",
        ] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn nobody_takes_the_place_of_the_contract() {
        for name in ["caplet:plugin/sql@0.1.0", "wasi:cli/environment@0.2.6"] {
            assert!(check_name(name).unwrap_err().contains("is not the application's"), "{name}");
        }
    }
}
