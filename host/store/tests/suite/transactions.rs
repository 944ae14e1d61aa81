//! Isolation, order, shared commits, and what happens to those who leave.

use caplet_store::Error;

use super::*;

pub async fn a_writer_reads_its_writes_and_others_do_not(ground: &Ground) {
    let notes = ground.notes().await;
    let mut write = notes.write().await;
    insert(&mut *write, 1).await.unwrap();
    assert_eq!(ids(&mut *write).await, [1]);
    assert_eq!(notes.ids().await, NONE);
    write.commit().await.unwrap();
    assert_eq!(notes.ids().await, [1]);
}

pub async fn a_snapshot_stays_as_it_was(ground: &Ground) {
    let notes = ground.notes().await;
    notes.add([1]).await;
    let mut before = notes.read().await;
    assert_eq!(ids(&mut *before).await, [1]);
    notes.add([2]).await;
    assert_eq!(ids(&mut *before).await, [1], "a snapshot does not move");
    assert_eq!(notes.ids().await, [1, 2]);
    before.commit().await.unwrap();
}

pub async fn dropping_and_rolling_back_leave_nothing(ground: &Ground) {
    let notes = ground.notes().await;
    let mut dropped = notes.write().await;
    insert(&mut *dropped, 1).await.unwrap();
    drop(dropped);
    let mut rolled_back = notes.write().await;
    assert_eq!(ids(&mut *rolled_back).await, NONE);
    insert(&mut *rolled_back, 2).await.unwrap();
    rolled_back.rollback().await;
    notes.add([3]).await;
    assert_eq!(notes.ids().await, [3]);
}

pub async fn a_reader_cannot_write(ground: &Ground) {
    let notes = ground.notes().await;
    let mut read = notes.read().await;
    assert_eq!(insert(&mut *read, 1).await, Err(Error::ReadOnly));
    let sql = "WITH a AS (SELECT 1 AS n) DELETE FROM notes WHERE id IN (SELECT n FROM a)";
    assert_eq!(read.execute(sql, &[]).await, Err(Error::ReadOnly));
    assert_eq!(read.query("DELETE FROM notes RETURNING id", &[]).await, Err(Error::ReadOnly));
    assert_eq!(ids(&mut *read).await, NONE);
}

pub async fn writers_take_turns_in_order(ground: &Ground) {
    let notes = ground.notes().await;
    let first = notes.write().await;
    let mut waiting: Vec<_> = (0..5).map(|_| Box::pin(notes.begin(Mode::Write))).collect();
    for turn in &mut waiting {
        assert!(poll_once(turn).await.is_none());
    }
    drop(first);
    for index in 0..waiting.len() {
        let writer = (&mut waiting[index]).await.unwrap();
        for later in &mut waiting[index + 1..] {
            assert!(poll_once(later).await.is_none(), "nobody overtakes");
        }
        drop(writer);
    }
}

pub async fn concurrent_writers_share_commits_and_lose_nothing(ground: &Ground) {
    let notes = Arc::new(ground.notes().await);
    let before = ground.statistics();
    let gate_keeper = notes.write().await;
    let tasks: Vec<_> = (0..64)
        .map(|id| {
            let notes = Arc::clone(&notes);
            tokio::spawn(async move {
                let mut write = notes.write().await;
                insert(&mut *write, id).await.unwrap();
                write.commit().await.unwrap();
                // What was acknowledged is there for everyone.
                assert!(notes.ids().await.contains(&id));
            })
        })
        .collect();
    tokio::task::yield_now().await;
    drop(gate_keeper);
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(notes.ids().await, (0..64).collect::<Vec<_>>());
    let after = ground.statistics();
    assert_eq!(after.transactions - before.transactions, 64);
    let n_commits = after.commits - before.commits;
    assert!((1..=32).contains(&n_commits), "{n_commits} commits for 64 writers");
}

pub async fn a_member_that_fails_does_not_touch_the_others(ground: &Ground) {
    let notes = ground.notes().await;
    let mut first = notes.write().await;
    let mut second = Box::pin(notes.begin(Mode::Write));
    let mut third = Box::pin(notes.begin(Mode::Write));
    assert!(poll_once(&mut second).await.is_none());
    assert!(poll_once(&mut third).await.is_none());
    insert(&mut *first, 1).await.unwrap();
    let others = async {
        let mut second = second.await.unwrap();
        assert_eq!(ids(&mut *second).await, [1], "it comes after the first");
        insert(&mut *second, 2).await.unwrap();
        assert!(matches!(insert(&mut *second, 1).await, Err(Error::Unique(_))));
        second.rollback().await;
        let mut third = third.await.unwrap();
        assert_eq!(ids(&mut *third).await, [1]);
        insert(&mut *third, 3).await.unwrap();
        third.commit().await
    };
    let (first, third) = tokio::join!(first.commit(), others);
    assert_eq!((first, third), (Ok(()), Ok(())));
    assert_eq!(notes.ids().await, [1, 3]);
}

