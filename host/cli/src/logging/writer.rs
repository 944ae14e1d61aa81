//! The standard error as log lines see it: what shows progress there steps aside for each of them.

use std::io;

use indicatif::ProgressBar;
use tracing_subscriber::fmt::MakeWriter;

use crate::progress::Progress;

/// Writes whole lines.
pub struct Writer {
    bar: ProgressBar,
}

impl Writer {
    pub fn new(progress: &Progress) -> Self {
        Self { bar: progress.bar() }
    }
}

impl io::Write for &Writer {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.bar.suspend(|| io::stderr().lock().write_all(line))?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

impl<'a> MakeWriter<'a> for Writer {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}
