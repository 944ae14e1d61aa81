//! The rivals: what the host's endpoints would be without a host, each written by hand as a careful
//! author would write it. `cargo xtask bench` starts one at a time and puts the same load on it.
//!
//! Deliberately left out is what only a host needs: plugins, limits, rights, groups of commits.

mod comment;
mod commit;
mod constant;
mod create;
mod list_rusqlite;
mod list_sqlx;
mod markdown;

use axum::Router;
use axum::serve::ListenerExt;
use clap::{Parser, Subcommand};
use std::{error::Error, path::PathBuf};
use tokio::net::TcpListener;

/// Serves one rival on a free port of the loopback interface and prints its address.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    rival: Rival,
}

#[derive(Subcommand)]
enum Rival {
    /// A constant as JSON.
    Constant,
    /// A list of comments by sqlx.
    ListSqlx { database: PathBuf },
    /// A list of comments by rusqlite.
    ListRusqlite { database: PathBuf },
    /// Writing comments by rusqlite, each in a commit of its own.
    Create {
        database: PathBuf,
        /// The secret that signs tokens.
        #[arg(long, env = "RIVAL_SECRET")]
        secret: String,
    },
    /// No server: runs the statements of a file on a database.
    Fill { database: PathBuf, statements: PathBuf },
    /// No server: prints how many microseconds one small commit takes in a folder, as a median.
    Commit { folder: PathBuf },
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let router = match Arguments::parse().rival {
        Rival::Constant => constant::router(),
        Rival::ListSqlx { database } => list_sqlx::router(&database).await?,
        Rival::ListRusqlite { database } => list_rusqlite::router(&database)?,
        Rival::Create { database, secret } => create::router(&database, &secret)?,
        Rival::Fill { database, statements } => {
            let statements = std::fs::read_to_string(statements)?;
            return Ok(rusqlite::Connection::open(database)?.execute_batch(&statements)?);
        }
        Rival::Commit { folder } => {
            println!("{:.1}", commit::median_us(&folder)?);
            return Ok(());
        }
    };
    Ok(serve(router).await?)
}

async fn serve(router: Router) -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    // As the host does.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            eprintln!("TCP_NODELAY could not be set: {error}");
        }
    });
    axum::serve(listener, router).await
}
