//! The words a statement is made of: which may appear, before anything is parsed.
//!
//! Names are checked here and not in the parse tree, because here none can be missed.

use sqlparser::dialect::Dialect;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer, Whitespace};

use super::{DEPTH_MAX, LINKS_MAX, TOKENS_MAX, invalid};
use crate::{Error, Limits, Result};

/// Beginnings of names that belong to the host or to an engine.
const RESERVED_PREFIXES: [&str; 4] = ["caplet_", "sqlite_", "pragma_", "pg_"];

/// The tokens of a text and what they say about its parameters.
pub(super) struct Scanned {
    pub(super) tokens: Vec<TokenWithSpan>,
    /// How many statements there seem to be; some may prove to be empty.
    pub(super) n_statements: usize,
    /// `numbers[n - 1]` tells whether `$n` is used.
    numbers: Vec<bool>,
    uses_tenant: bool,
}

impl Scanned {
    pub(super) fn has_placeholders(&self) -> bool {
        self.uses_tenant || !self.numbers.is_empty()
    }

    /// Whether the word `LIMIT` is anywhere in it.
    pub(super) fn has_limit(&self) -> bool {
        let is_limit = |token: &Token| {
            matches!(token, Token::Word(word)
                if word.keyword == Keyword::LIMIT && word.quote_style.is_none())
        };
        self.tokens.iter().any(|token| is_limit(&token.token))
    }

    /// The highest parameter number.
    pub(super) fn n_parameters(&self) -> Result<usize> {
        match self.numbers.iter().position(|used| !used) {
            // PostgreSQL cannot tell the type of a parameter that is nowhere used.
            Some(gap) => invalid(format!(
                "${} is used but ${} is not: number the parameters without gaps",
                self.numbers.len(),
                gap + 1
            )),
            None => Ok(self.numbers.len()),
        }
    }

    fn note_placeholder(&mut self, name: &str, limits: &Limits) -> Result<()> {
        if name == "$tenant" {
            self.uses_tenant = true;
            return Ok(());
        }
        let number = name
            .strip_prefix('$')
            .filter(|digits| !digits.starts_with('0'))
            .and_then(|digits| digits.parse::<usize>().ok())
            .ok_or_else(|| Error::Invalid(format!("write parameters as $1 and not as {name}")))?;
        if number > limits.parameters_max {
            let max = limits.parameters_max;
            let reason = format!("parameter ${number}, the highest is ${max}");
            return Err(Error::too_large("sql-parameters", reason));
        }
        if self.numbers.len() < number {
            self.numbers.resize(number, false);
        }
        self.numbers[number - 1] = true;
        Ok(())
    }
}

/// Splits `text` into tokens and refuses what no portable statement contains.
pub(super) fn scan(text: &str, limits: &Limits) -> Result<Scanned> {
    if text.len() > limits.statement_bytes_max {
        let (n_bytes, max) = (text.len(), limits.statement_bytes_max);
        let reason = format!("a statement of {n_bytes} bytes, the limit is {max}");
        return Err(Error::too_large("sql-statement-bytes", reason));
    }
    if text.contains('\0') {
        return invalid("the statement contains a NUL character");
    }
    let tokens = Tokenizer::new(&Portable, text)
        .tokenize_with_location()
        .map_err(|error| Error::Invalid(error.to_string()))?;
    let mut scanned =
        Scanned { tokens: Vec::new(), n_statements: 0, numbers: Vec::new(), uses_tenant: false };
    let mut size = Size::default();
    for token in &tokens {
        scanned.n_statements += usize::from(size.is_first(&token.token));
        size = size.after(&token.token)?;
        check_token(&token.token, &mut scanned, limits)?;
    }
    for pair in tokens.windows(2) {
        check_neighbours(&pair[0].token, &pair[1].token)?;
    }
    scanned.tokens = tokens;
    Ok(scanned)
}

/// How large the statement is that the scan is in.
#[derive(Debug, Clone, Copy, Default)]
struct Size {
    n_tokens: usize,
    n_links: usize,
    depth: usize,
}

impl Size {
    /// Whether a statement begins with this token.
    fn is_first(self, token: &Token) -> bool {
        let is_empty = matches!(token, Token::Whitespace(_) | Token::SemiColon | Token::EOF);
        self.n_tokens == 0 && !is_empty
    }

