//! HTML of a comment as Markdown that renders alike. It is sanitised first, so that what comes out
//! holds nothing that the renderer would not make itself.

use std::sync::OnceLock;

use ammonia::Builder;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::markdown::sanitiser;

/// Tags that the renderer does not make, and what they mean.
const SYNONYMS: [(&str, &str); 4] = [("b", "strong"), ("i", "em"), ("s", "del"), ("strike", "del")];

/// Turns HTML into Markdown.
pub fn to_markdown(html: &str) -> String {
    static SANITISER: OnceLock<Builder<'static>> = OnceLock::new();
    let clean = SANITISER.get_or_init(|| sanitiser(&SYNONYMS.map(|(tag, _)| tag))).clean(html);
    let clean = clean.to_string();
    let mut reader = Reader::from_str(&clean);
    reader.config_mut().check_end_names = false;
    reader.config_mut().allow_unmatched_ends = true;
    reader.config_mut().allow_dangling_amp = true;
    let mut writer = Writer { open: vec![Open::default()] };
    // What the sanitiser writes can always be read; if not, what was read so far is kept.
    while let Ok(event) = reader.read_event() {
        match event {
            Event::Eof => break,
            Event::Start(start) => writer.start(&start),
            Event::Empty(start) => {
                writer.start(&start);
                writer.end(meaning(start.name().as_ref()));
            }
            Event::End(end) => writer.end(meaning(end.name().as_ref())),
            Event::Text(text) => writer.text(&text),
            Event::GeneralRef(reference) => writer.text(match &*reference {
                "lt" => "<",
                "gt" => ">",
                "amp" => "&",
                "quot" => "\"",
                _ => " ",
            }),
            _ => {}
        }
    }
    writer.finish()
}

/// The tag that the renderer makes for what a tag means.
fn meaning(tag: &str) -> &str {
    SYNONYMS.iter().find(|(synonym, _)| *synonym == tag).map_or(tag, |(_, meaning)| meaning)
}

/// An element that is open, and the Markdown of what is in it so far.
#[derive(Default)]
struct Open {
    name: String,
    href: Option<String>,
    text: String,
}

struct Writer {
    open: Vec<Open>,
}

impl Writer {
    fn start(&mut self, start: &BytesStart<'_>) {
        let name = meaning(start.name().as_ref()).to_owned();
        match name.as_str() {
            "br" => return self.push("\\\n"),
            "hr" => return self.push("\n\n---\n\n"),
            _ => {}
        }
        let href = start.attributes().flatten().find(|attribute| attribute.key.as_ref() == "href");
        let href =
            href.and_then(|href| Some(quick_xml::escape::unescape(&href.value).ok()?.into_owned()));
        self.open.push(Open { name, href, text: String::new() });
    }

    fn end(&mut self, name: &str) {
        if let Some(place) = self.open.iter().rposition(|open| open.name == name) {
            while self.open.len() > place.max(1) {
                self.close();
            }
        }
    }

    fn close(&mut self) {
        let Some(closed) = self.open.pop() else { return };
        let parent = self.open.last().map_or("", |open| open.name.as_str());
        let markdown = markdown_of(&closed, parent);
        self.push(&markdown);
    }

    fn finish(mut self) -> String {
        while self.open.len() > 1 {
            self.close();
        }
        let text = self.open.pop().unwrap_or_default().text;
        // No more than one empty line between blocks.
        let mut blocks = String::with_capacity(text.len());
        for block in text.split("\n\n").map(without_last_break) {
            if !block.is_empty() {
                blocks.push_str(if blocks.is_empty() { "" } else { "\n\n" });
                blocks.push_str(block);
            }
        }
        blocks
    }

    fn push(&mut self, markdown: &str) {
        if let Some(open) = self.open.last_mut() {
            open.text.push_str(markdown);
        }
    }

    fn text(&mut self, text: &str) {
        let is_code = self.open.iter().any(|open| matches!(open.name.as_str(), "code" | "pre"));
        if is_code {
            return self.push(text);
        }
        let Some(open) = self.open.last_mut() else { return };
        for character in text.chars() {
            if character.is_whitespace() {
                if !open.text.is_empty() && !open.text.ends_with([' ', '\n']) {
                    open.text.push(' ');
                }
            } else {
                escape(character, &mut open.text);
            }
        }
    }
}

/// A block without the line breaks at its ends. A text writes its backslashes in pairs, so that one
/// more at the end is a break.
fn without_last_break(block: &str) -> &str {
    let block = block.trim_matches('\n');
    let n_backslashes = block.bytes().rev().take_while(|&byte| byte == b'\\').count();
    &block[..block.len() - n_backslashes % 2]
}

/// Appends a character so that it stands for itself.
fn escape(character: char, text: &mut String) {
    let begins = text.is_empty() || text.ends_with('\n');
    let line = text.rsplit('\n').next().unwrap_or_default();
    let numbers = !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_digit());
    let is_special = match character {
        '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '&' | '~' => true,
        '#' | '+' | '-' | '=' => begins,
        '.' | ')' => numbers,
        _ => false,
    };
    if is_special {
        text.push('\\');
    }
    text.push(character);
}

