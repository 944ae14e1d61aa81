//! What changes for others when one generation takes the place of another: what the plugin may do,
//! what callers may call, who may call it. What grows its powers or breaks its callers waits for an
//! operator.

use std::collections::BTreeMap;

use caplet_abi::{Access, Description, Route};
use serde::Serialize;

use crate::digest::Digest;
use crate::generation::Generation;
use crate::inspect::Inspection;
use crate::limits::Limits;
use crate::load::Prepared;
use crate::options::PluginOptions;
use crate::settings::Settings;

/// One difference between the generation that serves and the one that is to serve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What it means to others.
    pub effect: Effect,
    /// The difference, one sentence.
    pub text: String,
}

/// What a difference means to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// There is more than before, and nobody has to care.
    Adds,
    /// The plugin, or its callers, may do what they might not before.
    Grows,
    /// Somebody who relied on the plugin can no longer.
    Breaks,
}

impl Difference {
    /// Whether an operator has to agree.
    #[must_use]
    pub fn needs_approval(&self) -> bool {
        self.effect != Effect::Adds
    }

    /// Whether it is among what was told before, one after the other between semicolons. Numbers of rows
    /// change while a version waits, and are no other difference.
    pub(crate) fn is_in(&self, told: &str) -> bool {
        let bounded = |text: &str| format!("; {}; ", without_counts(text));
        bounded(told).contains(&bounded(&self.text))
    }
}

/// A text without the numbers in "5 rows before, 0 after".
fn without_counts(text: &str) -> String {
    let words: Vec<&str> = text.split(' ').collect();
    let is_number = |word: &str| word.starts_with(|c: char| c.is_ascii_digit());
    let is_count = |place: usize| {
        let next = words.get(place + 1).is_some_and(|next| next.starts_with("rows"));
        let after = words.get(place + 1).is_some_and(|next| next.starts_with("after"));
        is_number(words[place]) && (next || after)
    };
    let kept = (0..words.len()).filter(|place| !is_count(*place)).map(|place| words[place]);
    kept.collect::<Vec<_>>().join(" ")
}

/// A version as others see it, whether it serves or not.
#[derive(Clone, Copy)]
pub(crate) struct Side<'a> {
    pub(crate) digest: Digest,
    pub(crate) description: &'a Description,
    pub(crate) inspection: &'a Inspection,
    pub(crate) answers_for_subjects: bool,
    pub(crate) options: &'a PluginOptions,
    pub(crate) settings: &'a Settings,
    pub(crate) limits: &'a Limits,
}

impl<'a> From<&'a Generation> for Side<'a> {
    fn from(generation: &'a Generation) -> Self {
        Self {
            digest: generation.digest(),
            description: generation.description(),
            inspection: generation.inspection(),
            answers_for_subjects: generation.answers_for_subjects(),
            options: &generation.options,
            settings: &generation.context.settings,
            limits: generation.limits(),
        }
    }
}

impl<'a> From<&'a Prepared> for Side<'a> {
    fn from(prepared: &'a Prepared) -> Self {
        Self {
            digest: prepared.digest(),
            description: prepared.description(),
            inspection: prepared.inspection(),
            answers_for_subjects: prepared.holdings().is_some(),
            options: &prepared.options,
            settings: &prepared.settings,
            limits: prepared.limits(),
        }
    }
}

/// What changes when `new` takes the place of `old`.
pub(crate) fn between(old: Side<'_>, new: Side<'_>) -> Vec<Difference> {
    let mut found = Differences::default();
    if old.digest != new.digest {
        found.of_versions(&old.description.version, &new.description.version);
    }
    found.of_rights(old.inspection, new);
    found.of_routes(old.description, new.description);
    found.of_permissions(old.description, new.description);
    if old.answers_for_subjects && !new.answers_for_subjects {
        found.breaks("it no longer answers for the personal data it keeps".to_owned());
    }
    found.0
}

#[derive(Default)]
struct Differences(Vec<Difference>);

impl Differences {
    fn add(&mut self, effect: Effect, text: String) {
        self.0.push(Difference { effect, text });
    }

    fn adds(&mut self, text: String) {
        self.add(Effect::Adds, text);
    }

