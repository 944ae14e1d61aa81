//! How far what was typed is from the beginning of a name, in typing errors.

/// The fewest letters to be inserted, removed, replaced or swapped with their neighbour to make
/// `typed` the beginning of `name`; none when more than `errors_max` are needed.
///
/// Costs `typed` × `name` steps at most; both are bounded where they are made.
pub fn to_prefix(typed: &[char], name: &[char], errors_max: usize) -> Option<usize> {
    // Of a name, no more than this can be the other end of so few errors.
    let name = &name[..name.len().min(typed.len() + errors_max)];
    let mut two_before: Vec<usize> = Vec::new();
    let mut before: Vec<usize> = (0..=name.len()).collect();
    for (row, &letter) in typed.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, &other) in name.iter().enumerate() {
            let replaced = before[column] + usize::from(letter != other);
            let mut best = replaced.min(before[column + 1] + 1).min(current[column] + 1);
            let is_swap =
                row > 0 && column > 0 && typed[row - 1] == other && name[column - 1] == letter;
            if is_swap {
                best = best.min(two_before[column - 1] + 1);
            }
            current.push(best);
        }
        if current.iter().all(|&errors| errors > errors_max) {
            return None;
        }
        two_before = std::mem::replace(&mut before, current);
    }
    before.into_iter().min().filter(|&errors| errors <= errors_max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn errors(typed: &str, name: &str) -> Option<usize> {
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        to_prefix(&chars(typed), &chars(name), 2)
    }

    #[test]
    fn counts_errors_against_the_beginning() {
        assert_eq!(errors("pyth", "python"), Some(0));
        assert_eq!(errors("pyhton", "python programming"), Some(1));
        assert_eq!(errors("pithon", "python"), Some(1));
        assert_eq!(errors("pythhon", "python"), Some(1));
        assert_eq!(errors("ptyhno", "python"), Some(2));
        assert_eq!(errors("java", "python"), None);
        assert_eq!(errors("python", ""), None);
    }

    proptest! {
        #[test]
        fn a_beginning_has_no_errors(name in "\\PC{0,20}", length in 0_usize..20) {
            let typed: String = name.chars().take(length).collect();
            prop_assert_eq!(errors(&typed, &name), Some(0));
        }

        #[test]
        fn one_lost_letter_is_one_error(name in "[a-z]{3,20}", at in 0_usize..20) {
            let mut typed: Vec<char> = name.chars().collect();
            typed.remove(at % typed.len());
            let typed: String = typed.into_iter().collect();
            prop_assert!(errors(&typed, &name).is_some_and(|errors| errors <= 1));
        }
    }
}
