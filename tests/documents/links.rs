//! Links of the documents: to files that are there, and to headings that are in them.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::page::{all, read, root};

#[test]
fn every_link_resolves() {
    for page in all() {
        let text = read(&page);
        for link in links(&text) {
            if let Err(reason) = resolve(&page, &text, &link) {
                panic!("{page}: {link}: {reason}");
            }
        }
    }
}

fn resolve(page: &str, text: &str, link: &str) -> Result<(), String> {
    if link.starts_with("https://") {
        return Ok(());
    }
    let (file, heading) = link.split_once('#').unwrap_or((link, ""));
    let text = match file {
        "" => text.to_owned(),
        file => target_text(page, file)?,
    };
    if heading.is_empty() || headings(&text).contains(heading) {
        return Ok(());
    }
    Err("there is no such heading".to_owned())
}

/// The text of what a link from `page` leads to; empty for a folder.
fn target_text(page: &str, file: &str) -> Result<String, String> {
    let folder = Path::new(page).parent().unwrap_or(Path::new(""));
    let mut path = PathBuf::new();
    for part in folder.join(file).components() {
        match part {
            Component::ParentDir if !path.pop() => {
                return Err("it leaves the repository".to_owned());
            }
            Component::ParentDir => {}
            part => path.push(part),
        }
    }
    if root().join(&path).is_dir() {
        return Ok(String::new());
    }
    std::fs::read_to_string(root().join(path)).map_err(|reason| reason.to_string())
}

fn events(text: &str) -> Parser<'_> {
    Parser::new_ext(text, Options::ENABLE_TABLES)
}

fn links(text: &str) -> Vec<String> {
    let link = |event| match event {
        Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
            Some(dest_url.to_string())
        }
        _ => None,
    };
    events(text).filter_map(link).collect()
}

/// The names under which headings can be linked to.
fn headings(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut heading: Option<String> = None;
    for event in events(text) {
        match (event, &mut heading) {
            (Event::Start(Tag::Heading { .. }), _) => heading = Some(String::new()),
            (Event::End(TagEnd::Heading(_)), Some(text)) => {
                found.insert(name(text));
                heading = None;
            }
            (Event::Text(part) | Event::Code(part), Some(text)) => text.push_str(&part),
            _ => {}
        }
    }
    found
}

fn name(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).flat_map(char::to_lowercase).collect()
}

#[test]
fn finds_what_leads_nowhere() {
    let text = "# A heading: `code`\n[a](#a-heading-code) [b](#b) [c](../x.md) [d](../../x.md)";
    let found: Vec<_> = links(text).iter().map(|link| resolve("docs/a.md", text, link)).collect();
    assert!(found[0].is_ok());
    assert!(found[1..].iter().all(Result::is_err), "{found:?}");
}
