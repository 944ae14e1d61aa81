//! What is shown while something takes longer than a second, and somebody looks: a line at the foot
//! of the terminal that goes when the work is done. Elsewhere nothing is shown.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How long work may take before anything is shown.
const PATIENCE: Duration = Duration::from_secs(1);

/// Between two turns of the spinner.
const TICK: Duration = Duration::from_millis(100);

/// The line of one piece of work.
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A line that is never shown.
    pub fn none() -> Self {
        Self { bar: ProgressBar::hidden() }
    }

    /// Work of which only the end is known.
    pub fn spinner(message: impl Into<String>) -> Self {
        Self::styled(ProgressBar::hidden(), "{spinner:.cyan} {msg} {elapsed}").telling(message)
    }

    /// Work of `n_steps`.
    pub fn steps(n_steps: usize, message: impl Into<String>) -> Self {
        let bar = ProgressBar::hidden();
        bar.set_length(n_steps as u64);
        Self::styled(bar, "{spinner:.cyan} {bar:30.cyan} {pos}/{len} {msg} {elapsed}")
            .telling(message)
    }

    fn styled(bar: ProgressBar, template: &str) -> Self {
        // A template that does not parse would be a slip in this file: the plain line serves.
        bar.set_style(
            ProgressStyle::with_template(template)
                .unwrap_or_else(|_| ProgressStyle::default_spinner()),
        );
        Self { bar }
    }

    fn telling(self, message: impl Into<String>) -> Self {
        self.bar.set_message(message.into());
        self
    }

    /// What is being done now, and how many steps are done.
    pub fn tell(&self, n_done: usize, message: impl Into<String>) {
        self.bar.set_position(n_done as u64);
        self.bar.set_message(message.into());
    }

    /// The line itself, for those who write beside it.
    pub fn bar(&self) -> ProgressBar {
        self.bar.clone()
    }

    /// Does the work; shows the line once it has taken longer than a second, and takes it away at
    /// the end.
    pub async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        let done = tokio::time::timeout(PATIENCE, work.as_mut()).await;
        let done = match done {
            Ok(done) => done,
            Err(_) => {
                self.show();
                work.await
            }
        };
        self.bar.finish_and_clear();
        done
    }

    fn show(&self) {
        self.bar.set_draw_target(ProgressDrawTarget::stderr());
        self.bar.enable_steady_tick(TICK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn work_goes_on_after_the_line_is_shown() {
        let progress = Progress::spinner("waiting");
        let work = async {
            tokio::time::sleep(PATIENCE * 3).await;
            7
        };
        assert_eq!(progress.during(work).await, 7);
        assert!(progress.bar.is_finished());
    }

    #[tokio::test]
    async fn counts_steps() {
        let progress = Progress::steps(3, "");
        progress.tell(2, "b.wasm");
        assert_eq!((progress.bar.position(), progress.bar.length()), (2, Some(3)));
        assert_eq!(progress.bar.message(), "b.wasm");
    }
}
