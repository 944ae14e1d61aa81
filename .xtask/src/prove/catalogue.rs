//! The attacks and faults that tests of their own try: under which id and sentence the report has each.
//! A test that is renamed is renamed here; a check below says so.

/// Where a test is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// `tests/boundary/hostile`: a plugin against the host, with a neighbour that is asked meanwhile.
    Hostile,
    /// Elsewhere in `tests/boundary`.
    Boundary,
    /// `tests/system`: the program itself.
    System,
    /// `tests/fuzzing`: arbitrary input.
    Fuzzing,
    /// The suite of `host/store`.
    Store,
    /// `host/server/tests`.
    Server,
}

impl Place {
    /// What the test runner calls the tests there.
    pub fn filter(self) -> &'static str {
        match self {
            Self::Hostile | Self::Boundary => "package(caplet-tests) & binary(boundary)",
            Self::Fuzzing => "package(caplet-tests) & binary(fuzzing)",
            Self::System => "package(caplet-tests) & binary(system)",
            Self::Store => "package(caplet-store)",
            Self::Server => "package(caplet-server)",
        }
    }
}

/// A row of the report: its id, the test without its modules, where that is, and what must hold.
pub type Entry = (&'static str, &'static str, Place, &'static str);

use Place::{Boundary, Fuzzing, Hostile, Server, Store, System};

/// All rows, by their ids: A processors and memory, B the binary, C calls of the host, D answers, F the
/// store, G identities, H changes, T faults.
#[rustfmt::skip]
pub const ENTRIES: &[Entry] = &[
    ("A1", "a01_loop_in_handler", Hostile, "A handler that never ends is ended at its budget of processor time, and other calls go on on the same threads."),
    ("A2", "a02_loop_in_start_or_describe", Hostile, "A component that never ends while it starts or describes itself is refused, and nothing of it is registered."),
    ("A4", "a04_many_calls_just_under_the_budget", Hostile, "A plugin whose many calls each stay below the budget is told 429 once it is over its share of the processors."),
    ("A5", "a05_memory_bomb", Hostile, "A guest that asks for 4 GiB gets no more than its limit, and one that writes to more is ended."),
    ("A6", "a06_memory_in_parallel_instances", Hostile, "All instances of a plugin together hold no more than its total; further calls are refused."),
    ("A8", "a08_endless_recursion", Hostile, "Endless recursion in a guest is a trap, 502, and uses no stack of the host."),
    ("A11", "a11_features_that_are_off", Hostile, "A component with 64-bit or shared memory, threads, GC, exceptions or tail calls is refused, and the feature is named."),
    ("A12", "a_neighbour_is_unharmed", Boundary, "A neighbour of a plugin that loops and traps is answered each time."),
    ("A13", "what_fails_again_and_again_is_left_alone_and_its_neighbour_is_not", Boundary, "A plugin that fails five times in a minute is in quarantine: 503 with Retry-After, and its neighbour is not."),
    ("B1", "b01_compile_bombs", Hostile, "Components made to be compiled for ever end with the process that compiles them, at its limits, and the host serves on."),
    ("B2", "b02_damaged_components", Hostile, "Truncated and bit-flipped components are refused, or harmless; nothing panics."),
    ("B4", "b04_foreign_worlds", Hostile, "A core module, and a component of another world, are refused with what is missing or too much."),
    ("B5", "b05_rights_that_are_not_granted", Hostile, "A component with an import that is not granted is not linked, and the right is named."),
    ("B7", "b07_memory_of_others", Hostile, "In 10 000 fresh instances no byte of an earlier one is seen."),
    ("B8", "b08_custom_sections", Hostile, "A component swollen by custom sections is refused by its size, before anything reads it."),
    ("B9", "components_with_any_bytes", Fuzzing, "Components of arbitrary bytes, and good ones with arbitrary damage, are refused with a reason or harmless."),
    ("B10", "descriptions_with_any_content", Fuzzing, "Descriptions with arbitrary content are refused, or take nothing that belongs to others."),
    ("C1", "c01_waits_without_end", Hostile, "A wait without end is ended at the deadline, and the instance is free again."),
    ("C2", "c02_hangs_in_the_store", Hostile, "A statement that hangs is ended, and no thread of the host is blocked by it."),
    ("C4", "c04_endless_results", Hostile, "A result of a hundred million rows or a gigabyte is cut off with a typed error."),
    ("C5", "c05_leaks_of_handles", Hostile, "A guest that leaks a million handles is ended, and all of them are free at the end of the call."),
    ("C6", "c06_forged_handles", Hostile, "A handle that is forged or dropped twice is a trap without effect."),
    ("C7", "c07_floods_of_host_calls", Hostile, "Ten million cheap host calls end at the limit of calls."),
    ("C8", "c08_arguments_that_are_none", Hostile, "Arguments that are no UTF-8, half a character, or outside the guest's memory are a trap."),
    ("C9", "imports_with_any_values", Fuzzing, "Every function of the contract, called with arbitrary values in an arbitrary order, leaves the host as it was."),
    ("C10", "c10_floods_of_the_log", Hostile, "Floods of lines, lines of megabytes, control characters and forged lines are cut, counted and escaped."),
    ("C11", "a_secret_is_nowhere_in_clear", System, "A secret of a plugin's settings is in no answer, log line, error, metric or file in clear, whatever the plugin does with it."),
    ("C12", "c12_fine_clocks", Hostile, "The finest clock of a guest has steps of a millisecond."),
    ("C13", "c13_random_without_end", Hostile, "A request for 2 GiB of randomness is a trap."),
    ("C14", "c14_transactions_held_open", Hostile, "A transaction that is held while its guest sleeps is rolled back for those who wait."),
    ("D1", "d01_header_injection", Hostile, "Headers with CR, LF, NUL or folds in name or value never leave the host: 502."),
    ("D4", "d04_endless_bodies", Hostile, "A body that is too large is cut off: 502."),
    ("D5", "gives_up_on_bodies_that_trickle", Server, "A client whose body comes too slowly is told 408, and its place is free."),
    ("D7", "d07_headers_of_the_host", Hostile, "A plugin cannot set the headers that are the host's."),
    ("D8", "d08_routes_of_others", Hostile, "Routes and names of others, of the host, and that overlap, are refused at the install."),
    ("D8b", "ambiguous_paths_reach_no_plugin", Server, "Paths with empty or dot segments, escapes of them, or control characters reach no plugin."),
    ("D8c", "paths_with_any_text", Fuzzing, "Arbitrary paths are refused, or have one form that means one thing."),
    ("D9", "d09_redirects_to_foreign_origins", Hostile, "A plugin redirects to its own host and to origins that the operator named, and nowhere else."),
    ("D10", "the_host_has_the_last_word_on_headers", Server, "What a plugin sends is not guessed at by browsers (`nosniff`), whatever it says."),
    ("F1", "f01_other_files", Hostile, "ATTACH, DETACH and VACUUM INTO are refused."),
    ("F2", "f02_pragmas", Hostile, "Pragmas, and the functions behind them, are refused."),
    ("F3", "f03_extensions", Hostile, "Loading extensions and functions that write files are refused."),
    ("F4", "f04_query_bombs", Hostile, "A recursive query without end is ended in time."),
    ("F4b", "bombs_end_in_time", Store, "Recursions, cross joins and other bombs end in time, each in the store alone."),
    ("F7", "f07_a_full_disk", Hostile, "A plugin that fills its quota is told so, and nobody else is."),
    ("F8", "f08_several_statements", Hostile, "A second statement behind a semicolon is refused, and so is the first."),
    ("F9", "f09_transaction_control", Hostile, "BEGIN, COMMIT, ROLLBACK and SAVEPOINT of a plugin's own are refused."),
    ("F11", "f11_tables_of_the_host", Hostile, "The host's tables in the plugin's database can be neither read nor written."),
    ("F12", "hostile_statements_are_refused", Store, "Some sixty hostile statements, PostgreSQL's among them, are refused where rows are read."),
    ("F13", "hostile_statements_are_refused_while_writing", Store, "The same statements are refused where rows are written."),
    ("F14", "statements_with_any_text", Fuzzing, "Arbitrary texts are judged in bounded time, and none that passes names what is the host's."),
    ("F21", "an_endless_migration_ends_in_time", Store, "A migration without end is ended, and the schema is as it was."),
    ("H3", "h03_older_versions", Hostile, "An older version waits for the operator's word, and the newer one serves on."),
    ("H5", "h05_more_rights_and_permissions", Hostile, "A version with a new right and a new permission waits, both are named, and the old one serves on."),
    ("H6", "h06_a_sleeper", Hostile, "A plugin that changes its behaviour at a date has no right then that it had not before, and the attempt is in the audit log."),
    ("H8", "h08_destructive_migrations", Hostile, "A version whose migration destroys rows is tried on a copy, tells how many, and waits; no row is gone."),
    ("H10", "h10_a_description_that_lies", Hostile, "What a component may do is told by its imports, whatever it says of itself."),
    ("H12", "a_version_that_fails_is_rolled_back_once_by_the_host", Boundary, "A version that fails under load is rolled back by the host, once."),
    ("H13", "what_is_decided_is_written_down_and_tampering_shows", Boundary, "Every decision on rights is in the audit log, and whoever changes it is found out."),
    ("G8", "tokens_with_any_text", Fuzzing, "A token that the host's secret did not sign proves nothing, and one that it did only what is within bounds."),
    ("T5", "writes_are_refused_and_reads_go_on_until_there_is_room_again", System, "On a full disk writes are refused with the reason, reads go on, and all is well once there is room."),
    ("T15", "a_bad_version_is_refused_and_the_old_one_serves_on", Boundary, "A version that is unhealthy, whose migration fails or breaks the old one, or that changed history, is refused; the old one serves and writes."),
    ("T15b", "a_failure_in_any_phase_leaves_the_schema_as_it_was_and_is_recorded", Store, "A migration that fails in any phase (wrong SQL, a constraint, time, a full disk) leaves the schema as it was, and the ledger says why."),
    ("T16", "a_host_killed_at_any_step_serves_one_whole_version", System, "A host killed at each named step of an upgrade serves one whole version afterwards, without anybody's help."),
    ("T16b", "a_host_killed_in_a_rollback_serves_one_whole_version", System, "The same at each named step of a rollback."),
    ("T17", "two_changes_of_one_plugin_do_not_cross", Boundary, "Two upgrades of one plugin at once run one after the other."),
    ("T25", "a_stopping_host_resets_nobody_over_twenty_rounds", System, "A host told to stop under load answers what it took and resets nobody, twenty times."),
];

#[cfg(test)]
mod tests {
    use super::ENTRIES;
    use crate::workspace::Workspace;
    use std::{collections::BTreeSet, fs, path::Path};

    fn sources(folder: &Path, text: &mut String) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, text);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                text.push_str(&fs::read_to_string(path).unwrap());
            }
        }
    }

    #[test]
    fn every_row_has_a_test_and_every_hostile_test_a_row() {
        let root = Workspace::load().unwrap().root().to_owned();
        let mut text = String::new();
        for folder in [
            "tests/boundary",
            "tests/fuzzing",
            "tests/system",
            "host/store/tests",
            "host/server/tests",
        ] {
            sources(root.join(folder).as_std_path(), &mut text);
        }
        let tests: BTreeSet<&str> =
            ENTRIES.iter().map(|(_, test, ..)| test.rsplit("::").next().unwrap()).collect();
        for test in &tests {
            let is_there = [format!("fn {test}("), format!("{test} =>")];
            assert!(is_there.iter().any(|it| text.contains(it)), "there is no test {test}");
        }
        let hostile = fs::read_to_string(root.join("tests/boundary/hostile/mod.rs")).unwrap();
        let rows = hostile.lines().filter_map(|line| line.trim().split_once(" => ")).skip(1);
        let missing: Vec<&str> =
            rows.map(|(test, _)| test).filter(|it| !tests.contains(it)).collect();
        assert!(missing.is_empty(), "tests without a row: {missing:?}");
    }

    #[test]
    fn ids_are_unique_and_sentences_end() {
        let ids: BTreeSet<&str> = ENTRIES.iter().map(|(id, ..)| *id).collect();
        assert_eq!(ids.len(), ENTRIES.len());
        assert!(ENTRIES.iter().all(|(.., sentence)| sentence.ends_with('.')));
    }
}
