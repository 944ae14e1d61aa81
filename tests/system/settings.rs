//! Settings of a running host, by its command line and its admin API; and a plugin that gives its secret away
//! in every way that it has: the secret is nowhere in clear, not in what the host says and not in its files.

use std::path::Path;
use std::process::{Output, Stdio};

use caplet_tests::{PATIENCE, Place, Server, binary};
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::sync::mpsc::UnboundedReceiver;

const GUEST: &str = "secret-leaking";

/// Two secrets: one that the host is started with, and one that is set while it runs.
const SECRETS: [&str; 2] = ["first/secret+of=the-plugin", "second\"secret&of<the>plugin"];

/// Anything of a secret that no text has by chance.
const PARTS: [&str; 2] = ["secret+of", "secret&of"];

/// `caplet …` against a running host.
async fn caplet(place: &Place, server: &Server, arguments: &[&str]) -> Output {
    Command::new(binary())
        .args(arguments)
        .args(["--url", &server.url("")])
        .arg("--data")
        .arg(place.data())
        .stdin(Stdio::null())
        .output()
        .await
        .expect("the command runs")
}

/// What a command says when it does what it is asked.
async fn said(place: &Place, server: &Server, arguments: &[&str]) -> String {
    let output = caplet(place, server, arguments).await;
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// What a command says when it does not.
async fn refused(place: &Place, server: &Server, arguments: &[&str]) -> String {
    let output = caplet(place, server, arguments).await;
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
    String::from_utf8(output.stderr).expect("text")
}

/// A change that has come to its outcome.
async fn ended(server: &Server, token: &str, begun: &Value) -> Value {
    let id = begun["id"].as_str().expect("an operation");
    let url = server.url(&format!("/admin/api/operations/{id}?wait_ms=20000&until=outcome"));
    loop {
        let asked = server.client().get(&url).bearer_auth(token).send().await.expect("an answer");
        let operation: Value = asked.json().await.expect("JSON");
        if !operation["outcome"].is_null() {
            return operation;
        }
    }
}

/// Fails when a secret is in a text, whole or in a form that programs write it in.
fn assert_clean(what: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for secret in SECRETS {
        let hexadecimal: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        for form in [secret.to_owned(), json!(secret).to_string().replace('"', ""), hexadecimal] {
            assert!(!text.contains(&form), "{what} has a secret: {text}");
        }
    }
    for part in PARTS {
        assert!(!text.contains(part), "{what} has a part of a secret: {text}");
    }
}

fn assert_clean_files(folder: &Path) {
    for entry in std::fs::read_dir(folder).expect("the folder is read") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            assert_clean_files(&path);
        } else {
            assert_clean(&path.display().to_string(), &std::fs::read(&path).expect("the file"));
        }
    }
}

/// The lines of the log until one that has `text`.
async fn lines_until(lines: &mut UnboundedReceiver<String>, text: &str) -> String {
    let mut log = String::new();
    let listening = async {
        while let Some(line) = lines.recv().await {
            log.push_str(&line);
            log.push('\n');
            if line.contains(text) {
                return;
            }
        }
    };
    let heard = tokio::time::timeout(PATIENCE, listening).await;
    assert!(heard.is_ok(), "no line with {text}: {log}");
    log
}

