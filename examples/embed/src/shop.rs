//! The shop itself: what it has, and its supplier. Knows nothing of hosts and plugins.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{Semaphore, watch};

/// A shop. Clones are the same shop.
#[derive(Clone)]
pub struct Shop {
    branches: Arc<Mutex<BTreeMap<String, Branch>>>,
    supplier: Arc<Semaphore>,
    n_orders: Arc<watch::Sender<usize>>,
}

/// The articles of one branch, by name.
type Branch = BTreeMap<String, Level>;

/// How much of an article there is, in pieces.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Level {
    /// On the shelf.
    pub on_hand: u32,
    /// Confirmed by the supplier.
    pub on_order: u32,
}

impl Shop {
    /// A shop with an empty shelf. Each permit of `supplier` is an order that the supplier confirms.
    #[must_use]
    pub fn new(supplier: Arc<Semaphore>) -> Self {
        let n_orders = Arc::new(watch::Sender::new(0));
        Self { branches: Arc::default(), supplier, n_orders }
    }

    /// Puts pieces of an article on the shelf of a branch.
    pub fn put(&self, branch: &str, article: &str, pieces: u32) {
        let mut branches = self.branches.lock();
        let articles = branches.entry(branch.to_owned()).or_default();
        articles.entry(article.to_owned()).or_default().on_hand += pieces;
    }

    /// The level of an article in a branch; none when the branch does not have it.
    #[must_use]
    pub fn level(&self, branch: &str, article: &str) -> Option<Level> {
        self.branches.lock().get(branch)?.get(article).copied()
    }

    /// Orders pieces, and waits for the supplier. None when the branch does not have the article.
    pub async fn order(&self, branch: &str, article: &str, pieces: u32) -> Option<u32> {
        self.level(branch, article)?;
        self.n_orders.send_modify(|n| *n += 1);
        self.supplier.acquire().await.ok()?.forget();
        let mut branches = self.branches.lock();
        let level = branches.get_mut(branch)?.get_mut(article)?;
        level.on_order = level.on_order.saturating_add(pieces);
        Some(level.on_order)
    }

    /// How many orders have been begun.
    #[must_use]
    pub fn orders(&self) -> watch::Receiver<usize> {
        self.n_orders.subscribe()
    }
}