    fn grows(&mut self, text: String) {
        self.add(Effect::Grows, text);
    }

    fn breaks(&mut self, text: String) {
        self.add(Effect::Breaks, text);
    }

    /// Both were checked to be semantic versions when they were described.
    fn of_versions(&mut self, old: &str, new: &str) {
        let parsed = (semver::Version::parse(old), semver::Version::parse(new));
        let (Ok(old), Ok(new)) = parsed else { return };
        match new.cmp_precedence(&old) {
            std::cmp::Ordering::Less => {
                self.breaks(format!("version {new} is older than {old}, which serves"));
            }
            std::cmp::Ordering::Equal => {
                self.adds(format!("it is version {new} as before, with other content"));
            }
            std::cmp::Ordering::Greater => self.adds(format!("version {new} follows {old}")),
        }
    }

    /// A right that the operator listed for the plugin was agreed to by that.
    fn of_rights(&mut self, old: &Inspection, new: Side<'_>) {
        let is_listed = new.options.grants.is_some();
        for right in &new.inspection.rights {
            if old.asks_for(right.name) {
                continue;
            }
            let text = format!("it asks for `{}`: {}", right.name, right.meaning);
            if is_listed { self.adds(text) } else { self.grows(text) }
        }
        for right in &old.rights {
            if !new.inspection.asks_for(right.name) {
                self.adds(format!("it no longer asks for `{}`", right.name));
            }
        }
    }

    fn of_routes(&mut self, old: &Description, new: &Description) {
        let (before, after) = (by_path(old), by_path(new));
        for (path, old) in &before {
            match after.get(path) {
                None => self.breaks(format!("the route {} is gone", shown(old))),
                Some(new) => self.of_access(old, new),
            }
        }
        for (path, new) in &after {
            if !before.contains_key(path) {
                self.adds(format!("the route {} for {}", shown(new), who(&new.access)));
            }
        }
    }

    fn of_access(&mut self, old: &Route, new: &Route) {
        let text =
            || format!("{} was for {}, now for {}", shown(new), who(&old.access), who(&new.access));
        match (&old.access, &new.access) {
            (Access::Permission(old), Access::Permission(new)) if old == new => {}
            (Access::Permission(_), _) => self.grows(text()),
            (Access::Public, Access::Public) | (Access::SignedIn, Access::SignedIn) => {}
            (Access::SignedIn, Access::Public) => self.grows(text()),
            (Access::Public | Access::SignedIn, _) => self.breaks(text()),
        }
    }

    fn of_permissions(&mut self, old: &Description, new: &Description) {
        let has = |description: &Description, name: &str| {
            description.permissions.iter().any(|permission| permission.name == name)
        };
        for permission in old.permissions.iter().filter(|it| !has(new, &it.name)) {
            self.breaks(format!("the permission `{}` is gone", permission.name));
        }
        for permission in new.permissions.iter().filter(|it| !has(old, &it.name)) {
            self.adds(format!("the permission `{}`", permission.name));
        }
    }
}

/// Parameters may be called otherwise in another version: what a caller sends is the same.
fn by_path(description: &Description) -> BTreeMap<(String, String), &Route> {
    let of = |route| (path_of(route), route);
    description.routes.iter().map(of).collect()
}

fn path_of(route: &Route) -> (String, String) {
    let segment = |segment: &str| match segment {
        tail if tail.starts_with("{*") => "{*}".to_owned(),
        parameter if parameter.starts_with('{') => "{}".to_owned(),
        literal => literal.to_owned(),
    };
    let path: Vec<String> = route.pattern.split('/').map(segment).collect();
    (path.join("/"), route.method.clone())
}

fn shown(route: &Route) -> String {
    format!("`{} {}`", route.method, route.pattern)
}

fn who(access: &Access) -> String {
    match access {
        Access::Public => "anybody".to_owned(),
        Access::SignedIn => "anybody with a token".to_owned(),
        Access::Permission(permission) => format!("callers with `{permission}`"),
    }
}

#[cfg(test)]
mod tests {
    use caplet_abi::{Permission, Transaction};

    use super::*;

