//! Copies of requests, run on a new version that answers nobody: the answers are held against the real
//! ones, what differs is counted and told, and everything else is thrown away.
//!
//! A copy begins when the real answer is there, on threads that give way to all others
//! ([`crate::back_row`]), so that no caller waits for it. It reads a snapshot and writes nothing; host
//! functions with an effect outside the plugin's own database are refused to it ([`crate::guest`]).
//! Writing requests are not copied: a copy would hold the one writer of the database, and would find what
//! the real request left, so that it had to answer otherwise.
//!
//! Of the limits that bound real requests a copy uses none: it has places of its own and never waits for
//! one. It goes on the plugin's account of the processors, and is left out where that is strained.

mod compare;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use caplet_store::Mode;
use http::StatusCode;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::fault::Fault;
use crate::generation::Generation;
use crate::instance::Instance;
use crate::invocation::{Answer, Call, StoreUse};
use crate::lifecycle::Rollout;
use crate::metrics::ShadowMetrics;
use crate::quarantine::Probe;
use crate::request::Routed;
use crate::usage::Usage;
use crate::work::{Origin, Work};

/// Copies of one plugin's requests that run at once; further ones are left out.
const COPIES_MAX: usize = 4;

/// Kinds of difference that are kept of one rollout; further ones are counted.
const DIFFERENCES_MAX: usize = 100;

/// A request that was answered, as the new version would be asked it.
#[derive(Debug)]
pub struct Copied {
    /// The operation that the real request came to.
    pub operation: String,
    /// The real request's id.
    pub request_id: Arc<str>,
    /// The call, or the status by which the new version's routes and access refuse it.
    pub call: Result<Box<Call>, StatusCode>,
}

/// What came of the copies of a rollout so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ShadowReport {
    /// Copies whose answer was the same.
    pub n_same: u64,
    /// Copies whose answer was another one.
    pub n_different: u64,
    /// Copies that were not answered.
    pub n_failed: u64,
    /// Requests of which no copy was run, because too many ran or the plugin had no room for it.
    pub n_dropped: u64,
    /// What differed, by operation and place; the first 100.
    pub differences: Vec<ShadowDifference>,
    /// Differences that are of none of these kinds.
    pub n_left_out: u64,
}

/// One kind of difference between the answers of two versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShadowDifference {
    /// The operation.
    pub operation: String,
    /// Where: `status`, `answer`, `body`, a header's name, or a JSON pointer into the body, with `*` for
    /// the places of a list.
    pub at: String,
    /// What the version that serves said there, as a kind of value and four digits of a hash.
    pub stable: String,
    /// What the new version said there.
    pub candidate: String,
    /// How often it differed there.
    pub n_times: u64,
    /// The id of the first request.
    pub request_id: String,
}

/// What is known of the copies of one rollout.
pub(crate) struct Shadow {
    places: Arc<Semaphore>,
    metrics: ShadowMetrics,
    /// Keeps hashes from being looked up: they tell only what is equal within one rollout.
    salt: [u8; 16],
    found: Mutex<Found>,
}

#[derive(Default)]
struct Found {
    n_same: u64,
    n_different: u64,
    n_failed: u64,
    n_dropped: u64,
    n_left_out: u64,
    /// By operation and place.
    kinds: BTreeMap<(String, String), ShadowDifference>,
}

/// The right to run a copy.
struct Admitted {
    _place: OwnedSemaphorePermit,
    probe: Option<Probe>,
}

impl Rollout {
    /// Runs a copy of a request whose real answer is there, if there is room for it. Returns at once.
    pub fn copy(&self, copied: Copied, real: &Answer) {
        let (candidate, shadow) = (self.candidate.clone(), self.shadow.clone());
        if copied.call.as_ref().is_ok_and(|call| writes(&candidate, call)) {
            return;
        }
        let Some(admitted) = shadow.admit(&candidate) else { return };
        let (real, back_row) = (real.clone(), candidate.context.back_row.clone());
        back_row.run(async move {
            // Taken whole, so that the place is held to the end.
            let Admitted { _place, probe } = admitted;
            let Copied { operation, request_id, call } = copied;
            let answered = match call {
                Ok(call) => candidate.answer_copy(*call).await,
                Err(status) => Err(Refused::Route(status)),
            };
            let fault = answered.as_ref().err().and_then(Refused::fault);
            candidate.quarantine.settle(probe, fault);
            shadow.learn((operation, request_id), &real, answered);
        });
    }
}

/// Whether a copy would have to write.
fn writes(candidate: &Generation, call: &Call) -> bool {
    let route = candidate.route_info(call.route);
    Routed::store_use_of(route, &call.method) == StoreUse::Allowed(Mode::Write)
}

