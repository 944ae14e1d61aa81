//! One call into one plugin: for whom, until when, and with which transaction. Every host function
//! receives it (through [`crate::guest::Guest`]); there is no other authority a guest call has.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use caplet_store::{Mode, Transaction};
use http::{HeaderName, HeaderValue, Method, StatusCode};

use crate::identity::Identity;
use crate::limits::Limits;
use crate::routes::RouteId;
use crate::usage::StoreUsage;
use crate::work::Origin;

/// A request to a plugin, after the server has routed and checked it.
#[derive(Debug, Clone)]
pub struct Call {
    /// Names the request in logs and answers.
    pub request_id: Arc<str>,
    /// The W3C trace id, 32 hexadecimal digits.
    pub trace_id: Arc<str>,
    /// The verified caller, if there is one.
    pub identity: Option<Arc<Identity>>,
    /// The tenant: the caller's, or the default one.
    pub tenant: Arc<str>,
    /// The matched route.
    pub route: RouteId,
    /// The request's method.
    pub method: Method,
    /// The path below the plugin's root, still percent-encoded.
    pub path: String,
    /// The route's parameters, decoded.
    pub parameters: Vec<(String, String)>,
    /// The query's parameters, decoded.
    pub query: Vec<(String, String)>,
    /// The headers that the route asked for.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
    /// The idempotency key, for requests that may have one.
    pub idempotency_key: Option<String>,
}

/// A plugin's answer, checked: it can be sent as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// 200 to 599.
    pub status: StatusCode,
    /// Without framing, hop-by-hop and host headers.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body.
    pub body: Bytes,
    /// Whether it is the kept answer of an earlier request with the same idempotency key.
    pub replayed: bool,
}

/// Why a guest that describes itself or starts has no store.
const SERVES_NOBODY: &str = "a plugin that describes itself has no store";

/// What an invocation may do with the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StoreUse {
    /// Nothing; the reason is for the guest's author.
    Denied(&'static str),
    /// One transaction of this mode.
    Allowed(Mode),
}

/// The state of the call that an instance serves.
pub(crate) struct Invocation {
    pub(crate) request_id: Arc<str>,
    pub(crate) trace_id: Arc<str>,
    pub(crate) identity: Option<Arc<Identity>>,
    pub(crate) tenant: Arc<str>,
    pub(crate) began: Instant,
    pub(crate) deadline: Instant,
    pub(crate) cpu_budget: Duration,
    pub(crate) store_use: StoreUse,
    /// Begun at the first statement.
    pub(crate) transaction: Option<Box<dyn Transaction>>,
    pub(crate) store_usage: StoreUsage,
    pub(crate) n_host_calls: u32,
    pub(crate) log_bytes: usize,
    /// Whether only `log` is served, because the plugin describes itself.
    pub(crate) describing: bool,
    /// Whether nothing is served that has an effect outside the transaction, because it is a copy.
    pub(crate) is_copy: bool,
}

impl Invocation {
    /// The invocation of an instance that serves nobody: starting or describing.
    pub(crate) fn describing(wall_time: Duration, cpu_budget: Duration) -> Self {
        let now = Instant::now();
        Self {
            request_id: "".into(),
            trace_id: "".into(),
            identity: None,
            tenant: crate::identity::DEFAULT_TENANT.into(),
            began: now,
            deadline: now + wall_time,
            cpu_budget,
            store_use: StoreUse::Denied(SERVES_NOBODY),
            transaction: None,
            store_usage: StoreUsage::default(),
            n_host_calls: 0,
            log_bytes: 0,
            describing: true,
            is_copy: false,
        }
    }

    /// The invocation of something that is asked of the plugin, which began at `began`.
    pub(crate) fn serving(
        origin: Origin<'_>,
        store_use: StoreUse,
        began: Instant,
        limits: &Limits,
    ) -> Self {
        Self {
            request_id: origin.request_id.clone(),
            trace_id: origin.trace_id.clone(),
            identity: origin.identity.cloned(),
            tenant: origin.tenant.clone(),
            began,
            deadline: began + limits.wall_time(),
            cpu_budget: Duration::from_millis(limits.cpu_ms_max),
            store_use,
            transaction: None,
            store_usage: StoreUsage::default(),
            n_host_calls: 0,
            log_bytes: 0,
            describing: false,
            is_copy: false,
        }
    }

    /// Takes away whom it is for and what it may do. The ids stay until the next invocation's take
    /// their place: making empty ones would cost more than all the rest.
    pub(crate) fn end(&mut self) {
        self.identity = None;
        self.transaction = None;
        self.store_use = StoreUse::Denied(SERVES_NOBODY);
        self.describing = true;
    }
}
