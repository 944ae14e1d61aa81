//! Reads what Disqus exports: XML with threads, and posts that belong to them. A post that does not
//! fit is refused alone. Where the XML itself breaks, what came before is kept.

use std::collections::HashMap;

use quick_xml::Reader;
use quick_xml::events::{BytesRef, BytesStart, Event};

use super::row::{Body, Contents, Refusal, Row, name, target, time};
use crate::derived::derived_id;
use crate::state::State;

const KIND: &str = "disqus";
/// The deepest an export nests, with a reserve.
const DEPTH_MAX: usize = 16;

/// What a thread's target is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// The path of its link.
    Path,
    /// The identifier that the site gave it.
    Identifier,
}

/// A thread or a post: the texts of its elements by their names, and the ids of those it refers to.
#[derive(Debug, Default)]
struct Item {
    line: usize,
    id: String,
    texts: HashMap<String, String>,
}

impl Item {
    fn text(&self, name: &str) -> &str {
        self.texts.get(name).map_or("", |text| text.trim())
    }

    fn is(&self, name: &str) -> bool {
        self.text(name).eq_ignore_ascii_case("true")
    }
}

/// Reads an export, whose threads become targets of the type `kind`.
pub fn read(file: &str, kind: &str, page: Page, now_ms: i64) -> Contents {
    let mut contents = Contents::default();
    let mut pages: HashMap<String, String> = HashMap::new();
    let mut parser = Parser::new(file);
    loop {
        match parser.next_item() {
            Ok(None) => return contents,
            Ok(Some(("thread", thread))) => {
                let text = match page {
                    Page::Path => path_of(thread.text("link")),
                    Page::Identifier => thread.text("id").to_owned(),
                };
                pages.insert(thread.id, text);
            }
            Ok(Some((_, post))) => match row(&post, &pages, kind, now_ms) {
                Ok(row) => contents.rows.push(row),
                Err(reason) => {
                    contents.refused.push(Refusal::new(post.line, Some(&post.id), reason));
                }
            },
            Err(reason) => {
                let reason = format!("the file cannot be read from here on: {reason}");
                contents.refused.push(Refusal::new(parser.line(), None, reason));
                return contents;
            }
        }
    }
}

fn row(
    post: &Item,
    pages: &HashMap<String, String>,
    kind: &str,
    now_ms: i64,
) -> Result<Row, String> {
    if post.id.is_empty() {
        return Err("it has no id".to_owned());
    }
    let page = pages.get(post.text("thread")).ok_or("its thread is not in the file before it")?;
    let created_ms = time(post.text("createdAt"), now_ms)?;
    let deleted = post.is("isDeleted");
    let username = name(post.text("author/username")).filter(|_| !post.is("author/isAnonymous"));
    let author = username.as_deref().unwrap_or("anonymous");
    Ok(Row {
        line: post.line,
        key: post.id.clone(),
        parent: Some(post.text("parent").to_owned()).filter(|parent| !parent.is_empty()),
        id: derived_id(KIND, &post.id, created_ms),
        target: target(kind, page)?,
        author: (!deleted).then(|| format!("{KIND}:{author}")),
        author_name: name(post.text("author/name")).filter(|_| !deleted),
        body: Body::Html(if deleted { String::new() } else { post.text("message").to_owned() }),
        state: if post.is("isSpam") && !deleted { State::Spam } else { State::Approved },
        deleted,
        created_ms,
        edited_ms: None,
    })
}

/// The path of a URL, without its query; `/` when there is none.
fn path_of(url: &str) -> String {
    let after_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = after_scheme.find('/').map_or("/", |start| &after_scheme[start..]);
    path.split(['?', '#']).next().unwrap_or("/").to_owned()
}

/// Reads the threads and posts of an export one after the other.
struct Parser<'a> {
    file: &'a str,
    reader: Reader<&'a [u8]>,
    line: usize,
    counted_to: usize,
}

impl<'a> Parser<'a> {
    fn new(file: &'a str) -> Self {
        Self { file, reader: Reader::from_str(file), line: 1, counted_to: 0 }
    }

    /// The line that the reader has come to.
    fn line(&mut self) -> usize {
        let offset = usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX);
        let between = self.file.as_bytes().get(self.counted_to..offset).unwrap_or_default();
        self.line += between.iter().filter(|&&byte| byte == b'\n').count();
        self.counted_to = offset.max(self.counted_to);
        self.line
    }

    /// The next thread or post, with its element's name; none at the end.
    fn next_item(&mut self) -> Result<Option<(&'static str, Item)>, String> {
        loop {
            let event = self.reader.read_event().map_err(|error| error.to_string())?;
            let (start, is_empty) = match event {
                Event::Eof => return Ok(None),
                Event::Start(start) => (start, false),
                Event::Empty(start) => (start, true),
                _ => continue,
            };
            let element = match start.local_name().as_ref() {
                "thread" => "thread",
                "post" => "post",
                _ => continue,
            };
            let mut item = Item { line: self.line(), id: id_of(&start), ..Item::default() };
            if !is_empty {
                self.read_item(&mut item)?;
            }
            return Ok(Some((element, item)));
        }
    }

    /// Reads to the end of an item. Only texts and references of one and two levels are kept.
    fn read_item(&mut self, item: &mut Item) -> Result<(), String> {
        let mut open: Vec<String> = Vec::new();
        loop {
            match self.reader.read_event().map_err(|error| error.to_string())? {
                Event::Eof => return Err("it ends within an element".to_owned()),
                Event::End(_) if open.pop().is_none() => return Ok(()),
                Event::Start(start) => {
                    if open.len() == DEPTH_MAX {
                        return Err("elements are nested too deeply".to_owned());
                    }
                    note_reference(item, &open, &start);
                    open.push(start.local_name().as_ref().to_owned());
                }
                Event::Empty(start) => note_reference(item, &open, &start),
                Event::Text(text) => note_text(item, &open, &text.xml10_content()),
                Event::CData(text) => note_text(item, &open, &text.xml10_content()),
                Event::GeneralRef(reference) => note_text(item, &open, &resolve(&reference)?),
                _ => {}
            }
        }
    }
}

