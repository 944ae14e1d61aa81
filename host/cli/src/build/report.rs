//! What there is to say of a component that was built: its size, what it may do, and what is unusual.

use std::path::Path;

use caplet_runtime::{Generation, Inspection};

use super::project::Project;
use crate::table::aligned;

/// From this size on a component is worth a look, in bytes.
const LARGE_BYTES: usize = 30 << 20;

/// What is known of a component.
pub struct Report<'a> {
    pub project: &'a Project,
    pub n_bytes: usize,
    pub generation: &'a Generation,
}

impl Report<'_> {
    /// The report, for people.
    pub fn text(&self) -> String {
        let description = self.generation.description();
        let routes = match description.routes.len() {
            1 => "1 route".to_owned(),
            n_routes => format!("{n_routes} routes"),
        };
        let mut text = format!(
            "{}: {}, plugin {} {} with {routes}; a host would load it.\n",
            self.project.output.display(),
            size(self.n_bytes),
            description.name,
            description.version,
        );
        text += &rights(self.generation.inspection());
        for unusual in self.unusual() {
            text += &format!("unusual: {unusual}\n");
        }
        text
    }

    fn unusual(&self) -> Vec<String> {
        let description = self.generation.description();
        let mut unusual = Vec::new();
        if description.name != self.project.name {
            unusual.push(format!(
                "it calls itself `{}`, and plugin.toml calls it `{}`",
                description.name, self.project.name
            ));
        }
        if self.n_bytes > LARGE_BYTES {
            let large = size(LARGE_BYTES);
            unusual.push(format!("it is larger than {large}; each host compiles all of it"));
        }
        let beyond = |name: &&String| {
            ["wasi:sockets/", "wasi:filesystem/"].iter().any(|it| name.starts_with(it))
        };
        let n_beyond = self.generation.inspection().wasi.iter().filter(beyond).count();
        if n_beyond > 0 {
            unusual.push(format!(
                "{n_beyond} imports are for files or sockets, which it will not find (`caplet inspect` names them)"
            ));
        }
        unusual
    }
}

/// A number of bytes as people read it.
pub fn size(n_bytes: usize) -> String {
    match n_bytes {
        0..10_240 => format!("{n_bytes} bytes"),
        10_240..10_485_760 => format!("{} KiB", n_bytes >> 10),
        _ => format!("{} MiB", n_bytes >> 20),
    }
}

fn rights(inspection: &Inspection) -> String {
    let rights: Vec<_> =
        inspection.rights.iter().map(|it| [it.name.to_owned(), it.meaning.to_owned()]).collect();
    if rights.is_empty() {
        return "It asks for no rights.\n".to_owned();
    }
    format!("It asks for these rights, by its imports:\n{}", aligned(2, &rights))
}

/// What to say when a host would not load the component.
pub fn refusal(file: &Path, error: &caplet_runtime::LoadError) -> String {
    let mut text =
        format!("{} was built, but no host would load it: {}.\n", file.display(), error.step);
    for reason in &error.reasons {
        text += &format!("  - {reason}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_are_for_people() {
        assert_eq!(size(9_000), "9000 bytes");
        assert_eq!(size(300 << 10), "300 KiB");
        assert_eq!(size(18 << 20), "18 MiB");
    }
}
