//! Markdown to HTML that is safe to put on a page.
//!
//! CommonMark with strikethrough. Raw HTML is shown as the text it is, images become links to them,
//! and what the renderer makes passes a second wall that lets only a short list of tags and link
//! schemes through. The result is cached with [`RENDERER_VERSION`]: raise it with every change here.

use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

use ammonia::{Builder, UrlRelative};
use pulldown_cmark::{CowStr, Event, LinkType, Options, Parser, Tag, TagEnd, html};

/// The version of what this module makes of a text. `select` repeats it in its columns.
pub const RENDERER_VERSION: i64 = 2;

/// The tags that may come out.
const TAGS: [&str; 19] = [
    "a",
    "blockquote",
    "br",
    "code",
    "del",
    "em",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "li",
    "ol",
    "p",
    "pre",
    "strong",
    "ul",
];
/// The schemes that links may have.
const SCHEMES: [&str; 3] = ["http", "https", "mailto"];
/// How deep quotes and lists may be nested; what is deeper stands on the last level. Without an end
/// the time for a page grows with the square of its depth, and a text of 10 000 `>` takes longer than a request may.
const NESTING_MAX: usize = 16;
/// What search engines and the linked page are told about links.
const LINK_REL: &str = "nofollow ugc noopener";

/// Renders a text. Any text has a rendering; none makes it fail.
pub fn render(markdown: &str) -> String {
    let parser = Parser::new_ext(markdown, Options::ENABLE_STRIKETHROUGH);
    let mut unsafe_html = String::with_capacity(markdown.len() * 3 / 2);
    let mut nesting = Nesting::default();
    let mut alternative = Alternative::default();
    let events = parser.filter(|event| nesting.keeps(event) && alternative.keeps(event)).map(tame);
    html::push_html(&mut unsafe_html, events);
    static SANITISER: OnceLock<Builder<'static>> = OnceLock::new();
    SANITISER.get_or_init(|| sanitiser(&[])).clean(&unsafe_html).to_string()
}

/// How many quotes and lists are open.
#[derive(Default)]
struct Nesting {
    depth: usize,
}

impl Nesting {
    /// Whether an event is shown: all are but the frames of what is nested too deeply.
    fn keeps(&mut self, event: &Event<'_>) -> bool {
        match event {
            Event::Start(Tag::BlockQuote(_) | Tag::List(_)) => {
                self.depth += 1;
                self.depth <= NESTING_MAX
            }
            Event::End(TagEnd::BlockQuote(_) | TagEnd::List(_)) => {
                self.depth -= 1;
                self.depth < NESTING_MAX
            }
            Event::Start(Tag::Item) | Event::End(TagEnd::Item) => self.depth <= NESTING_MAX,
            _ => true,
        }
    }
}

/// Where a link or an image is open: an image becomes a link with its description as text, and links
/// do not nest.
#[derive(Default)]
struct Alternative {
    n_links: usize,
    n_images: usize,
}

impl Alternative {
    /// Whether an event is shown: within an image only texts are, and within a link no image's frame.
    fn keeps(&mut self, event: &Event<'_>) -> bool {
        match event {
            Event::Start(Tag::Image { .. }) => {
                self.n_images += 1;
                self.n_images == 1 && self.n_links == 0
            }
            Event::End(TagEnd::Image) => {
                self.n_images -= 1;
                self.n_images == 0 && self.n_links == 0
            }
            Event::Start(_) | Event::End(_) if self.n_images > 0 => false,
            Event::Start(Tag::Link { .. }) => {
                self.n_links += 1;
                true
            }
            Event::End(TagEnd::Link) => {
                self.n_links -= 1;
                true
            }
            _ => true,
        }
    }
}

