//! Statements that take long: where they run, when they end, and who falls with them.

use caplet_store::Error;

use super::*;

/// Takes some hundred milliseconds, far more than a statement may take on the calling thread.
const SLOW: &str =
    "WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 300000)
                    SELECT count(*) FROM c";

const ENDLESS: &str = "WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c)
                       SELECT count(*) FROM c";

const SLOW_WRITE: &str = "INSERT INTO notes (id, tenant, body)
    WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 50000)
    SELECT n, 'acme', 'slow' FROM c";

const ENDLESS_WRITE: &str = "INSERT INTO notes (id, tenant, body)
    WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c)
    SELECT n, 'acme', 'slow' FROM c";

fn patient() -> Limits {
    // Long enough for the slow ones on a loaded machine.
    Limits { statement_time_max: Duration::from_secs(30), ..Limits::default() }
}

fn strict() -> Limits {
    Limits { statement_time_max: Duration::from_millis(50), ..Limits::default() }
}

async fn count(transaction: &mut dyn Transaction) -> i64 {
    integers(&transaction.query("SELECT count(*) FROM notes", &[]).await.unwrap())[0]
}

pub async fn a_slow_read_moves_away_and_stays_right(ground: &Ground) {
    let notes = ground.notes_with(patient()).await;
    for (mode, n_moved) in [(Mode::Read, 1), (Mode::Read, 2), (Mode::Write, 3)] {
        let mut transaction = notes.begin(mode).await.unwrap();
        assert_eq!(integers(&transaction.query(SLOW, &[]).await.unwrap()), [300_000]);
        assert_eq!(ground.statistics().moved_statements, n_moved);
        assert_eq!(ids(&mut *transaction).await, NONE, "the transaction goes on");
    }
}

pub async fn an_endless_read_ends_in_time_and_the_snapshot_stays(ground: &Ground) {
    let notes = ground.notes_with(strict()).await;
    notes.add([1]).await;
    for mode in [Mode::Read, Mode::Write] {
        let mut transaction = notes.begin(mode).await.unwrap();
        assert_eq!(ids(&mut *transaction).await, [1]);
        for _ in 0..2 {
            let ended = transaction.query(ENDLESS, &[]).await;
            assert!(matches!(ended, Err(Error::Timeout(_))), "{ended:?}");
            assert_eq!(ids(&mut *transaction).await, [1]);
        }
        transaction.commit().await.unwrap();
    }
    assert_eq!(ground.statistics().timeouts, 4);
}

pub async fn a_slow_write_is_retried_with_its_batch(ground: &Ground) {
    let notes = ground.notes_with(patient()).await;
    // A busy machine may part the two, because a batch that is old enough is committed.
    for round in 1..=50 {
        let slow = format!("{SLOW_WRITE} WHERE $1 = {round}");
        let mut first = notes.write().await;
        let mut second = Box::pin(notes.begin(Mode::Write));
        assert!(poll_once(&mut second).await.is_none());
        insert(&mut *first, -round).await.unwrap();
        let second = async {
            let mut second = second.await.unwrap();
            let result = second.execute(&slow, &[Value::Integer(round)]).await;
            let again = second.query("SELECT 1", &[]).await.unwrap_err();
            assert_eq!(result, Err(again), "the transaction is over");
            result
        };
        let (first, second) = tokio::join!(first.commit(), second);
        assert!(matches!(second, Err(Error::Retry(_))), "{second:?}");
        // Nobody is told of a success that was undone, nor of a failure that was not.
        assert_eq!(first.is_ok(), notes.ids().await.contains(&-round));
        if first.is_err() {
            assert!(matches!(first, Err(Error::Retry(_))), "{first:?}");
            let mut again = notes.write().await;
            let parameters = [Value::Integer(round)];
            assert_eq!(again.execute(&slow, &parameters).await, Ok(50_000));
            again.commit().await.unwrap();
            assert_eq!(count(&mut *notes.read().await).await, 50_000 + round - 1);
            return;
        }
    }
    panic!("the two never shared a batch");
}

pub async fn an_endless_write_ends_in_time_with_its_transaction(ground: &Ground) {
    let notes = ground.notes_with(strict()).await;
    let mut first = notes.write().await;
    assert!(matches!(first.execute(ENDLESS_WRITE, &[]).await, Err(Error::Retry(_))));
    drop(first);
    let mut second = notes.write().await;
    let error = second.execute(ENDLESS_WRITE, &[]).await.unwrap_err();
    assert!(matches!(error, Error::Timeout(_)), "{error:?}");
    assert_eq!(second.commit().await, Err(error));
    notes.add([1]).await;
    assert_eq!(notes.ids().await, [1]);
}

pub async fn an_abandoned_statement_is_ended(ground: &Ground) {
    let limits = Limits { statement_time_max: Duration::from_secs(3600), ..Limits::default() };
    let notes = ground.notes_with(Limits { readers_max: 1, ..limits }).await;
    for mode in [Mode::Read, Mode::Write] {
        let long = begin_within(mode, Duration::from_secs(3600));
        let mut transaction = notes.database.begin(long).await.unwrap();
        let mut call = Box::pin(transaction.query(ENDLESS, &[]));
        assert!(poll_once(&mut call).await.is_none(), "it runs elsewhere");
        drop(call);
        drop(transaction);
        // Both would wait for an hour if the statement went on.
        assert_eq!(notes.ids().await, NONE);
        drop(notes.write().await);
    }
}

pub async fn a_slow_writer_does_not_take_the_finished_ones_along(ground: &Ground) {
    let notes = ground.notes_with(strict()).await;
    let mut teaches = notes.write().await;
    assert!(matches!(teaches.execute(ENDLESS_WRITE, &[]).await, Err(Error::Retry(_))));
    drop(teaches);
    let mut first = notes.write().await;
    let mut second = Box::pin(notes.begin(Mode::Write));
    assert!(poll_once(&mut second).await.is_none());
    insert(&mut *first, -1).await.unwrap();
    let slow = async { second.await.unwrap().execute(ENDLESS_WRITE, &[]).await };
    let (first, slow) = tokio::join!(first.commit(), slow);
    assert_eq!(first, Ok(()), "it was committed before the slow one began");
    assert!(matches!(slow, Err(Error::Timeout(_))), "{slow:?}");
    assert_eq!(notes.ids().await, [-1]);
}

pub async fn a_long_statement_is_run(ground: &Ground) {
    let notes = ground.notes_with(patient()).await;
    let values: Vec<_> = (1..=900).map(|id| format!("({id}, 'acme', 'some text')")).collect();
    let sql = format!("INSERT INTO notes (id, tenant, body) VALUES {}", values.join(", "));
    let mut write = notes.write().await;
    assert_eq!(write.execute(&sql, &[]).await, Ok(900));
    write.commit().await.unwrap();
    assert_eq!(count(&mut *notes.read().await).await, 900);
}
