//! Whether somebody looks at the standard error, and with which colours what is written there is
//! painted.

use std::env;
use std::fmt;
use std::io::{self, IsTerminal};

/// What a piece of text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// All is well.
    Good,
    /// Somebody should look.
    Doubtful,
    /// Something is broken.
    Bad,
    /// The name of a plugin.
    Name,
    /// What is only there when it is needed.
    Faint,
}

impl Style {
    fn code(self) -> &'static str {
        match self {
            Self::Good => "32",
            Self::Doubtful => "33",
            Self::Bad => "1;31",
            Self::Name => "36",
            Self::Faint => "2",
        }
    }
}

/// Whether the standard error is a terminal.
pub fn is_shown() -> bool {
    io::stderr().is_terminal()
}

/// Whether the standard error is painted: on a terminal, unless `NO_COLOR`, `CLICOLOR=0` or a
/// terminal that says it is dumb speak against it; elsewhere only by `CLICOLOR_FORCE`.
pub fn has_colours() -> bool {
    decide(is_shown(), |name| env::var(name).ok().filter(|value| !value.is_empty()))
}

fn decide(is_terminal: bool, variable: impl Fn(&str) -> Option<String>) -> bool {
    if variable("NO_COLOR").is_some() {
        return false;
    }
    if variable("CLICOLOR_FORCE").is_some_and(|value| value != "0") {
        return true;
    }
    let is_off = variable("CLICOLOR").is_some_and(|value| value == "0");
    let is_dumb = variable("TERM").is_some_and(|value| value == "dumb");
    is_terminal && !is_off && !is_dumb
}

/// `text`, painted when there are colours.
pub fn paint(style: Style, text: &str, has_colours: bool) -> impl fmt::Display + use<'_> {
    Painted { style: has_colours.then_some(style), text }
}

struct Painted<'a> {
    style: Option<Style>,
    text: &'a str,
}

impl fmt::Display for Painted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.style {
            Some(style) => write!(f, "\u{1b}[{}m{}\u{1b}[0m", style.code(), self.text),
            None => f.write_str(self.text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coloured(is_terminal: bool, variables: &[(&str, &str)]) -> bool {
        decide(is_terminal, |name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn colours_are_for_terminals() {
        assert!(coloured(true, &[]));
        assert!(!coloured(false, &[]));
    }

    #[test]
    fn variables_say_otherwise() {
        assert!(!coloured(true, &[("NO_COLOR", "1")]));
        assert!(!coloured(true, &[("CLICOLOR", "0")]));
        assert!(!coloured(true, &[("TERM", "dumb")]));
        assert!(coloured(false, &[("CLICOLOR_FORCE", "1")]));
        assert!(!coloured(false, &[("CLICOLOR_FORCE", "0")]));
        assert!(!coloured(true, &[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")]));
    }
}
