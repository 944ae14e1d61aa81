//! That no text hangs the gate or exhausts the stack.

use super::*;

/// Nesting that makes the parser go back and forth ends before it hurts.
#[test]
fn nested_texts_do_not_hang_the_parser() {
    let openings = [
        "(",
        "(SELECT ",
        "SELECT * FROM (",
        "NOT (",
        "((SELECT 1) ",
        "CASE WHEN ",
        "- ",
        "NOT ",
        "a IN (",
        "abs(",
        "CAST(",
        "EXISTS (",
        "SELECT (",
        "a.",
        "WITH a AS (",
        "a = (a, ",
        "SELECT * FROM (a JOIN (",
        "SELECT a FROM t UNION ",
        "EXTRACT(a FROM ",
        "((a), (",
        "SELECT a(",
        "a BETWEEN ",
        "a LIKE ",
        "INTERVAL ",
        "count(DISTINCT ",
        "SELECT CASE ",
    ];
    for opening in openings {
        for start in ["", "SELECT ", "SELECT * FROM ", "SELECT 1 WHERE "] {
            for (repeats, end) in [(DEPTH_MAX / 2 - 1, "1"), (DEPTH_MAX - 1, "a"), (5_000, "1")] {
                let result = gate(&format!("{start}{}{end}", opening.repeat(repeats)));
                assert!(result.is_err() || repeats < 5_000, "{start}{opening}");
            }
        }
    }
}

/// Chains nest in the parse tree without a parenthesis; walking and dropping it must not exhaust the
/// stack.
#[test]
fn long_chains_do_not_exhaust_the_stack() {
    let links = [
        ("SELECT 1", "+1"),
        ("SELECT 1", " AND 1"),
        ("SELECT 1", " UNION SELECT 1"),
        ("SELECT 1", " UNION ALL VALUES (1)"),
        ("SELECT 1", " IS NULL"),
        ("SELECT 1", " IN (1)"),
        ("SELECT 1", " BETWEEN 1 AND 1"),
        ("SELECT 'a'", " LIKE 'a'"),
        ("SELECT ", "- "),
        ("SELECT ", "NOT "),
        ("SELECT ", "~"),
        ("SELECT ", "CASE "),
        ("SELECT * FROM a", " JOIN a"),
        ("SELECT * FROM a", " NATURAL JOIN a"),
        ("SELECT a", ".a"),
        ("SELECT a", ",a"),
        ("INSERT INTO t VALUES (1)", ",(1)"),
        ("SELECT 1", ";SELECT 1"),
        ("SELECT a", " COLLATE a"),
        ("SELECT a", " AT TIME ZONE 'x'"),
        ("WITH a AS (SELECT 1)", ", a AS (SELECT 1)"),
    ];
    for (start, link) in links {
        // As many as the gate lets through, and as many as a statement can hold.
        for n_links in [300, LINKS_MAX - 2, (250 << 10) / link.len()] {
            let _ = gate(&format!("{start}{}", link.repeat(n_links)));
            let _ = gate(&format!("{start}{} 1", link.repeat(n_links)));
        }
    }
    let sum = |n_links: usize| gate(&format!("SELECT 1{}", " + 1".repeat(n_links)));
    assert!(sum(LINKS_MAX - 1).is_ok());
    assert!(matches!(sum(LINKS_MAX), Err(Error::Invalid(_))));
    let list = format!("INSERT INTO t VALUES (NULL, 1){}", ", (NULL, 1)".repeat(3_000));
    assert!(gate(&list).is_ok(), "a long list is no chain");
}
