//! `Target`: anything of the application that a plugin's data are about, written `type:id`. A plugin
//! knows nothing else about it. In a path with a segment for each, the parts are [`TargetType`] and
//! [`TargetId`].

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The longest type, in bytes.
const TYPE_MAX_BYTES: usize = 40;
/// The longest id, in bytes.
const ID_MAX_BYTES: usize = 200;

/// What something is about: `type:id`, such as `post:1`. The type is 1 to 40 of `a-z 0-9 _ - .`,
/// beginning with a letter; the id is 1 to 200 of `A-Z a-z 0-9 . _ ~ : @ / + = -`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(
    with = "String",
    extend("pattern" = "^[a-z][a-z0-9_.-]{0,39}:[A-Za-z0-9._~:@/+=-]{1,200}$")
)]
pub struct Target(String);

impl Target {
    /// Reads a target.
    ///
    /// # Errors
    /// What is wrong with it, in words for the caller.
    pub fn parse(text: impl Into<String>) -> Result<Self, &'static str> {
        let text = text.into();
        let (kind, id) = text.split_once(':').ok_or("must be written type:id")?;
        if !is_type(kind) {
            return Err(
                "must begin with a type of 1 to 40 of a-z 0-9 _ - . that begins with a letter",
            );
        }
        if !is_id(id) {
            return Err("must end in an id of 1 to 200 of A-Z a-z 0-9 . _ ~ : @ / + = -");
        }
        Ok(Self(text))
    }

    /// The target of these parts.
    pub fn of(kind: &TargetType, id: &TargetId) -> Self {
        Self(format!("{}:{}", kind.0, id.0))
    }

    /// The target as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the first colon.
    pub fn kind(&self) -> &str {
        self.0.split_once(':').map_or("", |(kind, _)| kind)
    }
}

impl TryFrom<String> for Target {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        Self::parse(text)
    }
}

/// The type of a target, as a path parameter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String", extend("pattern" = "^[a-z][a-z0-9_.-]{0,39}$"))]
pub struct TargetType(String);

impl TargetType {
    /// The type as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for TargetType {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        if is_type(&text) {
            return Ok(Self(text));
        }
        Err("must be 1 to 40 of a-z 0-9 _ - . that begin with a letter")
    }
}

/// The id of a target, as a path parameter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String", extend("pattern" = "^[A-Za-z0-9._~:@/+=-]{1,200}$"))]
pub struct TargetId(String);

impl TryFrom<String> for TargetId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        if is_id(&text) {
            Ok(Self(text))
        } else {
            Err("must be 1 to 200 of A-Z a-z 0-9 . _ ~ : @ / + = -")
        }
    }
}

fn is_type(text: &str) -> bool {
    let is_part = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.');
    text.len() <= TYPE_MAX_BYTES
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(is_part)
}

fn is_id(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"._~:@/+=-".contains(&byte);
    (1..=ID_MAX_BYTES).contains(&text.len()) && text.bytes().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_a_type_and_an_id() {
        for text in ["post:1", "blog.post:a/b:c", "u:ada@example.org", "x_y-z:0b3f~1+="] {
            assert_eq!(Target::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn parts_make_a_target_and_come_back() {
        let kind = TargetType::try_from("blog.post".to_owned()).unwrap();
        let id = TargetId::try_from("a:b/c".to_owned()).unwrap();
        let target = Target::of(&kind, &id);
        assert_eq!(target, Target::parse("blog.post:a:b/c").unwrap());
        assert_eq!(target.kind(), "blog.post");
        assert!(TargetType::try_from("Post".to_owned()).is_err());
        assert!(TargetId::try_from(String::new()).is_err());
    }

    #[test]
    fn refuses_what_is_unbounded_or_odd() {
        let long_type = format!("{}:1", "a".repeat(41));
        let long_id = format!("a:{}", "1".repeat(201));
        let odd = ["", "post", ":1", "post:", "Post:1", "1post:1", "post:a b", "post:a,b"];
        let worse = ["post:\0", "post:<b>", "post:é", "post:\"", long_type.as_str(), &long_id];
        for text in odd.into_iter().chain(worse) {
            assert!(Target::parse(text).is_err(), "{text:?}");
        }
    }
}
