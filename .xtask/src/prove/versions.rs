//! Which version of which plugin served when, and whether an answer is of one that did.

use std::time::Duration;

use super::{admin::Steps, caller::Outcome, load::Sample, plot::Mark, question::Target};

/// What counts as around a swap, before and after it.
pub const MARGIN: Duration = Duration::from_millis(500);

/// A change of a plugin's version, from the moment it was asked for until requests saw it.
#[derive(Debug, Clone)]
pub struct Swap {
    pub of: Target,
    pub from: u8,
    pub to: u8,
    pub begun: Duration,
    pub seen: Duration,
    pub steps: Steps,
}

impl Swap {
    /// Whether it went on at that moment, or nearly so.
    pub fn is_around(&self, at: Duration) -> bool {
        at + MARGIN >= self.begun && at <= self.seen + MARGIN
    }

    /// It in a picture.
    pub fn mark(&self) -> Mark {
        let text = format!("{} {} → {}", self.of.name(), self.from, self.to);
        Mark { from: self.begun, to: self.seen, text }
    }
}

/// What is wrong with the version of an answer: it did not serve between sending and answering.
pub fn wrong_version(sample: &Sample, swaps: &[Swap]) -> Option<String> {
    let Outcome::Good(version) = sample.outcome else { return None };
    let of = sample.question.of;
    let served = |(from, to)| sample.sent <= to && sample.done >= from;
    if of == Target::Feed || serving(of, version, swaps).into_iter().any(served) {
        return None;
    }
    let at = sample.sent.as_secs_f64();
    Some(format!("{} sent at {at:.3} s: version {version}", sample.question.name()))
}

/// The times at which a version may have answered.
fn serving(of: Target, version: u8, swaps: &[Swap]) -> Vec<(Duration, Duration)> {
    let own: Vec<&Swap> = swaps.iter().filter(|swap| swap.of == of).collect();
    let is_first = own.first().is_none_or(|swap| swap.from == version);
    let begins = own.iter().filter(|swap| swap.to == version).map(|swap| swap.begun);
    let begins = is_first.then_some(Duration::ZERO).into_iter().chain(begins);
    begins
        .map(|begun| {
            let end = own.iter().find(|swap| swap.from == version && swap.seen >= begun);
            (begun, end.map_or(Duration::MAX, |swap| swap.seen))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Outcome, Sample, Swap, Target, wrong_version};
    use crate::prove::question::{Kind, Question};
    use std::time::Duration;

    fn answer(of: Target, version: u8, sent_ms: u64, done_ms: u64) -> Sample {
        let at = Duration::from_millis;
        let question = Question { of, kind: Kind::Fast };
        let outcome = Outcome::Good(version);
        Sample { question, due: at(sent_ms), sent: at(sent_ms), done: at(done_ms), outcome }
    }

    #[test]
    fn an_answer_is_of_a_version_that_served_meanwhile() {
        let at = Duration::from_millis;
        let of = Target::Comments;
        let swap = |from, to, begun, seen| Swap {
            of,
            from,
            to,
            begun: at(begun),
            seen: at(seen),
            steps: String::new(),
        };
        let swaps = [swap(1, 2, 100, 110), swap(2, 1, 200, 210), swap(1, 3, 300, 310)];
        for (version, sent, done, is_right) in [
            (1, 50, 60, true),
            (2, 50, 60, false),
            (1, 105, 106, true),
            (2, 105, 106, true),
            (1, 120, 130, false),
            (1, 50, 130, true),
            (2, 250, 260, false),
            (1, 250, 260, true),
            (3, 400, 410, true),
            (1, 400, 410, false),
        ] {
            let found = wrong_version(&answer(of, version, sent, done), &swaps);
            assert_eq!(found.is_none(), is_right, "{version} from {sent} to {done}");
        }
        assert!(wrong_version(&answer(Target::Tags, 1, 400, 410), &swaps).is_none());
    }
}
