//! What a command was asked for, on the standard output. Whoever reads it may stop in the middle, as
//! `head` does: that is no failure.

use std::io::{self, ErrorKind, Write};

use crate::failure::Failure;

/// Writes a text as it is.
///
/// # Errors
/// When it cannot be written, other than because nobody reads on.
pub fn print(text: &str) -> Result<(), Failure> {
    write_to(&mut io::stdout().lock(), text)
}

fn write_to(output: &mut impl Write, text: &str) -> Result<(), Failure> {
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Err(reason) if reason.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::run_time(format!("the standard output cannot be written: {reason}")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Broken(ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_has_enough_is_no_failure() {
        assert_eq!(write_to(&mut Broken(ErrorKind::BrokenPipe), "x"), Ok(()));
        let full = write_to(&mut Broken(ErrorKind::StorageFull), "x").unwrap_err();
        assert!(full.text().contains("standard output"));
    }
}
