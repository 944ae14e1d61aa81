//! Sides that answer the same under the same load, in turns.

use super::{
    components::{Component, Wasmtime},
    data::Data,
    django::Django,
    load::{Answer, Load, Measured, ask},
    stage::Stage,
};
use crate::server::Server;
use anyhow::{Context, Result, bail};

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Host,
    /// A rival by its command; most want the file of the comments.
    Rival {
        command: &'static str,
        wants_database: bool,
    },
    /// What a Django team would install.
    Django,
    /// The server that the engine's makers ship, with one component.
    Wasmtime(&'static Component),
}

impl Side {
    /// How it is called in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Host => "caplet",
            Self::Rival { command: "constant", .. } => "axum",
            Self::Rival { command: "list-sqlx", .. } => "axum + sqlx",
            Self::Rival { .. } => "axum + rusqlite",
            Self::Django => "Django",
            Self::Wasmtime(_) => "wasmtime serve",
        }
    }

    fn start(self, stage: &Stage) -> Result<Server> {
        match self {
            Self::Host => stage.host(),
            Self::Rival { command, wants_database: false } => stage.rival(&[command]),
            Self::Rival { command, wants_database: true } => {
                stage.rival(&[command.as_ref(), stage.rivals_database().as_os_str()])
            }
            Self::Django => Django::of(stage).start(&stage.folder.join("rival.log")),
            Self::Wasmtime(component) => Wasmtime::installed()?.start(stage, component),
        }
    }
}

/// A comparison.
pub struct Contest<'a> {
    pub name: &'static str,
    pub sides: &'a [Side],
    /// One for all sides, or one for each. The answers have to be the same, but for Django's, which
    /// have a form of their own.
    pub loads: Vec<Load>,
    /// The database that each round begins with.
    pub data: Option<&'a Data<'a>>,
    /// The status of each answer.
    pub status: u16,
    /// Members of the answer that differ each time.
    pub differing: &'static [&'static str],
}

impl Contest<'_> {
    /// Measures all sides in all rounds. What comes back is in the order of the sides.
    pub fn run(&self, stage: &Stage) -> Result<Vec<Vec<Measured>>> {
        let mut measured = vec![Vec::new(); self.sides.len()];
        let mut expected = None;
        for round in 0..stage.rounds {
            for index in turns(round, self.sides.len()) {
                let side = self.sides[index];
                let once = self.measure(index, stage, &mut expected);
                let once = once.with_context(|| format!("{}: {}", self.name, side.name()))?;
                println!(
                    "{}, round {} of {}: {}: {:.0} requests/s",
                    self.name,
                    round + 1,
                    stage.rounds,
                    side.name(),
                    once.requests_per_s
                );
                measured[index].push(once);
            }
        }
        Ok(measured)
    }

    fn measure(
        &self,
        index: usize,
        stage: &Stage,
        expected: &mut Option<Answer>,
    ) -> Result<Measured> {
        let load = self.loads.get(index).or(self.loads.first()).context("a contest has a load")?;
        if let Some(data) = self.data {
            data.restore()?;
        }
        let server = self.sides[index].start(stage)?;
        let answer = self.answer(&server, load)?;
        let are_alike = !self.sides.contains(&Side::Django);
        match expected {
            Some(expected) if are_alike && *expected != answer => {
                bail!("it answers {answer:#?}, but another side answers {expected:#?}")
            }
            _ => *expected = Some(answer),
        }
        let measured = load.run(&server, stage.seconds, &stage.folder.join("wrk.lua"))?;
        server.stop()?;
        Ok(measured)
    }

    fn answer(&self, server: &Server, load: &Load) -> Result<Answer> {
        let request = load.requests.first().context("a load has requests")?;
        let answer = ask(&ureq::Agent::new_with_defaults(), server.url(), request)?;
        if answer.status != self.status {
            bail!("the status is not {}: {answer:?}", self.status);
        }
        Ok(answer.without(self.differing))
    }
}

/// The order of the sides: turned around in every other round, so that none is always the one after
/// another.
pub fn turns(round: u32, n_sides: usize) -> Vec<usize> {
    let mut turns: Vec<usize> = (0..n_sides).collect();
    if round % 2 == 1 {
        turns.reverse();
    }
    turns
}

#[cfg(test)]
mod tests {
    use super::turns;

    #[test]
    fn each_round_turns_the_order_around() {
        assert_eq!(turns(0, 3), [0, 1, 2]);
        assert_eq!(turns(1, 3), [2, 1, 0]);
        assert_eq!(turns(2, 3), [0, 1, 2]);
    }
}
