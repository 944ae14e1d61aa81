//! What a plugin keeps about people: said for those who answer for the data, exported and erased for
//! a person who asks.
//!
//! A [`Holding`] is one kind of personal data with the statement that exports it and the function
//! that erases it. `subject_data!` makes the list of them a part of the component; paging, cursors
//! and steps are done here. The full contract is `wit/subject-data.wit`.
//!
//! ```
//! use caplet_sdk::prelude::*;
//! use caplet_sdk::sql::Statement;
//! use caplet_sdk::subject_data::{Holding, SubjectData};
//!
//! fn notes_of(author: &str, after: Option<&(String,)>, limit: u32) -> Statement {
//!     let mut statement = Statement::new(
//!         r#"SELECT id, text, created_ms AS "created_at:time", id AS "id:key"
//!            FROM notes WHERE tenant = $tenant AND author = "#,
//!     );
//!     statement.bind(author);
//!     if let Some((id,)) = after {
//!         statement.push(" AND id > ").bind(id);
//!     }
//!     statement.push(" ORDER BY id LIMIT ").bind(limit + 1);
//!     statement
//! }
//!
//! fn delete_notes_of(author: &str) -> Result<u64, Problem> {
//!     let statement = "DELETE FROM notes WHERE tenant = $tenant AND id IN \
//!                      (SELECT id FROM notes WHERE tenant = $tenant AND author = $1 LIMIT 500)";
//!     Ok(sql::execute(statement, params![author])?)
//! }
//!
//! caplet_sdk::subject_data!(
//!     SubjectData::new().holding(
//!         Holding::new("notes", "The notes that the person wrote.")
//!             .purpose("To show them to their author.")
//!             .retention("Until the author deletes them.")
//!             .export(notes_of)
//!             .delete(delete_notes_of)
//!     )
//! );
//!
//! # fn main() {
//! assert_eq!(subject_data().describe()[0].name, "notes");
//! # }
//! ```

use serde::de::DeserializeOwned;

use crate::cursor;
use crate::log;
use crate::problem::Problem;
use crate::sql::{self, JsonPage, Statement};

pub use crate::bindings::answers_for_subjects::exports::caplet::plugin::subject_data as wire;

/// Records of one page.
const PAGE_RECORDS_MAX: u32 = 500;

type Export = Box<dyn Fn(&str, Option<&str>) -> Result<JsonPage, Problem> + Send + Sync>;

/// Erases some of a subject's records and returns how many; 0 when there are none left.
type Erase = fn(&str) -> Result<u64, Problem>;

/// Counts a subject's records.
type Count = fn(&str) -> Result<u64, Problem>;

/// All that a plugin keeps about people.
#[derive(Debug, Default)]
pub struct SubjectData {
    holdings: Vec<Holding>,
}

/// One kind of personal data, and how it is exported and erased.
pub struct Holding {
    name: &'static str,
    summary: &'static str,
    purpose: &'static str,
    retention: &'static str,
    export: Option<Export>,
    erasure: Erasure,
}

#[derive(Debug)]
enum Erasure {
    Delete(Erase),
    Anonymise(Erase),
    Keep(&'static str, Count),
}

impl SubjectData {
    /// Nothing yet: a plugin that leaves it so says that it keeps nothing about people.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a holding. Holdings are exported and erased in the order they are added.
    #[must_use]
    pub fn holding(mut self, holding: Holding) -> Self {
        self.holdings.push(holding);
        self
    }

    /// What the host is told of it.
    pub fn describe(&self) -> Vec<wire::Holding> {
        let holdings = self.holdings.iter().map(|holding| wire::Holding {
            name: holding.name.to_owned(),
            summary: holding.summary.to_owned(),
            purpose: holding.purpose.to_owned(),
            retention: holding.retention.to_owned(),
            erasure: match holding.erasure {
                Erasure::Delete(_) => wire::Erasure::Delete,
                Erasure::Anonymise(_) => wire::Erasure::Anonymise,
                Erasure::Keep(reason, _) => wire::Erasure::Keep(reason.to_owned()),
            },
        });
        holdings.collect()
    }

    /// A page of what is kept about a subject.
    ///
    /// # Errors
    /// Those of the contract.
    pub fn export(&self, subject: &str, cursor: Option<&str>) -> Result<wire::Page, wire::Error> {
        let (place, inner) = self.place(cursor)?;
        let Some(holding) = self.holdings.get(place) else {
            return Err(wire::Error::Failed("the plugin describes no holding".to_owned()));
        };
        let page = match &holding.export {
            Some(export) => export(subject, inner).map_err(failed)?,
            None => JsonPage { items: b"[]".to_vec(), count: 0, more: false, last: Vec::new() },
        };
        let next = if page.more {
            Some(format!("{}/{}", holding.name, cursor::encode(holding.name, page.last.as_slice())))
        } else {
            self.holdings.get(place + 1).map(|next| format!("{}/", next.name))
        };
        Ok(wire::Page { holding: holding.name.to_owned(), items: page.items, next })
    }

