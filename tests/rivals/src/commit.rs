//! How long this machine takes to make one small transaction durable. What is gained by commits in
//! groups depends on it.

use rusqlite::{Connection, params};
use std::{fs, path::Path, time::Instant};

const COMMITS: usize = 500;
const NAME: &str = "commit.db";

/// The median time of a commit of one row at `synchronous=FULL`, in microseconds. Makes a database in
/// `folder` and removes it.
pub fn median_us(folder: &Path) -> Result<f64, Box<dyn std::error::Error>> {
    remove(folder)?;
    let connection = Connection::open(folder.join(NAME))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, text TEXT NOT NULL)", [])?;
    let mut insert = connection.prepare("INSERT INTO rows (text) VALUES (?1)")?;
    let mut times_us = Vec::with_capacity(COMMITS);
    for _ in 0..COMMITS {
        let began = Instant::now();
        insert.execute(params!["about as long as a short comment on something"])?;
        times_us.push(began.elapsed().as_secs_f64() * 1e6);
    }
    drop(insert);
    drop(connection);
    remove(folder)?;
    times_us.sort_by(f64::total_cmp);
    Ok(times_us[COMMITS / 2])
}

fn remove(folder: &Path) -> std::io::Result<()> {
    for ending in ["", "-wal", "-shm"] {
        match fs::remove_file(folder.join(format!("{NAME}{ending}"))) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
