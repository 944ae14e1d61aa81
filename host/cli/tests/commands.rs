//! The binary's commands that do not serve: what they print, and how they end.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What a command came to.
struct Outcome {
    code: i32,
    output: String,
    errors: String,
}

/// A directory to run the binary in.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Runs `caplet` here, with no settings but these.
    fn run(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Outcome {
        let mut command = Command::new(env!("CARGO_BIN_EXE_caplet"));
        command.current_dir(self.path()).args(arguments).env_clear();
        let output = command.envs(variables.iter().copied()).output().unwrap();
        Outcome {
            code: output.status.code().unwrap_or(-1),
            output: String::from_utf8(output.stdout).unwrap(),
            errors: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn write(&self, file: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    fn install(&self, guest: &str) {
        self.write(&format!("plugins/{guest}.wasm"), caplet_testing::component(guest));
    }
}

#[test]
fn the_help_names_every_command_and_shows_examples() {
    let place = Place::new();
    let help = place.run(&["--help"], &[]);
    assert_eq!(help.code, 0);
    for command in
        ["serve", "token", "list", "describe", "inspect", "check", "status", "top", "completions"]
    {
        assert!(help.output.contains(command), "{}", help.output);
        let own = place.run(&[command, "--help"], &[]).output;
        assert!(own.contains(&format!("  caplet {command}")), "{own}");
    }
    assert_eq!(place.run(&["serv"], &[]).code, 2);
    assert_eq!(place.run(&[], &[]).code, 2);
}

#[test]
fn a_token_is_all_that_is_printed() {
    let place = Place::new();
    let first = place.run(&["token", "--subject", "ada", "--role", "a", "--role", "b"], &[]);
    assert_eq!((first.code, first.errors.as_str()), (0, ""));
    assert_eq!(first.output.trim().split('.').count(), 3, "{}", first.output);
    assert_eq!(first.output.lines().count(), 1);
    assert!(place.path().join("data/token.key").is_file());

    let secret = "0123456789abcdef0123456789abcdef";
    let variables = [("CAPLET_AUTH__HS256_SECRET", secret), ("CAPLET_DATA", "elsewhere")];
    assert_eq!(place.run(&["token"], &variables).code, 0);
    assert!(!place.path().join("elsewhere").exists());
}

#[test]
fn a_token_that_would_be_refused_is_not_made() {
    let place = Place::new();
    let wrong_tenant = place.run(&["token", "--tenant", "a/b"], &[]);
    assert_eq!(wrong_tenant.code, 2);
    assert!(wrong_tenant.errors.contains("tenant"), "{}", wrong_tenant.errors);
    let wrong_time = place.run(&["token", "--ttl", "soon"], &[]);
    assert_eq!(wrong_time.code, 2);
    assert!(wrong_time.errors.contains("--ttl"), "{}", wrong_time.errors);
}

#[test]
fn bad_settings_name_key_source_and_form_and_end_with_2() {
    let place = Place::new();
    place.write("caplet.toml", "listen = 8080\n[http]\ncolour = 1\n");
    let outcome = place.run(&["token"], &[]);
    assert_eq!(outcome.code, 2);
    assert!(outcome.errors.contains("caplet.toml"), "{}", outcome.errors);

    let place = Place::new();
    let variables = [("CAPLET_LIMITS__CPU_MS_MAX", "soon")];
    let outcome = place.run(&["serve"], &variables);
    assert_eq!(outcome.code, 2);
    for part in ["limits.cpu_ms_max", "\"soon\"", "a whole number", "CAPLET_LIMITS__CPU_MS_MAX"] {
        assert!(outcome.errors.contains(part), "{}", outcome.errors);
    }
    let outcome = place.run(&["serve", "--listen", "nowhere"], &[]);
    assert_eq!(outcome.code, 2);
    assert!(outcome.errors.contains("listen: "), "{}", outcome.errors);
    let outcome = place.run(&["serve"], &[("CAPLET_LOG", "=!=")]);
    assert_eq!(outcome.code, 2);
    assert!(outcome.errors.contains("CAPLET_LOG"), "{}", outcome.errors);
    let outcome = place.run(&["serve"], &[("CAPLET_AUTH__HS256_SECRET", "short")]);
    assert_eq!(outcome.code, 2);
    assert!(outcome.errors.contains("auth.hs256_secret"), "{}", outcome.errors);
    let outcome = place.run(&["serve", "--config", "missing.toml"], &[]);
    assert_eq!(outcome.code, 2);
    assert!(outcome.errors.contains("missing.toml"), "{}", outcome.errors);
}

#[test]
fn a_taken_port_is_named() {
    let place = Place::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let outcome = place.run(&["serve", "--listen", &address], &[]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.errors.contains(&address), "{}", outcome.errors);
    assert!(outcome.errors.contains("choose another port"), "{}", outcome.errors);
}

#[test]
fn a_data_directory_that_cannot_be_used_is_named() {
    let place = Place::new();
    let file = place.write("data", "not a directory");
    let outcome = place.run(&["serve", "--listen", "127.0.0.1:0"], &[]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.errors.contains("data"), "{} is not named: {}", file.display(), outcome.errors);
    let outcome = place.run(&["token"], &[]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.errors.contains("token.key"), "{}", outcome.errors);
}

#[test]
fn list_shows_what_is_there_and_what_is_wrong_with_it() {
    let place = Place::new();
    place.install("echo");
    place.write("plugins/another.wasm", caplet_testing::component("echo"));
    place.write("plugins/broken.wasm", b"not a component");
    place.write("plugins/notes.txt", b"not looked at");
    let outcome = place.run(&["list"], &[]);
    assert_eq!(outcome.code, 0, "{}", outcome.errors);
    let lines: Vec<&str> = outcome.output.lines().collect();
    assert_eq!(lines.len(), 4, "{}", outcome.output);
    assert!(lines[0].starts_with("FILE "), "{}", outcome.output);
    assert!(
        lines[1].starts_with("another.wasm  echo ") && lines[1].ends_with("ok"),
        "{}",
        lines[1]
    );
    assert!(lines[2].contains("refused: "), "{}", lines[2]);
    assert!(lines[3].contains("`another.wasm`"), "{}", lines[3]);
    let missing = place.run(&["list", "--plugins", "nowhere"], &[]);
    assert_eq!(missing.code, 1);
    assert!(missing.errors.contains("nowhere"), "{}", missing.errors);
}

#[test]
fn describe_is_for_people_and_for_programs() {
    let place = Place::new();
    place.install("echo");
    let outcome = place.run(&["describe", "plugins/echo.wasm"], &[]);
    assert_eq!(outcome.code, 0, "{}", outcome.errors);
    for part in ["echo 1.0.0", "/with-permission", "echo.listen", "greeting", "default \"hello\""] {
        assert!(outcome.output.contains(part), "{part} is not in {}", outcome.output);
    }
    place.install("upgrade-v2");
    let outcome = place.run(&["describe", "plugins/upgrade-v2.wasm"], &[]);
    for line in ["2 expand add label", "3 backfill fill label"] {
        let mut shown = outcome.output.lines();
        let found = shown.any(|shown| shown.split_whitespace().eq(line.split_whitespace()));
        assert!(found, "{line} is not in {}", outcome.output);
    }
    let outcome = place.run(&["describe", "--json", "plugins/upgrade-v2.wasm"], &[]);
    assert!(outcome.output.contains(r#""phase": "expand""#), "{}", outcome.output);
    let outcome = place.run(&["describe", "--json", "plugins/echo.wasm"], &[]);
    let document: serde_json::Value = serde_json::from_str(&outcome.output).unwrap();
    assert_eq!(document["name"], "echo");
    assert!(document["routes"].as_array().is_some_and(|routes| routes.len() > 5));
    assert_eq!(document["settings_schema"]["type"], "object");
    assert!(document["rights"].as_array().is_some_and(|rights| rights.contains(&"log".into())));
}

#[test]
fn inspect_tells_rights_imports_exports_and_limits() {
    let place = Place::new();
    place.install("ledger");
    let variables = [("CAPLET_PLUGIN__LEDGER__LIMITS__CPU_MS_MAX", "77")];
    let outcome = place.run(&["inspect", "plugins/ledger.wasm"], &variables);
    assert_eq!(outcome.code, 0, "{}", outcome.errors);
    for part in
        ["keep data in a database of its own", "wasi:", "caplet:plugin/guest@0.1.0", "SHA-256"]
    {
        assert!(outcome.output.contains(part), "{part} is not in {}", outcome.output);
    }
    let limit = outcome.output.lines().find(|line| line.trim().starts_with("cpu_ms_max"));
    assert!(limit.is_some_and(|line| line.ends_with(" 77")), "{}", outcome.output);
    place.write("broken.wasm", b"\0asm");
    assert_eq!(place.run(&["inspect", "broken.wasm"], &[]).code, 1);
}

#[test]
fn check_says_whether_it_would_load_and_why_not() {
    let place = Place::new();
    place.install("ledger");
    let outcome = place.run(&["check", "plugins/ledger.wasm"], &[]);
    assert_eq!(outcome.code, 0, "{}", outcome.output);
    assert!(outcome.output.contains("would load: plugin ledger 1.0.0"), "{}", outcome.output);
    for guest in ["bad-name", "escaping-route", "overlapping-routes", "loop-in-describe"] {
        place.install(guest);
        let outcome = place.run(&["check", &format!("plugins/{guest}.wasm")], &[]);
        assert_eq!(outcome.code, 1, "{guest}: {}", outcome.output);
        assert!(outcome.output.contains("would not load") && outcome.output.contains("\n  - "));
    }
    let refused = [("CAPLET_PLUGIN__LEDGER__GRANTS", "[\"log\"]")];
    let outcome = place.run(&["check", "plugins/ledger.wasm"], &refused);
    assert_eq!(outcome.code, 1);
    assert!(outcome.output.contains("`sql`"), "{}", outcome.output);
    assert_eq!(place.run(&["check", "missing.wasm"], &[]).code, 1);
}

#[test]
fn a_real_bash_completes_commands_and_flags() {
    let place = Place::new();
    let script = place.run(&["completions", "bash"], &[]);
    assert_eq!(script.code, 0, "{}", script.errors);
    place.write("caplet.bash", &script.output);
    let complete = |words: &str, index: usize| {
        let ask = format!(
            "source caplet.bash; COMP_WORDS=({words}); COMP_CWORD={index}; \
             _caplet caplet \"${{COMP_WORDS[{index}]}}\" \"${{COMP_WORDS[{before}]}}\"; \
             printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            before = index - 1
        );
        let mut bash = Command::new("bash");
        let output = bash.current_dir(place.path()).args(["-c", &ask]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(complete("caplet se", 1).contains("serve"), "{}", complete("caplet se", 1));
    assert!(complete("caplet serve --li", 2).contains("--listen"));
    assert!(complete("caplet top --sort la", 3).contains("latency"));
    for shell in ["zsh", "fish", "powershell", "elvish"] {
        let script = place.run(&["completions", shell], &[]);
        assert!(script.code == 0 && script.output.contains("caplet"), "{shell}");
    }
    assert_eq!(place.run(&["completions", "tcsh"], &[]).code, 2);
}

#[test]
fn a_reader_that_has_enough_is_no_failure() {
    let place = Place::new();
    place.install("echo");
    let pipe = format!(
        "'{}' describe --json plugins/echo.wasm | true; echo ${{PIPESTATUS[0]}}",
        env!("CARGO_BIN_EXE_caplet")
    );
    let mut bash = Command::new("bash");
    let output = bash.current_dir(place.path()).args(["-c", &pipe]).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "0\n");
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

#[test]
fn colours_are_for_those_who_want_them() {
    let place = Place::new();
    let plain = place.run(&["check", "missing.wasm"], &[]);
    assert!(plain.errors.starts_with("caplet: missing.wasm"), "{}", plain.errors);
    let forced = place.run(&["check", "missing.wasm"], &[("CLICOLOR_FORCE", "1")]);
    assert!(forced.errors.starts_with("\u{1b}["), "{}", forced.errors);
}

#[test]
fn bad_settings_of_log_and_telemetry_are_named_and_no_secret_is_shown() {
    let place = Place::new();
    for (name, value, part) in [
        ("CAPLET_LOG__FORMAT", "xml", "expected one of auto, text, json"),
        ("CAPLET_LOG__FILTER", "=!=", "log.filter"),
        ("CAPLET_TELEMETRY__ENDPOINT", "collector:4318", "telemetry.endpoint"),
        ("CAPLET_TELEMETRY__SAMPLE_RATIO", "often", "telemetry.sample_ratio"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector", "OTEL_EXPORTER_OTLP_ENDPOINT"),
    ] {
        let outcome = place.run(&["serve", "--listen", "127.0.0.1:0"], &[(name, value)]);
        assert_eq!(outcome.code, 2, "{name}: {}", outcome.errors);
        assert!(outcome.errors.contains(part), "{name}: {}", outcome.errors);
    }
    let ratio = [
        ("CAPLET_TELEMETRY__ENDPOINT", "http://127.0.0.1:1"),
        ("CAPLET_TELEMETRY__SAMPLE_RATIO", "2"),
    ];
    let outcome = place.run(&["serve", "--listen", "127.0.0.1:0"], &ratio);
    assert_eq!(outcome.code, 2, "{}", outcome.errors);
    assert!(outcome.errors.contains("from 0 to 1"), "{}", outcome.errors);
    let header = [
        ("CAPLET_TELEMETRY__ENDPOINT", "http://127.0.0.1:1"),
        ("CAPLET_TELEMETRY__HEADERS__AUTHORIZATION", "hidden\u{7f}"),
    ];
    let outcome = place.run(&["serve", "--listen", "127.0.0.1:0"], &header);
    assert_eq!(outcome.code, 2, "{}", outcome.errors);
    assert!(outcome.errors.contains("`authorization`"), "{}", outcome.errors);
    assert!(!outcome.errors.contains("hidden"), "{}", outcome.errors);
}
