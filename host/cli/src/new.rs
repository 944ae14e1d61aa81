//! `caplet new`: a complete small plugin, with the SDK of its language.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};

use crate::build::{Language, SDK_FOLDER, not_a_name};
use crate::carried::{self, Carried};
use crate::failure::Failure;
use crate::output;

/// `caplet new`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  caplet new guestbook --lang rust
  caplet new guestbook --lang rust --folder work/guestbook

The plugin keeps notes: routes, a table, settings, a permission, and scenarios that test it. Its SDK is
in vendor/caplet-sdk, so that it builds wherever the language's own tools are.")]
pub struct New {
    /// The plugin's name, and the first segment of its URLs: /api/NAME
    #[arg(value_name = "NAME")]
    pub name: String,
    /// The language it is written in
    #[arg(long, value_enum, value_name = "LANGUAGE")]
    pub lang: Language,
    /// The folder that is made [default: NAME]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub folder: Option<PathBuf>,
}

/// Makes the folder of a new plugin, and says how to go on.
///
/// # Errors
/// When the name is none, the folder is there already, or it cannot be written.
pub fn run(options: &New) -> Result<(), Failure> {
    let New { name, lang, folder } = options;
    if !caplet_runtime::is_plugin_name(name) {
        return Err(Failure::usage(not_a_name(name)));
    }
    let folder = folder.clone().unwrap_or_else(|| name.into());
    if folder.exists() {
        return Err(Failure::usage(format!(
            "{} is there already; name another folder with --folder",
            folder.display()
        )));
    }
    write(&folder, name, *lang).map_err(|reason| {
        Failure::run_time(format!("{} cannot be written: {reason}", folder.display()))
    })?;
    output::print(&format!(
        "{place} has a plugin in {language}. To go on:\n  \
         cd {place}\n  \
         caplet test    # build it, and run the scenarios in tests/\n  \
         caplet dev     # a host that builds and serves what you write\n",
        place = folder.display(),
        language = lang.name(),
    ))
}

fn write(folder: &Path, name: &str, language: Language) -> std::io::Result<()> {
    let words = Words::of(name);
    for Carried { path, content } in carried::template(language) {
        put(&folder.join(words.fill(&path)), &words.fill_bytes(content))?;
    }
    for Carried { path, content } in carried::sdk(language) {
        put(&folder.join(SDK_FOLDER).join(path), &content)?;
    }
    Ok(())
}

fn put(file: &Path, content: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(file, content)
}

/// What the placeholders of a template stand for.
struct Words([(&'static str, String); 3]);

impl Words {
    fn of(name: &str) -> Self {
        let spaced = name.replace('-', " ");
        let (first, rest) = spaced.split_at(1);
        Self([
            // my-notes
            ("{{name}}", name.to_owned()),
            // my_notes
            ("{{identifier}}", name.replace('-', "_")),
            // My notes
            ("{{title}}", format!("{}{rest}", first.to_uppercase())),
        ])
    }

    fn fill(&self, text: &str) -> String {
        let Self(words) = self;
        words.iter().fold(text.to_owned(), |text, (mark, word)| text.replace(mark, word))
    }

    /// What is no text has no placeholders.
    fn fill_bytes(&self, content: Vec<u8>) -> Vec<u8> {
        String::from_utf8(content)
            .map_or_else(|error| error.into_bytes(), |text| self.fill(&text).into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_three_forms() {
        let words = Words::of("my-notes");
        assert_eq!(words.fill("{{name}} {{identifier}} {{title}}"), "my-notes my_notes My notes");
        assert_eq!(words.fill_bytes(vec![0xff]), [0xff]);
    }
}
