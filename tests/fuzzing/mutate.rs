//! Inputs for the targets: the seeds as they are, and then seeds with damage, and bytes from nowhere.
//! Which ones is decided by a fixed number, so that a failure comes again.

const SEED: u64 = 1;
const RANDOM_BYTES_MAX: usize = 400;

/// Runs a target with each seed and with so many inputs besides. What it was run with when it panicked is
/// said first.
pub fn each_input(seeds: &[Vec<u8>], n_inputs: usize, run: impl Fn(&[u8])) {
    assert!(!seeds.is_empty(), "there are seeds");
    let mut random = fastrand::Rng::with_seed(SEED);
    let damaged = (0..n_inputs).map(|_| damaged(seeds, &mut random));
    for input in seeds.iter().cloned().chain(damaged) {
        let told = Told(&input);
        run(&input);
        std::mem::forget(told);
    }
}

/// Says its input when a panic drops it.
struct Told<'a>(&'a [u8]);

impl Drop for Told<'_> {
    fn drop(&mut self) {
        let begin: String = self.0.iter().take(2_000).map(|byte| format!("{byte:02x}")).collect();
        eprintln!("the input, in hexadecimal digits: {begin}");
    }
}

fn damaged(seeds: &[Vec<u8>], random: &mut fastrand::Rng) -> Vec<u8> {
    if random.u8(..8) == 0 {
        let length = random.usize(..RANDOM_BYTES_MAX);
        return (0..length).map(|_| random.u8(..)).collect();
    }
    let mut bytes = seeds[random.usize(..seeds.len())].clone();
    for _ in 0..random.usize(1..6) {
        damage(&mut bytes, &seeds[random.usize(..seeds.len())], random);
    }
    bytes
}

/// Changes, takes away, repeats or brings in from another seed.
fn damage(bytes: &mut Vec<u8>, other: &[u8], random: &mut fastrand::Rng) {
    let place = random.usize(..=bytes.len());
    let end = (place + random.usize(..16)).min(bytes.len());
    match random.u8(..6) {
        0 => bytes[place..end].iter_mut().for_each(|byte| *byte ^= 1 << random.u8(..8)),
        1 => bytes[place..end].iter_mut().for_each(|byte| *byte = random.u8(..)),
        2 => _ = bytes.drain(place..end),
        3 => bytes.truncate(place),
        4 => {
            let piece = bytes[place..end].repeat(random.usize(1..20));
            bytes.splice(place..place, piece);
        }
        _ => {
            let from = random.usize(..=other.len());
            let to = (from + random.usize(..40)).min(other.len());
            bytes.splice(place..end, other[from..to].iter().copied());
        }
    }
}
