//! The plugin's settings, as the operator set them: parsed once for each version of them.
//!
//! The host has checked them against the schema that [`Plugin::settings`](crate::Plugin::settings)
//! declares and has filled in its defaults.

use std::any::Any;
use std::cell::RefCell;
use std::ops::Deref;
use std::rc::Rc;

use serde::de::DeserializeOwned;

use crate::host;
use crate::log;
use crate::openapi::Operation;
use crate::problem::Problem;
use crate::request::{FromRequest, Request};

thread_local! {
    static PARSED: RefCell<Option<(u64, Rc<dyn Any>)>> = const { RefCell::new(None) };
}

/// The current settings. Costs one host call, and parsing only when they have changed.
///
/// # Errors
/// A 500 problem when they do not fit `T`, which means that the declared schema allows more than
/// `T` does; the reason is logged.
pub fn current<T: DeserializeOwned + 'static>() -> Result<Rc<T>, Problem> {
    let version = host::settings_version();
    if let Some(settings) = PARSED.with_borrow(|parsed| kept::<T>(parsed.as_ref(), version)) {
        return Ok(settings);
    }
    let settings: Rc<T> =
        serde_json::from_str(&host::settings_json()).map(Rc::new).map_err(|error| {
            log::error!("the settings do not fit the plugin's type", error = error);
            Problem::internal()
        })?;
    PARSED.set(Some((version, settings.clone())));
    Ok(settings)
}

fn kept<T: 'static>(parsed: Option<&(u64, Rc<dyn Any>)>, version: u64) -> Option<Rc<T>> {
    let (kept_version, settings) = parsed?;
    (*kept_version == version).then(|| settings.clone().downcast().ok())?
}

/// The current settings as a handler parameter; see [`current`].
#[derive(Debug, Clone)]
pub struct Settings<T>(pub Rc<T>);

impl<T> Deref for Settings<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: DeserializeOwned + 'static> FromRequest for Settings<T> {
    fn from_request(_request: &mut Request) -> Result<Self, Problem> {
        current().map(Self)
    }

    fn describe(_operation: &mut Operation<'_>) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Host;
    use serde_json::json;

    #[derive(Debug, serde::Deserialize)]
    struct Limits {
        body_max: u32,
    }

    fn enter(version: u64, settings: serde_json::Value) {
        Host { settings, settings_version: version, ..Host::default() }.enter();
    }

    #[test]
    fn keeps_what_it_parsed_until_the_version_changes() {
        enter(1, json!({ "body_max": 5 }));
        assert_eq!(current::<Limits>().unwrap().body_max, 5);
        enter(1, json!({ "body_max": 6 }));
        assert_eq!(current::<Limits>().unwrap().body_max, 5);
        enter(2, json!({ "body_max": 6 }));
        assert_eq!(current::<Limits>().unwrap().body_max, 6);
    }

    #[test]
    fn answers_500_without_the_reason_when_they_do_not_fit() {
        enter(3, json!({ "body_max": "many" }));
        let problem = current::<Limits>().unwrap_err();
        assert_eq!(problem.status(), 500);
        assert!(!problem.detail().contains("body_max"));
        assert_eq!(crate::testing::logged().len(), 1);
    }
}
