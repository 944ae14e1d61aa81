//! Typed errors for violated constraints.

use caplet_store::Error;

use super::*;

pub async fn each_constraint_has_its_error(ground: &Ground) {
    let notes = ground.notes().await;
    let mut write = notes.write().await;
    let sql = "INSERT INTO notes (id, tenant, body, parent, slug)
               VALUES (1, 'a', 'b', NULL, 's'), (2, 'a', 'b', 1, 't')";
    assert_eq!(write.execute(sql, &[]).await, Ok(2));
    let insert = "INSERT INTO notes (id, tenant, body, parent, slug) VALUES";
    let cases = [
        ("(1, 'a', 'b', NULL, NULL)", "unique"),
        ("(3, 'a', 'b', NULL, 's')", "unique"),
        ("(3, 'a', 'bad', NULL, NULL)", "check"),
        ("(3, NULL, 'b', NULL, NULL)", "not-null"),
        ("(3, 'a', NULL, NULL, NULL)", "not-null"),
        ("(3, 'a', 'b', 99, NULL)", "foreign-key"),
        ("(3, 'a', 'b')", "invalid"),
    ];
    for (values, expected) in cases {
        let error = write.execute(&format!("{insert} {values}"), &[]).await.unwrap_err();
        assert_eq!(error.code(), expected, "{values}: {error:?}");
    }
    let restricted = write.execute("DELETE FROM notes WHERE id = 1", &[]).await;
    assert!(matches!(restricted, Err(Error::ForeignKey(_))), "{restricted:?}");
    let unknown = write.query("SELECT nothing FROM notes", &[]).await;
    assert!(matches!(unknown, Err(Error::Invalid(_))), "{unknown:?}");
    let quoted = write.query("SELECT \"nothing\" FROM notes", &[]).await;
    assert!(
        matches!(quoted, Err(Error::Invalid(_))),
        "a name is never taken for a text: {quoted:?}"
    );
}

pub async fn a_failed_statement_has_no_effect_and_the_transaction_goes_on(ground: &Ground) {
    let notes = ground.notes().await;
    let mut write = notes.write().await;
    insert(&mut *write, 1).await.unwrap();
    let half = "INSERT INTO notes (id, tenant, body) VALUES (2, 'a', 'b'), (3, 'a', 'bad')";
    assert!(matches!(write.execute(half, &[]).await, Err(Error::Check(_))));
    let returning = format!("{half} RETURNING id");
    assert!(matches!(write.query(&returning, &[]).await, Err(Error::Check(_))));
    assert!(matches!(write.query("DROP TABLE notes", &[]).await, Err(Error::Invalid(_))));
    insert(&mut *write, 4).await.unwrap();
    assert_eq!(ids(&mut *write).await, [1, 4]);
    write.commit().await.unwrap();
    assert_eq!(notes.ids().await, [1, 4]);
}
