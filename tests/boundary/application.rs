//! Interfaces of the application around the host: who may import them, what their functions get to
//! know, and that the limits of an invocation hold in them.

use std::collections::BTreeMap;
use std::future::pending;

use caplet_runtime::wasmtime::component::{ComponentType, Lower};
use caplet_runtime::{
    CallContext, Error, Fault, HostFailure, HostInterface, Limits, LoadError, Options,
    PluginOptions, Step,
};
use caplet_store::sqlite::{self, Sqlite};
use http::Method;

use crate::rig::{Rig, Setup, ended_by_wall, text};

const GUEST: &str = "application-functions";
const TOOLS: &str = "test:application/tools@1.0.0";

#[derive(ComponentType, Lower)]
#[component(record)]
#[component(wasmtime_crate = caplet_runtime::wasmtime)]
struct Entry {
    key: String,
    value: u32,
}

#[derive(ComponentType, Lower, Clone, Copy)]
#[component(enum)]
#[component(wasmtime_crate = caplet_runtime::wasmtime)]
#[repr(u8)]
enum Missing {
    #[component(name = "unknown")]
    Unknown,
    #[component(name = "forbidden")]
    Forbidden,
}

type Outcome<T> = Result<T, HostFailure>;

async fn find(call: CallContext, (key,): (String,)) -> Outcome<(Result<Entry, Missing>,)> {
    let found = match key.as_str() {
        "secret" if !call.permitted("tools.secrets") => Err(Missing::Forbidden),
        "answer" | "secret" => Ok(Entry { key, value: 42 }),
        _ => Err(Missing::Unknown),
    };
    Ok((found,))
}

async fn caller(call: CallContext, (): ()) -> Outcome<(String,)> {
    let subject = call.identity().map_or("nobody", |who| who.subject.as_str());
    let has_time = call.remaining() > std::time::Duration::ZERO;
    Ok((format!("{} {} {subject} {} {has_time}", call.plugin(), call.tenant(), call.request_id()),))
}

fn tools() -> HostInterface {
    HostInterface::new(TOOLS, "ask the tests")
        .function("find", find)
        .function("caller", caller)
        .function("wait", |_, (): ()| async { pending::<Outcome<()>>().await })
        .function("fail", |_, (): ()| async { Outcome::<()>::Err(HostFailure::new("no ink")) })
        .function("panic", |_, (): ()| async { if true { panic!("out of paper") } else { Ok(()) } })
}

fn granted(interface: &str) -> PluginOptions {
    PluginOptions { grants: Some(vec![interface.to_owned()]), ..PluginOptions::default() }
}

fn setup() -> Setup {
    Setup { interfaces: vec![tools()], plugin: granted(TOOLS), ..Setup::default() }
}

async fn refused(setup: Setup, guest: &str) -> LoadError {
    setup.try_load(guest).await.err().unwrap_or_else(|| panic!("{guest} was loaded"))
}

/// The fault of `GET /{function}`, and that the plugin serves on after it.
async fn fault(rig: &Rig, function: &str) -> Fault {
    let fault = rig.get(&format!("/{function}")).await.unwrap_err();
    assert_eq!(text(&rig.get("/find?key=answer").await.unwrap()), "answer=42");
    fault
}

#[tokio::test]
async fn values_of_all_kinds_pass() {
    let roles = BTreeMap::from([("keeper".to_owned(), vec!["tools.*".to_owned()])]);
    let rig = Setup { roles, ..setup() }.load(GUEST).await;
    for (key, answer) in [("answer", "answer=42"), ("x", "unknown")] {
        assert_eq!(text(&rig.get(&format!("/find?key={key}")).await.unwrap()), answer);
    }
    let ask = || rig.ask(Method::GET, "/find?key=secret");
    assert_eq!(text(&ask().send().await.unwrap()), "forbidden");
    let keeper = ask().caller("ada", "acme", &["keeper"]);
    assert_eq!(text(&keeper.send().await.unwrap()), "secret=42");
}

