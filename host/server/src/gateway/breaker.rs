//! The circuit breaker: leaves a failing service alone for a while, then lets a few requests through
//! to see. Pure: it is told the time, and knows nothing of HTTP.

use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;
use utoipa::ToSchema;

use super::options::BreakerOptions;

/// The parts of the window; the oldest one is forgotten as a new one begins.
const PARTS: u64 = 10;

/// Whether requests reach a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Circuit {
    /// They do.
    Closed,
    /// A few do, to see whether it is well again.
    HalfOpen,
    /// None does.
    Open,
}

/// What an attempt came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Succeeded,
    Failed,
    /// It was given up for a reason that says nothing about the service.
    Abandoned,
}

/// The permission for one attempt, to be handed back with its outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pass {
    Ordinary,
    /// One of the few; the number tells one half-open time from the next.
    Probe(u64),
}

/// A circuit breaker. All times are milliseconds of one clock that never goes back.
#[derive(Debug)]
pub(crate) struct Breaker {
    options: BreakerOptions,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    /// How often it has been half open.
    n_trials: u64,
}

#[derive(Debug)]
enum Phase {
    Closed(Window),
    Open { until_ms: u64 },
    HalfOpen { n_running: u32, n_succeeded: u32 },
}

impl Breaker {
    pub(crate) fn new(options: BreakerOptions) -> Self {
        let state = State { phase: Phase::Closed(Window::default()), n_trials: 0 };
        Self { options, state: Mutex::new(state) }
    }

    /// Asks to make an attempt; refused, it tells how long to wait.
    pub(crate) fn admit(&self, now_ms: u64) -> Result<Pass, Duration> {
        let mut state = self.state.lock();
        if let Phase::Open { until_ms } = state.phase {
            if now_ms < until_ms {
                return Err(Duration::from_millis(until_ms - now_ms));
            }
            state.phase = Phase::HalfOpen { n_running: 0, n_succeeded: 0 };
            state.n_trials += 1;
        }
        let n_trials = state.n_trials;
        match &mut state.phase {
            Phase::HalfOpen { n_running, n_succeeded } => {
                if *n_running + *n_succeeded >= self.probes() {
                    return Err(Duration::from_millis(self.options.open_ms));
                }
                *n_running += 1;
                Ok(Pass::Probe(n_trials))
            }
            Phase::Closed(_) | Phase::Open { .. } => Ok(Pass::Ordinary),
        }
    }

    /// Hands back what [`Breaker::admit`] gave. What began before the circuit opened says nothing
    /// about the time after it.
    pub(crate) fn settle(&self, now_ms: u64, pass: Pass, outcome: Outcome) {
        let mut state = self.state.lock();
        let current = pass == Pass::Probe(state.n_trials);
        let opens = match &mut state.phase {
            Phase::Closed(window) if pass == Pass::Ordinary => {
                window.add(now_ms / self.part_ms(), outcome);
                window.is_bad(&self.options)
            }
            Phase::HalfOpen { n_running, n_succeeded } if current => {
                *n_running = n_running.saturating_sub(1);
                *n_succeeded += u32::from(outcome == Outcome::Succeeded);
                if *n_succeeded >= self.probes() {
                    state.phase = Phase::Closed(Window::default());
                }
                outcome == Outcome::Failed
            }
            _ => false,
        };
        if opens {
            state.phase = Phase::Open { until_ms: now_ms.saturating_add(self.options.open_ms) };
        }
    }

    /// What it is now; an open circuit whose time is over is half open from the next request on.
    pub(crate) fn circuit(&self) -> Circuit {
        match self.state.lock().phase {
            Phase::Closed(_) => Circuit::Closed,
            Phase::Open { .. } => Circuit::Open,
            Phase::HalfOpen { .. } => Circuit::HalfOpen,
        }
    }

    fn probes(&self) -> u32 {
        self.options.probes.max(1)
    }

    fn part_ms(&self) -> u64 {
        (self.options.window_ms / PARTS).max(1)
    }
}

/// The attempts of the last [`PARTS`] parts of time.
#[derive(Debug, Default)]
struct Window {
    parts: [Part; PARTS as usize],
    now: u64,
}

#[derive(Debug, Default, Clone, Copy)]
struct Part {
    number: u64,
    n_attempts: u32,
    n_failed: u32,
}

impl Window {
    fn add(&mut self, now: u64, outcome: Outcome) {
        if outcome == Outcome::Abandoned {
            return;
        }
        self.now = now;
        let part = &mut self.parts[(now % PARTS) as usize];
        if part.number != now {
            *part = Part { number: now, ..Part::default() };
        }
        part.n_attempts += 1;
        part.n_failed += u32::from(outcome == Outcome::Failed);
    }