    /// The holding that a cursor leads to, and the rest of the cursor, which is the holding's own.
    fn place<'a>(&self, cursor: Option<&'a str>) -> Result<(usize, Option<&'a str>), wire::Error> {
        let Some(cursor) = cursor else { return Ok((0, None)) };
        let (name, inner) = cursor.split_once('/').ok_or(wire::Error::Cursor)?;
        let place = self.holdings.iter().position(|holding| holding.name == name);
        Ok((place.ok_or(wire::Error::Cursor)?, Some(inner).filter(|inner| !inner.is_empty())))
    }

    /// Erases a part of what is kept about a subject: of the first holding that has something left.
    ///
    /// # Errors
    /// Those of the contract.
    pub fn erase(&self, subject: &str) -> Result<wire::Step, wire::Error> {
        for holding in &self.holdings {
            let erased = holding.erase(subject).map_err(failed)?;
            if erased.deleted > 0 || erased.anonymised > 0 {
                return Ok(wire::Step { holdings: vec![erased], more: true });
            }
        }
        let kept = self.holdings.iter().map(|holding| holding.count_kept(subject));
        let holdings = kept.collect::<Result<_, _>>().map_err(failed)?;
        Ok(wire::Step { holdings, more: false })
    }
}

impl Holding {
    /// A holding with its name (1 to 80 characters of `a-z`, `0-9` and `-`) and what is kept. Until
    /// [`delete`](Self::delete), [`anonymise`](Self::anonymise) or [`keep`](Self::keep) says what
    /// erasing does, there is nothing to erase.
    #[must_use]
    pub fn new(name: &'static str, summary: &'static str) -> Self {
        let erasure = Erasure::Delete(|_| Ok(0));
        Self { name, summary, purpose: "", retention: "", export: None, erasure }
    }

    /// What it is kept for. Must be said.
    #[must_use]
    pub fn purpose(self, purpose: &'static str) -> Self {
        Self { purpose, ..self }
    }

    /// How long it is kept. Must be said.
    #[must_use]
    pub fn retention(self, retention: &'static str) -> Self {
        Self { retention, ..self }
    }

    /// The statement that exports it, from a subject, the `:key` columns of the last row of the page
    /// before, and a limit: as for a list, it asks for one row more than the limit.
    #[must_use]
    pub fn export<Keys>(mut self, statement: fn(&str, Option<&Keys>, u32) -> Statement) -> Self
    where
        Keys: DeserializeOwned + 'static,
    {
        let name = self.name;
        self.export = Some(Box::new(move |subject, after| {
            let after: Option<Keys> = after.map(|text| cursor::decode(name, text)).transpose()?;
            let page = |limit| statement(subject, after.as_ref(), limit);
            Ok(sql::bounded_page(PAGE_RECORDS_MAX, page)?)
        }));
        self
    }

    /// Erasing deletes it. `erase` deletes some records of a subject, as many as fit an invocation,
    /// and returns how many; it is called until it returns 0.
    #[must_use]
    pub fn delete(self, erase: Erase) -> Self {
        Self { erasure: Erasure::Delete(erase), ..self }
    }

    /// Erasing takes away whatever tells whose it was. `erase` does so with some records of a
    /// subject, as many as fit an invocation, and returns how many; it is called until it returns 0.
    #[must_use]
    pub fn anonymise(self, erase: Erase) -> Self {
        Self { erasure: Erasure::Anonymise(erase), ..self }
    }

    /// Erasing leaves it, for a reason such as the law that asks for it. `count` says how much stays.
    #[must_use]
    pub fn keep(self, reason: &'static str, count: Count) -> Self {
        Self { erasure: Erasure::Keep(reason, count), ..self }
    }

    fn erase(&self, subject: &str) -> Result<wire::Erased, Problem> {
        let nothing = self.erased();
        Ok(match self.erasure {
            Erasure::Delete(erase) => wire::Erased { deleted: erase(subject)?, ..nothing },
            Erasure::Anonymise(erase) => wire::Erased { anonymised: erase(subject)?, ..nothing },
            Erasure::Keep(..) => nothing,
        })
    }

    fn count_kept(&self, subject: &str) -> Result<wire::Erased, Problem> {
        let kept = match self.erasure {
            Erasure::Keep(_, count) => count(subject)?,
            Erasure::Delete(_) | Erasure::Anonymise(_) => 0,
        };
        Ok(wire::Erased { kept, ..self.erased() })
    }