    fn after(mut self, token: &Token) -> Result<Self> {
        match token {
            Token::SemiColon => return Ok(Self::default()),
            Token::Whitespace(_) | Token::EOF => return Ok(self),
            Token::LParen => self.depth += 1,
            Token::RParen => self.depth = self.depth.saturating_sub(1),
            Token::Number(..)
            | Token::SingleQuotedString(_)
            | Token::Placeholder(_)
            | Token::Comma
            | Token::Period => {}
            Token::Word(word) if !nests(word.keyword) => {}
            _ => self.n_links += 1,
        }
        self.n_tokens += 1;
        if self.depth > DEPTH_MAX {
            return invalid(format!("parentheses are nested more than {DEPTH_MAX} deep"));
        }
        if self.n_links > LINKS_MAX {
            return invalid(format!(
                "a statement has more than {LINKS_MAX} operators and keywords"
            ));
        }
        if self.n_tokens > TOKENS_MAX {
            return invalid(format!("a statement has more than {TOKENS_MAX} words and signs"));
        }
        Ok(self)
    }
}

/// Whether a keyword may be a link of a chain: names and values are none, and long lists have many.
fn nests(keyword: Keyword) -> bool {
    !matches!(
        keyword,
        Keyword::NoKeyword | Keyword::NULL | Keyword::TRUE | Keyword::FALSE | Keyword::DEFAULT
    )
}

fn check_token(token: &Token, scanned: &mut Scanned, limits: &Limits) -> Result<()> {
    match token {
        Token::Placeholder(name) => scanned.note_placeholder(name, limits),
        Token::Word(word) => check_name(&word.value),
        Token::Whitespace(Whitespace::MultiLineComment(comment)) if comment.contains("/*") => {
            invalid("a comment contains `/*`, which SQLite and PostgreSQL read differently")
        }
        Token::Number(..)
        | Token::SingleQuotedString(_)
        | Token::Whitespace(_)
        | Token::Comma
        | Token::Period
        | Token::SemiColon
        | Token::LParen
        | Token::RParen
        | Token::Eq
        | Token::Neq
        | Token::Lt
        | Token::Gt
        | Token::LtEq
        | Token::GtEq
        | Token::Plus
        | Token::Minus
        | Token::Mul
        | Token::Div
        | Token::Mod
        | Token::StringConcat
        | Token::Ampersand
        | Token::Pipe
        | Token::Tilde
        | Token::ShiftLeft
        | Token::ShiftRight
        | Token::EOF => Ok(()),
        Token::Colon | Token::AtSign | Token::Question => {
            invalid(format!("`{token}` is not allowed: write parameters as $1"))
        }
        Token::DoubleColon => invalid("write CAST(a AS type) and not a::type"),
        Token::DoubleEq => invalid("write = and not =="),
        _ => invalid(format!("`{token}` is not part of the portable SQL")),
    }
}

/// PostgreSQL reads a letter before a quote, as in `E'\''` and `U&"…"`, as the beginning of a text or
/// name with escapes, which may end elsewhere or be another name than the parser sees.
fn check_neighbours(left: &Token, right: &Token) -> Result<()> {
    match (left, right) {
        (Token::Word(word), Token::SingleQuotedString(_)) if word.quote_style.is_none() => {
            invalid(format!("write a space between {word} and the text after it"))
        }
        (Token::Word(word), Token::Ampersand) if word.value.eq_ignore_ascii_case("u") => {
            invalid("write a space before &")
        }
        _ => Ok(()),
    }
}

fn check_name(name: &str) -> Result<()> {
    let name = name.to_ascii_lowercase();
    // The parser skips this word without a trace.
    if name == "autoincrement" {
        return invalid("AUTOINCREMENT is not part of the portable SQL");
    }
    match RESERVED_PREFIXES.iter().find(|prefix| name.starts_with(**prefix)) {
        Some(prefix) => invalid(format!("names that begin with {prefix} are reserved: {name}")),
        None => Ok(()),
    }
}

/// The dialect of the parser: names in double quotes or none, parameters as `$1`, and none of the
/// extras that only one engine has.
#[derive(Debug)]
pub(super) struct Portable;

impl Dialect for Portable {
    fn is_delimited_identifier_start(&self, character: char) -> bool {
        character == '"'
    }

    fn is_identifier_start(&self, character: char) -> bool {
        character.is_ascii_alphabetic() || character == '_'
    }

    fn is_identifier_part(&self, character: char) -> bool {
        character.is_ascii_alphanumeric() || character == '_'
    }

    // Without it `$$` would begin a quoted text.
    fn supports_dollar_placeholder(&self) -> bool {
        true
    }

    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }

    fn supports_bitwise_shift_operators(&self) -> bool {
        true
    }

    fn supports_insert_table_alias(&self) -> bool {
        true
    }

    fn supports_window_clause_named_window_reference(&self) -> bool {
        true
    }
}
