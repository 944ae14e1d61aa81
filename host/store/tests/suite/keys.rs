//! Idempotency keys.

use caplet_store::{Error, IdempotencyKey};

use super::*;

fn key(key: &str) -> IdempotencyKey {
    IdempotencyKey {
        tenant: Arc::from("acme"),
        subject: "ada".to_owned(),
        operation: "create".to_owned(),
        key: key.to_owned(),
    }
}

pub async fn a_key_is_kept_with_the_transaction(ground: &Ground) {
    let notes = ground.notes().await;
    let mut undone = notes.write().await;
    undone.remember(&key("k"), b"undone").await.unwrap();
    assert_eq!(undone.recall(&key("k")).await, Ok(Some(b"undone".to_vec())));
    undone.rollback().await;
    let mut write = notes.write().await;
    assert_eq!(write.recall(&key("k")).await, Ok(None));
    write.remember(&key("k"), b"first").await.unwrap();
    write.remember(&key("k"), b"second").await.unwrap();
    write.commit().await.unwrap();
    let mut read = notes.read().await;
    assert_eq!(read.recall(&key("k")).await, Ok(Some(b"second".to_vec())));
    assert_eq!(read.remember(&key("k"), b"third").await, Err(Error::ReadOnly));
}

pub async fn keys_of_different_callers_never_meet(ground: &Ground) {
    let notes = ground.notes().await;
    let mut write = notes.write().await;
    write.remember(&key("k"), b"mine").await.unwrap();
    let others = [
        IdempotencyKey { tenant: Arc::from("other"), ..key("k") },
        IdempotencyKey { subject: String::new(), ..key("k") },
        IdempotencyKey { operation: "delete".to_owned(), ..key("k") },
        key("K"),
    ];
    for other in others {
        assert_eq!(write.recall(&other).await, Ok(None), "{other:?}");
    }
}

pub async fn a_key_is_forgotten_in_time(ground: &Ground) {
    let limits = Limits { idempotency_ttl: Duration::ZERO, ..Limits::default() };
    let notes = ground.notes_with(limits).await;
    let mut write = notes.write().await;
    write.remember(&key("k"), b"gone at once").await.unwrap();
    assert_eq!(write.recall(&key("k")).await, Ok(None));
    write.commit().await.unwrap();
}

pub async fn a_record_may_be_longer_than_a_plugins_value(ground: &Ground) {
    let limits = Limits { value_bytes_max: 1000, result_bytes_max: 1 << 20, ..Limits::default() };
    let notes = ground.notes_with(limits).await;
    let record = vec![7; 1 << 20];
    let mut write = notes.write().await;
    write.remember(&key("k"), &record).await.unwrap();
    write.commit().await.unwrap();
    let mut write = notes.write().await;
    assert_eq!(write.recall(&key("k")).await, Ok(Some(record.clone())));
    let longer = [&record[..], &[7]].concat();
    assert!(matches!(write.remember(&key("l"), &longer).await, Err(Error::TooLarge { .. })));
    // The plugin's own limit is in force again.
    let doubled = write.query("SELECT $1 || $1", &[text(&"x".repeat(600))]).await;
    assert!(matches!(doubled, Err(Error::TooLarge { .. })), "{doubled:?}");
}
