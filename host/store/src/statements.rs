//! Which statements a generation of a plugin ran: what an upgrade must not break.

use std::collections::HashMap;
use std::sync::Arc;

/// Texts that are recorded for one database, of all tags.
const TEXTS_MAX: usize = 2_000;

/// Their bytes.
const BYTES_MAX: usize = 4 << 20;

/// A small name for a generation of a plugin, under which the texts of its statements are recorded.
/// Two generations that are [`Tag::N_TAGS`] apart share one: whoever gives a tag out again forgets
/// what was recorded under it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tag(u8);

impl Tag {
    /// How many tags there are.
    pub const N_TAGS: u64 = 64;

    /// The tag of the generation with this number.
    #[must_use]
    pub fn of(generation: u64) -> Self {
        Self((generation % Self::N_TAGS) as u8)
    }

    /// One bit of 64.
    pub(crate) fn bit(self) -> u64 {
        1 << self.0
    }
}

/// The statements recorded under one tag.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Statements {
    /// Their texts, sorted.
    pub texts: Vec<Arc<str>>,
    /// Whether there were so many that some were not recorded.
    pub is_complete: bool,
}

/// The record of one database. A text that several tags ran is kept once.
#[derive(Debug, Default)]
pub(crate) struct Record {
    /// Which tags ran a text, a bit each.
    tags_by_text: HashMap<Arc<str>, u64>,
    n_bytes: usize,
    /// Tags of which some text did not fit.
    incomplete: u64,
}

impl Record {
    pub(crate) fn add(&mut self, text: &Arc<str>, tag: Tag) {
        if let Some(tags) = self.tags_by_text.get_mut(text) {
            *tags |= tag.bit();
        } else if self.tags_by_text.len() < TEXTS_MAX && self.n_bytes + text.len() <= BYTES_MAX {
            self.n_bytes += text.len();
            self.tags_by_text.insert(Arc::clone(text), tag.bit());
        } else {
            self.incomplete |= tag.bit();
        }
    }

    pub(crate) fn statements_of(&self, tag: Tag) -> Statements {
        let of_tag = self.tags_by_text.iter().filter(|(_, tags)| **tags & tag.bit() != 0);
        let mut texts: Vec<_> = of_tag.map(|(text, _)| Arc::clone(text)).collect();
        texts.sort_unstable();
        Statements { texts, is_complete: self.incomplete & tag.bit() == 0 }
    }

    pub(crate) fn forget(&mut self, tag: Tag) {
        self.incomplete &= !tag.bit();
        let n_bytes = &mut self.n_bytes;
        self.tags_by_text.retain(|text, tags| {
            *tags &= !tag.bit();
            *n_bytes -= if *tags == 0 { text.len() } else { 0 };
            *tags != 0
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_kept_once_for_all_its_tags() {
        let (one, two) = (Tag::of(1), Tag::of(66));
        let mut record = Record::default();
        for (text, tag) in [("b", one), ("a", one), ("b", two), ("b", two)] {
            record.add(&Arc::from(text), tag);
        }
        assert_eq!(record.statements_of(one).texts, [Arc::from("a"), Arc::from("b")]);
        assert_eq!(record.statements_of(two).texts, [Arc::from("b")]);
        record.forget(one);
        assert_eq!(record.statements_of(one).texts, []);
        assert_eq!(record.statements_of(two).texts, [Arc::from("b")]);
        assert_eq!(record.n_bytes, 1);
    }

    #[test]
    fn it_says_when_it_is_not_complete() {
        let (many, few) = (Tag::of(0), Tag::of(63));
        let mut record = Record::default();
        record.add(&Arc::from("SELECT 0"), few);
        for number in 0..TEXTS_MAX {
            record.add(&Arc::from(format!("SELECT {number}")), many);
        }
        record.add(&Arc::from("SELECT 0"), few);
        assert!(record.statements_of(few).is_complete);
        assert!(record.statements_of(many).is_complete);
        record.add(&Arc::from("SELECT 'one more'"), many);
        assert!(!record.statements_of(many).is_complete);
        assert_eq!(record.statements_of(many).texts.len(), TEXTS_MAX);
        record.forget(many);
        assert!(record.statements_of(many).is_complete);
        record.add(&Arc::from("x".repeat(BYTES_MAX + 1)), few);
        assert!(!record.statements_of(few).is_complete);
    }
}
