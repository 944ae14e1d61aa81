//! The front page as HTML. The template escapes every text, so that what a plugin says of itself is
//! text and nothing else.

use maud::{DOCTYPE, Markup, html};

use super::asset_url;
use super::overview::{Inside, Overview, Plugin, Service};
use crate::host::Phase;

/// What the page may do: show itself with its own style sheet and picture.
pub(super) const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page. `base` stands before all paths.
pub(super) fn render(overview: &Overview, base: &str) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                (head("Caplet", base))
                link rel="stylesheet" href=(asset_url(base, "page.css"));
            }
            body {
                (banner(overview, base))
                @match &overview.inside {
                    None => main { p { "This host is " (overview.phase.name()) "." } },
                    Some(inside) => {
                        (main(inside, base))
                        footer { p { "Caplet " (env!("CARGO_PKG_VERSION")) } }
                    }
                }
            }
        }
    }
}

/// What the heads of all pages have.
pub(super) fn head(title: &str, base: &str) -> Markup {
    html! {
        meta charset="utf-8";
        meta name="viewport" content="width=device-width, initial-scale=1";
        meta name="color-scheme" content="light dark";
        meta name="robots" content="noindex";
        title { (title) }
        link rel="icon" type="image/svg+xml" href=(asset_url(base, "icon.svg"));
    }
}

fn banner(overview: &Overview, base: &str) -> Markup {
    html! {
        header {
            div.name {
                img src=(asset_url(base, "icon.svg")) alt="" width="40" height="40";
                h1 { "Caplet" }
                span class={ "state " (overview.phase.name()) } { (state(overview.phase)) }
            }
            @if let Some(inside) = &overview.inside {
                p { (sentence(inside)) }
                (documents(base))
            }
        }
    }
}

fn state(phase: Phase) -> &'static str {
    match phase {
        Phase::Starting => "Starting",
        Phase::Ready => "Ready",
        Phase::Draining => "Draining",
    }
}

fn sentence(inside: &Inside) -> String {
    let n_failing = inside.plugins.iter().filter(|plugin| plugin.health != "healthy").count();
    let health = match n_failing {
        0 => String::new(),
        n => format!(", {n} of them failing"),
    };
    match inside.plugins.len() {
        0 => "No plugin is loaded.".to_owned(),
        1 => format!("One plugin is loaded{}.", if n_failing == 0 { "" } else { " and failing" }),
        n => format!("{n} plugins are loaded{health}."),
    }
}

fn documents(base: &str) -> Markup {
    html! {
        nav aria-label="Documents" {
            a.primary href={ (base) "/docs" } { "API reference" }
            a href={ (base) "/openapi.json" } { "OpenAPI" }
            a href={ (base) "/readyz" } { "Readiness" }
            a href={ (base) "/metrics" } { "Metrics" }
        }
    }
}

fn main(inside: &Inside, base: &str) -> Markup {
    html! {
        main {
            section aria-labelledby="plugins" {
                h2 #plugins { "Plugins" }
                @if inside.plugins.is_empty() {
                    p.empty { "Drop a " code { ".wasm" } " file into the plugin folder, and it is here." }
                } @else {
                    ul.cards { @for plugin in &inside.plugins { (card(plugin, base)) } }
                }
            }
            @if !inside.services.is_empty() { (services(&inside.services)) }
            @if !inside.loading.is_empty() { (loading(&inside.loading)) }
            @if !inside.failed.is_empty() { (not_loaded(&inside.failed)) }
        }
    }
}

fn card(plugin: &Plugin, base: &str) -> Markup {
    let operations = match plugin.n_operations {
        1 => "1 operation".to_owned(),
        n => format!("{n} operations"),
    };
    html! {
        li {
            div.title {
                h3 { (plugin.title) }
                span class={ "health " (plugin.health) } { (plugin.health) }
            }
            @if !plugin.summary.is_empty() { p { (plugin.summary) } }
            dl {
                div { dt { "Version" } dd { (plugin.version) } }
                div { dt { "Path" } dd { code { (plugin.path) } } }
            }
            a href={ (base) "/docs#/" (plugin.name) } aria-label={ (operations) " of " (plugin.title) } {
                (operations)
            }
        }
    }
}

fn services(services: &[Service]) -> Markup {
    html! {
        section aria-labelledby="services" {
            h2 #services { "Services" }
            ul.cards {
                @for service in services {
                    li {
                        div.title {
                            h3 { (service.title) }
                            span class={ "health " (service.health) } { (service.health) }
                        }
                        dl { div { dt { "Path" } dd { code { (service.path) } } } }
                    }
                }
            }
        }
    }
}

fn loading(loading: &[(String, &'static str)]) -> Markup {
    html! {
        section aria-labelledby="loading" {
            h2 #loading { "On their way" }
            ul.failed { @for (name, step) in loading { li { code { (name) } p { (step) } } } }
        }
    }
}

fn not_loaded(failed: &[(String, String)]) -> Markup {
    html! {
        section aria-labelledby="failed" {
            h2 #failed { "Not loaded" }
            ul.failed {
                @for (file, reason) in failed { li { code { (file) } p { (reason) } } }
            }
        }
    }
}
