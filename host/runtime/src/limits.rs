//! How much one plugin may use. Every limit has a number, a unit and a reason to exist; each is
//! enforced where it is spent and counted in `caplet_limit_hits_total`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The limits of one plugin. An operator may override any of them, for all plugins or for one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// The largest component file, in bytes.
    pub component_bytes_max: usize,
    /// CPU time of compiling a component in a process of its own, in seconds.
    pub compile_cpu_s_max: u64,
    /// Memory that a process may take to compile a component, in bytes.
    pub compile_memory_bytes_max: u64,
    /// Linear memory of one instance, in bytes; more makes `memory.grow` fail in the guest.
    pub memory_bytes_max: usize,
    /// Linear memory of all the plugin's instances, in bytes.
    pub memory_total_bytes_max: usize,
    /// Elements in one table of the component.
    pub table_elements_max: usize,
    /// Invocations that run at once; further ones wait.
    pub concurrency_max: usize,
    /// Invocations that wait at once; further ones are answered 503.
    pub queue_max: usize,
    /// How long an invocation may wait for its turn, in milliseconds.
    pub queue_ms_max: u64,
    /// CPU time of one invocation, host functions included, in milliseconds.
    pub cpu_ms_max: u64,
    /// How much of an equal share of the processors the plugin may use while they are busy, in percent.
    pub cpu_share_percent: u32,
    /// Calls of a plugin over its share that wait for a turn on the processors; further ones are
    /// answered 429.
    pub cpu_waiting_max: usize,
    /// Wall time of one invocation, in milliseconds.
    pub wall_ms_max: u64,
    /// Faults of the plugin's own within `faults_window_ms` after which it is in quarantine; 0 never
    /// puts it there.
    pub faults_max: u32,
    /// How long a fault counts, in milliseconds.
    pub faults_window_ms: u64,
    /// How long the first quarantine lasts, in milliseconds; each further one twice as long.
    pub quarantine_ms_min: u64,
    /// How long a quarantine lasts at most, in milliseconds.
    pub quarantine_ms_max: u64,
    /// CPU time of `describe` and of a component's start, in milliseconds.
    pub describe_cpu_ms_max: u64,
    /// Calls of host functions in one invocation.
    pub host_calls_max: u32,
    /// Bytes that one call may copy out of the guest.
    pub host_call_bytes_max: usize,
    /// Component handles alive in one instance.
    pub handles_max: usize,
    /// A plugin's settings with their defaults, as JSON, in bytes.
    pub settings_bytes_max: usize,
    /// One secret among them, in bytes.
    pub secret_bytes_max: usize,
    /// The largest request body any route may ask for, in bytes.
    pub request_bytes_max: usize,
    /// The largest answer body, in bytes.
    pub response_bytes_max: usize,
    /// Headers in an answer.
    pub response_headers_max: usize,
    /// Names and values of an answer's headers together, in bytes.
    pub response_header_bytes_max: usize,
    /// One log line, in bytes; the rest of it is cut.
    pub log_line_bytes_max: usize,
    /// Log lines of one invocation together, in bytes.
    pub log_bytes_max: usize,
    /// Log lines a second, over all invocations.
    pub log_lines_per_second: u32,
    /// Log lines at once after a quiet time.
    pub log_burst_lines: u32,
    /// Random bytes in one call.
    pub random_bytes_max: u32,
    /// How long the body of an answer of a `wasi:http` component may take, from the request on, in
    /// milliseconds.
    pub stream_ms_max: u64,
    /// Invocations after which a warm instance is replaced, so that a leak in a guest stays small.
    pub reuse_max: u32,
    /// How long a warm instance may be idle before it is dropped, in milliseconds.
    pub idle_ms_max: u64,
    /// Records in one page of what a plugin keeps about a data subject.
    pub subject_records_max: usize,
    /// The records of such a page together, as JSON, in bytes.
    pub subject_page_bytes_max: usize,
    /// Calls of one plugin in one export or erasure of a data subject, so that a plugin that always
    /// has more comes to an end.
    pub subject_calls_max: u64,
    /// SQL statements in one invocation.
    pub sql_statements_max: u32,
    /// How long one SQL statement may run, in milliseconds.
    pub sql_statement_ms_max: u64,
    /// Rows in one SQL result.
    pub sql_rows_max: usize,
    /// Bytes in one SQL result.
    pub sql_result_bytes_max: usize,
    /// How large the plugin's database may grow, in bytes.
    pub database_bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            component_bytes_max: 32 << 20,
            compile_cpu_s_max: 60,
            compile_memory_bytes_max: 1 << 30,
            memory_bytes_max: 64 << 20,
            memory_total_bytes_max: 256 << 20,
            table_elements_max: 20_000,
            concurrency_max: 64,
            // As many as run at once: a call that is let in under overload takes at most twice as long as
            // one that need not wait.
            queue_max: 64,
            queue_ms_max: 5_000,
            cpu_ms_max: 100,
            cpu_share_percent: 100,
            cpu_waiting_max: 16,
            wall_ms_max: 10_000,
            faults_max: 5,
            faults_window_ms: 60_000,
            quarantine_ms_min: 10_000,
            quarantine_ms_max: 600_000,
            describe_cpu_ms_max: 1_000,
            host_calls_max: 5_000,
            host_call_bytes_max: 4 << 20,
            handles_max: 1_000,
            settings_bytes_max: 64 << 10,
            secret_bytes_max: 16 << 10,
            request_bytes_max: 2 << 20,
            response_bytes_max: 32 << 20,
            response_headers_max: 96,
            response_header_bytes_max: 64 << 10,
            log_line_bytes_max: 8 << 10,
            log_bytes_max: 64 << 10,
            log_lines_per_second: 100,
            log_burst_lines: 500,
            random_bytes_max: 64 << 10,
            stream_ms_max: 600_000,
            reuse_max: 10_000,
            idle_ms_max: 30_000,
            subject_records_max: 1_000,
            subject_page_bytes_max: 1 << 20,
            subject_calls_max: 100_000,
            sql_statements_max: 200,
            sql_statement_ms_max: 1_000,
            sql_rows_max: 1_000,
            sql_result_bytes_max: 4 << 20,
            database_bytes_max: 1 << 30,
        }
    }
}

