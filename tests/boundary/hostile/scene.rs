//! A hostile plugin beside a well-behaved one, whose callers must notice nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use caplet_runtime::{Answer, Fault, Limits, Runtime};
use tokio::task::JoinHandle;

use crate::rig::{Ask, Rig, Setup, bytes_of, until};

const NEIGHBOUR: &str = "echo";

static N_PANICS: AtomicUsize = AtomicUsize::new(0);

/// From now on panics are counted, caught ones, too. Each row runs in a process of its own.
pub fn count_panics() {
    let shown = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        N_PANICS.fetch_add(1, SeqCst);
        shown(panic);
    }));
}

pub fn n_panics() -> usize {
    N_PANICS.load(SeqCst)
}

/// A runtime with a hostile plugin and a neighbour that is called all the time.
pub struct Scene {
    pub rig: Rig,
    neighbour: JoinHandle<usize>,
    is_over: Arc<AtomicBool>,
}

impl Scene {
    /// With the hostile guest of that name.
    pub async fn with(guest: &str) -> Self {
        Self::limited(guest, |_| ()).await
    }

    /// With a guest under other limits.
    pub async fn limited(guest: &str, change: impl FnOnce(&mut Limits)) -> Self {
        // Idle instances go at once, so that it is seen whether their memory comes back; and a row may
        // fail as often as it likes.
        let mut limits = Limits { idle_ms_max: 1, faults_max: 0, ..Limits::default() };
        change(&mut limits);
        Self::of(Setup { limits, ..Setup::default() }, guest).await
    }

    /// With a guest in any set-up.
    pub async fn of(setup: Setup, guest: &str) -> Self {
        let rig = setup.load(guest).await;
        rig.runtime.load(bytes_of(NEIGHBOUR)).await.expect("the neighbour loads");
        let is_over = Arc::new(AtomicBool::new(false));
        let neighbour = tokio::spawn(call_all_the_time(rig.runtime.clone(), is_over.clone()));
        Self { rig, neighbour, is_over }
    }

    /// With nothing hostile in it yet.
    pub async fn quiet() -> Self {
        Self::with(NEIGHBOUR).await
    }

    pub async fn get(&self, target: &str) -> Result<Answer, Fault> {
        self.rig.get(target).await
    }

    /// Calls at the same time, all to one path.
    pub async fn get_at_once(&self, n_calls: usize, path: &str) -> Vec<Result<Answer, Fault>> {
        let call = || tokio::spawn(self.rig.ask(http::Method::GET, path).send());
        let calls: Vec<_> = (0..n_calls).map(|_| call()).collect();
        let mut answers = Vec::new();
        for call in calls {
            answers.push(call.await.expect("the host does not panic"));
        }
        answers
    }

    /// The end of each row: the neighbour was answered throughout, and what the plugin held is free.
    pub async fn settle(self) {
        self.is_over.store(true, SeqCst);
        let n_answers = self.neighbour.await.expect("the neighbour was answered each time");
        assert!(n_answers > 0, "the neighbour was never answered");
        let held = || {
            self.rig.counted("caplet_plugin_memory_bytes", &[])
                + self.rig.counted("caplet_instances", &[])
                + self.rig.counted("caplet_invocations_running", &[])
        };
        until("the memory comes back", async || held() == 0.0).await;
    }
}

/// Calls the neighbour until the row is over. Returns how often.
async fn call_all_the_time(runtime: Runtime, is_over: Arc<AtomicBool>) -> usize {
    let mut n_answers = 0;
    while !is_over.load(SeqCst) || n_answers == 0 {
        let generation = runtime.table().get(NEIGHBOUR).expect("it stays loaded").clone();
        let answer = Ask::to(generation, http::Method::GET, "/clock").send().await;
        assert_eq!(answer.map(|answer| answer.status.as_u16()), Ok(200));
        n_answers += 1;
        tokio::task::yield_now().await;
    }
    n_answers
}
