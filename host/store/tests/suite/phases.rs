//! Upgrades in phases, while the version before serves.

use caplet_store::{Backfilled, Error, Migrated, Pace, Phase, Plan, State};

use super::*;

/// What the later version adds to the notes: a column, its values, and the end of an older one.
fn upgrade() -> Vec<Migration> {
    vec![
        notes_migration(),
        migration(2, "ALTER TABLE notes ADD COLUMN label TEXT"),
        labels(3, 10),
        migration(4, "ALTER TABLE notes DROP COLUMN size").in_phase(Phase::Contract),
    ]
}

fn labels(number: u32, n_rows: u32) -> Migration {
    let sql = format!(
        "UPDATE notes SET label = lower(body) WHERE id IN
            (SELECT id FROM notes WHERE label IS NULL ORDER BY id LIMIT {n_rows})"
    );
    migration(number, &sql).in_phase(Phase::Backfill)
}

pub async fn plan(notes: &Notes, list: &[Migration], serving: Option<u32>) -> Plan {
    notes.database.plan(list, serving).await.unwrap()
}

async fn state(notes: &Notes, list: &[Migration], number: u32) -> Option<State> {
    let recorded = plan(notes, list, None).await.recorded;
    recorded.iter().find(|it| it.number == number).map(|it| it.state)
}

async fn count(notes: &Notes, condition: &str) -> i64 {
    let mut read = notes.read().await;
    let sql = format!("SELECT count(*) FROM notes WHERE {condition}");
    integers(&read.query(&sql, &[]).await.unwrap())[0]
}

fn refused<T: std::fmt::Debug>(result: Result<T>) -> (u32, String) {
    match result {
        Err(Error::Migration { number, reason }) => (number, reason),
        other => panic!("{other:?}"),
    }
}

fn applied(numbers: &[u32], schema_version: u32) -> Migrated {
    Migrated { applied: numbers.to_vec(), schema_version }
}

pub async fn an_upgrade_goes_through_its_phases(ground: &Ground) {
    let notes = ground.notes().await;
    notes.add(0..25).await;
    let list = upgrade();
    let plan = plan(&notes, &list, Some(1)).await;
    let early = notes.database.contract(&plan).await;
    assert!(refused(early).1.contains("the phase expand comes before"));
    let early = notes.database.backfill_step(&plan, &Pace::default()).await;
    assert_eq!(refused(early).0, 2);

    assert_eq!(notes.database.expand(&plan).await, Ok(applied(&[2], 2)));
    assert_eq!(notes.database.expand(&plan).await, Ok(applied(&[], 2)), "once is enough");
    // The version before goes on.
    notes.add([25]).await;
    let early = notes.database.contract(&plan).await;
    assert!(refused(early).1.contains("the phase backfill comes before"));

    let mut runs = Vec::new();
    while let Some(run) = notes.database.backfill_step(&plan, &Pace::default()).await.unwrap() {
        runs.push((run.n_rows, run.n_runs, run.is_done));
    }
    assert_eq!(runs, [(10, 1, false), (20, 2, false), (26, 3, false), (26, 4, true)]);
    assert_eq!(count(&notes, "label = 'hello'").await, 26);

    assert_eq!(notes.database.contract(&plan).await, Ok(applied(&[4], 4)));
    let after = self::plan(&notes, &list, Some(4)).await;
    assert!(after.pending.is_empty() && after.faults.is_empty(), "{after:?}");
    assert_eq!(after.recorded[2].n_rows, 26);
    assert!(after.recorded.iter().all(|it| it.state == State::Applied && it.failure.is_none()));
}

pub async fn steps_that_follow_each_other_are_one_transaction(ground: &Ground) {
    let notes = ground.notes().await;
    let list = [
        notes_migration(),
        migration(2, "ALTER TABLE notes ADD COLUMN label TEXT"),
        migration(3, "CREATE TABLE tags (x TEXT NOT NULL)"),
        migration(4, "INSERT INTO tags VALUES (NULL)"),
    ];
    let plan = plan(&notes, &list, Some(1)).await;
    let (number, reason) = refused(notes.database.expand(&plan).await);
    assert!(number == 4 && reason.contains("not-null"), "{number} {reason}");
    assert_eq!(self::plan(&notes, &list, Some(1)).await.schema_version, 1);
    assert_eq!(state(&notes, &list, 2).await, None);
    assert_eq!(state(&notes, &list, 4).await, Some(State::Failed));
    let mut read = notes.read().await;
    assert!(read.query("SELECT label FROM notes", &[]).await.is_err());
}