fn markdown_of(closed: &Open, parent: &str) -> String {
    let text = closed.text.as_str();
    match closed.name.as_str() {
        "strong" => around(text, "**"),
        "em" => around(text, "*"),
        "del" => around(text, "~~"),
        "code" => code(text),
        "a" => match &closed.href {
            Some(href) if !text.trim().is_empty() => {
                let href = href.replace('<', "%3C").replace('>', "%3E").replace('\\', "%5C");
                format!("[{}](<{href}>)", text.trim())
            }
            _ => text.to_owned(),
        },
        "pre" => {
            let fence = "`".repeat(longest_run(text).max(2) + 1);
            format!("\n\n{fence}\n{}\n{fence}\n\n", text.trim_matches('`').trim_matches('\n'))
        }
        "blockquote" => format!("\n\n{}\n\n", indented(text, "> ", "> ")),
        "li" if parent == "ol" => format!("{}\n", indented(text, "1. ", "   ")),
        "li" => format!("{}\n", indented(text, "- ", "  ")),
        // An empty line before it would make a paragraph of each item.
        "ol" | "ul" if parent == "li" => format!("\n{}\n", text.trim()),
        "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
            let level = usize::from(closed.name.as_bytes()[1] - b'0');
            format!("\n\n{} {}\n\n", "#".repeat(level), text.trim().replace('\n', " "))
        }
        "p" | "ol" | "ul" => format!("\n\n{}\n\n", text.trim()),
        _ => text.to_owned(),
    }
}

/// Emphasis, with the spaces at its ends outside of it.
fn around(text: &str, mark: &str) -> String {
    let inside = text.trim();
    if inside.is_empty() {
        return text.to_owned();
    }
    let before = if text.starts_with(inside) { "" } else { " " };
    let after = if text.ends_with(inside) { "" } else { " " };
    format!("{before}{mark}{inside}{mark}{after}")
}

fn code(text: &str) -> String {
    let fence = "`".repeat(longest_run(text) + 1);
    let needs_space = text.starts_with('`') || text.ends_with('`');
    if text.is_empty() {
        String::new()
    } else if needs_space {
        format!("{fence} {text} {fence}")
    } else {
        format!("{fence}{text}{fence}")
    }
}

/// The longest run of backticks.
fn longest_run(text: &str) -> usize {
    text.split(|character| character != '`').map(str::len).max().unwrap_or(0)
}

fn indented(text: &str, first: &str, others: &str) -> String {
    let lines = text.trim().lines().enumerate();
    let lines =
        lines.map(|(place, line)| format!("{}{line}", if place == 0 { first } else { others }));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::markdown::render;

    #[test]
    fn html_renders_alike_when_it_comes_back() {
        for html in [
            "<p>Hello, <strong>world</strong>!</p>\n",
            "<p>a <em>b</em> <del>c</del> <code>d &lt; e</code></p>\n",
            "<p>one</p>\n<p>two<br>\nthree</p>\n",
            "<blockquote>\n<p>quoted</p>\n</blockquote>\n<p>after</p>\n",
            "<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n",
            "<ol>\n<li>a\n<ul>\n<li>b</li>\n</ul>\n</li>\n<li>c</li>\n</ol>\n",
            "<h2>title</h2>\n",
            "<p><a href=\"https://example.org/?a=1&amp;b=2\" rel=\"nofollow ugc noopener\">x</a></p>\n",
            "<p>1. * _ # &lt;b&gt; [a](b) `c` ~~d~~ &amp;amp; \\</p>\n",
            "<p># - + = &gt;</p>\n",
        ] {
            assert_eq!(render(&to_markdown(html)), html, "{}", to_markdown(html));
        }
    }

    #[test]
    fn tags_that_mean_the_same_are_the_same() {
        assert_eq!(to_markdown("<b>a</b> <i>b</i> <s>c</s>"), "**a** *b* ~~c~~");
    }

    #[test]
    fn code_blocks_keep_their_lines() {
        let html = render(&to_markdown("<pre><code>a\n  b &lt; c\n</code></pre>"));
        assert!(html.contains("a\n  b &lt; c"), "{html}");
    }

    #[test]
    fn what_is_hostile_is_gone() {
        for html in [
            "<script>alert(1)</script>kept",
            "<a href=\"javascript:alert(1)\">kept</a>",
            "<img src=x onerror=alert(1)>kept",
            "<p onclick=\"alert(1)\">kept</p>",
            "&lt;script&gt;alert(1)&lt;/script&gt; kept",
        ] {
            let rendered = render(&to_markdown(html));
            assert!(rendered.contains("kept"), "{html}: {rendered}");
            assert!(
                !rendered.contains("<script") && !rendered.contains("javascript"),
                "{rendered}"
            );
            assert!(!rendered.contains("onerror") && !rendered.contains("onclick"), "{rendered}");
        }
    }

    #[test]
    fn what_is_not_closed_is_closed() {
        assert_eq!(render(&to_markdown("<p><b>a")), "<p><strong>a</strong></p>\n");
        assert_eq!(to_markdown(""), "");
        assert_eq!(to_markdown("</p></p>a"), "a");
        assert_eq!(to_markdown("<p>a<br></p><p>b\\</p>"), "a\n\nb\\\\");
    }
}
