//! An outside service in this process: each request is answered with the same events, over a second.

use anyhow::Result;
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

const N_EVENTS: u32 = 20;

/// Between two events.
const PAUSE: Duration = Duration::from_millis(50);

/// What a reader of the whole stream has got.
pub fn all_events() -> String {
    (0..N_EVENTS).map(event).collect()
}

fn event(number: u32) -> String {
    format!("data: {number}\n\n")
}

/// Starts the service, which ends with this process. Returns its address, `http://…`.
pub async fn start() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                // A host that hangs up is seen by the one who asked it.
                let _ = answer(stream).await;
            });
        }
    });
    Ok(format!("http://{address}"))
}

async fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).await?;
    for number in 0..N_EVENTS {
        stream.write_all(event(number).as_bytes()).await?;
        tokio::time::sleep(PAUSE).await;
    }
    stream.shutdown().await
}
