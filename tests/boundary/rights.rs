//! Rights that are taken from a plugin while it serves, and the log of decisions.

use std::time::Duration;

use caplet_runtime::{Fault, HostDatabase};
use caplet_store::Value;

use crate::rig::Rig;

const SELECT: &str = "SELECT 1 AS one";

/// Entries of the log by what was decided.
async fn decided(rig: &Rig) -> Vec<(String, String)> {
    let (entries, more) = rig.runtime.audit().page(0).await.unwrap();
    assert!(!more);
    entries.into_iter().map(|entry| (entry.action, entry.actor)).collect()
}

#[tokio::test]
async fn a_revoked_right_is_denied_at_once_and_given_back_at_once() {
    let rig = Rig::with("storage").await;
    assert!(!rig.query(SELECT).await.to_string().contains("denied"));
    rig.runtime.revoke("storage", "sql", "ada").await.unwrap();
    let answer = rig.query(SELECT).await.to_string();
    assert!(answer.contains("denied") && answer.contains("`sql` was revoked"), "{answer}");
    let denials = [("plugin", "storage"), ("right", "sql")];
    assert!((rig.counted("caplet_denials_total", &denials) - 1.0).abs() < f64::EPSILON);
    let revoked = rig.runtime.revocations().await.unwrap();
    assert_eq!((revoked[0].name.as_str(), revoked[0].revoked_by.as_str()), ("sql", "ada"));

    rig.runtime.grant("storage", "sql", "ada").await.unwrap();
    assert!(!rig.query(SELECT).await.to_string().contains("denied"));
    let unknown = rig.runtime.revoke("storage", "files", "ada").await.unwrap_err();
    assert!(unknown.to_string().contains("there is no right `files`; there are sql,"), "{unknown}");
}

#[tokio::test]
async fn a_function_that_cannot_say_no_ends_the_call() {
    let rig = Rig::with("echo").await;
    rig.get("/clock").await.unwrap();
    rig.runtime.revoke("echo", "clock", "ada").await.unwrap();
    let ended = rig.get("/clock").await.unwrap_err();
    assert_eq!(ended, Fault::Revoked("clock".to_owned()));
}

#[tokio::test]
async fn what_is_decided_is_written_down_and_tampering_shows() {
    let rig = Rig::with("upgrade-v1").await;
    rig.runtime.revoke("upgrade", "sql", "ada").await.unwrap();
    rig.runtime.grant("upgrade", "sql", "bob").await.unwrap();
    let expected = [("install", "application"), ("right.revoke", "ada"), ("right.grant", "bob")];
    let expected = expected.map(|(action, actor)| (action.to_owned(), actor.to_owned()));
    assert_eq!(decided(&rig).await, expected);
    let verified = rig.runtime.audit().verify().await.unwrap();
    assert_eq!((verified.n_entries, verified.broken_at), (3, None));

    tamper(rig.runtime.database(), "UPDATE audit SET actor = $1 WHERE number = 2", "eve").await;
    assert_eq!(rig.runtime.audit().verify().await.unwrap().broken_at, Some(2));
    tamper(rig.runtime.database(), "DELETE FROM audit WHERE number = 2 AND actor = $1", "eve")
        .await;
    assert_eq!(rig.runtime.audit().verify().await.unwrap().broken_at, Some(2));
}

#[tokio::test]
async fn a_host_that_ends_has_written_down_what_was_decided() {
    const DENIALS: usize = 50;
    let rig = Rig::with("storage").await;
    rig.runtime.revoke("storage", "sql", "ada").await.unwrap();
    futures::future::join_all((0..DENIALS).map(|_| rig.query(SELECT))).await;
    assert!(rig.runtime.remove("storage").await);
    rig.runtime.shutdown(Duration::ZERO).await;
    let decided = decided(&rig).await;
    let n_of = |action: &str| decided.iter().filter(|(decided, _)| decided == action).count();
    let expected = [("install", 1), ("right.revoke", 1), ("right.denied", DENIALS), ("remove", 1)];
    for (action, n) in expected {
        assert_eq!(n_of(action), n, "{action}: {decided:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_who_decide_at_once_leave_what_is_written_down() {
    let rig = Rig::with("storage").await;
    for round in 0..100 {
        let (one, other) = (rig.runtime.clone(), rig.runtime.clone());
        let revoking = tokio::spawn(async move { one.revoke("storage", "sql", "ada").await });
        let granting = tokio::spawn(async move { other.grant("storage", "sql", "bob").await });
        revoking.await.unwrap().unwrap();
        granting.await.unwrap().unwrap();
        let is_written = !rig.runtime.revocations().await.unwrap().is_empty();
        let is_denied = rig.query(SELECT).await.to_string().contains("denied");
        assert_eq!(is_denied, is_written, "round {round}");
    }
}

async fn tamper(database: &HostDatabase, statement: &str, who: &str) {
    let mut transaction = database.write().await.unwrap();
    transaction.execute(statement, &[Value::Text(who.to_owned())]).await.unwrap();
    transaction.commit().await.unwrap();
}
