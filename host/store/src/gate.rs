//! Which statements a plugin may run at all, decided by a parser.
