//! Which statements a version of a plugin ran: what an upgrade must not break.

use std::collections::HashSet;
use std::sync::Arc;

/// Texts that are recorded of one version.
const TEXTS_MAX: usize = 2_000;

/// Their bytes.
const BYTES_MAX: usize = 2 << 20;

/// Versions of which texts are recorded in one database. Beyond it the one goes that was of no interest
/// for the longest time.
const VERSIONS_MAX: usize = 4;

/// A name for a version of a plugin, under which the texts of its statements are recorded: the same for
/// every generation that runs the same component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tag(u64);

impl Tag {
    /// The tag of the component whose digest begins with these bytes, which tell it from all others.
    #[must_use]
    pub fn of(beginning: u64) -> Self {
        // Zero stands for none where a tag is noted.
        Self(beginning.max(1))
    }

    pub(crate) fn number(self) -> u64 {
        self.0
    }
}

/// The statements recorded under one tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statements {
    /// Their texts, sorted.
    pub texts: Vec<Arc<str>>,
    /// Whether all are there: more than 2 000, or 2 MiB of them, are not recorded.
    pub is_complete: bool,
}

/// The record of one database, of the versions in the order in which somebody was interested in them last.
#[derive(Debug, Default)]
pub(crate) struct Record(Vec<Version>);

#[derive(Debug)]
struct Version {
    tag: Tag,
    texts: HashSet<Arc<str>>,
    n_bytes: usize,
    is_complete: bool,
}

impl Record {
    /// Adds a text that was run under a tag. Returns the tag of which all was forgotten for that.
    pub(crate) fn add(&mut self, text: &Arc<str>, tag: Tag) -> Option<Tag> {
        let forgotten = self.begin(tag);
        if let Some(version) = self.0.iter_mut().find(|version| version.tag == tag) {
            version.add(text);
        }
        forgotten
    }

    /// Makes room for another tag.
    fn begin(&mut self, tag: Tag) -> Option<Tag> {
        if self.0.iter().any(|version| version.tag == tag) {
            return None;
        }
        let forgotten = (self.0.len() >= VERSIONS_MAX).then(|| self.0.remove(0).tag);
        let texts = HashSet::new();
        self.0.push(Version { tag, texts, n_bytes: 0, is_complete: true });
        forgotten
    }

    /// What was recorded under a tag, which is of interest by that.
    pub(crate) fn statements_of(&mut self, tag: Tag) -> Statements {
        let Some(place) = self.0.iter().position(|version| version.tag == tag) else {
            return Statements { texts: Vec::new(), is_complete: true };
        };
        let version = self.0.remove(place);
        let mut texts: Vec<_> = version.texts.iter().map(Arc::clone).collect();
        texts.sort_unstable();
        let statements = Statements { texts, is_complete: version.is_complete };
        self.0.push(version);
        statements
    }
}

impl Version {
    fn add(&mut self, text: &Arc<str>) {
        if self.texts.contains(text) {
            return;
        }
        if self.texts.len() >= TEXTS_MAX || self.n_bytes + text.len() > BYTES_MAX {
            self.is_complete = false;
            return;
        }
        self.n_bytes += text.len();
        self.texts.insert(Arc::clone(text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(record: &mut Record, tag: Tag) -> Vec<String> {
        let statements = record.statements_of(tag);
        statements.texts.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_version_has_its_texts_once() {
        let (one, two) = (Tag::of(1), Tag::of(66));
        let mut record = Record::default();
        for (text, tag) in [("b", one), ("a", one), ("b", two), ("b", two)] {
            assert_eq!(record.add(&Arc::from(text), tag), None);
        }
        assert_eq!(texts(&mut record, one), ["a", "b"]);
        assert_eq!(texts(&mut record, two), ["b"]);
        assert_eq!(texts(&mut record, Tag::of(3)), [""; 0]);
    }

    #[test]
    fn the_version_goes_that_nobody_asked_for() {
        let mut record = Record::default();
        for number in 1..=VERSIONS_MAX as u64 {
            record.add(&Arc::from("a"), Tag::of(number));
        }
        let first = Tag::of(1);
        assert_eq!(texts(&mut record, first), ["a"]);
        assert_eq!(record.add(&Arc::from("a"), Tag::of(99)), Some(Tag::of(2)));
        assert_eq!(texts(&mut record, first), ["a"]);
        assert_eq!(texts(&mut record, Tag::of(2)), [""; 0]);
    }

    #[test]
    fn it_says_when_it_is_not_complete() {
        let (many, few, long) = (Tag::of(0), Tag::of(63), Tag::of(64));
        let mut record = Record::default();
        record.add(&Arc::from("SELECT 0"), few);
        for number in 0..TEXTS_MAX {
            record.add(&Arc::from(format!("SELECT {number}")), many);
        }
        record.add(&Arc::from("SELECT 0"), many);
        assert!(record.statements_of(many).is_complete);
        record.add(&Arc::from("SELECT 'one more'"), many);
        let known = record.statements_of(many);
        assert!(!known.is_complete && known.texts.len() == TEXTS_MAX);
        assert!(record.statements_of(few).is_complete);
        record.add(&Arc::from("x".repeat(BYTES_MAX + 1)), long);
        assert!(!record.statements_of(long).is_complete);
    }
}
