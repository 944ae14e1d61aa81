//! An invocation is a transaction: what it wrote is there after an answer below 400, and gone after
//! anything else. With an idempotency key it happens once.

use caplet_runtime::Fault;
use caplet_store::Error;
use http::Method;
use serde_json::{Value, json};

use crate::rig::{Rig, Setup, ended_by_cpu, ended_by_wall, json, until};

/// The names in the table.
async fn names(rig: &Rig) -> Vec<String> {
    let result = rig.query("SELECT name FROM items WHERE tenant = $tenant ORDER BY name").await;
    let rows = result["rows"].as_array().unwrap_or_else(|| panic!("no rows in {result}"));
    rows.iter().map(|row| row[0].as_str().unwrap().to_owned()).collect()
}

fn statement(sql: &str, parameters: Value) -> String {
    json!({ "sql": sql, "parameters": parameters }).to_string()
}

fn insert(name: &str) -> String {
    statement("INSERT INTO items (tenant, id, name) VALUES ($tenant, $1, $1)", json!([name]))
}

#[tokio::test]
async fn an_answer_below_400_commits_and_any_other_rolls_back() {
    let rig = Rig::with("storage").await;
    for status in ["400", "404", "409", "422", "500", "503"] {
        let answer = rig.post(&format!("/fail/{status}")).await.unwrap();
        assert_eq!(answer.status.as_str(), status);
        assert!(names(&rig).await.is_empty(), "{status} left something behind");
    }
    rig.post("/fail/302").await.unwrap();
    assert_eq!(names(&rig).await, ["fail"]);
}

#[tokio::test]
async fn a_trap_rolls_back() {
    let rig = Rig::with("storage").await;
    assert!(matches!(rig.post("/trap").await, Err(Fault::Trap(_))));
    assert!(names(&rig).await.is_empty());
}

#[tokio::test]
async fn running_out_of_time_rolls_back() {
    for (limits, path, fault) in [
        (ended_by_wall(500), "/slow", Fault::Wall(500)),
        (ended_by_cpu(50), "/spin", Fault::Cpu(50)),
    ] {
        let rig = Setup { limits, ..Setup::default() }.load("storage").await;
        assert_eq!(rig.post(path).await.unwrap_err(), fault);
        assert!(names(&rig).await.is_empty(), "{path}");
    }
}

#[tokio::test]
async fn reading_routes_cannot_write_and_routes_without_a_store_cannot_read() {
    let rig = Rig::with("storage").await;
    let insert = "INSERT INTO items (tenant, id, name) VALUES ($tenant, '1', '1')";
    let answer = rig.get(&format!("/query?sql={}", insert.replace('=', "%3D"))).await.unwrap();
    assert_eq!(json(&answer)["error"], "read-only");
    let none = rig.ask(Method::POST, "/none").body(statement("SELECT 1 AS one", json!([])));
    assert_eq!(json(&none.send().await.unwrap())["error"], "denied");
    assert!(names(&rig).await.is_empty());
}

#[tokio::test]
async fn constraint_violations_are_typed() {
    let rig = Rig::with("storage").await;
    let columns = "INSERT INTO items (tenant, id, name, size, parent) VALUES ";
    for (values, error) in [
        ("($tenant, 'a', 'a', 0, NULL)", Value::Null),
        ("($tenant, 'a', 'b', 0, NULL)", json!("unique")),
        ("($tenant, 'b', 'a', 0, NULL)", json!("unique")),
        ("($tenant, 'b', 'b', -1, NULL)", json!("check")),
        ("($tenant, 'b', 'b', 0, 'none')", json!("foreign-key")),
        ("($tenant, 'b', NULL, 0, NULL)", json!("not-null")),
    ] {
        let ask = rig
            .ask(Method::POST, "/execute")
            .body(statement(&format!("{columns}{values}"), json!([])));
        let answer = json(&ask.send().await.unwrap());
        assert_eq!(answer["error"], error, "{values}: {answer}");
    }
    assert_eq!(names(&rig).await, ["a"]);
}

#[tokio::test]
async fn the_tenant_is_bound_by_the_host() {
    let rig = Rig::with("storage").await;
    let write = |tenant: &str| {
        let ask = rig.ask(Method::POST, "/execute").body(insert(tenant));
        ask.caller("ada", tenant, &[]).send()
    };
    write("acme").await.unwrap();
    write("globex").await.unwrap();
    let select = statement("SELECT name FROM items WHERE tenant = $tenant", json!([]));
    let ask = rig.ask(Method::POST, "/query").body(select).caller("ada", "acme", &[]);
    assert_eq!(json(&ask.send().await.unwrap())["rows"], json!([["acme"]]));
}

#[tokio::test]
async fn a_key_makes_fifty_requests_one_effect() {
    let rig = Rig::with("ledger").await;
    let asks: Vec<_> = (0..50)
        .map(|_| tokio::spawn(rig.ask(Method::POST, "/entries/one").key("k").send()))
        .collect();
    let mut n_replayed = 0;
    for ask in asks {
        let answer = ask.await.unwrap().unwrap();
        assert_eq!((answer.status.as_u16(), &json(&answer)["rows"]), (201, &json!(1)));
        n_replayed += usize::from(answer.replayed);
    }
    assert_eq!(n_replayed, 49);
    let entries = json(&rig.get("/entries").await.unwrap());
    assert_eq!(entries["rows"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_key_belongs_to_its_request_and_its_caller() {
    let rig = Rig::with("storage").await;
    let send = |name: &str, subject: &str, tenant: &str| {
        let ask = rig.ask(Method::POST, "/execute").body(insert(name)).key("k");
        ask.caller(subject, tenant, &[]).send()
    };
    assert!(!send("a", "ada", "default").await.unwrap().replayed);
    assert!(send("a", "ada", "default").await.unwrap().replayed);
    assert_eq!(send("b", "ada", "default").await.unwrap_err(), Fault::KeyReused);
    assert!(!send("b", "eve", "default").await.unwrap().replayed);
    assert!(!send("a", "ada", "acme").await.unwrap().replayed);
    assert_eq!(names(&rig).await, ["a", "b"]);
}

#[tokio::test]
async fn a_failed_request_keeps_no_key() {
    let rig = Rig::with("storage").await;
    let send = || rig.ask(Method::POST, "/fail/503").key("k").send();
    assert!(!send().await.unwrap().replayed);
    assert!(!send().await.unwrap().replayed);
    assert!(names(&rig).await.is_empty());
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_undo_what_runs() {
    let rig = Rig::with("ledger").await;
    let mut ask = Box::pin(rig.ask(Method::POST, "/entries/gone").send());
    let _ = futures::poll!(&mut ask);
    drop(ask);
    until("it is written", async || json(&rig.get("/entries").await.unwrap())["rows"] != json!([]))
        .await;
}

#[tokio::test]
async fn a_writer_that_sleeps_gives_way() {
    let rig = Rig::with("storage").await;
    let slow = tokio::spawn(rig.ask(Method::POST, "/slow").send());
    tokio::task::yield_now().await;
    let ask = rig.ask(Method::POST, "/execute").body(insert("other"));
    assert_eq!(json(&ask.send().await.unwrap())["error"], Value::Null);
    let fault = slow.await.unwrap().unwrap_err();
    assert!(matches!(fault, Fault::Store(Error::Timeout(_))), "{fault:?}");
    assert_eq!(names(&rig).await, ["other"]);
}
