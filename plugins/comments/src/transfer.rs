//! Taking comments elsewhere and bringing them here: `GET /export` and `POST /import`.
//!
//! - `export` writes the archive, one JSON object a line.
//! - `archive`, `disqus` and `commento` read one kind of file each into [`row`]s; `to_markdown` turns
//!   the HTML of some into what this plugin keeps.
//! - `order` puts the rows in an order in which parents come first, and `store` writes a part of them.
//! - `import` is the route.
//!
//! Votes, reactions, reports and earlier texts stay where they are.

mod archive;
mod commento;
mod disqus;
pub mod export;
pub mod import;
mod order;
mod row;
mod store;
mod to_markdown;