    fn route(method: &str, pattern: &str, access: Access) -> Route {
        Route {
            operation: format!("{method}{pattern}"),
            method: method.into(),
            pattern: pattern.into(),
            access,
            transaction: Transaction::ByMethod,
            body_max_bytes: None,
            headers: Vec::new(),
        }
    }

    fn description(routes: Vec<Route>, permissions: &[&str]) -> Description {
        let permission =
            |name: &&str| Permission { name: (*name).into(), description: String::new() };
        Description {
            name: "notes".into(),
            version: "1.0.0".into(),
            title: "Notes".into(),
            summary: String::new(),
            routes,
            openapi: String::new(),
            migrations: Vec::new(),
            permissions: permissions.iter().map(permission).collect(),
            settings_schema: String::new(),
            assets: Vec::new(),
        }
    }

    #[test]
    fn weaker_access_grows_and_stronger_access_breaks() {
        let edit = || Access::Permission("notes.edit".into());
        let other = || Access::Permission("notes.read".into());
        let cases = [
            (Access::Public, Access::Public, None),
            (edit(), edit(), None),
            (edit(), other(), Some(Effect::Grows)),
            (edit(), Access::SignedIn, Some(Effect::Grows)),
            (Access::SignedIn, Access::Public, Some(Effect::Grows)),
            (Access::Public, Access::SignedIn, Some(Effect::Breaks)),
            (Access::SignedIn, edit(), Some(Effect::Breaks)),
        ];
        for (old, new, expected) in cases {
            let mut found = Differences::default();
            found.of_access(&route("GET", "/", old.clone()), &route("GET", "/", new.clone()));
            let effects: Vec<_> = found.0.iter().map(|difference| difference.effect).collect();
            assert_eq!(effects, expected.into_iter().collect::<Vec<_>>(), "{old:?} to {new:?}");
        }
    }

    #[test]
    fn a_route_is_known_by_its_path_and_not_by_the_names_in_it() {
        let old = description(
            vec![route("GET", "/{id}", Access::Public), route("PUT", "/a", Access::Public)],
            &["notes.edit"],
        );
        let new = description(
            vec![route("GET", "/{note}", Access::Public), route("GET", "/b", Access::Public)],
            &["notes.read"],
        );
        let mut found = Differences::default();
        found.of_routes(&old, &new);
        found.of_permissions(&old, &new);
        let texts: Vec<_> = found.0.iter().map(|it| (it.effect, it.text.as_str())).collect();
        assert_eq!(
            texts,
            [
                (Effect::Breaks, "the route `PUT /a` is gone"),
                (Effect::Adds, "the route `GET /b` for anybody"),
                (Effect::Breaks, "the permission `notes.edit` is gone"),
                (Effect::Adds, "the permission `notes.read`"),
            ]
        );
    }

    #[test]
    fn what_was_told_is_known_again_by_all_but_its_counts() {
        let told = "it is granted `sql`; migration 2 (drop b): table notes: 2 rows before, 0 after; \
                    without b; it may send requests to https://a.example.net";
        let difference = |text: &str| Difference { effect: Effect::Breaks, text: text.to_owned() };
        for (text, is_known) in [
            ("it is granted `sql`", true),
            ("it is granted `log`", false),
            ("migration 2 (drop b): table notes: 900 rows before, 7 after; without b", true),
            ("migration 3 (drop b): table notes: 2 rows before, 0 after; without b", false),
            ("migration 2 (drop b): table topics: 2 rows before, 0 after; without b", false),
            ("it may send requests to https://a.example.net", true),
            ("it may send requests to https://a.example", false),
        ] {
            assert_eq!(difference(text).is_in(told), is_known, "{text}");
        }
    }

    #[test]
    fn an_older_version_breaks() {
        for (old, new, effect) in [
            ("1.0.0", "1.1.0", Effect::Adds),
            ("1.0.0", "1.0.0", Effect::Adds),
            ("1.0.0", "1.0.0-beta.1", Effect::Breaks),
            ("2.0.0", "1.9.9", Effect::Breaks),
        ] {
            let mut found = Differences::default();
            found.of_versions(old, new);
            assert_eq!(found.0[0].effect, effect, "{old} to {new}");
        }
    }
}
