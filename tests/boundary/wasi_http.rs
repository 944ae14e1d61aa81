//! Components that were made for any host of `wasi:http`, 0.2 and 0.3: called as they are, with streams both
//! ways, and held to every limit.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use caplet_runtime::{
    Change, ChangeKind, Fault, Generation, HttpBody, HttpCall, Limits, LoadError, Outcome,
    PluginOptions, Stage,
};
use http::{Request, Response};
use http_body_util::{BodyExt, Full, StreamBody};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::rig::changes::{self, agreed};
use crate::rig::{Rig, Setup, bytes_of, ended_by_cpu, ended_by_wall, found, in_time, until};

const INCOMING: &str = "http-incoming";
const SERVICE: &str = "http-service";
const DRAFTS: &str = "http-drafts";

/// A runtime with a component, which is called as its file.
async fn load(setup: Setup, guest: &str) -> Rig {
    let rig = setup.empty(guest).await;
    let outcome = install(&rig, guest, guest).await;
    outcome.unwrap_or_else(|error| panic!("{guest}: {error}"));
    rig
}

async fn install(rig: &Rig, guest: &str, called: &str) -> Result<Outcome, LoadError> {
    rig.begin(brought(bytes_of(guest), called)).outcome().await
}

/// Brings a component, which is called as its file.
fn brought(component: Vec<u8>, called: &str) -> ChangeKind {
    let component = component.into();
    ChangeKind::Install { component, file: None, called: Some(called.to_owned()) }
}

