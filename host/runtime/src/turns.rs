//! Turns: guests that run long, or whose plugin runs much, go on one after the other, and not all at
//! once, so that whoever needs little finds a free thread at once. Plugins take turns, and the calls of
//! one plugin among themselves: how many of them wait does not matter to the others.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use parking_lot::Mutex;
use tokio::sync::oneshot;

/// All turns of a host.
pub(crate) struct Turns {
    state: Mutex<State>,
    /// Whether somebody had to wait since this was looked at last.
    was_waited_for: AtomicBool,
}

struct State {
    n_turns: usize,
    n_taken: usize,
    /// Those who wait, by plugin; the plugin whose turn it is next comes first. None is empty.
    queues: VecDeque<Queue>,
}

struct Queue {
    plugin: Arc<str>,
    waiting: VecDeque<oneshot::Sender<Turn>>,
}

/// The right to run on. Given to the next one when dropped.
pub(crate) struct Turn {
    /// None once there is nothing to give back.
    turns: Option<Arc<Turns>>,
}

impl Turns {
    pub(crate) fn new(n_turns: usize) -> Arc<Self> {
        let state = State { n_turns, n_taken: 0, queues: VecDeque::new() };
        Arc::new(Self { state: Mutex::new(state), was_waited_for: AtomicBool::new(false) })
    }

    /// Waits for the plugin's turn.
    pub(crate) async fn take(self: Arc<Self>, plugin: Arc<str>) -> Turn {
        let waiting = {
            let mut state = self.state.lock();
            if state.n_taken < state.n_turns && state.queues.is_empty() {
                state.n_taken += 1;
                None
            } else {
                Some(state.join(plugin))
            }
        };
        if let Some(waiting) = waiting {
            self.was_waited_for.store(true, Relaxed);
            if let Ok(turn) = waiting.await {
                return turn;
            }
        }
        // Nobody gives up a place of somebody else, so that none but the first case comes here.
        Turn { turns: Some(self) }
    }

    /// How many there are from now on. Those that are taken stay so.
    pub(crate) fn set_n_turns(self: &Arc<Self>, n_turns: usize) {
        self.state.lock().n_turns = n_turns;
        self.hand_on();
    }

    /// Whether somebody had to wait since this was asked last, or waits.
    pub(crate) fn take_waited_for(&self) -> bool {
        self.was_waited_for.swap(false, Relaxed) || !self.state.lock().queues.is_empty()
    }

    /// Gives the turns that are free to those who wait.
    fn hand_on(self: &Arc<Self>) {
        loop {
            let Some(next) = self.state.lock().next() else { return };
            if let Err(mut turn) = next.send(Turn { turns: Some(self.clone()) }) {
                // Who waited has gone. Dropped as it is, the turn would come back to this function.
                turn.turns = None;
                self.state.lock().n_taken -= 1;
            }
        }
    }
}

impl State {
    fn join(&mut self, plugin: Arc<str>) -> oneshot::Receiver<Turn> {
        let (sender, receiver) = oneshot::channel();
        match self.queues.iter_mut().find(|queue| queue.plugin == plugin) {
            Some(queue) => queue.waiting.push_back(sender),
            None => self.queues.push_back(Queue { plugin, waiting: [sender].into() }),
        }
        receiver
    }

    /// Takes a free turn for the one who is next.
    fn next(&mut self) -> Option<oneshot::Sender<Turn>> {
        if self.n_taken >= self.n_turns {
            return None;
        }
        let mut queue = self.queues.pop_front()?;
        let next = queue.waiting.pop_front();
        if !queue.waiting.is_empty() {
            self.queues.push_back(queue);
        }
        self.n_taken += usize::from(next.is_some());
        next
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(turns) = self.turns.take() {
            turns.state.lock().n_taken -= 1;
            turns.hand_on();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn take(turns: &Arc<Turns>, plugin: &str) -> futures::future::BoxFuture<'static, Turn> {
        turns.clone().take(plugin.into()).boxed()
    }

    #[test]
    fn plugins_take_turns_however_many_of_their_calls_wait() {
        let turns = Turns::new(1);
        let mut held = take(&turns, "a").now_or_never();
        assert!(held.is_some());
        let mut waiting: Vec<_> =
            ["a1", "a2", "a3", "b1"].map(|call| (call, take(&turns, &call[..1]))).into();
        for (_, call) in &mut waiting {
            assert!(call.now_or_never().is_none());
        }
        let mut order = Vec::new();
        for _ in 0..4 {
            drop(held.take());
            let ready = |(_, call): &mut (&str, _)| {
                futures::FutureExt::now_or_never(call).map(|turn| held = Some(turn)).is_some()
            };
            let next = waiting.iter_mut().position(ready).expect("somebody is next");
            order.push(waiting.remove(next).0);
        }
        assert_eq!(order, ["a1", "b1", "a2", "a3"]);
    }

    #[test]
    fn who_goes_away_keeps_no_turn() {
        let turns = Turns::new(1);
        let held = take(&turns, "a").now_or_never();
        let mut gone = take(&turns, "b");
        assert!((&mut gone).now_or_never().is_none());
        let mut given = take(&turns, "c");
        assert!((&mut given).now_or_never().is_none());
        drop(gone);
        drop(held);
        // It is given to `c`, who goes away before looking.
        drop(given);
        assert!(take(&turns, "d").now_or_never().is_some());
        assert_eq!(turns.state.lock().n_taken, 0);
    }

    #[test]
    fn there_may_be_more_or_fewer_later() {
        let turns = Turns::new(1);
        assert!(!turns.take_waited_for());
        let first = take(&turns, "a").now_or_never();
        let mut second = take(&turns, "a");
        assert!((&mut second).now_or_never().is_none());
        assert!(turns.take_waited_for());
        turns.set_n_turns(2);
        let second = second.now_or_never();
        assert!(second.is_some() && !turns.take_waited_for());
        turns.set_n_turns(1);
        drop(second);
        let mut third = take(&turns, "a");
        assert!((&mut third).now_or_never().is_none());
        drop(first);
        assert!(third.now_or_never().is_some());
    }
}
