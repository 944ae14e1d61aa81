//! What ties a request, its log lines and its answer together: the request id, and the W3C trace
//! context. Spans are made in [`crate::trace`].

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};

/// Names a request; taken from the caller or made by the host, and always sent back.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The caller's place in a trace (W3C Trace Context, level 1).
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The host's place in the caller's trace (W3C Trace Context, level 2).
pub(crate) const TRACERESPONSE: HeaderName = HeaderName::from_static("traceresponse");

/// What the systems before the host say of the trace, in forms of their own.
pub(crate) const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The longest request id taken from a caller, in characters.
const REQUEST_ID_CHARACTERS_MAX: usize = 64;

/// The ids of one request.
#[derive(Debug, Clone)]
pub(crate) struct Correlation {
    pub(crate) request_id: Arc<str>,
    /// 32 hexadecimal digits.
    pub(crate) trace_id: Arc<str>,
    /// The caller's place, when the trace is the caller's.
    pub(crate) caller: Option<Caller>,
    /// The host's own place, when the request has a span that may be exported.
    own: Option<Place>,
}

/// A caller's place in its trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) span_id: u64,
    pub(crate) flags: u8,
}

/// The host's own place in a trace.
#[derive(Debug, Clone, Copy)]
struct Place {
    span_id: u64,
    is_sampled: bool,
}

impl Correlation {
    /// Takes the ids that the caller sent, as far as they are well-formed, and makes the others.
    pub(crate) fn of(headers: &HeaderMap, now_ms: u64) -> Self {
        let request_id = single(headers, &REQUEST_ID).filter(|id| is_request_id(id)).map(Arc::from);
        let parent = single(headers, &TRACEPARENT).and_then(parse);
        Self {
            request_id: request_id.unwrap_or_else(|| new_request_id(now_ms)),
            trace_id: parent.map_or_else(new_trace_id, |(trace_id, _)| Arc::from(trace_id)),
            caller: parent.map(|(_, caller)| caller),
            own: None,
        }
    }

    /// Takes over the place of the request's span: one trace id for logs, answers and what is
    /// exported.
    pub(crate) fn join(&mut self, trace_id: [u8; 16], span_id: [u8; 8], is_sampled: bool) {
        self.trace_id = hex(u128::from_be_bytes(trace_id));
        self.own = Some(Place { span_id: u64::from_be_bytes(span_id), is_sampled });
    }

    /// The headers that carry the ids back: the request id always, the trace to callers who take
    /// part in one.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        if let Ok(value) = HeaderValue::from_str(&self.request_id) {
            headers.insert(REQUEST_ID, value);
        }
        if self.caller.is_some() {
            let (span_id, flags) = self.place();
            let response = format!("00-{}-{span_id:016x}-{flags:02x}", self.trace_id);
            headers
                .extend(HeaderValue::from_str(&response).ok().map(|value| (TRACERESPONSE, value)));
        }
    }

    /// The host's span id and flags. Without a span of its own it stands where one would.
    fn place(&self) -> (u64, u8) {
        match (self.own, self.caller) {
            (Some(own), _) => (own.span_id, u8::from(own.is_sampled)),
            (None, caller) => (fastrand::u64(1..), caller.map_or(0, |caller| caller.flags)),
        }
    }

    /// The headers that carry the ids on to a service that is asked because of this request.
    pub(crate) fn pass_on(&self, headers: &mut HeaderMap) {
        let (span_id, flags) = self.place();
        let parent = format!("00-{}-{span_id:016x}-{flags:02x}", self.trace_id);
        if let Ok(value) = HeaderValue::from_str(&self.request_id) {
            headers.insert(REQUEST_ID, value);
        }
        if let Ok(value) = HeaderValue::from_str(&parent) {
            headers.insert(TRACEPARENT, value);
        }
    }
}

/// The value of a header that stands there once; none when it is repeated or no text.
pub(crate) fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

fn is_request_id(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=REQUEST_ID_CHARACTERS_MAX).contains(&text.len()) && text.bytes().all(allowed)
}

/// A UUIDv7, so that ids sort by time. Its random part is no secret and need not be hard to guess.
fn new_request_id(now_ms: u64) -> Arc<str> {
    let random = fastrand::u128(..).to_be_bytes();
    let mut random_bytes = [0; 10];
    random_bytes.copy_from_slice(&random[..10]);
    let id = uuid::Builder::from_unix_timestamp_millis(now_ms, &random_bytes).into_uuid();
    Arc::from(&*id.hyphenated().encode_lower(&mut uuid::Uuid::encode_buffer()))
}

fn new_trace_id() -> Arc<str> {
    hex(fastrand::u128(1..))
}

/// 32 hexadecimal digits.
fn hex(id: u128) -> Arc<str> {
    let mut buffer = uuid::Uuid::encode_buffer();
    Arc::from(&*uuid::Uuid::from_u128(id).simple().encode_lower(&mut buffer))
}

/// The trace id and the caller's place of a `traceparent`. Of a later version only the parts of version 00 are
/// read, as the standard asks.
fn parse(value: &str) -> Option<(&str, Caller)> {
    let (head, rest) = value.split_at_checked(55)?;
    let mut parts = head.split('-');
    let (version, trace_id, span_id, flags) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let version = hex_byte(version)?;
    let ends_well = match version {
        0 => rest.is_empty(),
        0xff => false,
        _ => rest.is_empty() || rest.starts_with('-'),
    };
    let flags = hex_byte(flags)?;
    if !(ends_well && is_id(trace_id, 32) && is_id(span_id, 16)) {
        return None;
    }
    Some((trace_id, Caller { span_id: u64::from_str_radix(span_id, 16).ok()?, flags }))
}

