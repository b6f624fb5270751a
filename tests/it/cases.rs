//! Situations from public reports, rebuilt in `tests/cases`: what users must be told, whatever the words.
//!
//! Each folder has a `case.md`, which says what happened and what the right answer is.

use crate::support::{Ran, plugin};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

mod files;
mod fix;
mod inspect;
mod lint;
mod rights;
mod verdicts;

/// A copy of a case's folder, with the objects of its buckets below `buckets/`.
pub struct Case(TempDir);

impl Case {
    /// # Panics
    /// When there is no such case.
    pub fn new(name: &str) -> Self {
        let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/cases").join(name);
        let folder = tempfile::tempdir().unwrap();
        copy(&source, folder.path());
        let case = Self(folder);
        let objects = fs::read_to_string(source.join("objects")).unwrap_or_default();
        for line in objects.lines().filter(|line| !line.trim().is_empty()) {
            let (time, key) = line.split_once(' ').unwrap();
            case.object(key, time);
        }
        case
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    /// Runs the plugin in the folder; the arguments are separated by white space.
    pub fn run(&self, arguments: &str) -> Ran {
        Ran::of(self.command(arguments))
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.path().join(name)).unwrap()
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.0.path().join(name), text).unwrap();
    }

    /// Puts an object into a bucket, by bucket and key, as of the time.
    pub fn object(&self, key: &str, time: &str) {
        let path = self.0.path().join("buckets").join(key);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, key).unwrap();
        let time: jiff::Timestamp = time.parse().unwrap();
        fs::File::options().write(true).open(&path).unwrap().set_modified(time.into()).unwrap();
    }

    /// The command of `run`.
    pub fn command(&self, arguments: &str) -> Command {
        let mut command = plugin(arguments.split_whitespace());
        command.current_dir(self.0.path()).env("XDG_STATE_HOME", self.path("state"));
        command
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap_or_else(|error| panic!("{}: {error}", from.display())) {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir_all(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).unwrap();
        }
    }
}
