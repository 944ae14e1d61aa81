//! The shop's interface for plugins, `wit/stock.wit`, in Rust. A tenant is a branch: a plugin sees the
//! branch of whoever calls it and no other.

use caplet_server::runtime::wasmtime;
use caplet_server::runtime::wasmtime::component::{ComponentType, Lower};
use caplet_server::{CallContext, HostFailure, HostInterface};

use crate::shop::Shop;

/// The interface's full name, by which plugins are granted it.
pub const NAME: &str = "shop:inventory/stock@1.0.0";

/// What a caller needs so that a plugin may order for it.
pub const ORDER: &str = "reorder.order";

#[derive(ComponentType, Lower)]
#[component(record)]
struct Supply {
    #[component(name = "on-hand")]
    on_hand: u32,
    #[component(name = "on-order")]
    on_order: u32,
}

#[derive(ComponentType, Lower, Clone, Copy)]
#[component(enum)]
#[repr(u8)]
enum Refusal {
    #[component(name = "unknown-article")]
    UnknownArticle,
    #[component(name = "not-allowed")]
    NotAllowed,
}

/// The interface over a shop.
#[must_use]
pub fn interface(shop: Shop) -> HostInterface {
    let buyer = shop.clone();
    HostInterface::new(NAME, "see what is in stock, and order for callers who may")
        .function("level", move |call, parameters| level(shop.clone(), call, parameters))
        .function("order", move |call, parameters| order(buyer.clone(), call, parameters))
}

async fn level(
    shop: Shop,
    call: CallContext,
    (article,): (String,),
) -> Result<(Result<Supply, Refusal>,), HostFailure> {
    let level = shop.level(call.tenant(), &article).ok_or(Refusal::UnknownArticle);
    Ok((level.map(|it| Supply { on_hand: it.on_hand, on_order: it.on_order }),))
}

async fn order(
    shop: Shop,
    call: CallContext,
    (article, pieces): (String, u32),
) -> Result<(Result<u32, Refusal>,), HostFailure> {
    // The plugin's route asks for the permission, too; the shop does not rely on it.
    if !call.permitted(ORDER) {
        return Ok((Err(Refusal::NotAllowed),));
    }
    let ordered = shop.order(call.tenant(), &article, pieces).await;
    Ok((ordered.ok_or(Refusal::UnknownArticle),))
}