pub async fn a_plan_with_faults_runs_nothing(ground: &Ground) {
    let notes = ground.notes().await;
    let mut list = upgrade();
    list.push(migration(5, "CREATE TABLE tags (x TEXT)"));
    let plan = plan(&notes, &list, Some(1)).await;
    let (number, reason) = refused(notes.database.expand(&plan).await);
    assert!(number == 4 && reason.contains("install the version in between"), "{reason}");
    assert_eq!(refused(notes.database.trial(&plan, &[]).await).0, 4);
    let refused_text = migration(2, "PRAGMA journal_mode = DELETE");
    let endless = migration(3, "UPDATE notes SET body = 'x'").in_phase(Phase::Backfill);
    let plan = self::plan(&notes, &[notes_migration(), refused_text, endless], Some(1)).await;
    let numbers: Vec<_> = plan.faults.iter().map(|it| refused::<()>(Err(it.clone())).0).collect();
    assert_eq!(numbers, [2, 3], "all that is wrong is said at once");
    assert_eq!(self::plan(&notes, &list, None).await.schema_version, 1);
}

pub async fn a_backfill_before_an_expand_step_runs_twice(ground: &Ground) {
    let notes = ground.notes().await;
    notes.add(0..5).await;
    let mut list = upgrade();
    list[3] = migration(4, "CREATE INDEX notes_by_label ON notes (label)");
    let plan = plan(&notes, &list, Some(1)).await;
    assert_eq!(notes.database.expand(&plan).await, Ok(applied(&[2, 3, 4], 4)));
    assert_eq!(count(&notes, "label IS NULL").await, 0);
    assert_eq!(state(&notes, &list, 3).await, Some(State::Running));
    // The version before writes until it is gone.
    notes.add([5]).await;
    let filled = notes.database.backfill(&plan, &Pace::default()).await.unwrap();
    assert_eq!((filled[0].number, filled[0].n_rows, filled[0].is_done), (3, 6, true));
    assert_eq!(count(&notes, "label IS NULL").await, 0);
}

pub async fn two_upgrades_at_once_do_each_step_once(ground: &Ground) {
    let notes = ground.notes().await;
    notes.add(0..25).await;
    let list = upgrade();
    let plan = plan(&notes, &list, Some(1)).await;
    let (one, two) = tokio::join!(notes.database.expand(&plan), notes.database.expand(&plan));
    let numbers = [one.unwrap().applied, two.unwrap().applied].concat();
    assert_eq!(numbers, [2]);
    let pace = Pace::default();
    let (one, two) =
        tokio::join!(notes.database.backfill(&plan, &pace), notes.database.backfill(&plan, &pace));
    assert!(one.is_ok() && two.is_ok(), "{one:?} {two:?}");
    let filled = &self::plan(&notes, &list, Some(1)).await.recorded[2];
    assert_eq!((filled.state, filled.n_rows), (State::Applied, 25));
    let (one, two) = tokio::join!(notes.database.contract(&plan), notes.database.contract(&plan));
    assert_eq!([one.unwrap().applied, two.unwrap().applied].concat(), [4]);
}

pub async fn a_return_opens_backfills_again(ground: &Ground) {
    let notes = ground.notes().await;
    notes.add([1]).await;
    let list = &upgrade()[..3];
    let forth = plan(&notes, list, Some(1)).await;
    notes.database.expand(&forth).await.unwrap();
    notes.database.backfill(&forth, &Pace::default()).await.unwrap();
    assert_eq!(state(&notes, list, 3).await, Some(State::Applied));

    let back = plan(&notes, &list[..1], Some(3)).await;
    assert_eq!((back.ahead.as_slice(), back.faults.len()), ([2, 3].as_slice(), 0));
    assert_eq!(notes.database.expand(&back).await, Ok(applied(&[], 3)));
    assert_eq!(state(&notes, list, 3).await, Some(State::Running));
    notes.add([2]).await;

    let forth = plan(&notes, list, Some(1)).await;
    assert_eq!(notes.database.expand(&forth).await, Ok(applied(&[], 3)));
    notes.database.backfill(&forth, &Pace::default()).await.unwrap();
    assert_eq!(count(&notes, "label IS NULL").await, 0, "what the old version wrote is filled too");
}

