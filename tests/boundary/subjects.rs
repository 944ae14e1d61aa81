//! What a plugin answers about the personal data it keeps, and what it must not be able to do with
//! its answer: pages and steps are bounded, transactions like any other, and never taken on trust.

use caplet_runtime::{About, Erased, ErasureStep, Fault, Limits, Page, Refusal, Step, StepKey};
use serde_json::{Value, json};

use crate::rig::{Rig, Setup, ended_by_cpu};

fn about(tenant: &str, subject: &str) -> About {
    About {
        request_id: "run".into(),
        trace_id: "0af7651916cd43dd8448eb211c80319c".into(),
        tenant: tenant.into(),
        subject: subject.into(),
    }
}

async fn export(rig: &Rig, subject: &str, cursor: Option<&str>) -> Result<Page, Refusal> {
    let cursor = cursor.map(ToOwned::to_owned);
    rig.generation().export_subject(about("default", subject), cursor).await
}

async fn erase(rig: &Rig, subject: &str, number: u64) -> Result<ErasureStep, Refusal> {
    let key = StepKey { run: "r1".to_owned(), number };
    rig.generation().erase_subject(about("default", subject), key).await
}

/// All pages of a subject of a tenant: the holding and the items of each.
async fn export_all(rig: &Rig, tenant: &str, subject: &str) -> Vec<(String, Vec<Value>)> {
    let (mut pages, mut cursor) = (Vec::new(), None);
    loop {
        let page = rig.generation().export_subject(about(tenant, subject), cursor).await.unwrap();
        let items: Vec<Value> = serde_json::from_str(&page.items).unwrap();
        assert_eq!(items.len(), page.n_items);
        pages.push((page.holding, items));
        cursor = page.next;
        if cursor.is_none() {
            return pages;
        }
    }
}

/// A guest with 12 records and an invoice of ada, 3 of bob, and 2 of another tenant's ada.
async fn records() -> Rig {
    let rig = Rig::with("subject-records").await;
    for (owner, count, tenant) in
        [("ada", 12, "default"), ("bob", 3, "default"), ("ada", 2, "acme")]
    {
        let ask = rig.ask(http::Method::POST, &format!("/{owner}?count={count}"));
        let answer = ask.caller(owner, tenant, &[]).send().await.unwrap();
        assert_eq!(crate::rig::json(&answer), json!({ "changed": count }));
    }
    rig.post("/invoices/ada").await.unwrap();
    rig
}

async fn n_records(rig: &Rig, tenant: &str, subject: &str) -> usize {
    let pages = export_all(rig, tenant, subject).await;
    pages.iter().filter(|(holding, _)| holding == "records").map(|(_, items)| items.len()).sum()
}

#[tokio::test]
async fn exports_all_of_one_subject_and_nothing_of_others() {
    let rig = records().await;
    let pages = export_all(&rig, "default", "ada").await;
    let shape: Vec<_> = pages.iter().map(|(holding, items)| (&**holding, items.len())).collect();
    assert_eq!(shape, [("records", 5), ("records", 5), ("records", 2), ("invoices", 1)]);
    let texts = pages.iter().flat_map(|(_, items)| items).filter_map(|it| it["text"].as_str());
    assert!(texts.into_iter().all(|text| text == "written by ada"));
    assert_eq!(pages[3].1[0], json!({ "total": 100, "read_by": "caplet-host" }));
    assert_eq!(n_records(&rig, "default", "bob").await, 3);
    assert_eq!(n_records(&rig, "acme", "ada").await, 2);
    assert_eq!(n_records(&rig, "default", "nobody").await, 0);
}

#[tokio::test]
async fn erases_step_by_step_one_subject_and_no_other() {
    let rig = records().await;
    let erased = |holding: &str, deleted, kept| Erased {
        holding: holding.to_owned(),
        deleted,
        anonymised: 0,
        kept,
    };
    let step = |deleted, more| ErasureStep {
        holdings: vec![erased("records", deleted, 0), erased("invoices", 0, 1)],
        more,
    };
    assert_eq!(erase(&rig, "ada", 0).await, Ok(step(10, true)));
    assert_eq!(n_records(&rig, "default", "ada").await, 2);
    assert_eq!(erase(&rig, "ada", 1).await, Ok(step(2, true)));
    for number in 2..4 {
        assert_eq!(erase(&rig, "ada", number).await, Ok(step(0, false)));
    }
    assert_eq!(n_records(&rig, "default", "ada").await, 0);
    assert_eq!(n_records(&rig, "default", "bob").await, 3);
    assert_eq!(n_records(&rig, "acme", "ada").await, 2);
}

#[tokio::test]
async fn a_step_that_is_asked_for_again_is_done_once_and_answered_as_it_was() {
    let rig = records().await;
    let first = erase(&rig, "ada", 0).await.unwrap();
    assert_eq!(erase(&rig, "ada", 0).await, Ok(first));
    assert_eq!(n_records(&rig, "default", "ada").await, 2);
}

