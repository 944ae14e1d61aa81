//! What authors are told when something is missing or wrong: one line, with the remedy.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A directory to run the binary in.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// With a plugin in it that `caplet new` began.
    fn with_plugin() -> Self {
        let place = Self::new();
        assert!(place.run(&["new", "garden", "--lang", "rust"]).status.success());
        place
    }

    /// Runs `caplet` where no other program is found, but for those in the folder `bin`.
    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_caplet"));
        command.current_dir(self.0.path()).args(arguments).env_clear();
        command.env("PATH", self.0.path().join("bin")).output().unwrap()
    }

    /// The exit code, and what was said on the standard error.
    fn refused(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.run(arguments);
        (output.status.code().unwrap_or(-1), String::from_utf8(output.stderr).unwrap())
    }

    fn write(&self, file: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// A program that prints `says`.
    fn write_program(&self, name: &str, says: &str) {
        use std::os::unix::fs::PermissionsExt;
        let path = self.write(&format!("bin/{name}"), format!("#!/bin/sh\necho '{says}'\n"));
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.0.path().join(file)).unwrap()
    }
}

#[test]
fn a_new_plugin_has_its_name_everywhere_and_its_sdk_beside_it() {
    let place = Place::with_plugin();
    assert!(place.read("garden/Cargo.toml").contains("name = \"garden\""));
    assert!(place.read("garden/tests/notes.yaml").contains("POST /api/garden"));
    assert!(place.read("garden/src/lib.rs").contains(".title(\"Garden\")"));
    assert!(place.0.path().join("garden/vendor/caplet-sdk/wit/world.wit").is_file());
    let files = std::fs::read_dir(place.0.path().join("garden/src")).unwrap();
    for file in files {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        assert!(!text.contains("{{"), "{text}");
    }
}

#[test]
fn what_cannot_be_begun_is_refused_before_anything_is_written() {
    let place = Place::with_plugin();
    let (code, said) = place.refused(&["new", "garden", "--lang", "rust"]);
    assert_eq!(code, 2);
    assert!(said.contains("garden is there already"), "{said}");
    let (code, said) = place.refused(&["new", "Rose_Bed", "--lang", "rust"]);
    assert_eq!(code, 2);
    assert!(said.contains("`Rose_Bed` is no name of a plugin: use"), "{said}");
    let (code, said) = place.refused(&["new", "roses", "--lang", "cobol"]);
    assert_eq!(code, 2);
    assert!(said.contains("cobol") && said.contains("rust"), "{said}");
    assert!(!Path::new(&place.0.path().join("roses")).exists());
}

#[test]
fn a_folder_that_is_no_plugin_is_named() {
    let place = Place::new();
    for command in ["build", "test", "dev"] {
        let (code, said) = place.refused(&[command]);
        assert_eq!(code, 2, "{said}");
        assert!(said.contains("plugin.toml") && said.contains("`caplet new` makes one"), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn a_missing_or_old_toolchain_is_named_with_what_installs_it() {
    let place = Place::with_plugin();
    let (code, said) = place.refused(&["build", "garden"]);
    assert_eq!(code, 1);
    assert!(said.contains("`cargo` is missing; version 1.95.0 or newer is needed: "), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");

    place.write_program("cargo", "cargo 1.70.0 (ec8a8a0ca 2023-04-25)");
    let (code, said) = place.refused(&["build", "garden"]);
    assert_eq!(code, 1);
    assert!(said.contains("`cargo` 1.70.0 is too old; 1.95.0 or newer"), "{said}");

    place.write_program("cargo", "cargo 1.95.0 (abc 2026-01-01)");
    place.write_program("rustc", "/nowhere/wasm32-wasip2/lib");
    let (code, said) = place.refused(&["build", "garden"]);
    assert_eq!(code, 1);
    assert!(said.contains("rustup target add wasm32-wasip2"), "{said}");
}

#[test]
fn a_mistake_in_a_scenario_file_is_told_before_anything_is_built() {
    let place = Place::with_plugin();
    let scenarios = place.read("garden/tests/notes.yaml").replacen("expect:", "expct:", 1);
    place.write("garden/tests/notes.yaml", scenarios);
    let (code, said) = place.refused(&["test", "garden"]);
    assert_eq!(code, 2);
    assert!(said.contains("garden/tests/notes.yaml:1"), "{said}");
    assert!(said.contains("`expct` is no key here; did you mean `expect`?"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[test]
fn a_component_that_does_not_do_what_the_scenarios_say_fails_them() {
    let place = Place::new();
    place.write("plugin.toml", "name = \"echo\"\nlanguage = \"rust\"\n");
    let component = place.write("echo.wasm", caplet_testing::component("echo"));
    let component = component.display().to_string();
    place.write(
        "tests/echo.yaml",
        "scenarios:\n  - name: It is a teapot\n    steps:\n      - request: GET /api/echo/x\n        expect: { status: 418, any_body: true }\n",
    );
    let arguments = ["test", "--component", &component, "--junit", "report.xml"];
    let output = place.run(&arguments);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("FAIL It is a teapot"), "{said}");
    assert!(said.contains("tests/echo.yaml:4: GET /api/echo/x"), "{said}");
    assert!(said.contains("status: expected 418, got 200"), "{said}");
    assert!(place.read("report.xml").contains("<failure message="));
    let (code, said) = place.refused(&["test", "--component", &component, "--filter", "coffee"]);
    assert_eq!(code, 2);
    assert!(said.contains("no scenario has `coffee`"), "{said}");
}

#[test]
fn a_component_for_another_version_of_the_contract_is_told_so() {
    let place = Place::new();
    let mut component = caplet_testing::component("echo");
    let (own, other) = (b"caplet:plugin/guest@0.1.0", b"caplet:plugin/guest@0.9.0");
    let places = component.windows(own.len()).enumerate();
    let places: Vec<_> = places.filter(|(_, part)| part == own).map(|(at, _)| at).collect();
    for at in places {
        component[at..at + own.len()].copy_from_slice(other);
    }
    place.write("echo.wasm", component);
    let output = place.run(&["check", "echo.wasm"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("version 0.9.0 of the contract, and this host serves 0.1.0"), "{said}");
    assert!(said.contains("update the host"), "{said}");
}
