//! Requests at a fixed rate, whatever the host does with them. One that is due while as many as allowed
//! are under way waits here, and the time that it waits is part of its latency.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinHandle,
    time::{Instant, sleep_until},
};

use super::{
    caller::{Caller, Outcome},
    question::{Kind, Question, Target},
};

/// What is asked, how often.
#[derive(Debug, Clone)]
pub struct Traffic {
    pub rate_per_s: u32,
    /// Requests under way at once.
    pub in_flight_max: usize,
    /// Decides which request comes when.
    pub seed: u64,
    /// What is asked, with its part of all.
    pub mix: Vec<(Question, u32)>,
}

impl Traffic {
    /// 500 requests a second of all kinds to the fixture and to the bundled plugins: so many of them
    /// are slow that about 200 are under way at any time. When the host stands still there are more;
    /// the bound is only a guard.
    pub fn full(seed: u64) -> Self {
        let of = |of, parts: [u32; 4]| {
            let kinds = [Kind::Fast, Kind::Slow, Kind::Upload, Kind::Write];
            kinds.into_iter().map(move |kind| Question { of, kind }).zip(parts)
        };
        let feed = Question { of: Target::Feed, kind: Kind::Stream };
        let mix = of(Target::Upgrade, [11, 3, 3, 2])
            .chain(of(Target::Comments, [11, 4, 1, 3]))
            .chain(of(Target::Tags, [11, 4, 1, 3]))
            .chain([(feed, 3)]);
        Self { rate_per_s: 500, in_flight_max: 1_000, seed, mix: mix.collect() }
    }

    /// One question, asked so often.
    pub fn of(question: Question, rate_per_s: u32, seed: u64) -> Self {
        Self { rate_per_s, in_flight_max: 10_000, seed, mix: vec![(question, 1)] }
    }

    fn question(&self, random: &mut fastrand::Rng) -> Option<Question> {
        let all: u32 = self.mix.iter().map(|(_, part)| part).sum();
        let mut at = random.u32(0..all.max(1));
        for (question, part) in &self.mix {
            if at < *part {
                return Some(*question);
            }
            at -= part;
        }
        None
    }
}

/// What became of one request. Times are since the load began.
#[derive(Debug, Clone)]
pub struct Sample {
    pub question: Question,
    /// When it was due.
    pub due: Duration,
    /// When it was sent.
    pub sent: Duration,
    /// When its answer was there.
    pub done: Duration,
    pub outcome: Outcome,
}

impl Sample {
    /// From the moment when it was due.
    pub fn latency_ms(&self) -> f64 {
        self.done.saturating_sub(self.due).as_secs_f64() * 1_000.0
    }
}

/// Requests that are being made.
pub struct Load {
    begun: Instant,
    is_over: Arc<AtomicBool>,
    driver: JoinHandle<()>,
    samples: mpsc::UnboundedReceiver<Sample>,
}

impl Load {
    /// Begins to ask a host.
    pub fn begin(caller: &Caller, url: &str, traffic: Traffic) -> Self {
        let (tell, samples) = mpsc::unbounded_channel();
        let is_over = Arc::new(AtomicBool::new(false));
        let begun = Instant::now();
        let one = One { caller: caller.clone(), url: Arc::from(url), begun, tell };
        let driver = tokio::spawn(drive(one, traffic, is_over.clone()));
        Self { begun, is_over, driver, samples }
    }

    /// How long it has been going on.
    pub fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Ends it once the last request is answered, and returns all.
    pub async fn end(mut self) -> anyhow::Result<Vec<Sample>> {
        self.is_over.store(true, Ordering::Relaxed);
        self.driver.await?;
        let mut all = Vec::new();
        while let Some(sample) = self.samples.recv().await {
            all.push(sample);
        }
        all.sort_by_key(|sample| sample.done);
        Ok(all)
    }
}

/// What one request needs.
#[derive(Clone)]
struct One {
    caller: Caller,
    url: Arc<str>,
    begun: Instant,
    tell: mpsc::UnboundedSender<Sample>,
}

async fn drive(one: One, traffic: Traffic, is_over: Arc<AtomicBool>) {
    let mut random = fastrand::Rng::with_seed(traffic.seed);
    let places = Arc::new(Semaphore::new(traffic.in_flight_max));
    for number in 0u64.. {
        if is_over.load(Ordering::Relaxed) {
            return;
        }
        let due = Duration::from_secs(1) * u32::try_from(number).unwrap_or(u32::MAX)
            / traffic.rate_per_s.max(1);
        sleep_until(one.begun + due).await;
        let Some(question) = traffic.question(&mut random) else { return };
        let (one, places) = (one.clone(), places.clone());
        tokio::spawn(async move {
            let Ok(_place) = places.acquire_owned().await else { return };
            let sent = one.begun.elapsed();
            let outcome = one.caller.ask(&one.url, question, number).await;
            let done = one.begun.elapsed();
            // Nobody listens any more when the scenario has failed.
            let _ = one.tell.send(Sample { question, due, sent, done, outcome });
        });
    }
}

#[cfg(test)]
mod tests {
    use super::Traffic;

    #[test]
    fn the_same_seed_asks_the_same() {
        let questions = |seed| {
            let traffic = Traffic::full(seed);
            let mut random = fastrand::Rng::with_seed(seed);
            (0..100).map(|_| traffic.question(&mut random).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(questions(7), questions(7));
        assert_ne!(questions(7), questions(8));
    }
}
