//! The smallest plugin: `GET /api/hello/{name}` greets.

use caplet_sdk::prelude::*;

fn hello(Path(name): Path<String>) -> String {
    format!("Hello, {name}!")
}

plugin!(Plugin::new("hello").title("Hello").route(get("/{name}", hello).public()));