/// Turns raw HTML into text, and images into links.
fn tame(event: Event<'_>) -> Event<'_> {
    match event {
        Event::Html(raw) | Event::InlineHtml(raw) => Event::Text(raw),
        Event::Start(Tag::HtmlBlock) => Event::Start(Tag::Paragraph),
        Event::End(TagEnd::HtmlBlock) => Event::End(TagEnd::Paragraph),
        Event::Start(Tag::Image { dest_url, .. }) => Event::Start(Tag::Link {
            link_type: LinkType::Inline,
            dest_url,
            title: CowStr::Borrowed(""),
            id: CowStr::Borrowed(""),
        }),
        Event::End(TagEnd::Image) => Event::End(TagEnd::Link),
        other => other,
    }
}

/// Lets only the tags, attributes and links through that comments may have, and these tags. What is
/// left is well formed. Keep it: it holds a dozen hash sets.
pub fn sanitiser(more_tags: &[&'static str]) -> Builder<'static> {
    let mut builder = Builder::empty();
    builder
        .tags(TAGS.iter().chain(more_tags).copied().collect())
        .tag_attributes(HashMap::from([
            ("a", HashSet::from(["href", "title"])),
            ("ol", HashSet::from(["start"])),
        ]))
        .url_schemes(HashSet::from(SCHEMES))
        .url_relative(UrlRelative::Deny)
        .link_rel(Some(LINK_REL));
    builder
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renders_common_mark() {
        assert_eq!(render("Hello, **world**"), "<p>Hello, <strong>world</strong></p>\n");
        assert_eq!(render("~~no~~ `<b>`"), "<p><del>no</del> <code>&lt;b&gt;</code></p>\n");
        assert!(render("3. three\n4. four").starts_with("<ol start=\"3\">"));
        assert!(render("> quote\n\n---\n\n```rust\nlet a;\n```").contains("<pre><code>let a;"));
    }

    #[test]
    fn links_say_that_users_made_them() {
        let expected = "<p><a href=\"https://example.org/?a=1&amp;b=2\" title=\"t\" \
                        rel=\"nofollow ugc noopener\">x</a></p>\n";
        assert_eq!(render("[x](https://example.org/?a=1&b=2 \"t\")"), expected);
        assert!(render("<mailto:a@example.org>").contains("href=\"mailto:a@example.org\""));
    }

    #[test]
    fn images_become_links() {
        let html = render("![a cat](https://example.org/cat.png)");
        assert!(html.contains("<a href=\"https://example.org/cat.png\""));
        assert!(html.contains(">a cat</a>") && !html.contains("<img"));
    }

    #[test]
    fn images_in_links_and_links_in_images_do_not_nest() {
        let html = render("[![a *cat*](https://example.org/cat.png)](https://example.org/)");
        assert!(html.contains("href=\"https://example.org/\"") && html.contains(">a cat</a>"));
        assert_eq!(html.matches("<a ").count(), 1);
        let html = render("![a [*cat*](https://example.org/)](https://example.org/cat.png)");
        assert!(
            html.contains("href=\"https://example.org/cat.png\"") && html.contains(">a cat</a>")
        );
        assert_eq!(html.matches("<a ").count(), 1);
    }

    #[test]
    fn raw_html_is_text() {
        assert_eq!(render("a <b>bold</b>"), "<p>a &lt;b&gt;bold&lt;/b&gt;</p>\n");
        let block = render("<script>alert(1)</script>\n\nafter");
        assert!(block.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{block}");
        assert!(block.contains("<p>after</p>"));
    }

    /// Every tag and attribute in the output must be one of those that may come out.
    fn assert_inert(markdown: &str) {
        let html = render(markdown);
        for tag in html.split('<').skip(1) {
            let inside = tag.split('>').next().unwrap_or("");
            let name = inside.trim_start_matches('/').split_whitespace().next().unwrap_or("");
            assert!(TAGS.contains(&name.trim_end_matches('/')), "{markdown:?} made {html:?}");
            let lower = inside.to_lowercase();
            assert!(!lower.contains(" on") && !lower.contains(" style"), "{html:?}");
            for scheme in ["javascript", "vbscript", "data:"] {
                assert!(!lower.contains(scheme), "{markdown:?} made {html:?}");
            }
        }
    }

    #[test]
    fn attacks_are_inert() {
        let attacks = [
            "<script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "<svg/onload=alert(1)>",
            "<iframe src=\"javascript:alert(1)\"></iframe>",
            "<a href=\"javascript:alert(1)\">x</a>",
            "[x](javascript:alert(1))",
            "[x](JaVaScRiPt:alert(1))",
            "[x](java\u{0}script:alert(1))",
            "[x](&#106;avascript:alert(1))",
            "[x](<java\tscript:alert(1)>)",
            "[x](data:text/html;base64,PHNjcmlwdD4=)",
            "[x](vbscript:msgbox)",
            "[x](//evil.example/)",
            "![x](javascript:alert(1))",
            "![x](x \"\\\" onerror=alert(1)\")",
            "<javascript:alert(1)>",
            "[x]: javascript:alert(1)\n\n[x]",
            "[a](https://a.example \"\\\"><script>alert(1)</script>\")",
            "`</code><script>alert(1)</script>`",
            "```\"><script>alert(1)</script>\nx\n```",
            "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
            "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">",
            "<!--<script>alert(1)</script>-->",
            "<![CDATA[<script>alert(1)</script>]]>",
            "<?php <script>alert(1)</script> ?>",
            "<div style=\"background:url(javascript:alert(1))\">x</div>",
            "<base href=\"https://evil.example/\">",
            "<form action=\"https://evil.example\"><input name=a></form>",
        ];
        for attack in attacks {
            assert_inert(attack);
        }
    }

    #[test]
    fn relative_links_lose_their_target() {
        assert!(!render("[x](//evil.example/)").contains("href"));
        assert!(!render("[x](/admin)").contains("href"));
    }

    #[test]
    fn deep_nesting_ends() {
        let deep = ">".repeat(5_000);
        assert_inert(&format!("{deep} x"));
        assert_eq!(render(&format!("{deep} x")).matches("<blockquote>").count(), NESTING_MAX);
        let list = render(&format!("{}x", "- ".repeat(NESTING_MAX + 5)));
        assert_eq!(list.matches("<li>").count(), NESTING_MAX);
        assert_eq!(list.matches("</ul>").count(), NESTING_MAX);
        assert!(render("> > - quoted\n\nafter").ends_with("<p>after</p>\n"));
        assert_inert(&"[".repeat(10_000));
        assert_inert(&"*a ".repeat(3_000));
    }
}
