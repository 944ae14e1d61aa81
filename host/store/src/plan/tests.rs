//! Plans for any history and any version that serves.

use proptest::prelude::*;

use super::*;

fn checksum(migration: &Migration) -> Vec<u8> {
    migration.sql.clone().into_bytes()
}

fn take(_: &Migration) -> Result<()> {
    Ok(())
}

const RULES: Rules<'_> = Rules { checksum: &checksum, check: &take };

/// The migrations 1, 2, … with these phases.
fn list(phases: &[Phase]) -> Vec<Migration> {
    let numbered = phases.iter().zip(1..);
    numbered
        .map(|(phase, number)| Migration::expand(number, "step", "sql").in_phase(*phase))
        .collect()
}

fn applied(migrations: &[Migration]) -> Vec<Recorded> {
    migrations.iter().map(|migration| record(migration, State::Applied)).collect()
}

fn record(migration: &Migration, state: State) -> Recorded {
    Recorded {
        number: migration.number,
        name: migration.name.clone(),
        phase: migration.phase,
        state,
        n_rows: 0,
        n_runs: 1,
        recorded_at_ms: 0,
        failure: None,
        checksum: checksum(migration),
    }
}

fn numbers(plan: &Plan, phase: Phase) -> Vec<u32> {
    plan.pending_in(phase).map(|migration| migration.number).collect()
}

fn reasons(plan: &Plan) -> String {
    plan.faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

const E: Phase = Phase::Expand;
const B: Phase = Phase::Backfill;
const C: Phase = Phase::Contract;

#[test]
fn each_step_runs_in_its_phase() {
    let all = list(&[E, E, B, C]);
    let plan = Plan::draw(&all, Some(1), applied(&all[..1]), &RULES);
    assert_eq!(reasons(&plan), "");
    assert_eq!(numbers(&plan, E), [2]);
    assert_eq!(numbers(&plan, B), [3]);
    assert_eq!(numbers(&plan, C), [4]);
}

#[test]
fn with_nobody_serving_everything_runs_at_once() {
    let all = list(&[E, B, C, E, B]);
    let plan = Plan::draw(&all, None, Vec::new(), &RULES);
    assert_eq!(reasons(&plan), "");
    assert_eq!(numbers(&plan, E), [1, 2, 3, 4, 5]);
}

#[test]
fn a_backfill_runs_early_when_an_expand_step_comes_after_it() {
    let all = list(&[E, B, E, B]);
    let plan = Plan::draw(&all, Some(1), applied(&all[..1]), &RULES);
    assert_eq!((numbers(&plan, E), numbers(&plan, B)), (vec![2, 3], vec![4]));
    let mut recorded = applied(&all[..3]);
    recorded[1].state = State::Running;
    let plan = Plan::draw(&all, Some(1), recorded, &RULES);
    assert_eq!((numbers(&plan, E), numbers(&plan, B)), (vec![], vec![2, 4]));
}

#[test]
fn a_version_in_between_is_asked_for() {
    let all = list(&[E, C, E]);
    let plan = Plan::draw(&all, Some(1), applied(&all[..1]), &RULES);
    let reason = reasons(&plan);
    assert!(reason.contains("migration 2") && reason.contains("in between"), "{reason}");
    let plan = Plan::draw(&all, Some(2), applied(&all[..1]), &RULES);
    assert_eq!((reasons(&plan).as_str(), numbers(&plan, E)), ("", vec![2, 3]), "it is known");
}

#[test]
fn what_was_applied_stays_as_it_was() {
    let all = list(&[E, B]);
    let mut other = all.clone();
    other[0].sql = "other".to_owned();
    assert!(reasons(&Plan::draw(&other, None, applied(&all), &RULES)).contains("another text"));
    let moved = list(&[C, B]);
    assert!(reasons(&Plan::draw(&moved, None, applied(&all), &RULES)).contains("as expand"));
    let late = list(&[E, E, E]);
    let recorded = vec![record(&late[0], State::Applied), record(&late[2], State::Applied)];
    assert!(reasons(&Plan::draw(&late, None, recorded, &RULES)).contains("comes before 3"));
}

#[test]
fn a_backfill_that_is_not_done_may_be_mended() {
    let all = list(&[E, B]);
    let mut recorded = applied(&all);
    recorded[1].state = State::Running;
    let mut mended = all.clone();
    mended[1].sql = "mended".to_owned();
    let plan = Plan::draw(&mended, Some(2), recorded, &RULES);
    assert_eq!((reasons(&plan).as_str(), numbers(&plan, B)), ("", vec![2]));
}

#[test]
fn what_failed_is_tried_again() {
    let all = list(&[E, C]);
    let recorded = vec![record(&all[0], State::Applied), record(&all[1], State::Failed)];
    let plan = Plan::draw(&all, Some(1), recorded, &RULES);
    assert_eq!((plan.schema_version, numbers(&plan, C)), (1, vec![2]));
    assert_eq!(Plan::draw(&all[..1], None, plan.recorded, &RULES).ahead, [0; 0]);
}

fn phases() -> impl Strategy<Value = Vec<Phase>> {
    prop::collection::vec(prop::sample::select(Phase::ALL.to_vec()), 0..8)
}

proptest! {
    /// From any version to any later one: in order, nothing left out, and what breaks the serving
    /// version never runs while it serves.
    #[test]
    fn upgrades_keep_the_order(phases in phases(), from in 0_usize..8, knows in 0_u32..8) {
        let all = list(&phases);
        let from = from.min(all.len());
        let plan = Plan::draw(&all, Some(knows), applied(&all[..from]), &RULES);
        let pending = &all[from..];
        let contract = pending.iter().position(|it| it.phase == C && it.number > knows);
        let is_blocked = contract.is_some_and(|at| pending[at..].iter().any(|it| it.phase != C));
        prop_assert_eq!(!plan.faults.is_empty(), is_blocked, "{}", reasons(&plan));
        if !is_blocked {
            let order: Vec<_> = Phase::ALL.iter().flat_map(|it| numbers(&plan, *it)).collect();
            prop_assert_eq!(order, pending.iter().map(|it| it.number).collect::<Vec<_>>());
            prop_assert!(plan.pending_in(E).all(|it| it.phase != C || it.number <= knows));
            prop_assert!(plan.pending_in(B).all(|it| it.phase == B));
            prop_assert!(plan.pending_in(C).all(|it| it.phase == C));
        }
    }

    /// There is a way back until a contract step has run, and none behind it.
    #[test]
    fn the_way_back_ends_with_a_contract_step(phases in phases(), to in 0_usize..8) {
        let all = list(&phases);
        let to = to.min(all.len());
        let plan = Plan::draw(&all[..to], None, applied(&all), &RULES);
        let has_contract = all[to..].iter().any(|it| it.phase == C);
        prop_assert_eq!(!plan.faults.is_empty(), has_contract);
        if !has_contract {
            prop_assert_eq!(plan.ahead.len(), all.len() - to);
        }
        prop_assert!(plan.pending.is_empty());
    }
}