#[tokio::test]
async fn a_step_that_fails_leaves_nothing_behind() {
    let rig = records().await;
    rig.post("/half-done?count=4").await.unwrap();
    let failed = erase(&rig, "half-done", 0).await;
    assert_eq!(failed, Err(Refusal::Failed("the second half is missing".to_owned())));
    assert_eq!(n_records(&rig, "default", "half-done").await, 4);
}

#[tokio::test]
async fn a_nuisance_ends_like_any_other_invocation() {
    let limits = ended_by_cpu(50);
    let rig = Setup { limits, ..Setup::default() }.load("subject-nuisance").await;
    for (subject, is_expected) in [
        ("trap", (|fault| matches!(fault, Fault::Trap(_))) as fn(&Fault) -> bool),
        ("loop", |fault| *fault == Fault::Cpu(50)),
    ] {
        let exported = export(&rig, subject, None).await.unwrap_err();
        let erased = erase(&rig, subject, 0).await.unwrap_err();
        for refusal in [exported, erased] {
            assert!(matches!(&refusal, Refusal::Fault(fault) if is_expected(fault)), "{refusal}");
        }
    }
    let failed = Refusal::Failed("the shelf is locked".to_owned());
    assert_eq!(export(&rig, "failed", None).await, Err(failed.clone()));
    assert_eq!(erase(&rig, "failed", 0).await, Err(failed));
    assert_eq!(export(&rig, "lost-cursor", Some("1")).await, Err(Refusal::Cursor));
    assert_eq!(export(&rig, "somebody", None).await.unwrap().n_items, 0);
    assert_eq!(rig.limit_hits("plugin-cpu-exceeded"), 2.0);
}

#[tokio::test]
async fn pages_that_break_the_contract_are_refused() {
    let limits = Limits { faults_max: 0, ..Limits::default() };
    let rig = Setup { limits, ..Setup::default() }.load("subject-nuisance").await;
    for (subject, cursor, reason) in [
        ("oversized", None, "the limit is 1048576"),
        ("many", None, "1001 records, the limit is 1000"),
        ("not-json", None, "no JSON array of objects"),
        ("not-objects", None, "no JSON array of objects"),
        ("not-utf-8", None, "is not UTF-8"),
        ("foreign-holding", None, "no holding `votes`"),
        ("same-cursor", Some("the same"), "is the one of this page"),
        ("empty-cursor", None, "the cursor has 0 bytes"),
        ("long-cursor", None, "the cursor has 4097 bytes"),
    ] {
        let refusal = export(&rig, subject, cursor).await.unwrap_err();
        let Refusal::Fault(Fault::Answer(said)) = &refusal else { panic!("{subject}: {refusal}") };
        assert!(said.contains(reason), "{subject}: {said}");
    }
    assert_eq!(rig.limit_hits("plugin-bad-answer"), 9.0);
}

#[tokio::test]
async fn steps_that_break_the_contract_are_refused() {
    let rig = Rig::with("subject-nuisance").await;
    for (subject, reason) in [
        ("no-progress", "did nothing, and says there is more"),
        ("foreign-holding", "no holding `votes`"),
        ("twice", "is there twice"),
    ] {
        let refusal = erase(&rig, subject, 0).await.unwrap_err();
        let Refusal::Fault(Fault::Answer(said)) = &refusal else { panic!("{subject}: {refusal}") };
        assert!(said.contains(reason), "{subject}: {said}");
    }
}

#[tokio::test]
async fn what_is_kept_about_people_is_asked_at_the_load() {
    let rig = Rig::with("subject-records").await;
    let names: Vec<_> = rig.generation().holdings().iter().map(|it| it.name.clone()).collect();
    assert_eq!(names, ["records", "invoices"]);
    let error = Setup::default().try_load("subject-bad-holdings").await.err().unwrap();
    assert_eq!((error.step, error.reasons.len()), (Step::Check, 3), "{error}");
}

#[tokio::test]
async fn a_plugin_without_the_interface_loads_and_is_told_apart() {
    let rig = Rig::with("storage").await;
    assert!(!rig.generation().answers_for_subjects());
    assert!(rig.generation().holdings().is_empty());
    let refusal = export(&rig, "ada", None).await.unwrap_err();
    assert_eq!(refusal, Refusal::Fault(Fault::Missing("subject-data")));
}

#[tokio::test]
async fn what_the_host_kept_of_a_subject_is_forgotten() {
    let rig = records().await;
    let again = |key: &'static str| rig.ask(http::Method::POST, "/ada").key(key);
    for caller in ["ada", "bob"] {
        again("k").caller(caller, "default", &[]).send().await.unwrap();
    }
    assert_eq!(rig.generation().forget_subject("default", "ada").await, Ok(1));
    assert_eq!(rig.generation().forget_subject("default", "ada").await, Ok(0));
    let replayed = again("k").caller("bob", "default", &[]).send().await.unwrap().replayed;
    assert!(replayed, "the answers to others are kept");
}
