//! Rights that are taken from a plugin while it serves, and the log of decisions.

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

async fn tamper(database: &HostDatabase, statement: &str, who: &str) {
    let mut transaction = database.write().await.unwrap();
    transaction.execute(statement, &[Value::Text(who.to_owned())]).await.unwrap();
    transaction.commit().await.unwrap();
}