fn is_id(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(is_lower_hex) && text.bytes().any(|byte| byte != b'0')
}

fn hex_byte(text: &str) -> Option<u8> {
    let well_formed = text.len() == 2 && text.bytes().all(is_lower_hex);
    if well_formed { u8::from_str_radix(text, 16).ok() } else { None }
}

fn is_lower_hex(byte: u8) -> bool {
    byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE_ID: &str = "0af7651916cd43dd8448eb211c80319c";

    fn parent(value: &str) -> Option<(&str, Caller)> {
        parse(value)
    }

    const CALLER: Caller = Caller { span_id: 0xb7ad_6b71_6920_3331, flags: 1 };

    #[test]
    fn reads_a_traceparent() {
        let value = format!("00-{TRACE_ID}-b7ad6b7169203331-01");
        assert_eq!(parent(&value), Some((TRACE_ID, CALLER)));
        let later = format!("01-{TRACE_ID}-b7ad6b7169203331-01-more");
        assert_eq!(parent(&later), Some((TRACE_ID, CALLER)));
    }

    #[test]
    fn refuses_malformed_traceparents() {
        for value in [
            "",
            "00",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01more",
            "00-0af7651916cd43dd8448eb211c80319cb7-ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333ö-01",
        ] {
            assert_eq!(parent(value), None, "{value}");
        }
    }

    #[test]
    fn keeps_what_the_caller_sent_and_sends_it_back() {
        let mut headers = HeaderMap::new();
        headers.insert(REQUEST_ID, "order-7.a_B".parse().unwrap());
        let sent = format!("00-{TRACE_ID}-b7ad6b7169203331-00");
        headers.insert(TRACEPARENT, sent.parse().unwrap());
        let ids = Correlation::of(&headers, 0);
        assert_eq!((&*ids.request_id, &*ids.trace_id), ("order-7.a_B", TRACE_ID));
        let mut answer = HeaderMap::new();
        ids.write(&mut answer);
        assert_eq!(answer[REQUEST_ID], "order-7.a_B");
        let trace = answer[TRACERESPONSE].to_str().unwrap();
        assert!(trace.starts_with(&format!("00-{TRACE_ID}-")) && trace.ends_with("-00"));
    }

    #[test]
    fn passes_the_ids_on_in_place_of_the_callers() {
        let mut headers = HeaderMap::new();
        headers.insert(REQUEST_ID, "order-7".parse().unwrap());
        let sent = format!("00-{TRACE_ID}-b7ad6b7169203331-01");
        headers.insert(TRACEPARENT, sent.parse().unwrap());
        let ids = Correlation::of(&headers, 0);
        ids.pass_on(&mut headers);
        assert_eq!(headers[REQUEST_ID], "order-7");
        let parents: Vec<_> = headers.get_all(TRACEPARENT).iter().collect();
        let parent = parents[0].to_str().unwrap();
        assert!(parent.starts_with(&format!("00-{TRACE_ID}-")) && parent.ends_with("-01"));
        assert!(parents.len() == 1 && parent != sent);
    }

    #[test]
    fn makes_ids_for_callers_who_send_none_or_nonsense() {
        for value in ["", "a b", "a\"b", &"x".repeat(65)] {
            let headers = HeaderMap::from_iter([(REQUEST_ID, value.parse().unwrap())]);
            let ids = Correlation::of(&headers, 1_700_000_000_000);
            assert_eq!(ids.request_id.len(), 36);
            assert!(ids.request_id.starts_with("018bcfe5-6800-7"), "{}", ids.request_id);
            assert!(is_id(&ids.trace_id, 32));
            let mut answer = HeaderMap::new();
            ids.write(&mut answer);
            assert!(!answer.contains_key(TRACERESPONSE));
        }
        let once = Correlation::of(&HeaderMap::new(), 0);
        assert_ne!(once.request_id, Correlation::of(&HeaderMap::new(), 0).request_id);
    }

    #[test]
    fn names_the_place_of_a_span_that_is_exported() {
        let sent = format!("00-{TRACE_ID}-b7ad6b7169203331-01");
        let headers = HeaderMap::from_iter([(TRACEPARENT, sent.parse().unwrap())]);
        let mut ids = Correlation::of(&headers, 0);
        ids.join(0xabu128.to_be_bytes(), 0xcdu64.to_be_bytes(), true);
        assert_eq!(&*ids.trace_id, format!("{:032x}", 0xab));
        let mut answer = HeaderMap::new();
        ids.write(&mut answer);
        assert_eq!(answer[TRACERESPONSE], format!("00-{:032x}-{:016x}-01", 0xab, 0xcd));
    }

    #[test]
    fn a_repeated_header_is_no_id() {
        let mut headers = HeaderMap::new();
        headers.append(REQUEST_ID, "a".parse().unwrap());
        headers.append(REQUEST_ID, "b".parse().unwrap());
        assert_eq!(Correlation::of(&headers, 0).request_id.len(), 36);
    }
}
