//! The parameters a handler can have: one file each. Identity and settings are parameters too and
//! live with what they belong to, in [`identity`](crate::identity) and [`settings`](crate::settings).

mod body;
mod json;
mod page;
mod path;
mod precondition;
mod preconditions;
mod query;
mod text;

pub use body::{Body, Headers};
pub use json::Json;
pub use page::{LIMIT_DEFAULT, LIMIT_MAX, Page};
pub use path::Path;
pub use precondition::{IfMatch, IfNoneMatch};
pub use preconditions::Preconditions;
pub use query::Query;