fn id_of(start: &BytesStart<'_>) -> String {
    let id = start.attributes().flatten().find(|it| it.key.local_name().as_ref() == "id");
    id.map(|id| id.value.into_owned()).unwrap_or_default()
}

/// An element with an id, such as `<thread dsq:id="1"/>`, stands for what it refers to.
fn note_reference(item: &mut Item, open: &[String], start: &BytesStart<'_>) {
    let id = id_of(start);
    if open.is_empty() && !id.is_empty() {
        item.texts.insert(start.local_name().as_ref().to_owned(), id);
    }
}

fn note_text(item: &mut Item, open: &[String], text: &str) {
    if (1..=2).contains(&open.len()) {
        item.texts.entry(open.join("/")).or_default().push_str(text);
    }
}

/// The text that a reference stands for. Only those of XML itself: an export declares none.
fn resolve(reference: &BytesRef<'_>) -> Result<String, String> {
    match reference.resolve_char_ref().map_err(|error| error.to_string())? {
        Some(character) => Ok(character.to_string()),
        None => match &**reference {
            "lt" => Ok("<".to_owned()),
            "gt" => Ok(">".to_owned()),
            "amp" => Ok("&".to_owned()),
            "quot" => Ok("\"".to_owned()),
            "apos" => Ok("'".to_owned()),
            other => Err(format!("the entity `{}` is not declared", super::row::short(other))),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_700_000_000_000;
    const FILE: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<disqus xmlns="http://disqus.com" xmlns:dsq="http://disqus.com/disqus-internals">
<category dsq:id="7"><forum>f</forum><title>General</title></category>
<thread dsq:id="11"><id>post-1</id><category dsq:id="7"/>
 <link>https://example.org/2012/a/?x=1</link><author><name>Site</name></author></thread>
<post dsq:id="21"><id/><message><![CDATA[<p>Hello &amp; <b>bye</b></p>]]></message>
 <createdAt>2012-03-04T05:06:07Z</createdAt><isDeleted>false</isDeleted><isSpam>false</isSpam>
 <author><name>Ada &#76;.</name><isAnonymous>false</isAnonymous><username>ada</username></author>
 <thread dsq:id="11"/></post>
<post dsq:id="22"><message>&lt;p&gt;Reply&lt;/p&gt;</message>
 <createdAt>2012-03-04T05:06:08Z</createdAt><isSpam>true</isSpam>
 <author><name>Eve</name><isAnonymous>true</isAnonymous></author>
 <thread dsq:id="11"/><parent dsq:id="21"/></post>
<post dsq:id="23"><message>x</message><createdAt>never</createdAt><thread dsq:id="11"/></post>
<post dsq:id="24"><message>x</message><thread dsq:id="99"/></post>
</disqus>"#;

    #[test]
    fn posts_find_their_threads_parents_and_authors() {
        let contents = read(FILE, "page", Page::Path, NOW_MS);
        let [first, second] = contents.rows.as_slice() else { panic!("{contents:?}") };
        assert_eq!((first.line, first.target.as_str()), (6, "page:/2012/a/"));
        assert_eq!(first.author.as_deref(), Some("disqus:ada"));
        assert_eq!(first.author_name.as_deref(), Some("Ada L."));
        assert!(matches!(&first.body, Body::Html(html) if html == "<p>Hello &amp; <b>bye</b></p>"));
        assert_eq!((second.parent.as_deref(), second.state), (Some("21"), State::Spam));
        assert!(matches!(&second.body, Body::Html(html) if html == "<p>Reply</p>"));
        assert_eq!(second.author.as_deref(), Some("disqus:anonymous"));
        let refused = serde_json::to_value(&contents.refused).unwrap();
        assert_eq!((&refused[0]["line"], &refused[0]["row"]), (&14.into(), &"23".into()));
        assert_eq!((&refused[1]["line"], &refused[1]["row"]), (&15.into(), &"24".into()));
        let named = read(FILE, "page", Page::Identifier, NOW_MS);
        assert_eq!(named.rows[0].target.as_str(), "page:post-1");
    }

    #[test]
    fn what_comes_before_a_break_is_kept() {
        let end = FILE.find("<post dsq:id=\"23\"").unwrap();
        for rest in ["<post", "<post dsq:id=\"23\"><message></post>", "<post>&bomb;</post>", "</x>"]
        {
            let contents = read(&format!("{}{rest}", &FILE[..end]), "page", Page::Path, NOW_MS);
            assert_eq!((contents.rows.len(), contents.refused.len()), (2, 1), "{rest}");
            let refused = serde_json::to_value(&contents.refused).unwrap();
            assert_eq!(refused[0]["line"], 14, "{rest}");
        }
    }

    #[test]
    fn paths_are_those_of_links() {
        assert_eq!(path_of("https://example.org/a/b?c#d"), "/a/b");
        assert_eq!(path_of("http://example.org"), "/");
    }
}
