//! A plugin that does not say what it keeps about people must not seem to have said that it keeps nothing:
//! its component has no such export, and so the operator is told to look at it by hand.
//!
//! That is tried with what `caplet new` writes, without the file that says it. In Rust, plugins of both
//! kinds are among the project's own.

use std::fs;

use caplet_tests::outside::run;

use super::workshop::{caplet, equip};

macro_rules! silent {
    ($($name:ident $language:literal $file:literal;)*) => {$(
        #[tokio::test]
        async fn $name() {
            says_nothing($language, $file).await;
        }
    )*};
}

silent! {
    one_in_c_that_says_nothing_does_not_answer "c" "src/subject_data.c";
    one_in_go_that_says_nothing_does_not_answer "go" "subject_data.go";
    one_in_python_that_says_nothing_does_not_answer "python" "subject_data.py";
    one_in_typescript_that_says_nothing_does_not_answer "typescript" "src/subject-data.ts";
}

async fn says_nothing(language: &str, file: &str) {
    let desk = tempfile::tempdir().expect("a temporary folder");
    run(caplet(desk.path()).args(["new", "garden", "--lang", language])).await;
    let garden = desk.path().join("garden");
    equip(&garden);
    fs::remove_file(garden.join(file)).expect("the file that says it");
    run(caplet(&garden).arg("build")).await;
    let said = run(caplet(&garden).args(["inspect", "build/garden.wasm"])).await;
    assert!(said.contains("caplet:plugin/http-handler@0.1.0"), "{said}");
    assert!(!said.contains("subject-data"), "{said}");
}
