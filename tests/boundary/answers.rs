//! What a guest answers is not trusted: nonsense is a fault of the plugin, not an answer.

use caplet_runtime::{Fault, Limits};

use crate::rig::{Rig, Setup, text};

/// A guest that may fail as often as it likes.
async fn nuisance(guest: &str) -> Rig {
    let limits = Limits { faults_max: 0, ..Limits::default() };
    Setup { limits, ..Setup::default() }.load(guest).await
}

#[tokio::test]
async fn statuses_that_are_none_are_refused() {
    let rig = nuisance("nonsense-status").await;
    for status in [0, 1, 99, 100, 101, 199, 600, 700, 999, 65_535] {
        let outcome = rig.get(&format!("/{status}")).await;
        assert!(matches!(outcome, Err(Fault::Answer(_))), "{status}: {outcome:?}");
    }
    assert_eq!(rig.get("/418").await.unwrap().status.as_u16(), 418);
    assert_eq!(rig.limit_hits("plugin-bad-answer"), 10.0);
}

#[tokio::test]
async fn headers_that_forge_or_frame_are_refused() {
    let rig = nuisance("header-injection").await;
    let refused = [
        "crlf-in-value",
        "line-feed-in-value",
        "folded-value",
        "nul-in-value",
        "crlf-in-name",
        "colon-in-name",
        "space-in-name",
        "empty-name",
        "transfer-encoding",
        "content-length",
        "connection",
        "keep-alive",
        "te",
        "trailer",
        "upgrade",
        "proxy-authenticate",
        "too-many",
        "too-large",
    ];
    for attack in refused {
        let outcome = rig.get(&format!("/{attack}")).await;
        assert!(matches!(outcome, Err(Fault::Answer(_))), "{attack}: {outcome:?}");
    }
}

#[tokio::test]
async fn headers_of_the_host_are_dropped() {
    let rig = Rig::with("header-injection").await;
    for attack in ["date", "request-id", "nosniff", "security-policy", "transport-security"] {
        let answer = rig.get(&format!("/{attack}")).await.unwrap();
        let names: Vec<&str> = answer.headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["content-type"], "{attack}");
    }
}

#[tokio::test]
async fn a_body_is_bounded() {
    let rig = Rig::with("huge-body").await;
    assert_eq!(text(&rig.get("/?bytes=3000000").await.unwrap()).len(), 3_000_000);
    assert!(rig.get("/?bytes=40000000").await.is_err());
    assert_eq!(text(&rig.get("/?bytes=1").await.unwrap()), "a");
}
