//! Documents: which there are, and what is in one.

use std::path::{Path, PathBuf};

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// A document.
pub struct Page {
    /// From the root of the repository.
    pub path: String,
    pub text: String,
    pub blocks: Vec<Block>,
}

/// A block of code.
pub struct Block {
    /// The page and the line, for messages.
    pub place: String,
    /// Empty for a picture.
    pub language: String,
    /// What follows the language.
    pub words: Vec<String>,
    pub text: String,
}

/// The root of the repository.
pub fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("the tests have a folder of their own").to_owned()
}

/// The paths of all documents, sorted.
pub fn all() -> Vec<String> {
    let mut found = vec!["README.md".to_owned()];
    found.extend(names("docs").into_iter().filter(|path| path.ends_with(".md")));
    let readmes = names("plugins").into_iter().map(|plugin| format!("{plugin}/README.md"));
    found.extend(readmes.filter(|path| root().join(path).is_file()));
    found.sort();
    found
}

/// What is in a folder, by paths from the root.
pub fn names(folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(root().join(folder)).expect("the folder is there");
    let name = |entry: std::io::Result<std::fs::DirEntry>| {
        let name = entry.expect("the folder can be read").file_name();
        format!("{folder}/{}", name.to_string_lossy())
    };
    entries.map(name).collect()
}

/// The text of a file, by its path from the root.
pub fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|reason| panic!("{path}: {reason}"))
}

impl Page {
    pub fn read(path: &str) -> Self {
        let text = read(path);
        Self { path: path.to_owned(), blocks: blocks(path, &text), text }
    }

    /// The cells of every row of the tables below a heading, until the next one of its level.
    pub fn rows(&self, heading: &str) -> Vec<Vec<String>> {
        let level = heading.find(' ').unwrap_or_default();
        let mut lines = self.text.lines().skip_while(|line| *line != heading);
        assert!(lines.next().is_some(), "{}: there is no heading `{heading}`", self.path);
        let ends = |line: &str| (1..=level).contains(&line.find(' ').unwrap_or_default());
        let below = lines.take_while(|line| !(line.starts_with('#') && ends(line)));
        below.filter_map(cells).collect()
    }

    /// The cells of every row of all tables.
    pub fn all_rows(&self) -> Vec<Vec<String>> {
        self.text.lines().filter_map(cells).collect()
    }
}

/// The cells of a table's row.
fn cells(line: &str) -> Option<Vec<String>> {
    let inside = line.strip_prefix('|')?.strip_suffix('|')?.replace("\\|", "\0");
    Some(inside.split('|').map(|cell| cell.trim().replace('\0', "|")).collect())
}

/// The texts in backticks.
pub fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

fn blocks(path: &str, text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut is_inside = false;
    for (event, range) in Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter() {
        match event {
            Event::Start(Tag::CodeBlock(kind)) => {
                let line = text[..range.start].lines().count() + 1;
                blocks.push(block(format!("{path}:{line}"), &kind));
                is_inside = true;
            }
            Event::End(TagEnd::CodeBlock) => is_inside = false,
            Event::Text(part) if is_inside => {
                blocks.last_mut().expect("a block was begun").text.push_str(&part);
            }
            _ => {}
        }
    }
    blocks
}

fn block(place: String, kind: &CodeBlockKind<'_>) -> Block {
    let info = match kind {
        CodeBlockKind::Fenced(info) => info.as_ref(),
        CodeBlockKind::Indented => panic!("{place}: write a fenced block"),
    };
    let mut words = info.split([' ', ',']).filter(|word| !word.is_empty()).map(str::to_owned);
    let language = words.next().unwrap_or_default();
    Block { place, language, words: words.collect(), text: String::new() }
}

/// Files of a plugin that are in no folder. `caplet.toml` is the host's, and not here.
const FILES_AT_THE_TOP: [&str; 2] = ["Cargo.toml", "plugin.toml"];

impl Block {
    /// The name of the file that the block is the content of.
    pub fn file(&self) -> Option<&str> {
        let first = self.words.first()?;
        let is_file = first.contains('/') || FILES_AT_THE_TOP.contains(&first.as_str());
        is_file.then_some(first.as_str())
    }

    pub fn has_word(&self, word: &str) -> bool {
        self.words.iter().any(|own| own == word)
    }
}
