//! `/admin/api/denials`: why a call of a plugin was denied, or a change of one refused, and what allows it.

use axum::extract::State as Extracted;
use caplet_runtime::{AuditEntry, Part, Revocation, Runtime, interfaces};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Json, Named, State, not_read, time};
use crate::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new().routes(routes!(explain_denials))
}

/// Why calls were denied.
#[derive(Serialize, ToSchema)]
struct Denials {
    /// One for each right, and each origin, that the request lacked.
    items: Vec<Denial>,
}

/// Why a call was denied, or a change refused.
#[derive(Serialize, ToSchema, PartialEq, Eq)]
struct Denial {
    /// The plugin that called, or that was to be changed.
    plugin: String,
    /// The right that it lacked; empty for a change.
    right: String,
    /// When it called.
    at: String,
    /// The reason, for people.
    reason: String,
    /// What allows it: a command, or a line of the configuration; null: it is allowed now, or no line does.
    remedy: Option<String>,
}

/// Explain why calls in a request were denied, or why an operation was refused.
#[utoipa::path(get, path = "/denials/{request}",
    params(("request" = String, Path, description = "The id of the request or of the operation.")),
    responses((status = 200, body = Denials)))]
async fn explain_denials(
    Extracted(state): Extracted<State>,
    Named(request): Named<String>,
) -> Result<Json<Denials>, Problem> {
    let host = state.host()?;
    let entries = host.runtime.audit().of_request(&request).await;
    let entries = entries.map_err(|error| not_read(&error))?;
    let revoked = host.runtime.revocations().await.map_err(|error| not_read(&error))?;
    let mut items: Vec<Denial> = Vec::new();
    for entry in entries {
        let denial = explained(&host.runtime, &entry, &revoked);
        let is_news = |denial: &Denial| {
            let same = |it: &Denial| (&it.plugin, &it.reason) == (&denial.plugin, &denial.reason);
            !items.iter().any(same)
        };
        let denial = denial.filter(is_news);
        items.extend(denial);
    }
    if items.is_empty() { Err(Problem::not_found()) } else { Ok(Json(Denials { items })) }
}

/// What an entry of the log of decisions tells; none for one that denied nothing.
fn explained(runtime: &Runtime, entry: &AuditEntry, revoked: &[Revocation]) -> Option<Denial> {
    let detail: Value = serde_json::from_str(&entry.detail).unwrap_or_default();
    let text = |name: &str| detail[name].as_str().unwrap_or_default().to_owned();
    let plugin = entry.plugin.clone();
    let (right, (reason, remedy)) = match entry.action.as_str() {
        "right.denied" => {
            let right = text("right");
            let taken = revoked.iter().find(|it| it.plugin == plugin && it.name == right);
            let told = of_right(&plugin, &right, taken);
            (right, told)
        }
        "outbound.denied" => {
            let told = of_origin(runtime, &plugin, &text("origin"));
            (interfaces::OUTBOUND_HTTP.to_owned(), told)
        }
        change if detail["outcome"] == "refused" => {
            (String::new(), of_change(&plugin, change, &detail["more"]))
        }
        _ => return None,
    };
    Some(Denial { plugin, right, at: time(entry.at_ms), reason, remedy })
}

fn of_right(plugin: &str, right: &str, taken: Option<&Revocation>) -> (String, Option<String>) {
    match taken {
        Some(taken) => {
            let (by, at) = (&taken.revoked_by, time(taken.revoked_ms));
            let reason = format!("{by} took the right `{right}` from `{plugin}` at {at}.");
            (reason, Some(format!("caplet grant {plugin} {right}")))
        }
        None => (format!("`{plugin}` lacked the right `{right}` then; it has it now."), None),
    }
}

/// The whole list is set, so that the remedy has what is in it already.
fn of_origin(runtime: &Runtime, plugin: &str, origin: &str) -> (String, Option<String>) {
    let grants = runtime.configuration(plugin, Part::Grants).map(|it| it.values);
    let named = grants.as_ref().and_then(|it| it["outbound_origins"].as_array());
    let mut named = named.cloned().unwrap_or_default();
    if named.iter().any(|it| it == origin) {
        let reason = format!("`{plugin}` might not send requests to `{origin}` then; it may now.");
        return (reason, None);
    }
    named.push(Value::from(origin));
    let list = Value::from(named);
    let reason = format!("`{origin}` is not among the `outbound_origins` of `{plugin}`.");
    let remedy = format!("caplet grants {plugin} set 'outbound_origins={list}' --approve");
    (reason, Some(remedy).filter(|_| is_harmless(origin)))
}

/// Whether a text of a guest may stand in a command that somebody copies.
fn is_harmless(origin: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b":/.-[]".contains(&byte);
    !origin.is_empty() && origin.bytes().all(is_plain)
}

/// A reason for a grant that is missing ends with the line that would give it.
fn of_change(plugin: &str, change: &str, more: &Value) -> (String, Option<String>) {
    let reasons = more["reasons"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let reasons: Vec<&str> = reasons.collect();
    let step = more["step"].as_str().unwrap_or_default();
    let remedy = reasons.first().filter(|_| step == "grant");
    let remedy = remedy.and_then(|it| it.rsplit_once("; ")).map(|(_, line)| line.to_owned());
    let of = if plugin.is_empty() { String::new() } else { format!(" of `{plugin}`") };
    let all = reasons.join("; ");
    (format!("The change `{change}`{of} was refused at the step `{step}`: {all}"), remedy)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_guest_writes_no_command() {
        for (origin, expected) in [
            ("https://api.example:8443", true),
            ("http://[::1]:80", true),
            ("https://a'$(reboot)'", false),
            ("", false),
        ] {
            assert_eq!(is_harmless(origin), expected, "{origin}");
        }
    }

    #[test]
    fn a_missing_grant_is_told_with_the_line_that_gives_it() {
        let reason =
            "it asks for `sql` (keep data); add \"sql\" to `grants` of `[plugin.a]` to allow it";
        let (told, remedy) =
            of_change("a", "install", &json!({ "step": "grant", "reasons": [reason] }));
        assert!(told.contains("`install` of `a`") && told.contains("keep data"), "{told}");
        assert_eq!(remedy.as_deref(), Some("add \"sql\" to `grants` of `[plugin.a]` to allow it"));
        let more = json!({ "step": "check", "reasons": ["no; such"] });
        assert_eq!(of_change("", "install", &more).1, None);
    }
}