#[tokio::test]
async fn a_function_knows_who_calls() {
    let rig = setup().load(GUEST).await;
    let answer = rig.get("/caller").await.unwrap();
    assert_eq!(text(&answer), "application-functions default nobody request true");
    let ask = rig.ask(Method::GET, "/caller").caller("ada", "acme", &[]);
    let answer = ask.send().await.unwrap();
    assert_eq!(text(&answer), "application-functions acme ada request true");
}

#[tokio::test]
async fn an_interface_needs_a_grant_by_its_full_name() {
    let setup = |plugin| Setup { plugin, interfaces: vec![tools()], ..Setup::default() };
    let error = refused(setup(PluginOptions::default()), GUEST).await;
    assert_eq!(error.step, Step::Grant, "{error}");
    let remedy = format!("set `grants = [{TOOLS:?}]` in `[plugin.{GUEST}]`");
    assert!(error.to_string().contains(&remedy), "{error}");
    assert!(error.to_string().contains("(ask the tests)"), "{error}");

    let error = refused(setup(granted("tools")), GUEST).await;
    assert_eq!(error.step, Step::Grant, "{error}");
    assert!(error.to_string().contains(&format!("add {TOOLS:?} to `grants`")), "{error}");
}

#[tokio::test]
async fn a_host_without_the_application_does_not_take_the_plugin() {
    let error = refused(Setup { plugin: granted(TOOLS), ..Setup::default() }, GUEST).await;
    assert_eq!(error.step, Step::Match, "{error}");
    assert!(error.to_string().contains(TOOLS), "{error}");
}

#[tokio::test]
async fn functions_of_other_types_or_none_are_found_at_load() {
    let other = HostInterface::new(TOOLS, "ask the tests")
        .function("caller", |_, (): ()| async { Outcome::Ok((7_u32,)) });
    let error = refused(Setup { interfaces: vec![other], ..setup() }, GUEST).await;
    assert_eq!(error.step, Step::Match, "{error}");
    assert!(error.to_string().contains("tools"), "{error}");
}

#[tokio::test]
async fn nothing_is_served_to_a_plugin_that_describes_itself() {
    let error = refused(setup(), "application-in-describe").await;
    assert_eq!(error.step, Step::Describe, "{error}");
    let place = format!("{TOOLS}#caller");
    assert!(error.to_string().contains(&place), "{error}");
}

#[tokio::test]
async fn waiting_ends_at_the_deadline_of_the_invocation() {
    let limits = ended_by_wall(100);
    let rig = Setup { limits, ..setup() }.load(GUEST).await;
    assert_eq!(fault(&rig, "wait").await, Fault::Wall(100));
    assert_eq!(rig.limit_hits("plugin-timeout"), 1.0);
}

#[tokio::test]
async fn a_failure_ends_the_invocation_and_is_told_to_the_operator_alone() {
    let rig = setup().load(GUEST).await;
    for (function, reason) in [("fail", "no ink"), ("panic", "it panicked")] {
        let fault = fault(&rig, function).await;
        let expected = format!("`{TOOLS}#{function}`: {reason}");
        assert_eq!(fault, Fault::Application(expected));
        assert_eq!((fault.status(), fault.code()), (500, "application-failed"));
        assert!(!fault.outside().contains(reason));
    }
}

#[tokio::test]
async fn calls_count_against_the_invocation() {
    let limits = Limits { host_calls_max: 0, ..Limits::default() };
    let rig = Setup { limits, ..setup() }.load(GUEST).await;
    assert_eq!(rig.get("/caller").await.unwrap_err(), Fault::HostCalls(0));
}

#[tokio::test]
async fn two_interfaces_of_one_name_and_foreign_names_are_refused_at_the_start() {
    let start = async |interfaces| {
        let store = Sqlite::open(sqlite::Options::temporary()).expect("a store in memory");
        let options = Options { interfaces, ..Options::new(std::sync::Arc::new(store)) };
        options.start().await.err().expect("the runtime does not start")
    };
    let twice = start(vec![tools(), tools()]).await;
    assert!(matches!(&twice, Error::Interface { name, .. } if name == TOOLS), "{twice}");
    let foreign = start(vec![HostInterface::new("caplet:plugin/sql@0.1.0", "read all")]).await;
    assert!(foreign.to_string().contains("`caplet:plugin/sql@0.1.0`"), "{foreign}");
}