impl Limits {
    /// Wall time of one invocation.
    #[must_use]
    pub fn wall_time(&self) -> Duration {
        Duration::from_millis(self.wall_ms_max)
    }

    /// Wall time of an answer that streams.
    #[must_use]
    pub fn stream_time(&self) -> Duration {
        Duration::from_millis(self.stream_ms_max)
    }

    /// Lays single limits, by name, over these.
    ///
    /// # Errors
    /// The limit that is unknown or not of its type.
    pub(crate) fn overlay(&mut self, changes: &BTreeMap<String, Value>) -> Result<(), String> {
        if changes.is_empty() {
            return Ok(());
        }
        let mut all = serde_json::to_value(&*self).map_err(|error| error.to_string())?;
        let mut changed = self.clone();
        for (name, value) in changes {
            if all.get(name).is_none() {
                let known = all.as_object().into_iter().flat_map(|all| all.keys().cloned());
                let known = known.collect::<Vec<_>>().join(", ");
                return Err(format!("/{name}: there is no such limit; there are {known}"));
            }
            all[name] = value.clone();
            // One after the other, so that it is known which one does not fit.
            changed =
                serde_json::from_value(all.clone()).map_err(|error| format!("/{name}: {error}"))?;
        }
        *self = changed;
        Ok(())
    }

    /// The part of these limits that the store enforces.
    #[must_use]
    pub fn store(&self) -> caplet_store::Limits {
        caplet_store::Limits {
            statements_max: self.sql_statements_max,
            statement_time_max: Duration::from_millis(self.sql_statement_ms_max),
            rows_max: self.sql_rows_max,
            result_bytes_max: self.sql_result_bytes_max,
            database_bytes_max: self.database_bytes_max,
            ..caplet_store::Limits::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn single_limits_lie_over_the_others() {
        let mut limits = Limits::default();
        limits.overlay(&BTreeMap::from([("cpu_ms_max".to_owned(), json!(7))])).unwrap();
        assert_eq!(limits, Limits { cpu_ms_max: 7, ..Limits::default() });
    }

    #[test]
    fn names_a_limit_that_is_unknown_or_of_another_type() {
        let overlay = |name: &str, value| {
            Limits::default().overlay(&BTreeMap::from([(name.to_owned(), value)])).unwrap_err()
        };
        assert!(overlay("cpu", json!(7)).starts_with("/cpu: there is no such limit"));
        assert!(overlay("cpu_ms_max", json!("7 ms")).starts_with("/cpu_ms_max: invalid type"));
    }
}
