//! The documents, held against the program: every block of code in README.md, docs/ and the plugins'
//! READMEs is run, and the tables that repeat what the code says are compared with it.
//!
//! - `page`: a document and its blocks.
//! - `walk`: one page from top to bottom, as a reader follows it, with a host of its own: `shell`
//!   runs commands, `workshop` is the folder they run in, `shape` compares answers, `database` runs
//!   SQL.
//! - `links`, `configuration`, `limits`, `codes`, `names`: what is compared.
//!
//! A block's language says what is done with it; see [`walk`]. One without a language, or of `text`,
//! is a picture. Rust without a file's name is compiled as a documentation test.

mod codes;
mod configuration;
mod database;
mod limits;
mod links;
mod names;
mod page;
mod shape;
mod shell;
mod walk;
mod workshop;

/// A test for each page, so that a failure names it.
macro_rules! walks {
    ($($name:ident $path:literal;)*) => {
        const WALKED: &[&str] = &[$($path),*];

        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                walk::walk($path).await;
            }
        )*
    };
}

walks! {
    readme_runs "README.md";
    architecture_runs "docs/ARCHITECTURE.md";
    authoring_runs "docs/authoring.md";
    cli_runs "docs/cli.md";
    comments_page_runs "docs/comments.md";
    components_runs "docs/components.md";
    configuration_runs "docs/configuration.md";
    embedding_runs "docs/embedding.md";
    first_plugin_runs "docs/first-plugin.md";
    gateway_runs "docs/gateway.md";
    http_runs "docs/http.md";
    identity_runs "docs/identity.md";
    languages_runs "docs/languages.md";
    limits_runs "docs/limits.md";
    migrations_runs "docs/migrations.md";
    observability_runs "docs/observability.md";
    operating_runs "docs/operating.md";
    performance_runs "docs/performance.md";
    scenarios_runs "docs/scenarios.md";
    proof_runs "docs/proof.md";
    security_runs "docs/security.md";
    sql_runs "docs/sql.md";
    tags_runs "docs/tags.md";
    subjects_runs "docs/subjects.md";
    upgrading_runs "docs/upgrading.md";
    comments_runs "plugins/comments/README.md";
    tags_readme_runs "plugins/tags/README.md";
}

#[test]
fn no_page_is_left_out() {
    let mut walked: Vec<_> = WALKED.iter().map(ToString::to_string).collect();
    walked.sort();
    assert_eq!(walked, page::all());
}
