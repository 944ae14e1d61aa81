//! Asking a service whether it is well, at its interval, for as long as the host lives.

use std::sync::Arc;
use std::time::Duration;

use http::Request;
use parking_lot::Mutex;
use serde::Serialize;
use utoipa::ToSchema;

use super::failure::reasons;
use super::options::HealthCheck;
use super::service::Service;
use crate::content::Content;

/// What a service said of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// It is not asked, or has not answered often enough yet. Requests are sent.
    Unknown,
    /// It is well.
    Healthy,
    /// It is not well. No requests are sent.
    Unhealthy,
}

/// The last answers, and what they come to.
#[derive(Debug)]
pub(crate) struct Record(Mutex<Streak>);

#[derive(Debug)]
struct Streak {
    health: Health,
    /// Answers in a row that say another thing than `health`.
    n_contrary: u32,
}

impl Default for Record {
    fn default() -> Self {
        Self(Mutex::new(Streak { health: Health::Unknown, n_contrary: 0 }))
    }
}

impl Record {
    pub(crate) fn health(&self) -> Health {
        self.0.lock().health
    }

    /// Takes an answer; tells what it changed.
    fn note(&self, well: bool, options: &HealthCheck) -> Option<Health> {
        let mut streak = self.0.lock();
        let (said, needed) = match well {
            // Who has not been unwell need not prove to have recovered.
            true if streak.health == Health::Unknown => (Health::Healthy, 1),
            true => (Health::Healthy, options.healthy_after),
            false => (Health::Unhealthy, options.unhealthy_after),
        };
        if said == streak.health {
            streak.n_contrary = 0;
            return None;
        }
        streak.n_contrary += 1;
        if streak.n_contrary < needed {
            return None;
        }
        *streak = Streak { health: said, n_contrary: 0 };
        Some(said)
    }
}

/// Asks for ever. The pause varies by a tenth, so that many hosts do not ask together.
pub(crate) async fn watch(service: Arc<Service>, path: String) {
    let options = &service.options.health;
    let interval = Duration::from_millis(options.interval_ms.max(10));
    loop {
        let answer = ask(&service, &path).await;
        match service.health.note(answer.is_ok(), options) {
            Some(Health::Unhealthy) => {
                service.counters.healthy.set(0);
                let reason = answer.err().unwrap_or_default();
                tracing::warn!(service = service.name, reason, "the service is not well");
            }
            Some(_) => {
                service.counters.healthy.set(1);
                tracing::info!(service = service.name, "the service is well");
            }
            None => {}
        }
        tokio::time::sleep(interval.mul_f64(0.9 + 0.2 * fastrand::f64())).await;
    }
}

/// Asks once; the error says what is wrong.
async fn ask(service: &Service, path: &str) -> Result<(), String> {
    let time_max = Duration::from_millis(service.options.health.timeout_ms_max);
    let (path, query) = match path.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (path, None),
    };
    let uri = service.target.uri(path, query).map_err(|refused| refused.to_string())?;
    let mut request = Request::get(uri).body(Content::empty()).map_err(|e| e.to_string())?;
    service.sign(request.headers_mut());
    match tokio::time::timeout(time_max, service.client.request(request)).await {
        Ok(Ok(answer)) if (200..400).contains(&answer.status().as_u16()) => Ok(()),
        Ok(Ok(answer)) => Err(format!("it answered {}", answer.status())),
        Ok(Err(error)) => Err(reasons(&error)),
        Err(_) => Err(format!("it did not answer within {} ms", time_max.as_millis())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_its_mind_after_enough_answers() {
        let options =
            HealthCheck { healthy_after: 2, unhealthy_after: 3, ..HealthCheck::default() };
        let record = Record::default();
        let notes = |answers: &[bool]| -> Vec<Option<Health>> {
            answers.iter().map(|well| record.note(*well, &options)).collect()
        };
        use Health::{Healthy, Unhealthy};
        assert_eq!(notes(&[true]), [Some(Healthy)]);
        assert_eq!(notes(&[false, false, true, false, false]), [None; 5]);
        assert_eq!(notes(&[false]), [Some(Unhealthy)]);
        assert_eq!(notes(&[true, false, true, true]), [None, None, None, Some(Healthy)]);
    }

    #[test]
    fn one_that_never_answered_is_sent_requests_until_it_failed_often_enough() {
        let options = HealthCheck { unhealthy_after: 2, ..HealthCheck::default() };
        let record = Record::default();
        assert_eq!(record.note(false, &options), None);
        assert_eq!(record.health(), Health::Unknown);
        assert_eq!(record.note(false, &options), Some(Health::Unhealthy));
    }
}