fn body(bytes: impl Into<Bytes>) -> HttpBody {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A body whose parts are sent one by one.
fn upload() -> (tokio::sync::mpsc::Sender<&'static str>, HttpBody) {
    let (send, receive) = tokio::sync::mpsc::channel(1);
    let parts = futures::stream::unfold(receive, |mut receive| async {
        let part: &'static str = receive.recv().await?;
        Some((Ok(http_body::Frame::data(Bytes::from(part))), receive))
    });
    (send, StreamBody::new(parts).boxed_unsync())
}

/// Asks a component for a path.
async fn ask(
    generation: Arc<Generation>,
    target: &str,
    body: HttpBody,
) -> Result<Response<HttpBody>, Fault> {
    let request = Request::post(format!("http://host.example{target}"));
    let call = HttpCall {
        request_id: "request".into(),
        trace_id: "0af7651916cd43dd8448eb211c80319c".into(),
        identity: None,
        tenant: "default".into(),
        operation: "handle".to_owned(),
        request: request.header("x-own", "1").body(body).expect("a request"),
    };
    generation.forward(call).await
}

/// The status and the text of an answer.
async fn text(rig: &Rig, target: &str) -> (u16, String) {
    let answer = ask(rig.generation(), target, body("")).await;
    let answer = answer.unwrap_or_else(|fault| panic!("{target}: {fault}"));
    let status = answer.status().as_u16();
    let all = answer.into_body().collect().await.expect("a whole body").to_bytes();
    (status, String::from_utf8_lossy(&all).into_owned())
}

async fn fault(rig: &Rig, target: &str) -> Fault {
    match ask(rig.generation(), target, body("")).await {
        Err(fault) => fault,
        Ok(answer) => panic!("{target} was answered {}", answer.status()),
    }
}

/// Waits until no call of the component runs any more.
async fn until_idle(rig: &Rig) {
    let running = [("plugin", INCOMING)];
    until("the calls end", async || rig.counted("caplet_invocations_running", &running) == 0.0)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_versions_are_served_as_they_are() {
    for (guest, hello) in [(INCOMING, "hello from 0.2"), (SERVICE, "hello from 0.3")] {
        let rig = load(Setup::default(), guest).await;
        assert_eq!(text(&rig, "/").await, (200, hello.to_owned()));
        assert_eq!(text(&rig, "/nowhere").await.0, 404);
        let generation = rig.generation();
        assert!(generation.is_wasi_http() && generation.inspection().is_wasi_http);
        assert!(generation.version().starts_with("0.0.0+"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_stream_both_ways() {
    for guest in [INCOMING, SERVICE] {
        let rig = load(Setup::default(), guest).await;
        let large: Bytes = (0..1_500_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let echoed = ask(rig.generation(), "/echo", body(large.clone())).await.unwrap();
        let echoed = echoed.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(echoed.len(), large.len(), "{guest}");
        assert!(echoed == large, "{guest}: another body came back");

        // What comes first is answered before the rest is sent.
        let (send, request) = upload();
        send.send("first").await.unwrap();
        let mut answer = ask(rig.generation(), "/echo", request).await.unwrap().into_body();
        let next = |frame: Option<Result<http_body::Frame<Bytes>, _>>| {
            frame.and_then(Result::ok).and_then(|frame| frame.into_data().ok())
        };
        assert_eq!(next(answer.frame().await).as_deref(), Some(&b"first"[..]), "{guest}");
        send.send("second").await.unwrap();
        assert_eq!(next(answer.frame().await).as_deref(), Some(&b"second"[..]), "{guest}");
        drop(send);
        assert!(answer.collect().await.unwrap().to_bytes().is_empty(), "{guest}");

        // With a pause after each of five parts.
        let began = Instant::now();
        let mut answer = ask(rig.generation(), "/stream", body("")).await.unwrap().into_body();
        let first = next(answer.frame().await);
        assert_eq!(first.as_deref(), Some(&b"part 0\n"[..]), "{guest}");
        let rest = answer.collect().await.unwrap().to_bytes();
        assert!(rest.ends_with(b"part 4\n"), "{guest}");
        assert!(began.elapsed() >= Duration::from_millis(80), "{guest}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_it_keeps_is_there_for_the_next_call_and_for_its_tenant() {
    let rig = load(Setup::default(), INCOMING).await;
    assert_eq!(text(&rig, "/keys?a=1").await.1, "a=1");
    assert_eq!(text(&rig, "/keys?b=2").await.1, "a=1,b=2");
    assert_eq!(text(&rig, "/keys?a=3").await.1, "a=3,b=2");
    assert_eq!(text(&rig, "/keys?-b").await.1, "a=3");
    let counted = futures::future::join_all((0..20).map(|_| text(&rig, "/count"))).await;
    let mut numbers: Vec<u32> = counted.iter().map(|it| it.1.parse().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=20).collect::<Vec<_>>(), "each one was counted once");
    let long = format!("/keys?{}=1", "k".repeat(2_000));
    assert!(text(&rig, &long).await.1.contains("at most 1024 are allowed"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_are_its_configuration() {
    let plugin = PluginOptions {
        settings: json!({ "greeting": "hi", "limit": 5 }),
        ..PluginOptions::default()
    };
    let rig = load(Setup { plugin, ..Setup::default() }, INCOMING).await;
    assert_eq!(text(&rig, "/config?greeting").await.1, r#"Ok(Some("hi"))"#);
    assert_eq!(text(&rig, "/config?limit").await.1, r#"Ok(Some("5"))"#);
    assert_eq!(text(&rig, "/config?colour").await.1, "Ok(None)");
    assert_eq!(text(&rig, "/log?text").await.1, "logged");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_versions_of_the_same_interfaces_are_served() {
    let plugin = PluginOptions {
        settings: json!({ "greeting": "hi", "limit": 5 }),
        ..PluginOptions::default()
    };
    let limits = Limits { cpu_ms_max: 10_000, ..Limits::default() };
    let rig = load(Setup { plugin, limits, ..Setup::default() }, DRAFTS).await;
    let rights: Vec<&str> =
        rig.generation().inspection().rights.iter().map(|right| right.name).collect();
    assert_eq!(
        (rights.contains(&"sql"), rights.contains(&"settings"), rights.len()),
        (true, true, 2)
    );
    let told = text(&rig, "/settings?greeting").await.1;
    assert_eq!(told.matches("Ok(Some(").count(), 3, "{told}");
    assert!(told.ends_with("[Some(2), Some(2), Some(2)]"), "{told}");
    assert_eq!(text(&rig, "/keys?a=1").await.1, "true Some([49])");
    assert_eq!(text(&rig, "/keys?a").await.1, "false None");
    assert_eq!(text(&rig, "/pages?1200").await.1, "500 500 200");
    assert_eq!(text(&rig, "/count?5").await.1, "5");
    assert_eq!(text(&rig, "/count?-7").await.1, "-2");
    assert!(text(&rig, &format!("/count?{}", i64::MIN)).await.1.contains("64 bits"));
    assert_eq!(
        text(&rig, "/swap?first").await.1,
        r#"[None, Some("meanwhile"), Some("again")] true true"#
    );
    assert_eq!(text(&rig, "/batch").await.1, r#"[("a", None), ("b", Some([2]))]"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_of_the_older_version_come_in_batches_and_pages_too() {
    let limits = Limits { cpu_ms_max: 10_000, ..Limits::default() };
    let rig = load(Setup { limits, ..Setup::default() }, INCOMING).await;
    assert_eq!(
        text(&rig, "/batch").await.1,
        r#"[Some(("key 00000", [1])), None] Some(500) ["key 00500"] None"#
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_version_wrote_another_reads() {
    let rig = load(Setup::default(), INCOMING).await;
    assert_eq!(text(&rig, "/keys?a=1").await.1, "a=1");
    assert_eq!(text(&rig, "/count").await.1, "1");
    install(&rig, DRAFTS, INCOMING).await.unwrap();
    assert_eq!(text(&rig, "/count?-3").await.1, "-2");
    install(&rig, INCOMING, INCOMING).await.unwrap();
    assert_eq!(text(&rig, "/keys").await.1, "a=1");
    assert!(text(&rig, "/count").await.1.contains("64 bits"), "it counts without a sign");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_component_that_fails_is_ended_and_the_next_call_is_served() {
    for guest in [INCOMING, SERVICE] {
        let rig = load(Setup { limits: ended_by_cpu(50), ..Setup::default() }, guest).await;
        assert_eq!(fault(&rig, "/loop").await, Fault::Cpu(50), "{guest}");
        assert_eq!(text(&rig, "/").await.0, 200, "{guest}");
        let rig = load(Setup { limits: ended_by_wall(500), ..Setup::default() }, guest).await;
        assert_eq!(fault(&rig, "/wait").await, Fault::Wall(500), "{guest}");

        let rig = load(Setup::default(), guest).await;
        assert!(matches!(fault(&rig, "/trap").await, Fault::Trap(_)), "{guest}");
        // The answer had begun: it is cut off, and not ended as if it were whole.
        let answer = ask(rig.generation(), "/trap-late", body("")).await.unwrap();
        assert!(answer.into_body().collect().await.is_err(), "{guest}");
        assert_eq!(text(&rig, "/").await.0, 200, "{guest}");
    }
    let limits = Limits { faults_max: 1_000, cpu_ms_max: 10_000, ..Limits::default() };
    let rig = load(Setup { limits, ..Setup::default() }, INCOMING).await;
    assert!(matches!(fault(&rig, "/grow").await, Fault::Memory(_)));
    assert!(matches!(fault(&rig, "/silent").await, Fault::Answer(_)));
    let rig = load(Setup::default(), SERVICE).await;
    assert!(matches!(fault(&rig, "/refuse").await, Fault::Answer(_)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_without_end_is_cut_off_and_one_that_nobody_reads_ends() {
    let limits = Limits { response_bytes_max: 100_000, cpu_ms_max: 10_000, ..Limits::default() };
    let rig = load(Setup { limits: limits.clone(), ..Setup::default() }, INCOMING).await;
    let answer = ask(rig.generation(), "/endless", body("")).await.unwrap();
    let read = answer.into_body().collect().await.map(|_| ());
    assert!(read.unwrap_err().to_string().contains("response_bytes_max"));
    // Nobody reads, but nobody goes either: the time for streams ends it.
    let limits = Limits { stream_ms_max: 700, ..limits };
    let rig = load(Setup { limits, ..Setup::default() }, INCOMING).await;
    let held = ask(rig.generation(), "/endless", body("")).await.unwrap();
    until_idle(&rig).await;
    drop(held);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_that_go_away_put_nothing_into_quarantine() {
    let limits = Limits { faults_max: 2, cpu_ms_max: 10_000, ..Limits::default() };
    let rig = load(Setup { limits, ..Setup::default() }, INCOMING).await;
    for _ in 0..6 {
        // It panics when what it writes is not read.
        drop(ask(rig.generation(), "/endless", body("")).await.unwrap());
        let parts = [Ok(http_body::Frame::data(Bytes::from_static(b"half"))), Err("gone".into())];
        let broken = StreamBody::new(futures::stream::iter(parts)).boxed_unsync();
        let _ = ask(rig.generation(), "/echo", broken).await;
    }
    until_idle(&rig).await;
    assert!(rig.generation().quarantined().is_none());
    assert_eq!(text(&rig, "/").await.0, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_are_sent_to_named_origins_only() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 1_024];
            let _ = stream.read(&mut head).await;
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\nfrom";
            let _ = stream.write_all(answer).await;
        }
    });
    let target = format!("/send?{address}/x");
    let rig = load(Setup::default(), INCOMING).await;
    let (status, said) = text(&rig, &target).await;
    assert_eq!((status, said.contains("HttpRequestDenied")), (502, true), "{said}");
    assert_eq!(rig.limit_hits("outbound-origin"), 1.0);
    let entry = found("the entry in the audit log", async || {
        rig.runtime.audit().of_request("request").await.unwrap().into_iter().next()
    })
    .await;
    assert_eq!((entry.action.as_str(), entry.plugin.as_str()), ("outbound.denied", INCOMING));
    assert!(entry.detail.contains(&format!("http://{address}")), "{entry:?}");

    let origins = vec![format!("http://{address}")];
    let plugin = PluginOptions { outbound_origins: origins, ..PluginOptions::default() };
    let rig = load(Setup { plugin, ..Setup::default() }, INCOMING).await;
    assert_eq!(text(&rig, &target).await, (200, "from".to_owned()));
    rig.runtime.revoke(INCOMING, "outbound-http", "test").await.unwrap();
    assert!(text(&rig, &target).await.1.contains("HttpRequestDenied"));
    rig.runtime.revoke(INCOMING, "sql", "test").await.unwrap();
    assert!(matches!(fault(&rig, "/count").await, Fault::Revoked(right) if right == "sql"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_of_the_host_are_not_the_components_to_set() {
    let rig = load(Setup::default(), INCOMING).await;
    let answer = ask(rig.generation(), "/redirect?/here", body("")).await.unwrap();
    assert_eq!(answer.status(), 302);
    assert_eq!(answer.headers()["location"], "/here");
    assert!(!answer.headers().contains_key("set-cookie"));
    let elsewhere = fault(&rig, "/redirect?https://evil.example").await;
    assert!(matches!(elsewhere, Fault::Answer(reason) if reason.contains("redirect_origins")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_are_reused_as_their_version_expects() {
    let rig = load(Setup::default(), SERVICE).await;
    let mut calls = Vec::new();
    for _ in 0..3 {
        calls.push(text(&rig, "/calls").await.1);
    }
    assert_eq!(calls, ["1", "2", "3"]);
    let plugin =
        PluginOptions { instances: caplet_runtime::Reuse::Fresh, ..PluginOptions::default() };
    let rig = load(Setup { plugin, ..Setup::default() }, SERVICE).await;
    assert_eq!(text(&rig, "/calls").await.1, "1");
    assert_eq!(text(&rig, "/calls").await.1, "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_component_is_replaced_while_an_answer_streams() {
    let rig = load(Setup::default(), INCOMING).await;
    let old = rig.generation();
    let mut answer = ask(old, "/stream", body("")).await.unwrap().into_body();
    answer.frame().await.unwrap().unwrap();
    let brought = install(&rig, SERVICE, INCOMING).await.unwrap();
    assert!(matches!(brought, Outcome::Serving(2)));
    assert_eq!(text(&rig, "/").await.1, "hello from 0.3");
    let rest = answer.collect().await.unwrap().to_bytes();
    assert!(rest.ends_with(b"part 4\n"), "the old answer comes to its end");
    let kind = ChangeKind::Rollback { plugin: INCOMING.to_owned(), to: None };
    let back = rig.begin(kind).outcome().await.unwrap();
    assert!(matches!(back, Outcome::Serving(3)));
    assert_eq!(text(&rig, "/").await.1, "hello from 0.2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_gets_no_copies() {
    let rig = load(Setup::default(), INCOMING).await;
    let stage = Some(Stage { percent: 100, shadow: true, ..Stage::default() });
    let change = Change { stage, ..agreed(brought(bytes_of(SERVICE), INCOMING)) };
    let refused = rig.runtime.begin(change).outcome().await.unwrap_err().to_string();
    assert!(refused.contains("gets no copies"), "{refused}");
    assert_eq!(text(&rig, "/").await.1, "hello from 0.2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_there_again_after_a_restart() {
    let place = tempfile::tempdir().unwrap();
    let kept = || Setup::hasty().kept_at(place.path());
    let rig = load(kept(), INCOMING).await;
    assert_eq!(text(&rig, "/count").await.1, "1");
    rig.end().await;
    let rig = kept().restore(INCOMING).await;
    assert_eq!(text(&rig, "/count").await.1, "2");
}

#[tokio::test]
async fn one_without_a_name_or_with_an_unknown_import_is_refused_with_the_remedy() {
    let rig = Setup::default().empty(INCOMING).await;
    let refused = rig.refused(changes::install(INCOMING)).await;
    assert!(refused.to_string().contains("--name"), "{refused}");
    let bad = install(&rig, INCOMING, "Not a name").await.unwrap_err().to_string();
    assert!(bad.contains("Not a name"), "{bad}");
    let grants = PluginOptions { grants: Some(vec!["log".to_owned()]), ..PluginOptions::default() };
    let setup = Setup { plugin: grants, ..Setup::default() };
    let rig = setup.empty(INCOMING).await;
    let refused = install(&rig, INCOMING, INCOMING).await.unwrap_err().to_string();
    assert!(refused.contains("`outbound-http`") && refused.contains("add \"sql\""), "{refused}");
}

#[tokio::test]
async fn a_version_that_nobody_serves_is_named_with_those_that_are_served() {
    let rig = Setup::default().empty(DRAFTS).await;
    // As many bytes, so that nothing else of the component changes.
    let mut component = bytes_of(DRAFTS);
    let (from, to) =
        (&b"wasi:keyvalue/store@0.2.0-draft2"[..], b"wasi:keyvalue/store@0.2.0-draft9");
    let places: Vec<usize> = component
        .windows(from.len())
        .enumerate()
        .filter_map(|(place, bytes)| (bytes == from).then_some(place))
        .collect();
    for place in places {
        component[place..place + to.len()].copy_from_slice(to);
    }
    let error = rig.refused(brought(component, DRAFTS)).await;
    assert_eq!(error.reasons.len(), 1, "{error}");
    let reason = &error.reasons[0];
    assert!(reason.starts_with("it imports `wasi:keyvalue/store@0.2.0-draft9`"), "{reason}");
    assert!(reason.contains("`wasi:keyvalue/store@0.2.0-draft2`"), "{reason}");
}

/// The next part of an answer.
async fn part(answer: &mut HttpBody) -> Bytes {
    let frame = in_time("the next part", answer.frame()).await;
    let frame = frame.expect("there is more").expect("it is whole");
    frame.into_data().expect("it is data")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_needs_no_data_keeps_nobody_from_the_databases() {
    let rig = load(Setup::default(), SERVICE).await;
    let mut feed = ask(rig.generation(), "/feed", body("")).await.unwrap().into_body();
    part(&mut feed).await;
    let releasing = rig.runtime.hand_over(Duration::from_secs(600));
    assert!(in_time("the databases are given up", releasing).await);
    part(&mut feed).await;
    assert!(!rig.runtime.streams_ended(Duration::from_millis(1)).await, "it goes on");
    drop(feed);
    assert!(rig.runtime.streams_ended(Duration::from_secs(60)).await);

    // One that keeps data is waited for, as all are when the host stops.
    let rig = load(Setup::default(), INCOMING).await;
    let (send, request) = upload();
    send.send("first").await.unwrap();
    let mut echoed = ask(rig.generation(), "/echo", request).await.unwrap().into_body();
    assert_eq!(part(&mut echoed).await, "first");
    assert!(!rig.runtime.hand_over(Duration::from_millis(10)).await);
    drop(send);
}
