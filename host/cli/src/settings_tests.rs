//! Which sources win, and what is said of values that do not fit.

use std::io::Write;

use super::*;

fn environment(list: &[(&str, &str)]) -> Environment {
    Environment::new(list.iter().map(|(name, value)| ((*name).into(), (*value).into())))
}

fn with_file(text: &str, variables: &[(&str, &str)]) -> Result<Settings, Failure> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let flags = Flags::new(&Common::default(), None);
    Settings::merge(Some(file.path()), environment(variables), flags)
}

fn refusal(text: &str, variables: &[(&str, &str)]) -> String {
    with_file(text, variables).unwrap_err().text().to_owned()
}

#[test]
fn flags_win_over_variables_over_the_file_over_defaults() {
    let text = "listen = \"1.1.1.1:1\"\ndata = \"file\"\n[limits]\ncpu_ms_max = 1\nqueue_max = 2";
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let variables =
        environment(&[("CAPLET_LISTEN", "2.2.2.2:2"), ("CAPLET_LIMITS__CPU_MS_MAX", "3")]);
    let flags = Flags::new(&Common::default(), Some("3.3.3.3:3"));
    let settings = Settings::merge(Some(file.path()), variables, flags).unwrap();
    assert_eq!(settings.listen.0, "3.3.3.3:3");
    assert_eq!(settings.data, Path::new("file"));
    assert_eq!((settings.limits.cpu_ms_max, settings.limits.queue_max), (3, 2));
    assert_eq!(settings.plugins, Path::new("plugins"));
}

#[test]
fn reads_tables_of_roles_and_plugins() {
    let settings = with_file(
        "[roles]\neditor = [\"comments.moderate\"]\n\
         [plugin.rate-limit]\ngrants = [\"sql\"]\ninstances = \"fresh\"\n\
         [plugin.rate-limit.settings]\nwindow_s = 5\n[plugin.rate-limit.limits]\ncpu_ms_max = 9",
        &[("CAPLET_PLUGIN__RATE_LIMIT__SETTINGS__WINDOW_S", "6")],
    )
    .unwrap();
    assert_eq!(settings.roles["editor"], ["comments.moderate"]);
    let plugin = &settings.plugin["rate-limit"];
    assert_eq!(plugin.settings, serde_json::json!({"window_s": 6}));
    assert_eq!(plugin.grants.as_deref(), Some(&["sql".to_owned()][..]));
    assert_eq!(plugin.limits(&settings.limits).unwrap().cpu_ms_max, 9);
}

#[test]
fn names_key_source_and_form_of_a_bad_value() {
    let text = refusal("", &[("CAPLET_LIMITS__CPU_MS_MAX", "soon")]);
    assert!(text.starts_with("limits.cpu_ms_max: "), "{text}");
    assert!(text.contains("\"soon\"") && text.contains("a whole number"), "{text}");
    assert!(text.contains("CAPLET_LIMITS__CPU_MS_MAX"), "{text}");

    let text = refusal("listen = \"nowhere\"", &[]);
    assert!(text.starts_with("listen: ") && text.contains("127.0.0.1:8080"), "{text}");
    assert!(text.contains("(in /"), "{text}");

    let text = refusal("roles = { editor = \"comments.moderate\" }", &[]);
    assert!(text.starts_with("roles.editor: ") && text.contains("a list"), "{text}");
}

#[test]
fn refuses_unknown_keys_by_their_full_name() {
    let text = refusal("[http]\ncolour = 1", &[]);
    assert!(text.starts_with("http.colour: there is no such setting"), "{text}");
    let text = refusal("colour = 1", &[]);
    assert!(text.starts_with("colour: there is no such setting"), "{text}");
    let text = refusal("", &[("CAPLET_HTTP__COLOUR", "1")]);
    assert!(text.starts_with("http.colour: ") && text.contains("CAPLET_HTTP__COLOUR"), "{text}");
}

#[test]
fn a_secret_is_never_repeated() {
    let text = refusal("[auth]\nhs256_secret = 4242424242", &[]);
    assert!(text.starts_with("auth.hs256_secret: ") && !text.contains("4242"), "{text}");
}

#[test]
fn says_where_a_file_is_not_toml() {
    let text = refusal("listen = ", &[]);
    assert!(text.contains("line 1"), "{text}");
}

#[test]
fn a_named_file_must_be_there() {
    let failure = file(Some(Path::new("/nowhere/caplet.toml")), &environment(&[])).unwrap_err();
    assert!(failure.text().contains("/nowhere/caplet.toml"));
    let by_variable = environment(&[("CAPLET_CONFIG", "/nowhere/else.toml")]);
    assert!(file(None, &by_variable).unwrap_err().text().contains("/nowhere/else.toml"));
}

#[test]
fn checks_what_is_set_for_single_plugins() {
    let text = refusal("[plugin.notes.limits]\ncpu_ms = 1", &[]);
    assert!(text.starts_with("plugin.notes.limits: ") && text.contains("cpu_ms"), "{text}");
    let text = refusal("[plugin.notes]\ngrants = [\"files\"]", &[]);
    assert!(text.starts_with("plugin.notes.grants: ") && text.contains("`files`"), "{text}");
    let text = refusal("[plugin.Notes]", &[]);
    assert!(text.starts_with("plugin.Notes: "), "{text}");
}
