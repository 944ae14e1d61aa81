//! A shop with capabilities: an axum application with routes of its own and two hosts inside, which
//! share nothing but the process.
//!
//! - `/stock/{branch}/{article}` is the shop's own (`shop`).
//! - `/capabilities` is a host for the staff: plugins may be granted the shop's interface (`stock`),
//!   callers are those that the shop signed in, and what they may is the shop's to say (`staff`).
//! - `/partners` is a host for others: other plugins, other data, other tokens, nothing of the shop.

pub mod shop;
pub mod staff;
pub mod stock;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path as Parameters, State};
use axum::http::StatusCode;
use axum::middleware::from_fn;
use axum::routing::put;
use caplet_server::runtime::PluginOptions;
use caplet_server::{Config, Host};
use tokio::net::TcpListener;

use shop::Shop;
use staff::Staff;

/// How long calls of plugins may go on once the application is told to stop.
const GRACE: Duration = Duration::from_secs(30);

/// The shop and its two hosts.
pub struct Application {
    pub shop: Shop,
    pub staff: Host,
    pub partners: Host,
}

impl Application {
    /// Starts both hosts. Below `folder` each has its plugins and its data.
    ///
    /// # Errors
    /// Why one cannot start.
    pub async fn start(shop: Shop, folder: &Path) -> Result<Self, caplet_server::Error> {
        let rights = ["identity", "log", stock::NAME].map(ToOwned::to_owned);
        let reorder = PluginOptions { grants: Some(rights.into()), ..PluginOptions::default() };
        let plugin = BTreeMap::from([("reorder".to_owned(), reorder)]);
        let staff = Host::builder()
            .data(folder.join("staff"))
            .plugins(folder.join("staff/plugins"))
            .config(Config { plugin, ..Config::default() })
            .authorizer(Arc::new(Staff::new(&["grace"])))
            .interface(stock::interface(shop.clone()))
            .build()
            .await?;
        let partners = Host::builder()
            .data(folder.join("partners"))
            .plugins(folder.join("partners/plugins"))
            .build()
            .await?;
        Ok(Self { shop, staff, partners })
    }

    /// All routes.
    pub fn router(&self) -> Router {
        let capabilities = self.staff.router().layer(from_fn(staff::sign_in));
        Router::new()
            .route("/stock/{branch}/{article}", put(put_on_shelf).get(look_at_shelf))
            .with_state(self.shop.clone())
            .nest_service("/capabilities", capabilities)
            .nest_service("/partners", self.partners.clone())
    }

    /// Serves until `stop` is ready, finishes what has been begun, and ends the hosts. Returns
    /// whether everything ended in time.
    ///
    /// # Errors
    /// What went wrong with the listener.
    pub async fn serve(
        self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<bool> {
        let (staff, partners) = (self.staff.clone(), self.partners.clone());
        let stopping = async move {
            stop.await;
            // From now on `/readyz` sends load balancers elsewhere.
            staff.begin_draining();
            partners.begin_draining();
        };
        axum::serve(listener, self.router()).with_graceful_shutdown(stopping).await?;
        let (staff, partners) =
            tokio::join!(self.staff.shutdown(GRACE), self.partners.shutdown(GRACE));
        Ok(staff && partners)
    }
}

async fn put_on_shelf(
    State(shop): State<Shop>,
    Parameters((branch, article)): Parameters<(String, String)>,
    pieces: String,
) -> Result<(), (StatusCode, &'static str)> {
    let refused = (StatusCode::UNPROCESSABLE_ENTITY, "The body is a number of pieces.");
    let pieces = pieces.trim().parse().map_err(|_| refused)?;
    shop.put(&branch, &article, pieces);
    Ok(())
}

async fn look_at_shelf(
    State(shop): State<Shop>,
    Parameters((branch, article)): Parameters<(String, String)>,
) -> Result<String, StatusCode> {
    let level = shop.level(&branch, &article).ok_or(StatusCode::NOT_FOUND)?;
    Ok(level.on_hand.to_string())
}
