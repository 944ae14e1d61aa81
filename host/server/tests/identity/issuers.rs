//! Tokens of an issuer whose keys come over HTTP: rotated, missing, and out of reach.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use caplet_testing::{Method, TestHost, json};

use super::issuer::{Issuer, Manner};
use super::{ask, shape};

/// How long anything here may take before it counts as failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a token may wait for its issuer, and some time for a busy machine.
const WAIT_MAX: Duration = Duration::from_secs(6);

#[tokio::test]
async fn a_caller_is_who_the_token_says() {
    let issuer = Issuer::start(Manner::Publish(vec!["a"])).await;
    let host = issuer.host().await;
    let claims =
        json!({"sub": "ada", "tenant": "acme", "roles": ["editor"], "scope": "x echo.listen"});
    let token = issuer.signed("a", json!({"alg": "EdDSA", "kid": "a"}), claims);
    let answer = ask(&host, &token).await.expect_status(200).json();
    assert_eq!(answer["tenant"], "acme");
    assert_eq!(answer["permitted"], true, "{answer}");
    let caller = &answer["caller"];
    assert_eq!((&caller["subject"], &caller["kind"]), (&json!("ada"), &json!("user")));
    assert_eq!(caller["roles"], json!(["editor"]));
}

#[tokio::test]
async fn keys_are_rotated_under_load_without_a_failed_request() {
    let issuer = Issuer::start(Manner::Publish(vec!["a"])).await;
    let host = Arc::new(issuer.host().await);
    let ids = ["a", "b", "c", "d", "e"];
    let current = Arc::new(std::sync::Mutex::new(ids[0]));
    let (is_over, n_answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let callers: Vec<_> = (0..8)
        .map(|caller| {
            let (host, issuer, current) = (host.clone(), issuer.clone(), current.clone());
            let (is_over, n_answered) = (is_over.clone(), n_answered.clone());
            tokio::spawn(async move {
                let mut number = 0;
                while !is_over.load(Ordering::Relaxed) {
                    number += 1;
                    let id = *current.lock().unwrap();
                    let token = issuer.token(id, &format!("{caller}-{number}"));
                    ask(&host, &token).await.expect_status(200);
                    n_answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for pair in ids.windows(2) {
        // The old key stays for tokens that are under way, as issuers do; the new one signs at once.
        issuer.publish(pair);
        *current.lock().unwrap() = pair[1];
        until_answered(&n_answered, 200).await;
    }
    is_over.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await.expect("no request failed");
    }
    assert!(issuer.n_asked() <= 2 * ids.len() as u64, "asked {} times", issuer.n_asked());
}

/// Waits until so many more requests were answered.
async fn until_answered(n_answered: &AtomicU64, more: u64) {
    let until = n_answered.load(Ordering::Relaxed) + more;
    let answered = async {
        while n_answered.load(Ordering::Relaxed) < until {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, answered).await.expect("requests are answered");
}

#[tokio::test]
async fn a_key_that_was_taken_back_verifies_nothing_more() {
    let issuer = Issuer::start(Manner::Publish(vec!["a"])).await;
    let host = issuer.host().await;
    let token = issuer.token("a", "ada");
    ask(&host, &token).await.expect_status(200);
    issuer.publish(&["b"]);
    // A token with the new key is what brings the new set.
    ask(&host, &issuer.token("b", "ada")).await.expect_status(200);
    ask(&host, &token).await.expect_problem(401, "token-invalid");
}

#[tokio::test]
async fn keys_that_never_were_are_asked_for_once() {
    let issuer = Issuer::start(Manner::Publish(vec!["a"])).await;
    let host = issuer.host().await;
    ask(&host, &issuer.token("a", "ada")).await.expect_status(200);
    let before = issuer.n_asked();
    for _ in 0..200 {
        ask(&host, &issuer.token("evil", "ada")).await.expect_problem(401, "token-invalid");
    }
    assert!(issuer.n_asked() <= before + 2, "asked {} times", issuer.n_asked() - before);
    ask(&host, &issuer.token("a", "eve")).await.expect_status(200);
}

#[tokio::test]
async fn what_is_there_is_used_while_the_issuer_behaves_badly() {
    let issuer = Issuer::start(Manner::Publish(vec!["a"])).await;
    let host = issuer.host().await;
    let good = issuer.token("a", "ada");
    ask(&host, &good).await.expect_status(200);
    let refused = shape(&ask(&host, "nonsense").await);
    for manner in [
        Manner::Status(500),
        Manner::Status(404),
        Manner::Redirect,
        Manner::Text("<html>Sign in</html>".to_owned()),
        Manner::Text(r#"{"keys":[]}"#.to_owned()),
        Manner::Text(" ".repeat(300 << 10)),
        Manner::Endless,
        Manner::Silent,
    ] {
        issuer.behave(manner.clone());
        let begin = Instant::now();
        let unknown = ask(&host, &issuer.token("evil", "ada")).await;
        assert_eq!(shape(&unknown), refused, "{manner:?}");
        assert!(begin.elapsed() < WAIT_MAX, "{manner:?} took {:?}", begin.elapsed());
        ask(&host, &good).await.expect_status(200);
        ask(&host, &issuer.token("a", "eve")).await.expect_status(200);
    }
    assert_eq!(issuer.n_asked_elsewhere(), 0, "nobody is followed elsewhere");
}

#[tokio::test]
async fn an_issuer_without_keys_is_unavailable_and_the_rest_goes_on() {
    for manner in [Manner::Status(503), Manner::Redirect, Manner::Endless, Manner::Silent] {
        let issuer = Issuer::start(manner.clone()).await;
        let host = issuer.host().await;
        let begin = Instant::now();
        let answer = ask(&host, &issuer.token("a", "ada")).await;
        assert_eq!(answer.header("retry-after"), Some("10"), "{manner:?}: {answer}");
        answer.expect_problem(503, "issuer-unavailable");
        assert!(begin.elapsed() < WAIT_MAX, "{manner:?} took {:?}", begin.elapsed());
        let own = host.user("ada").get("/api/echo/identity").send().await;
        own.expect_status(200);
        host.get("/readyz").send().await.expect_status(200);
        assert_eq!(issuer.n_asked_elsewhere(), 0);
    }
}

#[tokio::test]
async fn keys_are_there_as_soon_as_the_issuer_is() {
    let issuer = Issuer::start(Manner::Status(503)).await;
    let host = issuer.host().await;
    ask(&host, &issuer.token("a", "ada")).await.expect_problem(503, "issuer-unavailable");
    issuer.publish(&["a"]);
    let recovered = async {
        let mut pause = tokio::time::interval(Duration::from_millis(50));
        while ask(&host, &issuer.token("a", "ada")).await.status() != 200 {
            pause.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, recovered).await.expect("it is asked again by itself");
}

#[tokio::test]
async fn a_token_cannot_choose_its_key() {
    let issuer = Issuer::start(Manner::Publish(vec!["a"])).await;
    let host = issuer.host().await;
    ask(&host, &issuer.token("a", "ada")).await.expect_status(200);
    let url = format!("{}/elsewhere", issuer.name());
    for member in ["jku", "x5u", "jwk", "x5c"] {
        for id in ["a", "evil"] {
            let mut header = json!({"alg": "EdDSA", "kid": id});
            header[member] = json!(url);
            let token = issuer.signed(id, header, json!({}));
            ask(&host, &token).await.expect_problem(401, "token-invalid");
        }
    }
    assert_eq!(issuer.n_asked_elsewhere(), 0);
}

#[tokio::test]
async fn admin_callers_wait_for_keys_too() {
    let issuer = Issuer::start(Manner::Publish(vec!["a"])).await;
    let host = issuer.host().await;
    let claims = json!({"scope": "caplet.admin"});
    let token = issuer.signed("a", json!({"alg": "EdDSA", "kid": "a"}), claims);
    let request = host.anonymous().request(Method::GET, "/admin/api/plugins");
    request.header("authorization", format!("Bearer {token}")).send().await.expect_status(200);
}

#[tokio::test]
async fn what_becomes_of_tokens_and_keys_is_counted() {
    let issuer = Issuer::start(Manner::Publish(vec!["a", "b"])).await;
    let host = issuer.host().await;
    ask(&host, &issuer.token("a", "ada")).await.expect_status(200);
    ask(&host, "nonsense").await.expect_problem(401, "token-invalid");
    let metrics = host.get("/metrics").send().await;
    let name = issuer.name();
    for line in [
        r#"caplet_credentials_total{kind="token",outcome="accepted"} 1"#.to_owned(),
        r#"caplet_credentials_total{kind="token",outcome="refused"} 1"#.to_owned(),
        format!("caplet_issuer_keys{{issuer=\"{name}\"}} 2"),
        format!("caplet_issuer_fetches_total{{issuer=\"{name}\",outcome=\"ok\"}} 1"),
    ] {
        assert!(metrics.text().contains(&line), "{line} is not in {}", metrics.text());
    }
}

#[tokio::test]
async fn settings_that_do_not_fit_end_the_start() {
    let mut config = caplet_server::Config::default();
    config.auth.issuers.push(caplet_server::identity::Issuer::default());
    let error = caplet_server::Host::builder().config(config).build().await.err();
    let error = error.expect("it does not start").to_string();
    assert!(error.starts_with("auth.issuers[0].issuer: "), "{error}");
}

#[tokio::test]
async fn hosts_do_not_share_what_they_verified() {
    let issuer = Issuer::start(Manner::Publish(vec!["a"])).await;
    let token = issuer.token("a", "ada");
    ask(&issuer.host().await, &token).await.expect_status(200);
    let stranger = TestHost::with_plugin("echo").await;
    ask(&stranger, &token).await.expect_problem(401, "token-invalid");
}
