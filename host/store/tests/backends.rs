//! Every promise of the store, asked of every backend.
//!
//! The scenarios in `suite` know only `dyn Store`; this file runs each over each backend.

mod suite;

macro_rules! backends {
    ($($module:ident :: { $($scenario:ident),* $(,)? })*) => {
        /// Durable files, on a runtime with two threads.
        mod file {
            $($(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $scenario() {
                crate::suite::$module::$scenario(&crate::suite::Ground::sqlite_file()).await;
            })*)*
        }

        /// Temporary files, on a runtime with one thread: nothing may need a second one.
        mod temporary {
            $($(#[tokio::test]
            async fn $scenario() {
                crate::suite::$module::$scenario(&crate::suite::Ground::sqlite_temporary()).await;
            })*)*
        }
    };
}

backends! {
    values::{
        every_kind_of_value_comes_back,
        the_tenant_is_bound_by_the_host,
        parameters_must_fit_their_numbers,
        values_that_are_no_values_are_refused,
        a_page_of_json_says_where_it_ends,
        json_is_for_selects_only,
        results_beyond_a_limit_are_refused_without_effect,
        statements_are_counted,
        every_portable_function_is_there,
        like_tells_capital_letters_from_small_ones,
    }
    constraints::{
        each_constraint_has_its_error,
        a_failed_statement_has_no_effect_and_the_transaction_goes_on,
    }
    transactions::{
        a_writer_reads_its_writes_and_others_do_not,
        a_snapshot_stays_as_it_was,
        dropping_and_rolling_back_leave_nothing,
        a_reader_cannot_write,
        writers_take_turns_in_order,
        concurrent_writers_share_commits_and_lose_nothing,
        a_member_that_fails_does_not_touch_the_others,
        a_writer_that_changed_nothing_is_answered,
        waiters_that_go_away_never_lose_the_writer,
        waiting_ends_at_the_deadline,
        a_transaction_ends_at_its_deadline,
        an_idle_writer_is_put_out,
        readers_wait_their_turn,
    }
    time::{
        a_slow_read_moves_away_and_stays_right,
        an_endless_read_ends_in_time_and_the_snapshot_stays,
        a_slow_write_is_retried_with_its_batch,
        an_endless_write_ends_in_time_with_its_transaction,
        an_abandoned_statement_is_ended,
        a_slow_writer_does_not_take_the_finished_ones_along,
        a_long_statement_is_run,
    }
    attacks::{
        hostile_statements_are_refused,
        hostile_statements_are_refused_while_writing,
        values_cannot_grow_without_end,
        bombs_end_in_time,
    }
    migrations::{
        migrations_are_applied_once_and_in_order,
        an_applied_migration_must_not_change,
        a_migration_must_not_come_before_an_applied_one,
        an_older_plugin_opens_until_a_contract_step_has_run,
        a_failing_migration_leaves_nothing_behind,
        numbers_must_grow,
        migrations_cannot_touch_the_hosts_tables,
        an_endless_migration_ends_in_time,
        statements_notice_a_changed_schema,
        migrations_run_beside_readers_and_after_writers,
    }
    phases::{
        an_upgrade_goes_through_its_phases,
        steps_that_follow_each_other_are_one_transaction,
        a_plan_with_faults_runs_nothing,
        a_backfill_before_an_expand_step_runs_twice,
        two_upgrades_at_once_do_each_step_once,
        a_return_opens_backfills_again,
        there_is_no_way_back_behind_a_contract_step,
        an_endless_backfill_is_named,
        writers_get_their_turn_beside_a_backfill,
    }
    statements::{
        statements_are_recorded_by_tag,
        recorded_statements_can_be_restored,
        more_texts_than_are_prepared_are_recorded,
    }
    trials::{
        a_trial_says_what_each_step_does_and_changes_nothing,
        statements_that_would_fail_are_found,
        rules_that_the_version_before_does_not_know_are_found,
        statements_that_go_on_are_left_alone,
        a_step_that_fails_is_said,
        an_endless_trial_ends_in_time,
        a_trial_blocks_no_one,
    }
    keys::{
        a_key_is_kept_with_the_transaction,
        keys_of_different_callers_never_meet,
        a_key_is_forgotten_in_time,
        a_record_may_be_longer_than_a_plugins_value,
    }
    operation::{
        changed_limits_hold_for_what_begins_after,
        the_same_plugin_shares_one_database,
        plugins_never_see_each_other,
        names_that_are_none_are_refused,
        a_full_quota_is_an_error_and_reading_goes_on,
        a_closed_database_refuses_and_opens_again,
    }
}
