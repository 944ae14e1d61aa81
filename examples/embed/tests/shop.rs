//! The shop as its staff and its partners use it, over real connections.

use std::path::Path;
use std::sync::Arc;

use caplet_server::outbound;
use caplet_testing::component;
use embed::Application;
use embed::shop::Shop;
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;

/// A shop that is open.
struct Open {
    url: String,
    client: Client,
    shop: Shop,
    supplier: Arc<Semaphore>,
    stop: oneshot::Sender<()>,
    served: JoinHandle<std::io::Result<bool>>,
    _folder: TempDir,
}

fn install(folder: &Path, plugins: &[&str]) {
    std::fs::create_dir_all(folder).unwrap();
    for plugin in plugins {
        std::fs::write(folder.join(format!("{plugin}.wasm")), component(plugin)).unwrap();
    }
}

impl Open {
    async fn now() -> Self {
        let folder = tempfile::tempdir().unwrap();
        install(&folder.path().join("staff/plugins"), &["reorder", "ledger"]);
        install(&folder.path().join("partners/plugins"), &["reorder", "ledger", "hello"]);
        let supplier = Arc::new(Semaphore::new(0));
        let shop = Shop::new(supplier.clone());
        let application = Application::start(shop.clone(), folder.path()).await.unwrap();
        application.staff.ready().await;
        application.partners.ready().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel();
        let stopped = async move { stopped.await.unwrap() };
        let served = tokio::spawn(application.serve(listener, stopped));
        let client = outbound::client().unwrap().build().unwrap();
        Self { url, client, shop, supplier, stop, served, _folder: folder }
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.url))
    }

    fn post(&self, path: &str) -> RequestBuilder {
        self.client.post(format!("{}{path}", self.url))
    }

    async fn json(&self, path: &str) -> Value {
        self.get(path).send().await.unwrap().error_for_status().unwrap().json().await.unwrap()
    }
}

fn by(request: RequestBuilder, employee: &str, branch: &str) -> RequestBuilder {
    request.header("x-employee", employee).header("x-branch", branch)
}

async fn status(request: RequestBuilder) -> StatusCode {
    request.send().await.unwrap().status()
}

#[tokio::test]
async fn plugins_use_the_shops_interface_within_the_branch_of_the_caller() {
    let open = Open::now().await;
    let shelf = open.client.put(format!("{}/stock/north/tea", open.url)).body("3");
    assert_eq!(status(shelf).await, 200);
    assert_eq!(open.get("/stock/north/tea").send().await.unwrap().text().await.unwrap(), "3");

    let advice = || open.get("/capabilities/api/reorder/tea");
    let seen: Value = by(advice(), "ada", "north").send().await.unwrap().json().await.unwrap();
    assert_eq!(seen, json!({ "pieces": 3, "reorder": true }));
    assert_eq!(status(by(advice(), "ada", "south")).await, 404);
    assert_eq!(status(advice()).await, 404, "strangers belong to no branch");
}

#[tokio::test]
async fn the_shop_decides_who_orders() {
    let open = Open::now().await;
    open.shop.put("north", "tea", 3);
    open.supplier.add_permits(1);
    let order = || open.post("/capabilities/api/reorder/tea").json(&json!({ "pieces": 20 }));
    assert_eq!(status(order()).await, 401);
    assert_eq!(status(by(order(), "ada", "north")).await, 403);
    let ordered = by(order(), "grace", "north").send().await.unwrap();
    assert_eq!(ordered.status(), 201);
    assert_eq!(ordered.headers()["location"], "/capabilities/api/reorder/tea");
    assert_eq!(ordered.json::<Value>().await.unwrap(), json!({ "on_order": 20 }));
    assert_eq!(open.shop.level("north", "tea").unwrap().on_order, 20);
}

#[tokio::test]
async fn the_two_hosts_share_nothing() {
    let open = Open::now().await;
    let staff = open.json("/capabilities/readyz").await;
    let partners = open.json("/partners/readyz").await;
    let names = |ready: &Value| {
        let plugins = ready["plugins"].as_array().unwrap().clone();
        plugins.iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&staff), ["ledger", "reorder"]);
    assert_eq!(names(&partners), ["hello", "ledger"]);
    // What the shop offers is offered by one host only.
    let refused = &partners["failed"][0];
    assert_eq!(refused["file"], "reorder.wasm");
    assert!(refused["reason"].as_str().unwrap().contains("shop:inventory/stock@1.0.0"));

    assert_eq!(status(open.post("/capabilities/api/ledger/entries/a")).await, 201);
    let entries = async |base: &str| open.json(&format!("{base}/api/ledger/entries")).await;
    assert_ne!(entries("/capabilities").await, entries("/partners").await);
    let metrics = open.get("/partners/metrics").send().await.unwrap().text().await.unwrap();
    assert!(!metrics.contains("plugin=\"reorder\""), "{metrics}");
}

#[tokio::test]
async fn each_host_knows_where_it_is() {
    let open = Open::now().await;
    for base in ["/capabilities", "/partners"] {
        let document = open.json(&format!("{base}/openapi.json")).await;
        assert_eq!(document["servers"], json!([{ "url": base }]));
        let page = open.get(&format!("{base}/docs")).send().await.unwrap().text().await.unwrap();
        assert!(page.contains(&format!("{base}/openapi.json")), "{page}");
    }
}

#[tokio::test]
async fn stopping_finishes_what_has_been_begun() {
    let open = Open::now().await;
    open.shop.put("north", "tea", 3);
    let mut orders = open.shop.orders();
    let order = open.post("/capabilities/api/reorder/tea").json(&json!({ "pieces": 20 }));
    let ordered = tokio::spawn(by(order, "grace", "north").send());
    orders.wait_for(|begun| *begun == 1).await.unwrap();
    open.stop.send(()).unwrap();
    assert!(!open.served.is_finished(), "the order is not confirmed yet");
    open.supplier.add_permits(1);
    assert_eq!(ordered.await.unwrap().unwrap().status(), 201);
    let drained = tokio::time::timeout(std::time::Duration::from_secs(30), open.served).await;
    assert!(drained.expect("it ends").unwrap().unwrap(), "everything ended in time");
    assert_eq!(open.shop.level("north", "tea").unwrap().on_order, 20);
    let late = open.client.get(format!("{}/stock/north/tea", open.url)).send().await;
    assert!(late.is_err(), "nobody listens any more");
}
