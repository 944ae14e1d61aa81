//! Opening, closing and filling up.

use caplet_store::Error;

use super::*;

pub async fn the_same_plugin_shares_one_database(ground: &Ground) {
    let first = ground.notes().await;
    let second = ground.notes().await;
    let mut write = first.write().await;
    insert(&mut *write, 1).await.unwrap();
    let mut waiting = Box::pin(second.begin(Mode::Write));
    assert!(poll_once(&mut waiting).await.is_none(), "there is one writer for both");
    let (committed, waited) = tokio::join!(write.commit(), async {
        let mut write = waiting.await.unwrap();
        let seen = ids(&mut *write).await;
        drop(write);
        seen
    });
    assert_eq!((committed, waited), (Ok(()), vec![1]));
    assert_eq!(second.ids().await, [1]);
}

pub async fn plugins_never_see_each_other(ground: &Ground) {
    let notes = ground.notes().await;
    notes.add([1]).await;
    let other = ground.store.open("other", Limits::default()).await.unwrap();
    let mut read = other.begin(begin(Mode::Read)).await.unwrap();
    let result = read.query("SELECT id FROM notes", &[]).await;
    assert!(matches!(result, Err(Error::Invalid(_))), "{result:?}");
}

pub async fn names_that_are_none_are_refused(ground: &Ground) {
    let long = "a".repeat(41);
    for name in ["", "A", "1a", "a/b", "../a", "a.b", "a\0", "store.lock", long.as_str()] {
        let opened = ground.store.open(name, Limits::default()).await;
        assert!(matches!(opened, Err(Error::Invalid(_))), "{name:?}");
    }
}

pub async fn a_full_quota_is_an_error_and_reading_goes_on(ground: &Ground) {
    let limits = Limits { database_bytes_max: 256 << 10, ..Limits::default() };
    let notes = ground.notes_with(limits).await;
    let sql = "INSERT INTO notes (id, tenant, body) VALUES ($1, $tenant, $2)";
    let body = text(&"x".repeat(10_000));
    let mut n_rows = 0;
    let error = loop {
        let mut write = notes.write().await;
        match write.execute(sql, &[Value::Integer(n_rows), body.clone()]).await {
            Ok(_) => write.commit().await.unwrap(),
            Err(error) => break error,
        }
        n_rows += 1;
        assert!(n_rows < 100, "the quota holds");
    };
    assert_eq!(error, Error::DiskFull);
    assert_eq!(notes.ids().await, (0..n_rows).collect::<Vec<_>>());
    assert_eq!(delete_all(&notes).await, Ok(n_rows as u64));
    notes.add([1]).await;
    assert_eq!(notes.ids().await, [1]);
}

/// Deletes all notes, as whoever is asked to begin again does. Notes may be parents, so that all are looked
/// through for each one: on a busy machine that is more than a statement has time for at first.
async fn delete_all(notes: &Notes) -> Result<u64, Error> {
    loop {
        let mut write = notes.write().await;
        match write.execute("DELETE FROM notes", &[]).await {
            Err(Error::Retry(_)) => {}
            deleted => return write.commit().await.and(deleted),
        }
    }
}

pub async fn changed_limits_hold_for_what_begins_after(ground: &Ground) {
    let notes = ground.notes().await;
    let sql = "INSERT INTO notes (id, tenant, body) VALUES ($1, $tenant, $2)";
    let body = text(&"x".repeat(200_000));
    let limits =
        |database_bytes_max| Limits { database_bytes_max, rows_max: 1, ..Limits::default() };
    notes.add([1, 2]).await;
    notes.database.set_limits(limits(100 << 10));
    let mut write = notes.write().await;
    assert_eq!(write.execute(sql, &[Value::Integer(3), body.clone()]).await, Err(Error::DiskFull));
    drop(write);
    let mut read = notes.begin(Mode::Read).await.unwrap();
    let result = read.query("SELECT id FROM notes", &[]).await;
    assert!(matches!(result, Err(Error::TooLarge { limit: "sql-rows", .. })), "{result:?}");
    notes.database.set_limits(limits(1 << 30));
    let mut write = notes.write().await;
    assert_eq!(write.execute(sql, &[Value::Integer(3), body]).await, Ok(1));
    write.commit().await.unwrap();
}

pub async fn a_closed_database_refuses_and_opens_again(ground: &Ground) {
    let notes = ground.notes().await;
    notes.add([1]).await;
    let mut last = notes.write().await;
    insert(&mut *last, 2).await.unwrap();
    let database = Arc::clone(&notes.database);
    let closing = tokio::spawn(async move { database.close().await });
    last.commit().await.unwrap();
    closing.await.unwrap();
    for mode in [Mode::Read, Mode::Write] {
        assert!(matches!(notes.begin(mode).await, Err(Error::Unavailable(_))));
    }
    assert!(matches!(notes.database.migrate(&[]).await, Err(Error::Unavailable(_))));
    assert_eq!(ground.notes().await.ids().await, [1, 2]);
}
