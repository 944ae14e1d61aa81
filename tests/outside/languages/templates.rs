//! From zero to a running plugin, in each language: `caplet new` in an empty folder, `caplet build`,
//! `caplet test`, and a host that serves what was built. Each step's time is printed.
//!
//! The tools are installed before; nothing is fetched. What serves answers for the people who wrote notes.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use caplet_tests::outside::run;
use caplet_tests::{Place, Server};
use serde_json::json;

use super::workshop::{Recipe, caplet, equip, repository};

macro_rules! templates {
    ($($name:ident $language:literal;)*) => {$(
        #[tokio::test]
        async fn $name() {
            from_zero($language).await;
        }
    )*};
}

templates! {
    a_new_plugin_in_rust_is_built_tested_and_served "rust";
    a_new_plugin_in_c_is_built_tested_and_served "c";
    a_new_plugin_in_go_is_built_tested_and_served "go";
    a_new_plugin_in_python_is_built_tested_and_served "python";
    a_new_plugin_in_typescript_is_built_tested_and_served "typescript";
}

/// What the scenarios of each template come to.
const GOOD: &str = "5 scenarios, 5 passed, 0 failed; 4 of 4 operations called\n";

async fn from_zero(language: &str) {
    let (desk, place) = (tempfile::tempdir().expect("a temporary folder"), Place::new());
    // With it, a host finds the code that was compiled when the component was checked.
    fs::create_dir_all(place.data().join("cache")).expect("a data directory");
    let mut clock = Clock::start();
    run(caplet(desk.path()).args(["new", "garden", "--lang", language])).await;
    clock.lap("begun");
    let garden = desk.path().join("garden");
    equip(&garden);
    build(&garden, language, &place).await;
    clock.lap("built");
    let said = run(caplet(&garden).args(["test", "--component", "build/garden.wasm"])).await;
    assert!(said.ends_with(GOOD), "{said}");
    clock.lap("tested");
    let component = garden.join("build/garden.wasm");
    fs::copy(component, place.plugins().join("garden.wasm")).expect("it is installed");
    let host = place.start(&[]).await;
    host.until(|host| host.answers("/api/garden", 200)).await;
    clock.lap("served");
    assert_eq!(host.get("/api/garden").await.1, r#"{"items":[],"next_cursor":null}"#);
    println!("{language}: {}", clock.told());
    answers_for_people(&host, &place).await;
    assert_eq!(host.stop().await, 0);
}

/// A person's note is in the copy that the person asks for, and gone when it is erased.
async fn answers_for_people(host: &Server, place: &Place) {
    let ada = host.token(&["--subject", "ada"]).await;
    let note = json!({ "body": "Remember me" });
    let request = host.client().post(host.url("/api/garden")).bearer_auth(&ada).json(&note);
    assert_eq!(request.send().await.expect("an answer").status(), 201);
    let url = host.url("");
    let subject = async |arguments: &[&str]| {
        let mut command = caplet(&place.data());
        command.arg("subject").args(arguments).args(["--url", &url]);
        run(command.arg("--data").arg(place.data())).await
    };
    let said = subject(&["holdings"]).await;
    assert!(said.contains("The notes that the person wrote."), "{said}");
    let copy = subject(&["export", "ada"]).await;
    assert!(copy.contains("Remember me"), "{copy}");
    let report = subject(&["erase", "ada", "--yes"]).await;
    assert!(report.contains("notes: 1 deleted"), "{report}");
    assert_eq!(host.get("/api/garden").await.1, r#"{"items":[],"next_cursor":null}"#);
}

/// Builds the component, or takes the one that was built of the same files before. Either way a host
/// has tried it.
async fn build(garden: &Path, language: &str, place: &Place) {
    let templates = repository().join("plugins/templates");
    let own = templates.join(language);
    let sources = [templates.join("all"), own, repository().join("host/cli/src/new.rs")];
    let sources = sources.each_ref().map(AsRef::as_ref);
    let name = format!("template-{language}");
    let recipe = Recipe { name: &name, language, sources: &sources, settings: "" };
    let (kept, component) = (recipe.kept(), garden.join("build/garden.wasm"));
    let mut tried = caplet(garden);
    tried.env("CAPLET_DATA", place.data());
    if kept.exists() {
        fs::create_dir(garden.join("build")).expect("a folder");
        fs::copy(kept, &component).expect("the component");
        let said = run(tried.args(["check", "build/garden.wasm"])).await;
        assert!(said.contains("garden 0.1.0"), "{said}");
    } else {
        let said = run(tried.arg("build")).await;
        assert!(
            said.contains("plugin garden 0.1.0 with 4 routes; a host would load it."),
            "{said}"
        );
        assert!(!said.contains("unusual: it calls itself"), "{said}");
        recipe.keep(&component);
    }
}

/// When each step was done.
struct Clock {
    began: Instant,
    laps: Vec<(&'static str, Duration)>,
}

impl Clock {
    fn start() -> Self {
        Self { began: Instant::now(), laps: Vec::new() }
    }

    fn lap(&mut self, done: &'static str) {
        self.laps.push((done, self.began.elapsed()));
    }

    fn told(&self) -> String {
        let told = |(done, after): &(&str, Duration)| format!("{done} after {after:.1?}");
        self.laps.iter().map(told).collect::<Vec<_>>().join(", ")
    }
}
