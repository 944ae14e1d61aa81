//! The comments that are listed and added to: written once through the host, then copied for each side
//! and round, so that all begin with the same file.

use super::{
    load::{Request, ask},
    stage::Stage,
};
use anyhow::{Context, Result, bail};
use std::{fs, path::Path, thread};

/// How many posts have comments.
pub const POSTS: u32 = 250;

/// How many comments each of them has.
const COMMENTS_OF_A_POST: u32 = 20;

/// How many write at once, so that it is done sooner.
const WRITERS: u32 = 16;

/// The text of a comment: about as long as they are, with some Markdown.
pub fn body(number: u32) -> String {
    format!(
        "That is **comment {number}**, and it says what comments say: the second paragraph is \
         *not* what the [documentation](https://example.org/docs?page={number}) promises.\n\n\
         > It says so itself.\n\nCould `retries_max` be {number} there?"
    )
}

/// The database of comments, at its beginning.
pub struct Data<'a> {
    stage: &'a Stage,
    /// Who writes.
    pub token: String,
}

impl<'a> Data<'a> {
    /// Has the host make the database and fill it, and puts it aside.
    pub fn make(stage: &'a Stage) -> Result<Self> {
        println!("Writing {} comments.", POSTS * COMMENTS_OF_A_POST);
        let server = stage.host()?;
        let data = Self { stage, token: stage.token()? };
        thread::scope(|scope| {
            let writer = |first| data.fill((first..=POSTS).step_by(WRITERS as usize), server.url());
            let writers: Vec<_> =
                (1..=WRITERS).map(|first| scope.spawn(move || writer(first))).collect();
            writers
                .into_iter()
                .try_for_each(|writer| writer.join().unwrap_or_else(|_| bail!("a writer panicked")))
        })?;
        // The host writes its log back into the file when it ends.
        server.stop()?;
        put(&stage.data().join("databases/comments.db"), &stage.folder.join("comments.db"))?;
        Ok(data)
    }

    fn fill(&self, posts: impl Iterator<Item = u32>, url: &str) -> Result<()> {
        let agent = ureq::Agent::new_with_defaults();
        for post in posts {
            for comment in 1..=COMMENTS_OF_A_POST {
                let request = self.create(post, &body(post * 100 + comment));
                let answer = ask(&agent, url, &request)?;
                if answer.status != 201 {
                    bail!("a comment was not written: {answer:?}");
                }
            }
        }
        Ok(())
    }

    /// The request that writes a comment on a post.
    pub fn create(&self, post: u32, body: &str) -> Request {
        let json = serde_json::json!({ "target": format!("post:{post}"), "body": body });
        Request::post("/api/comments", json.to_string(), &self.token)
    }

    /// Gives host and rivals the database as it was. Neither may be running.
    pub fn restore(&self) -> Result<()> {
        let kept = self.stage.folder.join("comments.db");
        put(&kept, &self.stage.data().join("databases/comments.db"))?;
        put(&kept, &self.stage.rivals_database())
    }
}

/// Copies a database that nobody has open, and waits for the disk, so that no later commit has to
/// write the copy as well.
fn put(from: &Path, to: &Path) -> Result<()> {
    let context = || format!("cannot copy {} to {}", from.display(), to.display());
    fs::create_dir_all(to.parent().with_context(context)?)?;
    for ending in ["-wal", "-shm"] {
        let rest = to.with_extension(format!("db{ending}"));
        if rest.exists() {
            fs::remove_file(rest)?;
        }
    }
    fs::copy(from, to).with_context(context)?;
    fs::File::open(to)?.sync_all().with_context(context)
}

#[cfg(test)]
mod tests {
    use super::put;
    use std::fs;

    #[test]
    fn a_copy_leaves_nothing_of_the_database_before() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("a.db"), folder.path().join("new/b.db"));
        fs::write(&from, "one").unwrap();
        put(&from, &to).unwrap();
        fs::write(to.with_extension("db-wal"), "log").unwrap();
        fs::write(&from, "two").unwrap();
        put(&from, &to).unwrap();
        assert_eq!(fs::read_to_string(&to).unwrap(), "two");
        assert!(!to.with_extension("db-wal").exists());
    }
}
