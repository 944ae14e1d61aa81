//! The comments that are listed and added to: written once through the host, then copied for each side
//! and round, so that all begin with the same file.

use super::{
    django::Django,
    load::{Request, ask},
    stage::Stage,
};
use anyhow::{Context, Result, bail};
use std::{fs, path::Path, thread};

/// How many posts have comments.
pub const POSTS: u32 = 250;

/// How many comments each of them has.
pub const COMMENTS_OF_A_POST: u32 = 20;

/// How many write at once, so that it is done sooner.
const WRITERS: usize = 16;

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
        Self::with_thread(stage, 0)
    }

    /// As [`Self::make`], with so many comments on `post:0` besides.
    pub fn with_thread(stage: &'a Stage, n_in_thread: u32) -> Result<Self> {
        let of_posts =
            (1..=POSTS).flat_map(|post| (1..=COMMENTS_OF_A_POST).map(move |n| (post, n)));
        let of_thread = (1..=n_in_thread).map(|n| (0, n));
        let comments: Vec<_> = of_posts.chain(of_thread).collect();
        println!("Writing {} comments.", comments.len());
        remove(&stage.data().join("databases/comments.db"))?;
        let server = stage.host()?;
        let data = Self { stage, token: stage.token()? };
        thread::scope(|scope| {
            let shares = comments.chunks(comments.len().div_ceil(WRITERS));
            let writers: Vec<_> =
                shares.map(|share| scope.spawn(|| data.fill(share, server.url()))).collect();
            writers
                .into_iter()
                .try_for_each(|writer| writer.join().unwrap_or_else(|_| bail!("a writer panicked")))
        })?;
        // The host writes its log back into the file when it ends.
        server.stop()?;
        put(&stage.data().join("databases/comments.db"), &stage.folder.join("comments.db"))?;
        Ok(data)
    }

    /// Writes comments, each by its post and its number there.
    fn fill(&self, comments: &[(u32, u32)], url: &str) -> Result<()> {
        let agent = ureq::Agent::new_with_defaults();
        for (post, comment) in comments {
            let request = self.create(*post, &body(post * 100 + comment));
            let answer = ask(&agent, url, &request)?;
            if answer.status != 201 {
                bail!("a comment was not written: {answer:?}");
            }
        }
        Ok(())
    }

    /// The request that writes a comment on a post.
    pub fn create(&self, post: u32, body: &str) -> Request {
        let json = serde_json::json!({ "target": format!("post:{post}"), "body": body });
        Request::post("/api/comments", json.to_string(), format!("Bearer {}", self.token))
    }

    /// Gives host and rivals the database as it was. Neither may be running.
    pub fn restore(&self) -> Result<()> {
        let kept = self.stage.folder.join("comments.db");
        put(&kept, &self.stage.data().join("databases/comments.db"))?;
        put(&kept, &self.stage.rivals_database())?;
        let django = Django::of(self.stage);
        if django.kept().exists() { put(&django.kept(), &django.database()) } else { Ok(()) }
    }
}

/// Removes a database that nobody has open, if there is one.
fn remove(database: &Path) -> Result<()> {
    for ending in ["db", "db-wal", "db-shm"] {
        let file = database.with_extension(ending);
        if file.exists() {
            fs::remove_file(file)?;
        }
    }
    Ok(())
}

/// Copies a database that nobody has open, and waits for the disk, so that no later commit has to
/// write the copy as well.
pub fn put(from: &Path, to: &Path) -> Result<()> {
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