/// Calls the guest in every way in which it gives its secret away. Returns what it answered.
async fn provoke(server: &Server) -> String {
    let mut answers = String::new();
    for (path, status) in [
        ("log", 200),
        ("stdout", 200),
        ("error", 422),
        ("sql", 200),
        ("panic", 502),
        ("settings", 200),
    ] {
        let asked = server.client().get(server.url(&format!("/api/{GUEST}/{path}"))).send().await;
        let answer = asked.expect("an answer");
        assert_eq!(answer.status(), status, "{path}");
        answers.push_str(&format!("{:?}\n", answer.headers()));
        answers.push_str(&answer.text().await.expect("a body"));
    }
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_is_nowhere_in_clear() {
    let place = Place::new();
    place.install(GUEST, "leaking.wasm");
    let settings = [
        ("CAPLET_PLUGIN__SECRET_LEAKING__SETTINGS__TOKEN", SECRETS[0]),
        ("CAPLET_UPGRADE__WATCH_MS", "0"),
        ("CAPLET_LOG__FILTER", "debug"),
        ("CAPLET_LOG__SLOW_CALL_MS", "1"),
    ];
    let (server, mut lines) = place.start_telling(&settings).await;
    let mut heard = provoke(&server).await;

    let file = place.data().join("../token");
    std::fs::write(&file, format!("{}\n", SECRETS[1])).unwrap();
    let given = format!("token=@{}", file.display());
    heard += &said(&place, &server, &["settings", GUEST, "set", &given, "--dry-run"]).await;
    heard += &said(&place, &server, &["settings", GUEST, "set", &given, "--wait"]).await;
    heard += &provoke(&server).await;
    let unwell = ["settings", GUEST, "set", "unwell=true"];
    let unwell = refused(&place, &server, &unwell).await;
    assert!(unwell.contains("*** does not work"), "{unwell}");
    heard += &unwell;
    let short = ["settings", GUEST, "set", "token=secret+of"];
    heard += &refused(&place, &server, &[&short[..], &["limit=x"]].concat()).await;
    for arguments in [
        &["settings", GUEST][..],
        &["settings", GUEST, "--json"],
        &["history", GUEST],
        &["history", GUEST, "--json"],
        &["audit"],
        &["audit", "--json"],
        &["status"],
        &["rights", GUEST],
    ] {
        heard += &said(&place, &server, arguments).await;
    }
    assert!(heard.contains("the secret `/token` is changed"), "{heard}");
    for path in ["/", "/metrics", "/openapi.json", "/readyz"] {
        heard += &server.get(path).await.1;
    }
    assert_clean("what was answered", heard.as_bytes());
    assert_eq!(server.stop().await, 0);
    let log = lines_until(&mut lines, "stopped").await;
    for expected in ["the token is ***", "printed: ***", "a slow call", "cannot go on with ***"] {
        assert!(log.contains(expected), "no line with {expected}: {log}");
    }
    assert_clean("the log", log.as_bytes());
    std::fs::remove_file(file).unwrap();
    assert_clean_files(&place.data());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_limits_and_grants_are_changed_by_the_command_line() {
    let place = Place::new();
    place.install(GUEST, "leaking.wasm");
    let settings = [
        ("CAPLET_PLUGIN__SECRET_LEAKING__SETTINGS__TOKEN", SECRETS[0]),
        ("CAPLET_PLUGIN__SECRET_LEAKING__SETTINGS__GREETING", "hi"),
        ("CAPLET_UPGRADE__WATCH_MS", "0"),
    ];
    let server = place.start(&settings).await;
    let shown = said(&place, &server, &["settings", GUEST]).await;
    for row in [["greeting", "configuration", "\"hi\""], ["limit", "default", "5"]] {
        let has = |line: &str| line.split_whitespace().eq(row);
        assert!(shown.lines().any(has), "{row:?}: {shown}");
    }
    let set = ["settings", GUEST, "set", "greeting=good day", "limit=7"];
    said(&place, &server, &set).await;
    said(&place, &server, &["limits", GUEST, "set", "reuse_max=3"]).await;
    let origins = "redirect_origins=[\"https://shop.example\"]";
    let waiting = refused(&place, &server, &["grants", GUEST, "set", origins]).await;
    assert!(waiting.contains("caplet approve"), "{waiting}");
    said(&place, &server, &["approve", GUEST]).await;
    for (arguments, place_of_error) in [
        (&["settings", GUEST, "set", "colour=1"], "/colour: there is no such setting"),
        (&["limits", GUEST, "set", "cpu=1"], "/cpu: there is no such limit"),
    ] {
        let error = refused(&place, &server, arguments).await;
        assert!(error.contains(place_of_error) && error.contains(GUEST), "{error}");
    }
    assert_eq!(server.stop().await, 0);

    let server = place.start(&settings).await;
    let told: Value =
        serde_json::from_str(&server.get(&format!("/api/{GUEST}/settings")).await.1).unwrap();
    assert_eq!((&told["greeting"], &told["limit"]), (&json!("good day"), &json!(7)));
    said(&place, &server, &["settings", GUEST, "unset", "greeting"]).await;
    let told = server.get(&format!("/api/{GUEST}/settings")).await.1;
    assert!(told.contains("\"hi\""), "{told}");
    let history = said(&place, &server, &["history", GUEST]).await;
    assert!(history.contains("the limit `reuse_max` is 3, it was 10000"), "{history}");
    let audit = said(&place, &server, &["audit"]).await;
    assert!(audit.contains("redirect to https://shop.example"), "{audit}");
    assert_eq!(server.stop().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_admin_api_takes_merge_patches_and_refuses_at_once() {
    let place = Place::new();
    place.install(GUEST, "leaking.wasm");
    let server = place.start(&[("CAPLET_UPGRADE__WATCH_MS", "0")]).await;
    let token = server.token(&["--scope", "caplet.admin"]).await;
    let url = server.url(&format!("/admin/api/plugins/{GUEST}/settings"));
    let send = |method, query: &str, text: String| {
        let request = server.client().request(method, format!("{url}{query}")).body(text);
        request.bearer_auth(&token).header("content-type", "application/merge-patch+json").send()
    };
    let (patch, put) = (reqwest::Method::PATCH, reqwest::Method::PUT);
    for (text, status, code) in [
        (r#"{"limit": "x"}"#, 422, "settings-invalid"),
        (r#"{"token": "secret+of""#, 400, "body-malformed"),
        ("[]", 400, "body-malformed"),
    ] {
        let answer = send(patch.clone(), "", text.to_owned()).await.unwrap();
        assert_eq!(answer.status(), status, "{text}");
        let problem = answer.text().await.unwrap();
        assert!(problem.contains(code) && !problem.contains("secret+of"), "{problem}");
    }
    let begun = send(patch, "?dry_run=true", json!({ "limit": 8 }).to_string()).await.unwrap();
    assert_eq!(begun.status(), 202);
    // One change of a plugin at a time, also of those that change nothing.
    let tried: Value = begun.json().await.unwrap();
    assert_eq!(ended(&server, &token, &tried).await["outcome"], "planned");
    let begun =
        send(put, "", json!({ "limit": 9, "token": SECRETS[1] }).to_string()).await.unwrap();
    assert_eq!(begun.status(), 202);
    let made = ended(&server, &token, &begun.json().await.unwrap()).await;
    assert_eq!(made["outcome"], "serving", "{made}");
    let told = || async {
        let asked = server.client().get(&url).bearer_auth(&token).send().await.unwrap();
        asked.json::<Value>().await.unwrap()
    };
    let told = told().await;
    assert_eq!(told["values"]["limit"], 9);
    assert_eq!(told["secrets"], json!(["/token"]));
    assert_eq!(told["origins"]["/limit"], "set");
    assert_clean("the settings", told.to_string().as_bytes());
    assert_eq!(server.stop().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_who_change_what_they_read_one_is_told_to_read_again() {
    let place = Place::new();
    place.install(GUEST, "leaking.wasm");
    let server = place.start(&[("CAPLET_UPGRADE__WATCH_MS", "0")]).await;
    let token = server.token(&["--scope", "caplet.admin"]).await;
    for (part, limit) in [("limits", "reuse_max"), ("settings", "limit"), ("grants", "grants")] {
        let url = server.url(&format!("/admin/api/plugins/{GUEST}/{part}"));
        let tag = async || {
            let read = server.client().get(&url).bearer_auth(&token).send().await.unwrap();
            let tag = read.headers()["etag"].to_str().expect("a tag").to_owned();
            assert_clean("the tag", tag.as_bytes());
            tag
        };
        let change = async |value: usize, tag: &str| {
            let value = if limit == "grants" {
                json!(["settings", "log", "sql"][value..])
            } else {
                json!(value + 2)
            };
            let request = server.client().patch(&url).bearer_auth(&token).header("if-match", tag);
            let answer = request.json(&json!({ limit: value })).send().await.unwrap();
            let (status, said) = (answer.status().as_u16(), answer.json().await.unwrap());
            if status == 202 {
                (status, ended(&server, &token, &said).await)
            } else {
                (status, said)
            }
        };
        let read = tag().await;
        assert_eq!(tag().await, read, "{part}: nothing was changed");
        let (_, made) = change(0, &format!("\"other\", {read}")).await;
        assert_eq!(made["outcome"], "serving", "{part}: {made}");
        assert_ne!(tag().await, read, "{part}: it was changed");
        for stale in [read.clone(), format!("W/{}", tag().await)] {
            let (status, problem) = change(0, &stale).await;
            assert_eq!((status, &problem["code"]), (412, &json!("precondition-failed")), "{part}");
            assert!(problem["detail"].as_str().unwrap().contains("`If-Match`"), "{problem}");
        }
        let (_, again) = change(0, "*").await;
        assert_eq!(again["outcome"], "unchanged", "{part}: {again}");
    }
    assert_eq!(server.stop().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_and_quarantines_are_in_the_audit_log() {
    let place = Place::new();
    place.install("trap", "trap.wasm");
    let server = place.start(&[]).await;
    let made = said(&place, &server, &["key", "create", "--name", "ci"]).await;
    let keys = said(&place, &server, &["key", "list"]).await;
    let id = keys.lines().find(|line| line.contains("ci")).expect("the key is listed");
    let id = id.split_whitespace().next().expect("its id").to_owned();
    said(&place, &server, &["key", "revoke", &id]).await;
    for _ in 0..6 {
        server.get("/api/trap/panic").await;
    }
    said(&place, &server, &["release", "trap"]).await;
    let written = async {
        loop {
            let audit = said(&place, &server, &["audit", "--json"]).await;
            let actions = ["key.make", "key.revoke", "quarantine.begin", "quarantine.end"];
            if actions.iter().all(|action| audit.contains(&format!("\"action\":\"{action}\""))) {
                return audit;
            }
        }
    };
    let audit = tokio::time::timeout(PATIENCE, written).await.expect("all is written down");
    let ended = audit.lines().find(|line| line.contains("quarantine.end")).expect("the end");
    assert!(ended.contains("caplet-cli") && ended.contains("by hand"), "{ended}");
    assert!(audit.contains(&id) && !audit.contains(made.trim()), "{audit}");
    assert!(said(&place, &server, &["audit", "--verify"]).await.contains("entries fit"));
    assert_eq!(server.stop().await, 0);
}
