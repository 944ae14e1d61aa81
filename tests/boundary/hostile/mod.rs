//! What a hostile plugin may try, one row each, and that nothing comes of it: the host lives and does
//! not panic, a neighbour is answered throughout, and the memory comes back.
//!
//! A row's name begins with its id: the letter of its class (A processors and memory, B the binary, C
//! calls of the host, D answers, F the store, H changes) and its number. Rows of other layers carry theirs in
//! `host/store/tests/suite/attacks.rs` (F, statement by statement) and `host/server/tests` (D5, D10,
//! the paths of D8); `.xtask/src/prove/catalogue.rs` has the sentences of all. There is none where the interface is missing that it would attack: A9 (no call
//! of a plugin leads back into one), C11 (no secrets), D11 (no channels).

mod answers;
mod binary;
mod calls;
mod changes;
mod processors;
mod scene;
mod store;
mod wasm;

/// A test for each row, which a report can list by its name.
macro_rules! rows {
    ($($name:ident => $function:path;)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                scene::count_panics();
                $function().await;
                assert_eq!(scene::n_panics(), 0, "the host panicked");
            }
        )*
    };
}

rows! {
    a01_loop_in_handler => processors::loop_in_handler;
    a02_loop_in_start_or_describe => processors::loop_in_start_or_describe;
    a04_many_calls_just_under_the_budget => processors::many_calls_just_under_the_budget;
    a05_memory_bomb => processors::memory_bomb;
    a06_memory_in_parallel_instances => processors::memory_in_parallel_instances;
    a08_endless_recursion => processors::endless_recursion;
    a11_features_that_are_off => binary::features_that_are_off;
    b01_compile_bombs => binary::compile_bombs;
    b02_damaged_components => binary::damaged_components;
    b04_foreign_worlds => binary::foreign_worlds;
    b05_rights_that_are_not_granted => binary::rights_that_are_not_granted;
    b07_memory_of_others => binary::memory_of_others;
    b08_custom_sections => binary::custom_sections;
    c01_waits_without_end => calls::waits_without_end;
    c02_hangs_in_the_store => calls::hangs_in_the_store;
    c04_endless_results => calls::endless_results;
    c05_leaks_of_handles => calls::leaks_of_handles;
    c06_forged_handles => calls::forged_handles;
    c07_floods_of_host_calls => calls::floods_of_host_calls;
    c08_arguments_that_are_none => calls::arguments_that_are_none;
    c10_floods_of_the_log => calls::floods_of_the_log;
    c12_fine_clocks => calls::fine_clocks;
    c13_random_without_end => calls::random_without_end;
    c14_transactions_held_open => calls::transactions_held_open;
    d01_header_injection => answers::header_injection;
    d04_endless_bodies => answers::endless_bodies;
    d07_headers_of_the_host => answers::headers_of_the_host;
    d08_routes_of_others => answers::routes_of_others;
    d09_redirects_to_foreign_origins => answers::redirects_to_foreign_origins;
    f01_other_files => store::other_files;
    f02_pragmas => store::pragmas;
    f03_extensions => store::extensions;
    f04_query_bombs => store::query_bombs;
    f07_a_full_disk => store::a_full_disk;
    f08_several_statements => store::several_statements;
    f09_transaction_control => store::transaction_control;
    f11_tables_of_the_host => store::tables_of_the_host;
    h03_older_versions => changes::older_versions;
    h05_more_rights_and_permissions => changes::more_rights_and_permissions;
    h06_a_sleeper => changes::a_sleeper;
    h08_destructive_migrations => changes::destructive_migrations;
    h10_a_description_that_lies => changes::a_description_that_lies;
}
