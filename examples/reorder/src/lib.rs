//! Reorders articles of the shop that `examples/embed` is, through the shop's own interface. The
//! contract of the host comes from the SDK, the shop's from its own WIT.

use caplet_sdk::prelude::*;
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod buyer {
    wit_bindgen::generate!({ path: "../embed/wit", world: "buyer" });
}

use buyer::shop::inventory::stock::{self, Refusal};

/// Below this many pieces, more should be ordered.
const PIECES_MIN: u32 = 10;

#[derive(Serialize, JsonSchema)]
struct Advice {
    /// Pieces on the shelf and on order.
    pieces: u32,
    /// Whether more should be ordered.
    reorder: bool,
}

#[derive(Deserialize, JsonSchema, Validate)]
struct Order {
    /// How many pieces to order.
    #[garde(range(min = 1, max = 1_000))]
    pieces: u32,
}

#[derive(Serialize, JsonSchema)]
struct Ordered {
    /// Pieces on order now.
    on_order: u32,
}

fn advise(Path(article): Path<String>) -> Result<Json<Advice>, Problem> {
    let supply = stock::level(&article).map_err(problem)?;
    let pieces = supply.on_hand.saturating_add(supply.on_order);
    Ok(Json(Advice { pieces, reorder: pieces < PIECES_MIN }))
}

fn order(
    Path(article): Path<String>,
    Json(order): Json<Order>,
) -> Result<Created<Json<Ordered>>, Problem> {
    let on_order = stock::order(&article, order.pieces).map_err(problem)?;
    Ok(Created::new(format!("/api/reorder/{article}"), Json(Ordered { on_order })))
}

fn problem(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::UnknownArticle => Problem::not_found("The shop does not have this article."),
        Refusal::NotAllowed => Problem::forbidden("The shop does not let you order."),
    }
}

plugin!(
    Plugin::new("reorder")
        .title("Reorder")
        .summary("Tells what runs short, and orders it.")
        .permission("reorder.order", "Order articles.")
        .route(get("/{article}", advise).public().summary("Tell whether to reorder an article"))
        .route(post("/{article}", order).permission("reorder.order").summary("Order an article"))
);