pub async fn a_writer_that_changed_nothing_is_answered(ground: &Ground) {
    let notes = ground.notes().await;
    let before = ground.statistics();
    let mut write = notes.write().await;
    assert_eq!(ids(&mut *write).await, NONE);
    write.commit().await.unwrap();
    assert_eq!(ground.statistics().commits, before.commits, "there is nothing to write");
    assert_eq!(ground.statistics().transactions, before.transactions + 1);
}

pub async fn waiters_that_go_away_never_lose_the_writer(ground: &Ground) {
    let notes = ground.notes().await;
    let first = notes.write().await;
    let mut leaves_early = Box::pin(notes.begin(Mode::Write));
    let mut leaves_late = Box::pin(notes.begin(Mode::Write));
    let mut stays = Box::pin(notes.begin(Mode::Write));
    assert!(poll_once(&mut leaves_early).await.is_none());
    assert!(poll_once(&mut leaves_late).await.is_none());
    assert!(poll_once(&mut stays).await.is_none());
    drop(leaves_early);
    // The writer is on its way to `leaves_late`, who never takes it.
    drop(first);
    drop(leaves_late);
    let mut stays = stays.await.unwrap();
    insert(&mut *stays, 1).await.unwrap();
    stays.commit().await.unwrap();
    assert_eq!(notes.ids().await, [1]);
}

pub async fn waiting_ends_at_the_deadline(ground: &Ground) {
    let notes = ground.notes().await;
    let mut first = notes.write().await;
    let waited = notes.database.begin(begin_within(Mode::Write, Duration::from_millis(20))).await;
    assert!(matches!(waited, Err(Error::Timeout(_))));
    insert(&mut *first, 1).await.unwrap();
    first.commit().await.unwrap();
    notes.add([2]).await;
    assert_eq!(notes.ids().await, [1, 2]);
}

pub async fn a_transaction_ends_at_its_deadline(ground: &Ground) {
    let notes = ground.notes().await;
    let endless = "WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c)
                   SELECT count(*) FROM c";
    for mode in [Mode::Read, Mode::Write] {
        let begin = begin_within(mode, Duration::from_millis(40));
        let mut transaction = notes.database.begin(begin).await.unwrap();
        if mode == Mode::Write {
            // On a busy machine this may be past the deadline already, which is as good.
            let inserted = insert(&mut *transaction, 1).await;
            assert!(matches!(inserted, Ok(1) | Err(Error::Timeout(_))), "{inserted:?}");
        }
        let first = transaction.query(endless, &[]).await.unwrap_err();
        assert!(matches!(first, Error::Timeout(_)), "{first:?}");
        assert_eq!(transaction.query("SELECT 1", &[]).await.unwrap_err(), first);
        assert_eq!(transaction.commit().await, Err(first));
    }
    assert_eq!(notes.ids().await, NONE);
}

pub async fn an_idle_writer_is_put_out(ground: &Ground) {
    let limits = Limits { idle_time_max: Duration::from_secs(1), ..Limits::default() };
    let notes = ground.notes_with(limits).await;
    let mut idle = notes.write().await;
    insert(&mut *idle, 1).await.unwrap();
    // This one gets its turn only because the other is put out.
    notes.add([2]).await;
    let late = insert(&mut *idle, 3).await.unwrap_err();
    assert!(matches!(&late, Error::Timeout(text) if text.contains("idle")), "{late:?}");
    assert_eq!(idle.commit().await, Err(late));
    assert_eq!(notes.ids().await, [2]);
    assert_eq!(ground.statistics().timeouts, 1);
}

pub async fn readers_wait_their_turn(ground: &Ground) {
    let notes = ground.notes_with(Limits { readers_max: 2, ..Limits::default() }).await;
    notes.add([1]).await;
    let first = notes.read().await;
    let _second = notes.read().await;
    let mut third = Box::pin(notes.begin(Mode::Read));
    assert!(poll_once(&mut third).await.is_none());
    let fourth = notes.database.begin(begin_within(Mode::Read, Duration::from_millis(20))).await;
    assert!(matches!(fourth, Err(Error::Timeout(_))));
    drop(first);
    assert_eq!(ids(&mut *third.await.unwrap()).await, [1]);
}
