//! Runs the shop on 127.0.0.1:8080 until Ctrl-C, with its files below the folder `shop`.

use std::path::Path;
use std::sync::Arc;

use embed::Application;
use embed::shop::Shop;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // A supplier that confirms whatever is ordered.
    let shop = Shop::new(Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)));
    let application = Application::start(shop, Path::new("shop")).await?;
    let listener = TcpListener::bind("127.0.0.1:8080").await?;
    println!("The shop is open at http://{}.", listener.local_addr()?);
    let stop = async {
        // Without a signal to wait for, it stops at once.
        let _ = tokio::signal::ctrl_c().await;
    };
    let drained = application.serve(listener, stop).await?;
    println!("The shop is closed{}.", if drained { "" } else { "; some calls were cut" });
    Ok(())
}