    fn is_bad(&self, options: &BreakerOptions) -> bool {
        let recent = self.parts.iter().filter(|part| part.number + PARTS > self.now);
        let (n_attempts, n_failed) = recent.fold((0_u64, 0_u64), |(attempts, failed), part| {
            (attempts + u64::from(part.n_attempts), failed + u64::from(part.n_failed))
        });
        n_attempts >= u64::from(options.attempts_min.max(1))
            && n_failed > 0
            && n_failed * 100 >= n_attempts * u64::from(options.failure_percent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaker() -> Breaker {
        Breaker::new(BreakerOptions {
            window_ms: 1_000,
            attempts_min: 4,
            failure_percent: 50,
            open_ms: 500,
            probes: 2,
        })
    }

    fn attempt(breaker: &Breaker, now_ms: u64, outcome: Outcome) {
        let pass = breaker.admit(now_ms).expect("it lets attempts through");
        breaker.settle(now_ms, pass, outcome);
    }

    fn opened_at(now_ms: u64) -> Breaker {
        let breaker = breaker();
        (0..4).for_each(|_| attempt(&breaker, now_ms, Outcome::Failed));
        assert_eq!(breaker.circuit(), Circuit::Open);
        breaker
    }

    #[test]
    fn opens_when_enough_of_enough_attempts_failed() {
        let breaker = breaker();
        for outcome in [Outcome::Failed, Outcome::Succeeded, Outcome::Succeeded] {
            attempt(&breaker, 0, outcome);
        }
        attempt(&breaker, 10, Outcome::Abandoned);
        assert_eq!(breaker.circuit(), Circuit::Closed);
        attempt(&breaker, 20, Outcome::Failed);
        assert_eq!(breaker.circuit(), Circuit::Open);
        assert_eq!(breaker.admit(120), Err(Duration::from_millis(400)));
    }

    #[test]
    fn forgets_what_is_older_than_the_window() {
        let breaker = breaker();
        (0..3).for_each(|_| attempt(&breaker, 0, Outcome::Failed));
        attempt(&breaker, 1_000, Outcome::Failed);
        assert_eq!(breaker.circuit(), Circuit::Closed);
        (0..3).for_each(|_| attempt(&breaker, 1_900, Outcome::Failed));
        assert_eq!(breaker.circuit(), Circuit::Open);
    }

    #[test]
    fn closes_after_as_many_good_probes_as_it_lets_through() {
        let breaker = opened_at(0);
        let first = breaker.admit(500).unwrap();
        let second = breaker.admit(500).unwrap();
        assert_eq!((first, breaker.circuit()), (Pass::Probe(1), Circuit::HalfOpen));
        assert!(breaker.admit(501).is_err());
        breaker.settle(510, first, Outcome::Succeeded);
        assert!(breaker.admit(511).is_err());
        breaker.settle(520, second, Outcome::Succeeded);
        assert_eq!(breaker.circuit(), Circuit::Closed);
        assert_eq!(breaker.admit(521), Ok(Pass::Ordinary));
    }

    #[test]
    fn opens_again_at_the_first_bad_probe() {
        let breaker = opened_at(0);
        let probe = breaker.admit(500).unwrap();
        breaker.settle(600, probe, Outcome::Failed);
        assert_eq!(breaker.admit(700), Err(Duration::from_millis(400)));
        assert_eq!(breaker.admit(1_100), Ok(Pass::Probe(2)));
    }

    #[test]
    fn a_probe_that_was_given_up_makes_room_for_another() {
        let breaker = opened_at(0);
        let passes: Vec<Pass> = (0..2).map(|_| breaker.admit(500).unwrap()).collect();
        assert!(breaker.admit(500).is_err());
        breaker.settle(500, passes[0], Outcome::Abandoned);
        assert!(breaker.admit(500).is_ok());
        assert_eq!(breaker.circuit(), Circuit::HalfOpen);
    }

    #[test]
    fn what_began_before_says_nothing_about_after() {
        let breaker = breaker();
        let slow = breaker.admit(0).unwrap();
        (0..4).for_each(|_| attempt(&breaker, 0, Outcome::Failed));
        let probe = breaker.admit(500).unwrap();
        breaker.settle(500, slow, Outcome::Failed);
        assert_eq!(breaker.circuit(), Circuit::HalfOpen);
        breaker.settle(500, probe, Outcome::Failed);
        let later = breaker.admit(1_000).unwrap();
        breaker.settle(1_000, probe, Outcome::Succeeded);
        breaker.settle(1_000, probe, Outcome::Succeeded);
        assert_eq!(breaker.circuit(), Circuit::HalfOpen);
        assert_ne!(later, probe);
    }
}
