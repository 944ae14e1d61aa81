//! Which statements a version ran.

use caplet_store::{Statements, Tag};

use super::*;

const COUNT: &str = "SELECT count(*) FROM notes";
const REMOVE: &str = "DELETE FROM notes WHERE id = 7";

fn texts(statements: &Statements) -> Vec<&str> {
    assert!(statements.is_complete);
    statements.texts.iter().map(AsRef::as_ref).collect()
}

async fn run(notes: &Notes, mode: Mode, tag: Option<Tag>, statement: &str) {
    let begin = Begin { tag, ..begin(mode) };
    let mut transaction = notes.database.begin(begin).await.unwrap();
    transaction.query(statement, &[]).await.unwrap();
    transaction.commit().await.unwrap();
}

pub async fn statements_are_recorded_by_tag(ground: &Ground) {
    let notes = ground.notes().await;
    let (one, two) = (Tag::of(1), Tag::of(2));
    for _ in 0..3 {
        run(&notes, Mode::Read, Some(one), COUNT).await;
        run(&notes, Mode::Write, Some(two), REMOVE).await;
        run(&notes, Mode::Write, Some(two), COUNT).await;
        run(&notes, Mode::Read, None, "SELECT id FROM notes").await;
    }
    assert_eq!(texts(&notes.database.statements_of(one)), [COUNT]);
    assert_eq!(texts(&notes.database.statements_of(two)), [REMOVE, COUNT]);
    // The record has room for some versions, and the one goes that nobody asked for.
    for other in 3..=5 {
        run(&notes, Mode::Read, Some(Tag::of(other)), COUNT).await;
        assert_eq!(texts(&notes.database.statements_of(two)), [REMOVE, COUNT]);
    }
    assert_eq!(texts(&notes.database.statements_of(one)), [""; 0]);
    run(&notes, Mode::Read, Some(one), COUNT).await;
    assert_eq!(texts(&notes.database.statements_of(one)), [COUNT]);
}

pub async fn recorded_statements_can_be_restored(ground: &Ground) {
    let notes = ground.notes().await;
    let tag = Tag::of(70);
    notes.database.restore_statements(tag, &[COUNT.to_owned()]);
    run(&notes, Mode::Write, Some(tag), REMOVE).await;
    assert_eq!(texts(&notes.database.statements_of(tag)), [REMOVE, COUNT]);
}

pub async fn more_texts_than_are_prepared_are_recorded(ground: &Ground) {
    let notes = ground.notes().await;
    let limits_of_one = 150;
    for first in (0..600).step_by(limits_of_one) {
        let begin = Begin { tag: Some(Tag::of(0)), ..begin(Mode::Read) };
        let mut read = notes.database.begin(begin).await.unwrap();
        for id in first..first + limits_of_one {
            read.query(&format!("SELECT body FROM notes WHERE id = {id}"), &[]).await.unwrap();
        }
    }
    assert_eq!(notes.database.statements_of(Tag::of(0)).texts.len(), 600);
}
