//! What a person sees when the host is ready: where it is, a token, and lines to paste.

use std::net::SocketAddr;

/// The text. The token, when there is one, is on a line of its own, so that scripts find it.
pub fn greeting(address: &SocketAddr, token: Option<&str>) -> String {
    let url = format!("http://{address}");
    let create = token.map_or_else(no_token, |token| create(&url, token));
    format!(
        "Caplet is ready: {url}\n\
         \n\
         {create}\n\
         \n\
         List the comments of a post:\n\
         \n\
         curl -sS '{url}/api/comments?target=post:1'\n\
         \n\
         What else there is, and how the host is:\n\
         \n\
         curl -sS {url}/openapi.json\n\
         curl -sS {url}/healthz\n"
    )
}

fn create(url: &str, token: &str) -> String {
    format!(
        "A token to try it with:\n\
         \n\
         {token}\n\
         \n\
         Create a comment:\n\
         \n\
         curl -sS {url}/api/comments -H 'authorization: Bearer {token}' \
         -H 'content-type: application/json' \
         -d '{{\"target\":\"post:1\",\"body\":\"Hello, **world**\"}}'"
    )
}

fn no_token() -> String {
    "The host makes no tokens with these settings: use one of yours to create comments.".to_owned()
}

#[cfg(test)]
mod tests {
    use super::greeting;

    #[test]
    fn the_token_stands_on_a_line_of_its_own() {
        let text = greeting(&"127.0.0.1:8080".parse().unwrap(), Some("a.b.c"));
        assert_eq!(text.lines().filter(|line| *line == "a.b.c").count(), 1);
    }

    #[test]
    fn each_command_is_one_line_that_can_be_pasted() {
        let text = greeting(&"127.0.0.1:8080".parse().unwrap(), Some("a.b.c"));
        let commands: Vec<&str> = text.lines().filter(|line| line.starts_with("curl ")).collect();
        assert_eq!(
            commands,
            [
                "curl -sS http://127.0.0.1:8080/api/comments -H 'authorization: Bearer a.b.c' \
                 -H 'content-type: application/json' \
                 -d '{\"target\":\"post:1\",\"body\":\"Hello, **world**\"}'",
                "curl -sS 'http://127.0.0.1:8080/api/comments?target=post:1'",
                "curl -sS http://127.0.0.1:8080/openapi.json",
                "curl -sS http://127.0.0.1:8080/healthz",
            ]
        );
    }

    #[test]
    fn without_a_token_no_command_needs_one() {
        let text = greeting(&"127.0.0.1:8080".parse().unwrap(), None);
        assert!(!text.contains("Bearer"), "{text}");
    }
}
