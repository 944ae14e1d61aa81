//! Rules that need Rust's tokens, so that a word in a comment or a text is not mistaken for code.
//!
//! Tokens and not a syntax tree: they reach into macro calls too, and are cheap.

use anyhow::{Result, anyhow};
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::str::FromStr;

/// A function longer than this does more than one thing. The usual one has less than ten lines.
pub const FUNCTION_LINES_MAX: usize = 100;

/// What was found in the tokens of a file.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// A call of a macro that must not be committed.
    Macro { line: usize, name: String },
    /// A test that is switched off.
    Ignored { line: usize },
    /// A function of more than [`FUNCTION_LINES_MAX`] lines.
    Long { line: usize, name: String, n_lines: usize },
}

/// Looks through a Rust file. Fails when it does not even consist of tokens.
pub fn scan(text: &str) -> Result<Vec<Found>> {
    let stream = TokenStream::from_str(text).map_err(|error| {
        let start = error.span().start();
        anyhow!("line {}, column {}: not Rust", start.line, start.column + 1)
    })?;
    let mut found = Vec::new();
    walk(stream, &mut found);
    Ok(found)
}

fn walk(stream: TokenStream, found: &mut Vec<Found>) {
    let tokens: Vec<TokenTree> = stream.into_iter().collect();
    for (index, token) in tokens.iter().enumerate() {
        let rest = &tokens[index + 1..];
        found.extend(forbidden_macro(token, rest));
        found.extend(ignored_test(token, rest));
        found.extend(long_function(token, rest));
        if let TokenTree::Group(group) = token {
            walk(group.stream(), found);
        }
    }
}

fn forbidden_macro(token: &TokenTree, rest: &[TokenTree]) -> Option<Found> {
    let TokenTree::Ident(name) = token else { return None };
    let forbidden = ["todo", "unimplemented", "dbg"].iter().any(|word| name == word);
    (forbidden && is_punct(rest.first()?, '!'))
        .then(|| Found::Macro { line: line(token), name: name.to_string() })
}

/// `#[ignore]`, `#[ignore = "…"]`, and `ignore` in a `#[cfg_attr(…)]`.
fn ignored_test(token: &TokenTree, rest: &[TokenTree]) -> Option<Found> {
    let TokenTree::Group(attribute) = rest.first()? else { return None };
    if !is_punct(token, '#') || attribute.delimiter() != Delimiter::Bracket {
        return None;
    }
    let mut words = attribute.stream().into_iter();
    let ignores = match words.next()? {
        TokenTree::Ident(name) if name == "ignore" => true,
        TokenTree::Ident(name) if name == "cfg_attr" => words.any(|word| match word {
            TokenTree::Group(group) => {
                group.stream().into_iter().any(|inner| is_word(&inner, "ignore"))
            }
            _ => false,
        }),
        _ => false,
    };
    ignores.then(|| Found::Ignored { line: line(token) })
}

fn long_function(token: &TokenTree, rest: &[TokenTree]) -> Option<Found> {
    let TokenTree::Ident(name) = rest.first()? else { return None };
    if !is_word(token, "fn") {
        return None;
    }
    // A declaration without a body ends in `;`.
    let end = rest.iter().find(|token| is_punct(token, ';') || body_end(token).is_some())?;
    let n_lines = body_end(end)? + 1 - line(token);
    (n_lines > FUNCTION_LINES_MAX).then(|| Found::Long {
        line: line(token),
        name: name.to_string(),
        n_lines,
    })
}

fn body_end(token: &TokenTree) -> Option<usize> {
    match token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
            Some(group.span_close().end().line)
        }
        _ => None,
    }
}

fn is_punct(token: &TokenTree, character: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == character)
}

fn is_word(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(name) if name == word)
}

fn line(token: &TokenTree) -> usize {
    token.span().start().line
}

#[cfg(test)]
mod tests {
    use super::{Found, scan};

    #[test]
    fn a_macro_that_must_not_be_committed_is_found_inside_another_one() {
        let found = scan("fn a() {\n    assert!(todo!());\n}").unwrap();
        assert_eq!(found, [Found::Macro { line: 2, name: "todo".to_owned() }]);
    }

    #[test]
    fn words_in_comments_and_texts_are_no_code() {
        let text = "//! todo!()\n/// #[ignore]\nfn a() -> &'static str { \"dbg!(1)\" }";
        assert_eq!(scan(text).unwrap(), []);
    }

    #[test]
    fn an_ignored_test_is_found_in_each_form() {
        for attribute in ["#[ignore]", "#[ignore = \"slow\"]", "#[cfg_attr(unix, ignore)]"] {
            let found = scan(&format!("#[test]\n{attribute}\nfn a() {{}}")).unwrap();
            assert_eq!(found, [Found::Ignored { line: 2 }], "{attribute}");
        }
        assert_eq!(scan("#[allow(unused)]\nfn ignore() {}").unwrap(), []);
    }

    #[test]
    fn a_long_function_is_found_and_a_declaration_is_not_mistaken_for_one() {
        let long = format!(
            "trait T {{\n    fn declared();\n    fn long() {{\n{}    }}\n}}",
            "\n".repeat(99)
        );
        let name = "long".to_owned();
        assert_eq!(scan(&long).unwrap(), [Found::Long { line: 3, name, n_lines: 101 }]);
        let short = long.replacen("{\n\n", "{\n", 1);
        assert_eq!(scan(&short).unwrap(), []);
    }

    #[test]
    fn what_is_not_rust_is_an_error_with_its_place() {
        let error = scan("fn a() {\n    )\n}").unwrap_err().to_string();
        assert!(error.starts_with("line 2"), "{error}");
    }
}
