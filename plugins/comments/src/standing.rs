//! What `sort=best` sorts by: a number made of a comment's votes.

/// The quantile of the normal distribution for a confidence of 95 %.
const Z: f64 = 1.96;
/// Standings are stored as integers, so that a cursor holds them exactly.
const SCALE: f64 = 1_000_000.0;

/// The standing of a comment: the lower bound of the Wilson interval for the share of its up votes,
/// minus the same for its down votes, in millionths.
///
/// With few votes both bounds are near 0, so one vote does not put a comment above a proven one; a
/// disliked comment falls below one without votes.
pub fn of_votes(n_up: i64, n_down: i64) -> i64 {
    let total = n_up + n_down;
    let difference = wilson_lower_bound(n_up, total) - wilson_lower_bound(n_down, total);
    (difference * SCALE).round() as i64
}

/// The lower bound of the Wilson score interval (E. B. Wilson, 1927).
fn wilson_lower_bound(hits: i64, total: i64) -> f64 {
    if total <= 0 {
        return 0.0;
    }
    let total = total as f64;
    let share = hits as f64 / total;
    let spread = Z * ((share * (1.0 - share) + Z * Z / (4.0 * total)) / total).sqrt();
    let bound = (share + Z * Z / (2.0 * total) - spread) / (1.0 + Z * Z / total);
    // Rounding can leave a trace below 0 where the bound is exactly 0.
    bound.max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_votes_stand_at_zero() {
        assert_eq!(of_votes(0, 0), 0);
        assert_eq!(of_votes(5, 5), 0);
    }

    #[test]
    fn proof_counts_more_than_share() {
        assert!(of_votes(90, 10) > of_votes(1, 0));
        assert!(of_votes(10, 0) > of_votes(10, 1));
        assert!(of_votes(2, 0) > of_votes(1, 0));
        assert!(of_votes(1, 0) > 0);
    }

    #[test]
    fn dislike_is_the_mirror_of_liking() {
        assert_eq!(of_votes(3, 8), -of_votes(8, 3));
        assert!(of_votes(0, 1) < 0);
    }

    #[test]
    fn matches_a_known_interval() {
        // 8 of 10 at 95 %: the lower bound is 0.4902.
        assert!((wilson_lower_bound(8, 10) - 0.4902).abs() < 0.0005);
    }
}
