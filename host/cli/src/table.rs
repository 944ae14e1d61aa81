//! Rows of words under each other.

/// Lines whose columns begin at the same place, each indented by `indent` spaces. The last column
/// may be as wide as it likes.
pub fn aligned<const N: usize>(indent: usize, rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        format!("{:indent$}{}\n", "", line.trim_end())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::aligned;

    #[test]
    fn columns_begin_at_the_same_place() {
        let rows = [["a", "größe", "x"], ["abc", "b", ""]].map(|row| row.map(str::to_owned));
        assert_eq!(aligned(2, &rows), "  a    größe  x\n  abc  b\n");
    }
}
