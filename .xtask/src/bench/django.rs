//! What a Django team would install for the same: django-comments-xtd and django-taggit with Django
//! REST framework, served by gunicorn from SQLite. The project is in `tests/rivals/django`; its Python
//! packages are installed once, below the user's cache.

use super::{
    data::{COMMENTS_OF_A_POST, POSTS, body, put},
    load::{NUMBER, Request},
    stage::{SECRET, Stage},
};
use crate::command::{output, program, run};
use crate::server::Server;
use anyhow::{Context, Result};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// As many as there are processors where the figures are from; each is a process.
const WORKERS: u32 = 2;

/// The rival, as it lies on the disk.
pub struct Django {
    /// Its source.
    project: PathBuf,
    /// Its database, while it runs and as it was filled.
    folder: PathBuf,
}

impl Django {
    /// Where it is. Nothing is made.
    pub fn of(stage: &Stage) -> Self {
        Self {
            project: stage.root.join("tests/rivals/django"),
            folder: stage.folder.join("django"),
        }
    }

    /// Installs its packages, has it make and fill its database, and puts that aside. Returns the
    /// token of one who may write.
    pub fn prepare(&self) -> Result<String> {
        install(&self.project.join("requirements.txt"))?;
        println!("Writing {} comments with Django.", POSTS * COMMENTS_OF_A_POST);
        fs::create_dir_all(&self.folder)?;
        run(self.manage()?.args(["migrate", "--run-syncdb", "--verbosity", "0"]))?;
        let (posts, comments) = (POSTS.to_string(), COMMENTS_OF_A_POST.to_string());
        let token = output(self.manage()?.args(["fill", &posts, &comments]))?;
        put(&self.database(), &self.kept())?;
        Ok(token.trim().to_owned())
    }

    /// The database that it runs on.
    pub fn database(&self) -> PathBuf {
        self.folder.join("comments.db")
    }

    /// The database as it was filled.
    pub fn kept(&self) -> PathBuf {
        self.folder.join("kept.db")
    }

    /// Serves it.
    pub fn start(&self, log: &Path) -> Result<Server> {
        // It says where it listens on the standard error.
        let mut command = program("sh");
        command.args(["-c", r#"exec "$0" "$@" 2>&1"#]).arg(environment()?.join("bin/gunicorn"));
        command.args(["--bind", "127.0.0.1:0", "--no-control-socket", "--workers"]);
        command.arg(WORKERS.to_string()).arg("--chdir").arg(&self.project).arg("team.wsgi");
        Server::start(self.settings(&mut command), log)
    }

    fn manage(&self) -> Result<Command> {
        let mut command = program(environment()?.join("bin/python"));
        self.settings(command.arg(self.project.join("manage.py")));
        Ok(command)
    }

    fn settings<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command.env("RIVAL_SECRET", SECRET).env("RIVAL_DATABASE", self.database());
        // The project stays as it was checked out.
        command.env("PYTHONDONTWRITEBYTECODE", "1")
    }
}

/// The list of a post's comments.
pub fn list() -> Request {
    Request::get("/comments/api/blog-post/1/")
}

/// The request that writes a comment on a post. A second one with the same text would be none to
/// Django, so each is numbered.
pub fn create(post: u32, token: &str) -> Request {
    let comment = format!("{} {NUMBER}", body(post));
    let json = serde_json::json!({
        "content_type": "blog.post", "object_pk": post.to_string(), "name": "", "email": "",
        "comment": comment,
    });
    Request::post("/comments/api/comment/", json.to_string(), format!("Token {token}"))
}

/// Installs the packages, unless those very ones are there.
fn install(requirements: &Path) -> Result<()> {
    let folder = environment()?;
    let installed = folder.join("requirements.txt");
    let wanted = fs::read(requirements)
        .with_context(|| format!("cannot read {}", requirements.display()))?;
    if fs::read(&installed).is_ok_and(|there| there == wanted) {
        return Ok(());
    }
    println!("Installing Django and what a team would use with it.");
    run(program("python3").args(["-m", "venv", "--clear"]).arg(&folder)).context(
        "the Django rival needs Python 3 with its module venv (Debian: python3-venv); \
         `--only` chooses benchmarks without it",
    )?;
    let mut pip = program(folder.join("bin/pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check", "--requirement"]);
    run(pip.arg(requirements))?;
    fs::write(installed, wanted).context("cannot note what was installed")
}

/// The folder of the Python packages.
fn environment() -> Result<PathBuf> {
    let home = env::var_os("HOME").context("HOME is not set, which says where caches are")?;
    Ok(Path::new(&home).join(".cache/caplet/django"))
}

#[cfg(test)]
mod tests {
    use super::{COMMENTS_OF_A_POST, create, list};

    #[test]
    fn both_sides_list_as_many_comments() {
        // The host's page holds 25.
        const { assert!(COMMENTS_OF_A_POST <= 25) };
        assert!(format!("{:?}", list()).contains("blog-post/1/"));
        assert!(format!("{:?}", create(7, "t")).contains("Token t"));
    }
}