/// Why a copy has no answer.
#[derive(Debug)]
enum Refused {
    Route(StatusCode),
    Fault(Fault),
}

impl Refused {
    fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Fault(fault) => Some(fault),
            Self::Route(_) => None,
        }
    }
}

impl Generation {
    /// Answers a copy of a request. What it would have changed is rolled back; it counts as none of the
    /// plugin's invocations, but what it took does.
    async fn answer_copy(&self, call: Call) -> Result<Answer, Refused> {
        let work = Copy(Routed::new(self, call));
        let mut usage = Usage::default();
        let outcome = self.attempt(&work, Instant::now(), &mut usage).await;
        self.context.metrics.copied(&usage);
        outcome.map_err(Refused::Fault)
    }
}

/// A request that leaves nothing behind.
struct Copy(Routed);

impl Work for Copy {
    type Outcome = Answer;

    fn operation<'a>(&'a self, generation: &'a Generation) -> &'a str {
        self.0.operation(generation)
    }

    fn origin(&self) -> Origin<'_> {
        self.0.origin()
    }

    fn store_use(&self, generation: &Generation) -> StoreUse {
        match self.0.store_use(generation) {
            StoreUse::Allowed(Mode::Write) => {
                StoreUse::Denied("a copy of a request writes nothing")
            }
            reads => reads,
        }
    }

    fn is_copy(&self) -> bool {
        true
    }

    async fn serve(
        &self,
        generation: &Generation,
        instance: &mut Instance,
    ) -> Result<Answer, Fault> {
        self.0.serve(generation, instance).await
    }

    fn commits(_answer: &Answer) -> bool {
        false
    }
}

impl Shadow {
    pub(crate) fn new(metrics: ShadowMetrics) -> Self {
        Self {
            places: Arc::new(Semaphore::new(COPIES_MAX)),
            metrics,
            salt: *uuid::Uuid::now_v7().as_bytes(),
            found: Mutex::default(),
        }
    }

    /// A place for a copy, which nobody real may need: none while the plugin is over its share of the
    /// processors, or its instances hold half of the memory that they may hold.
    fn admit(&self, candidate: &Arc<Generation>) -> Option<Admitted> {
        let context = &candidate.context;
        let is_strained = context.share.is_greedy()
            || context.memory.held_bytes() > context.limits.memory_total_bytes_max / 2;
        let place = self.places.clone().try_acquire_owned().ok().filter(|_| !is_strained);
        let admitted = place.and_then(|place| {
            let probe = candidate.quarantine.enter().ok()?;
            Some(Admitted { _place: place, probe })
        });
        if admitted.is_none() {
            self.found.lock().n_dropped += 1;
            self.metrics.dropped.inc();
            context.metrics.limit_hit("shadow");
        }
        admitted
    }

    /// Holds what a copy came to against the real answer.
    fn learn(
        &self,
        (operation, request_id): (String, Arc<str>),
        real: &Answer,
        answered: Result<Answer, Refused>,
    ) {
        let is_answered = !matches!(answered, Err(Refused::Fault(_)));
        let differences = match &answered {
            Ok(copy) => compare::answers(real, copy, &self.salt),
            Err(Refused::Route(status)) => compare::statuses(real.status, *status),
            Err(Refused::Fault(fault)) => {
                tracing::debug!(operation, request_id = %request_id, "a copy failed: {fault}");
                vec![compare::no_answer(real.status, fault.code())]
            }
        };
        let mut found = self.found.lock();
        let (count, counter) = match (is_answered, differences.is_empty()) {
            (false, _) => (&mut found.n_failed, &self.metrics.failed),
            (true, true) => (&mut found.n_same, &self.metrics.same),
            (true, false) => (&mut found.n_different, &self.metrics.different),
        };
        *count += 1;
        counter.inc();
        for compare::Difference { at, stable, candidate } in differences {
            found.add(ShadowDifference {
                operation: operation.clone(),
                at,
                stable,
                candidate,
                n_times: 1,
                request_id: request_id.to_string(),
            });
        }
    }

    pub(crate) fn report(&self) -> ShadowReport {
        let found = self.found.lock();
        ShadowReport {
            n_same: found.n_same,
            n_different: found.n_different,
            n_failed: found.n_failed,
            n_dropped: found.n_dropped,
            differences: found.kinds.values().cloned().collect(),
            n_left_out: found.n_left_out,
        }
    }
}

impl Found {
    fn add(&mut self, difference: ShadowDifference) {
        let kind = (difference.operation.clone(), difference.at.clone());
        if let Some(known) = self.kinds.get_mut(&kind) {
            known.n_times += 1;
        } else if self.kinds.len() < DIFFERENCES_MAX {
            self.kinds.insert(kind, difference);
        } else {
            self.n_left_out += 1;
        }
    }
}
