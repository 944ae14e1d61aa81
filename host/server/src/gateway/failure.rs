//! How an exchange with a service fails, and what that means: to the caller, to the circuit breaker,
//! to the counters.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use hyper_util::client::legacy;

use crate::problem::Problem;

/// Why there is no answer of a service.
#[derive(Debug)]
pub(crate) enum Failure {
    /// No connection could be made.
    Unreachable(String),
    /// The connection ended before the answer began.
    Reset(String),
    /// What came is no answer.
    Malformed(String),
    /// The answer announces more than it may have, in bytes.
    TooLarge(u64),
    /// It took too long.
    TimedOut(Late),
    /// The service is being left alone for that long.
    CircuitOpen(Duration),
    /// The service says that it is not well, and is asked again after that long.
    Unhealthy(Duration),
    /// So many requests or connections as may be are under way.
    Busy,
    /// It is the caller's fault.
    Caller(Problem),
}

/// What took too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Late {
    Connect,
    FirstByte,
    Total,
}

impl Failure {
    /// Reads what the client says.
    pub(crate) fn of(error: &legacy::Error) -> Self {
        let reason = reasons(error);
        if error.is_connect() {
            let late =
                find::<io::Error>(error).is_some_and(|it| it.kind() == io::ErrorKind::TimedOut);
            return if late { Self::TimedOut(Late::Connect) } else { Self::Unreachable(reason) };
        }
        match find::<hyper::Error>(error) {
            Some(said) if said.is_parse() || said.is_parse_too_large() => Self::Malformed(reason),
            _ => Self::Reset(reason),
        }
    }

    /// The name under which it is counted.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::Reset(_) => "reset",
            Self::Malformed(_) => "malformed",
            Self::TooLarge(_) => "too-large",
            Self::TimedOut(_) => "timeout",
            Self::CircuitOpen(_) => "circuit-open",
            Self::Unhealthy(_) => "unhealthy",
            Self::Busy => "busy",
            Self::Caller(_) => "caller",
        }
    }

    /// Whether the service is to blame.
    pub(crate) fn is_services(&self) -> bool {
        !matches!(self, Self::CircuitOpen(_) | Self::Unhealthy(_) | Self::Busy | Self::Caller(_))
    }

    /// Whether another attempt may fare better at once. One that timed out would make a slow service
    /// slower.
    pub(crate) fn is_worth_another_attempt(&self) -> bool {
        matches!(
            self,
            Self::Unreachable(_)
                | Self::Reset(_)
                | Self::Malformed(_)
                | Self::TimedOut(Late::Connect)
        )
    }

    /// What the operator is told besides.
    pub(crate) fn inside(&self) -> &str {
        match self {
            Self::Unreachable(reason) | Self::Reset(reason) | Self::Malformed(reason) => reason,
            Self::TimedOut(Late::Connect) => "connecting took too long",
            Self::TimedOut(Late::FirstByte) => "the answer did not begin in time",
            Self::TimedOut(Late::Total) => "the exchange took too long as a whole",
            _ => "",
        }
    }

    /// What the caller is told.
    pub(crate) fn problem(self, service: &str) -> Problem {
        let bad = |code, what: &str| {
            Problem::new(StatusCode::BAD_GATEWAY, code, format!("The service {service} {what}."))
        };
        let later = |code, what: &str, after: Duration| {
            let detail = format!("The service {service} {what}. Try again later.");
            let seconds = after.as_millis().div_ceil(1_000).clamp(1, 3_600);
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, detail)
                .with_header(RETRY_AFTER, HeaderValue::from(u64::try_from(seconds).unwrap_or(1)))
        };
        match self {
            Self::Unreachable(_) => bad("upstream-unreachable", "cannot be reached"),
            Self::Reset(_) => bad("upstream-reset", "broke off before it answered"),
            Self::Malformed(_) => {
                bad("upstream-malformed", "answered with something that is no HTTP")
            }
            Self::TooLarge(bytes_max) => {
                let large = format!("has an answer of more than {bytes_max} bytes");
                bad("upstream-too-large", &large)
            }
            Self::TimedOut(_) => {
                let detail = format!("The service {service} did not answer in time.");
                Problem::new(StatusCode::GATEWAY_TIMEOUT, "upstream-timeout", detail)
            }
            Self::CircuitOpen(after) => later("upstream-circuit-open", "has been failing", after),
            Self::Unhealthy(after) => {
                later("upstream-unhealthy", "says that it is not well", after)
            }
            Self::Busy => {
                let busy = "has as many requests under way as it may have";
                later("upstream-busy", busy, Duration::from_secs(1))
            }
            Self::Caller(problem) => problem,
        }
    }
}

/// All that an error says, from the outermost to the innermost.
pub(crate) fn reasons(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut inner = error.source();
    while let Some(error) = inner {
        text.push_str(": ");
        text.push_str(&error.to_string());
        inner = error.source();
    }
    text
}

fn find<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    let mut inner = Some(error);
    while let Some(error) = inner {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        inner = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_callers_which_service_and_when_to_come_back() {
        let answer = Failure::CircuitOpen(Duration::from_millis(1_200)).problem("billing");
        assert_eq!((answer.status().as_u16(), answer.code()), (503, "upstream-circuit-open"));
        let answer = answer.into_response("r-1");
        assert_eq!(answer.headers()[RETRY_AFTER], "2");
        let unreachable = Failure::Unreachable("10.0.0.7:9000 refused".into());
        assert!(unreachable.inside().contains("10.0.0.7"));
        let told = format!("{:?}", unreachable.problem("billing"));
        assert!(
            told.contains("The service billing cannot") && !told.contains("10.0.0.7"),
            "{told}"
        );
    }

    #[test]
    fn a_slow_service_is_not_asked_again() {
        assert!(Failure::TimedOut(Late::Connect).is_worth_another_attempt());
        assert!(!Failure::TimedOut(Late::FirstByte).is_worth_another_attempt());
        assert!(!Failure::Busy.is_services() && Failure::TooLarge(1).is_services());
    }
}