    fn erased(&self) -> wire::Erased {
        wire::Erased { holding: self.name.to_owned(), deleted: 0, anonymised: 0, kept: 0 }
    }
}

impl std::fmt::Debug for Holding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Holding").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What the host is told of a problem. The log has more.
fn failed(problem: Problem) -> wire::Error {
    if problem.code() == "bad-cursor" {
        return wire::Error::Cursor;
    }
    log::warn!("the work for a data subject failed", code = problem.code());
    wire::Error::Failed(format!("{} ({})", problem.code(), problem.status()))
}

/// Makes the crate answer for the personal data it keeps: `subject_data!(SubjectData::new()…)`, in
/// any module, once.
///
/// Expands to a function `subject_data()` that builds it, and, in a build for WebAssembly, to the
/// component's export.
#[macro_export]
macro_rules! subject_data {
    ($subject_data:expr $(,)?) => {
        /// Builds what this plugin keeps about people.
        #[cfg_attr(not(target_family = "wasm"), allow(dead_code))]
        pub fn subject_data() -> $crate::subject_data::SubjectData {
            $subject_data
        }

        #[cfg(target_family = "wasm")]
        #[allow(unsafe_code, missing_docs)]
        const _: () = {
            use $crate::subject_data::wire;

            struct Component;

            impl wire::Guest for Component {
                fn describe() -> ::std::vec::Vec<wire::Holding> {
                    subject_data().describe()
                }

                fn export(
                    subject: ::std::string::String,
                    cursor: ::std::option::Option<::std::string::String>,
                ) -> ::std::result::Result<wire::Page, wire::Error> {
                    subject_data().export(&subject, cursor.as_deref())
                }

                fn erase(
                    subject: ::std::string::String,
                ) -> ::std::result::Result<wire::Step, wire::Error> {
                    subject_data().erase(&subject)
                }
            }

            $crate::bindings::answers_for_subjects::export_subject_data!(
                Component with_types_in $crate::bindings::answers_for_subjects
            );
        };
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing_left(_subject: &str) -> Result<u64, Problem> {
        Ok(0)
    }

    fn some_left(subject: &str) -> Result<u64, Problem> {
        Ok(u64::from(subject == "ada") * 3)
    }

    fn no_statement(_subject: &str, _after: Option<&(i64,)>, _limit: u32) -> Statement {
        Statement::new("SELECT 1")
    }

    fn data() -> SubjectData {
        let first = Holding::new("first", "Gone already.").delete(nothing_left);
        let second = Holding::new("second", "Left.").anonymise(some_left);
        let third = Holding::new("third", "Stays.").keep("The law.", some_left);
        let fourth = Holding::new("fourth", "Paged.").export(no_statement);
        [first, second, third, fourth].into_iter().fold(SubjectData::new(), SubjectData::holding)
    }

    #[test]
    fn erases_the_first_holding_that_has_something_left() {
        let step = data().erase("ada").unwrap();
        let erased = wire::Erased { holding: "second".into(), deleted: 0, anonymised: 3, kept: 0 };
        assert_eq!(step, wire::Step { holdings: vec![erased], more: true });
    }

    #[test]
    fn says_what_is_kept_when_nothing_is_left_to_erase() {
        let step = data().erase("bob").unwrap();
        assert!(!step.more);
        assert_eq!(step.holdings.len(), 4);
        assert!(step.holdings.iter().all(|it| it.deleted + it.anonymised + it.kept == 0));
    }

    #[test]
    fn a_page_leads_to_the_next_holding() {
        let first = data().export("ada", None).unwrap();
        assert_eq!((first.holding.as_str(), first.next.as_deref()), ("first", Some("second/")));
        assert_eq!(first.items, b"[]");
        let third = data().export("ada", Some("third/")).unwrap();
        assert_eq!((third.holding.as_str(), third.next.as_deref()), ("third", Some("fourth/")));
    }

    #[test]
    fn refuses_cursors_it_did_not_make() {
        for cursor in ["", "first", "fifth/", "fourth/!", "fourth/AAAA"] {
            let refused = data().export("ada", Some(cursor)).unwrap_err();
            assert_eq!(refused, wire::Error::Cursor, "{cursor}");
        }
    }

    #[test]
    fn a_failure_names_nobody() {
        // A native test has no database, so the statement fails.
        let refused = data().export("ada", Some("fourth/")).unwrap_err();
        assert!(
            matches!(&refused, wire::Error::Failed(text) if !text.contains("ada")),
            "{refused:?}"
        );
    }
}
