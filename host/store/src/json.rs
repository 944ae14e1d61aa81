//! Rows as JSON bytes.
