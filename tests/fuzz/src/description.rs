//! What a plugin says of itself: every description is taken or refused, and what is taken is the
//! plugin's own.

use arbitrary::{Result, Unstructured};
use caplet_runtime::{
    Access, Asset, Description, Limits, Migration, Permission, Phase, Route, Transaction,
    check_description, is_plugin_name,
};

/// Makes a description of the bytes, and has it checked.
///
/// # Panics
/// What was taken belongs to others.
pub fn run(bytes: &[u8]) {
    let Ok(description) = description(&mut Unstructured::new(bytes)) else { return };
    let name = description.name.clone();
    let permissions: Vec<String> =
        description.permissions.iter().map(|permission| permission.name.clone()).collect();
    let patterns: Vec<String> =
        description.routes.iter().map(|route| route.pattern.clone()).collect();
    if check_description(description, &Limits::default()).is_err() {
        return;
    }
    assert!(is_plugin_name(&name), "{name:?}");
    let own = format!("{name}.");
    assert!(permissions.iter().all(|permission| permission.starts_with(&own)), "{permissions:?}");
    assert!(patterns.iter().all(|pattern| pattern.starts_with('/')), "{patterns:?}");
    assert!(!patterns.iter().any(|pattern| pattern.contains("/..")), "{patterns:?}");
}

fn description(input: &mut Unstructured<'_>) -> Result<Description> {
    Ok(Description {
        name: text(input, &["notes", "s3", "admin", "caplet"])?,
        version: text(input, &["1.0.0", "0.1.0-a.1+b"])?,
        title: text(input, &["Notes"])?,
        summary: text(input, &[""])?,
        routes: list(input, 8, route)?,
        openapi: text(input, &["", "{}", r#"{"openapi":"3.1.0","paths":{}}"#])?,
        migrations: list(input, 5, migration)?,
        permissions: list(input, 4, permission)?,
        settings_schema: text(input, &["", "{}", r#"{"type":"object"}"#])?,
        assets: list(input, 3, asset)?,
    })
}

/// One of the usual texts, or any.
fn text(input: &mut Unstructured<'_>, usual: &[&str]) -> Result<String> {
    match input.arbitrary::<bool>()? {
        true => Ok((*input.choose(usual)?).to_owned()),
        false => Ok(input.arbitrary::<&str>()?.to_owned()),
    }
}

fn list<T>(
    input: &mut Unstructured<'_>,
    n_max: usize,
    make: fn(&mut Unstructured<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let n = input.int_in_range(0..=n_max)?;
    (0..n).map(|_| make(input)).collect()
}

fn route(input: &mut Unstructured<'_>) -> Result<Route> {
    Ok(Route {
        operation: text(input, &["list", "one", "add"])?,
        method: text(input, &["GET", "POST", "*"])?,
        pattern: text(input, &["/", "/{id}", "/a/{id}/b", "/{*rest}", "/../x", "//"])?,
        access: access(input)?,
        headers: list(input, 3, |input| text(input, &["accept", "authorization", "X-A"]))?,
        body_max_bytes: input.arbitrary()?,
        transaction: *input.choose(&[
            Transaction::ByMethod,
            Transaction::Read,
            Transaction::Write,
            Transaction::None,
        ])?,
    })
}

fn access(input: &mut Unstructured<'_>) -> Result<Access> {
    Ok(match input.int_in_range(0..=2)? {
        0 => Access::Public,
        1 => Access::SignedIn,
        _ => Access::Permission(text(input, &["notes.edit", "s3.edit", "admin.all"])?),
    })
}

fn migration(input: &mut Unstructured<'_>) -> Result<Migration> {
    let sql =
        ["CREATE TABLE a (b TEXT)", "UPDATE a SET b = '' WHERE b IN (SELECT b FROM a LIMIT 1)"];
    Ok(Migration {
        number: input.int_in_range(0..=6)?,
        name: text(input, &["step"])?,
        phase: *input.choose(&[Phase::Expand, Phase::Backfill, Phase::Contract])?,
        sql: text(input, &sql)?,
        postgres: input.arbitrary::<Option<&str>>()?.map(str::to_owned),
    })
}

fn permission(input: &mut Unstructured<'_>) -> Result<Permission> {
    Ok(Permission {
        name: text(input, &["notes.edit", "s3.edit", "comments.moderate"])?,
        description: text(input, &["Edit them."])?,
    })
}

fn asset(input: &mut Unstructured<'_>) -> Result<Asset> {
    Ok(Asset {
        path: text(input, &["a.css", "../a", "/a", "a/b.js"])?,
        media_type: text(input, &["text/css", "text/html"])?,
        content: input.arbitrary()?,
    })
}