pub async fn there_is_no_way_back_behind_a_contract_step(ground: &Ground) {
    let notes = ground.notes().await;
    let list = upgrade();
    notes.database.migrate(&list).await.unwrap();
    for n_known in [0, 1, 3] {
        let back = plan(&notes, &list[..n_known], Some(4)).await;
        let (number, reason) = refused(notes.database.expand(&back).await);
        assert!(number == 4 && reason.contains("later version"), "{number} {reason}");
    }
}

pub async fn an_endless_backfill_is_named(ground: &Ground) {
    let notes = ground.notes().await;
    notes.add(0..3).await;
    let sql = "UPDATE notes SET size = 1 WHERE id IN (SELECT id FROM notes LIMIT 2)";
    let mut list = [notes_migration(), migration(2, sql).in_phase(Phase::Backfill)];
    let plan = plan(&notes, &list, Some(1)).await;
    let pace = Pace { runs_max: 5, pause: Duration::ZERO, ..Pace::default() };
    let (number, reason) = refused(notes.database.backfill(&plan, &pace).await);
    assert!(number == 2 && reason.contains("5 times") && reason.contains("WHERE"), "{reason}");
    let recorded = &self::plan(&notes, &list, Some(1)).await.recorded[1];
    assert_eq!((recorded.state, recorded.n_rows, recorded.n_runs), (State::Running, 10, 5));
    assert!(recorded.failure.as_ref().is_some_and(|it| it.contains("5 times")));

    // It is not done, so its text may be mended; then it begins anew.
    list[1].sql = sql.replace("notes LIMIT", "notes WHERE size IS NULL LIMIT");
    let plan = self::plan(&notes, &list, Some(1)).await;
    let filled = notes.database.backfill(&plan, &pace).await.unwrap();
    assert_eq!(filled, [Backfilled { number: 2, n_rows: 1, n_runs: 2, is_done: true }]);
    let impatient = Pace { time_max: Duration::ZERO, ..pace };
    let more = [list[0].clone(), list[1].clone(), labels_in_size(3)];
    let plan = self::plan(&notes, &more, Some(1)).await;
    let (number, reason) = refused(notes.database.backfill(&plan, &impatient).await);
    assert!(number == 3 && reason.contains("within"), "{reason}");
}

fn labels_in_size(number: u32) -> Migration {
    let sql = "UPDATE notes SET size = 7 WHERE id IN
        (SELECT id FROM notes WHERE size <> 7 ORDER BY id LIMIT 1)";
    migration(number, sql).in_phase(Phase::Backfill)
}

pub async fn writers_get_their_turn_beside_a_backfill(ground: &Ground) {
    let notes = ground.notes().await;
    notes.add(0..200).await;
    let mut list = upgrade();
    list[2] = labels(3, 10);
    let plan = plan(&notes, &list, Some(1)).await;
    notes.database.expand(&plan).await.unwrap();
    let is_filled = std::cell::Cell::new(false);
    let filling = async {
        let filled = notes.database.backfill(&plan, &Pace::default()).await.unwrap();
        is_filled.set(true);
        filled[0].n_rows
    };
    let writing = async {
        let mut n_between = 0;
        for id in 1000.. {
            // The version that serves now gives new rows their label itself.
            let mut write = notes.write().await;
            let sql = "INSERT INTO notes (id, tenant, body, label) VALUES ($1, $tenant, 'a', 'a')";
            write.execute(sql, &[Value::Integer(id)]).await.unwrap();
            write.commit().await.unwrap();
            let left = count(&notes, "label IS NULL AND id < 1000").await;
            n_between += usize::from(left > 0 && left < 200);
            if is_filled.get() {
                break;
            }
            tokio::task::yield_now().await;
        }
        n_between
    };
    let (n_filled, n_between) = tokio::join!(filling, writing);
    assert!(n_filled >= 200 && n_between > 0, "{n_filled} rows, {n_between} writers between");
    assert_eq!(count(&notes, "label IS NULL AND id < 1000").await, 0);
}
