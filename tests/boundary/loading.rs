//! What does not load, and that its reason is said: each refused guest names the step and the fault,
//! and what serves is left alone.

use std::sync::Arc;

use caplet_runtime::{LoadError, PluginOptions, Step};
use serde_json::json;

use crate::rig::{Rig, Setup, bytes_of, text};

async fn refused(guest: &str) -> LoadError {
    Setup::default().try_load(guest).await.err().unwrap_or_else(|| panic!("{guest} was loaded"))
}

async fn refused_bytes(bytes: &[u8]) -> LoadError {
    let Rig { runtime, .. } = Setup::default().empty("none").await;
    let error = runtime.load(bytes.to_vec()).await.expect_err("the bytes are no plugin");
    assert_eq!(runtime.table().iter().count(), 0);
    error
}

#[tokio::test]
async fn refuses_descriptions_that_do_not_fit_and_says_what_is_wrong() {
    for (guest, reason) in [
        ("bad-name", "name `"),
        ("overlapping-routes", "is ambiguous with"),
        ("escaping-route", "dot segments reach outside"),
        ("foreign-permission", "permission `"),
        ("bad-openapi", "openapi: "),
    ] {
        let error = refused(guest).await;
        assert_eq!(error.step, Step::Check, "{guest}: {error}");
        assert!(error.to_string().contains(reason), "{guest}: {error}");
    }
    let error = refused("bad-settings-schema").await;
    assert_eq!(error.step, Step::Configure, "{error}");
}

#[tokio::test]
async fn a_guest_that_describes_itself_has_no_rights_and_no_endless_time() {
    let rig = Rig::with("denied-in-describe").await;
    assert_eq!(rig.generation().description().summary, "denied");
    assert_eq!(text(&rig.get("/").await.unwrap()), "allowed");
    let error = refused("loop-in-describe").await;
    assert_eq!(error.step, Step::Describe, "{error}");
    assert!(error.to_string().contains("CPU time"), "{error}");
}

#[tokio::test]
async fn refuses_what_is_no_component() {
    let core_module = b"\0asm\x01\0\0\0";
    for (bytes, reason) in [
        (&b""[..], "does not begin like WebAssembly"),
        (b"MZ\x90\0", "does not begin like WebAssembly"),
        (b"\x7fELF\x02\x01\x01\0", "native code"),
        (core_module, "core module"),
        (b"\0asm\x0d\0\x01\0\x07\xff", "not a component"),
    ] {
        let error = refused_bytes(bytes).await;
        assert_eq!(error.step, Step::Compile, "{error}");
        assert!(error.to_string().contains(reason), "{error}");
    }
}

#[tokio::test]
async fn refuses_a_component_without_the_contract() {
    // The empty component.
    let error = refused_bytes(b"\0asm\x0d\0\x01\0").await;
    assert_eq!(error.step, Step::Match);
    assert!(error.to_string().contains("caplet:plugin/guest@0.1.0"), "{error}");
}

#[tokio::test]
async fn truncated_and_damaged_components_are_refused_and_harm_nothing() {
    let whole = bytes_of("counter-in-memory");
    let Rig { runtime, .. } = Setup::default().empty("counter-in-memory").await;
    let generation = runtime.load(whole.clone()).await.unwrap();
    for part in 1..12 {
        let truncated = whole[..whole.len() * part / 12].to_vec();
        assert!(runtime.load(truncated).await.is_err(), "{part}/12 of the component was loaded");
    }
    // A flipped bit is refused, or harmless: code may change, the host may not.
    for part in 1..12 {
        let mut damaged = whole.clone();
        damaged[whole.len() * part / 12] ^= 0x10;
        let _ = runtime.prepare(damaged, None).await;
    }
    let serving = runtime.table().get("counter-in-memory").unwrap().clone();
    assert!(Arc::ptr_eq(&serving, &generation));
}

#[tokio::test]
async fn a_right_that_is_not_granted_is_refused_with_the_remedy() {
    let plugin = PluginOptions { grants: Some(vec!["log".to_owned()]), ..PluginOptions::default() };
    let error = Setup { plugin, ..Setup::default() }.try_load("storage").await.err().unwrap();
    assert_eq!(error.step, Step::Grant, "{error}");
    assert!(error.to_string().contains("`grants` of `[plugin.storage]`"), "{error}");

    let grants = Some(vec!["sql".to_owned(), "log".to_owned()]);
    let plugin = PluginOptions { grants, ..PluginOptions::default() };
    assert!(Setup { plugin, ..Setup::default() }.try_load("storage").await.is_ok());
}

#[tokio::test]
async fn settings_are_checked_and_reach_the_guest_with_their_defaults() {
    let with = |settings| {
        let plugin = PluginOptions { settings, ..PluginOptions::default() };
        Setup { plugin, ..Setup::default() }
    };
    let rig = with(json!({ "volume": 3 })).load("echo").await;
    let answer = crate::rig::json(&rig.get("/settings").await.unwrap());
    assert_eq!(answer["settings"], json!({ "greeting": "hello", "volume": 3 }));

    let error = with(json!({ "volume": 11 })).try_load("echo").await.err().unwrap();
    assert_eq!(error.step, Step::Configure);
    assert!(error.to_string().contains("/volume"), "{error}");
}

#[tokio::test]
async fn a_component_over_the_size_limit_is_refused() {
    let limits = caplet_runtime::Limits { component_bytes_max: 1_000, ..Default::default() };
    let error = Setup { limits, ..Setup::default() }.try_load("echo").await.err().unwrap();
    assert!(error.to_string().contains("the limit is 1000"), "{error}");
}

#[tokio::test]
async fn a_request_stays_on_the_generation_it_began_with() {
    let rig = Rig::with("upgrade-v1").await;
    let old = rig.ask(http::Method::GET, "/version");
    let before = text(&rig.get("/version").await.unwrap()).to_owned();
    rig.runtime.load(bytes_of("upgrade-v2")).await.unwrap();
    assert_ne!(text(&rig.get("/version").await.unwrap()), before);
    assert_eq!(text(&old.send().await.unwrap()), before);
}

#[tokio::test]
async fn compiled_code_is_kept_and_never_trusted() {
    let directory = tempfile::tempdir().unwrap();
    let runtime = async || {
        let store = caplet_store::sqlite::Sqlite::open(caplet_store::sqlite::Options::temporary());
        let mut options = caplet_runtime::Options::new(Arc::new(store.unwrap()));
        options.cache = Some(directory.path().to_owned());
        options.start().await.unwrap()
    };
    runtime().await.load(bytes_of("echo")).await.unwrap();
    let entry = std::fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|extension| extension == "cwasm"))
        .expect("the code was kept");
    let kept = std::fs::read(&entry).unwrap();

    let mut damaged = kept.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    std::fs::write(&entry, &damaged).unwrap();
    runtime().await.load(bytes_of("echo")).await.unwrap();
    assert_ne!(std::fs::read(&entry).unwrap(), damaged, "it was not made anew");

    // Code that another host signed is not taken either.
    std::fs::remove_file(directory.path().join("host.key")).unwrap();
    let signed_before = std::fs::read(&entry).unwrap();
    runtime().await.load(bytes_of("echo")).await.unwrap();
    assert_ne!(std::fs::read(&entry).unwrap(), signed_before);
}
