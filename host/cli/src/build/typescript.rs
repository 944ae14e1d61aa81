//! TypeScript: esbuild makes one file of the plugin, the SDK and the packages they use, and an engine is
//! put around it: QuickJS, which is small, or SpiderMonkey, which has the web's interfaces.
//!
//! The tools are the plugin's own, by its `package.json`: `npm ci` puts them into `node_modules`.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::language::{Purpose, Toolchain};
use super::project::{Engine, Project, SDK_FOLDER};
use super::tool::{self, Tool};
use super::world::world;
use crate::failure::Failure;

/// TypeScript's tools.
#[derive(Debug)]
pub struct TypeScript;

const NODE: Tool = Tool {
    program: "node",
    version_arguments: &["--version"],
    at_least: (20, 0, 0),
    install: "apt-get install nodejs npm, or https://nodejs.org/en/download",
};

/// The author's module that says what the plugin keeps about people. A plugin that has none does not
/// answer.
const SUBJECT_DATA: &str = "src/subject-data.ts";

/// Installs what the `package.json` of the template names.
const INSTALL: &str = "npm install";

/// Installs what that does not name, because it is large and few want it.
const INSTALL_SPIDERMONKEY: &str = "npm install --save-dev @bytecodealliance/jco@1.35.0";

impl Toolchain for TypeScript {
    fn check(&self) -> Result<(), Failure> {
        NODE.find().map(drop)
    }

    fn build(&self, project: &Project, purpose: Purpose) -> Result<Vec<u8>, Failure> {
        let folder = tempfile::tempdir().map_err(|reason| {
            Failure::run_time(format!("no temporary folder can be made: {reason}"))
        })?;
        if purpose == Purpose::Release {
            let mut check = Command::new(program(project, "tsc", INSTALL)?);
            tool::run(check.arg("--project").arg(&project.folder), "the check of the types")?;
        }
        let script = folder.path().join("plugin.js");
        bundle(project, folder.path(), &script)?;
        let component = folder.path().join("component.wasm");
        match project.engine {
            Engine::QuickJs => quickjs(project, &script, &component)?,
            Engine::SpiderMonkey => spidermonkey(project, &script, &component)?,
        }
        std::fs::read(&component)
            .map_err(|reason| Failure::run_time(format!("what was built cannot be read: {reason}")))
    }

    fn built_folders(&self) -> &'static [&'static str] {
        &["node_modules"]
    }
}

/// A tool in the plugin's folder, which `install` puts there.
fn program(project: &Project, name: &str, install: &str) -> Result<PathBuf, Failure> {
    let file = project.folder.join("node_modules/.bin").join(name);
    if file.exists() {
        return std::path::absolute(&file)
            .map_err(|reason| Failure::run_time(format!("{}: {reason}", file.display())));
    }
    let place = project.folder.display();
    Err(Failure::run_time(format!("`{name}` is missing: cd {place} && {install}")))
}

fn bundle(project: &Project, folder: &Path, script: &Path) -> Result<(), Failure> {
    let absolute = |path: &str| {
        std::path::absolute(project.folder.join(path))
            .map_err(|reason| Failure::run_time(format!("{path}: {reason}")))
    };
    let (sdk, plugin) = (absolute(SDK_FOLDER)?, absolute("src/plugin.ts")?);
    let entry = folder.join("entry.ts");
    let component = sdk.join("src/component.ts");
    let mut text = format!(
        "import {{ component }} from {component:?};\nimport {{ plugin }} from {plugin:?};\n"
    );
    text += &if answers_for_subjects(project) {
        let holdings = absolute(SUBJECT_DATA)?;
        format!(
            "import {{ subjectData as kept }} from {holdings:?};\n\
             export const {{ guest, httpHandler, health, subjectData }} = component(plugin, kept);\n"
        )
    } else {
        "export const { guest, httpHandler, health } = component(plugin);\n".to_owned()
    };
    std::fs::write(&entry, text)
        .map_err(|reason| Failure::run_time(format!("{}: {reason}", entry.display())))?;
    let mut esbuild = Command::new(program(project, "esbuild", INSTALL)?);
    esbuild.arg(&entry).args(["--bundle", "--format=esm", "--platform=neutral"]);
    esbuild.args(["--main-fields=module,main", "--target=es2022", "--external:caplet:*"]);
    esbuild.args(["--loader:.sql=text", "--log-level=warning"]);
    esbuild.arg(format!("--alias:caplet={}", sdk.join("src/index.ts").display()));
    esbuild.arg(format!("--outfile={}", script.display()));
    tool::run(&mut esbuild, "esbuild")
}

fn quickjs(project: &Project, script: &Path, component: &Path) -> Result<(), Failure> {
    let mut build = Command::new(program(project, "componentize-qjs", INSTALL)?);
    let world = world(answers_for_subjects(project));
    build.args(["--sync", "--world", world, "--wit"]).arg(contract(project));
    build.arg("--js").arg(script).arg("--output").arg(component);
    tool::run(&mut build, "componentize-qjs")
}

fn spidermonkey(project: &Project, script: &Path, component: &Path) -> Result<(), Failure> {
    let mut build = Command::new(program(project, "jco", INSTALL_SPIDERMONKEY)?);
    let world = world(answers_for_subjects(project));
    build.arg("componentize").arg(script).args(["--world-name", world, "--wit"]);
    build.arg(contract(project)).args(["--disable", "all", "--out"]).arg(component);
    tool::run(&mut build, "jco componentize")
}

fn answers_for_subjects(project: &Project) -> bool {
    project.folder.join(SUBJECT_DATA).is_file()
}

fn contract(project: &Project) -> PathBuf {
    project.folder.join(SDK_FOLDER).join("wit")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::Language;

    fn project(folder: &Path) -> Project {
        Project {
            folder: folder.to_owned(),
            name: "notes".to_owned(),
            language: Language::TypeScript,
            engine: Engine::SpiderMonkey,
            output: folder.join("build/notes.wasm"),
        }
    }

    #[test]
    fn a_plugin_answers_for_subjects_when_it_has_the_module() {
        let folder = tempfile::tempdir().unwrap();
        let project = project(folder.path());
        assert!(!answers_for_subjects(&project));
        std::fs::create_dir(folder.path().join("src")).unwrap();
        std::fs::write(folder.path().join(SUBJECT_DATA), "").unwrap();
        assert!(answers_for_subjects(&project));
    }

    #[test]
    fn a_missing_tool_is_said_with_the_command_that_installs_it() {
        let folder = tempfile::tempdir().unwrap();
        let project = project(folder.path());
        let (script, component) = (Path::new("plugin.js"), Path::new("component.wasm"));
        let place = folder.path().display();
        let said = spidermonkey(&project, script, component).unwrap_err();
        let remedy = "npm install --save-dev @bytecodealliance/jco@1.35.0";
        assert_eq!(said.text(), format!("`jco` is missing: cd {place} && {remedy}"));
        let said = quickjs(&project, script, component).unwrap_err();
        assert_eq!(
            said.text(),
            format!("`componentize-qjs` is missing: cd {place} && npm install")
        );
    }
}
