//! A terminal session of the built plugin: every command with all that it printed, to be held against a snapshot.
//!
//! What depends on the clock, on the machine or on the release is written as `[AGE]`, `[NOW]`, `[FOLDER]`, `[JOURNAL]`,
//! `[PIN]` or `[VERSION]`; everything else is shown as it was printed.

use std::fmt::Write;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tempfile::TempDir;

use super::{Ran, plugin, stdout};

/// Commands in the order in which they ran, each with all that it printed.
pub struct Transcript {
    folder: PathBuf,
    text: String,
}

impl Transcript {
    /// Of commands that may print paths of this folder.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), text: String::new() }
    }

    /// Notes a command, as a user types it, and what it printed.
    pub fn note(&mut self, command: &str, ran: &Ran) -> &mut Self {
        let text = &mut self.text;
        writeln!(text, "$ kubectl argo-gc {command}").expect("a string");
        text.push_str(&ran.out);
        if !ran.out.is_empty() && !ran.out.ends_with('\n') {
            text.push_str("[no line break]\n");
        }
        if !ran.err.is_empty() {
            writeln!(text, "--- standard error\n{}", ran.err.trim_end_matches('\n')).expect("a string");
        }
        writeln!(text, "--- exit status {}\n", ran.code.expect("an exit status")).expect("a string");
        self
    }

    /// Holds what was noted so far against `tests/it/snapshots/NAME.snap`, and begins anew.
    #[track_caller]
    pub fn assert(&mut self, name: &str) {
        let text = std::mem::take(&mut self.text);
        let text = steady(&text.replace(&self.folder.display().to_string(), "[FOLDER]"));
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/snapshots"));
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!(name, text));
    }
}

/// A folder with the example cluster, its buckets and the fixtures, and what was run in it so far.
pub struct Session {
    folder: TempDir,
    transcript: Transcript,
}

impl Session {
    /// Starts in a folder that holds `examples`, `fixtures`, `buckets` and a `kubeconfig` of a dead server.
    pub fn new() -> Self {
        let folder = TempDir::new().expect("a directory");
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        symlink(root.join("examples"), folder.path().join("examples")).expect("a link");
        symlink(root.join("tests/fixtures"), folder.path().join("fixtures")).expect("a link");
        let mut buckets = Command::new(root.join("examples/make-buckets"));
        buckets.arg(folder.path().join("buckets"));
        stdout(buckets);
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{ "name": "test", "cluster": { "server": "https://127.0.0.1:1" } }],
            "users": [{ "name": "alice", "user": { "token": "not-to-be-shown" } }],
            "contexts": [{ "name": "test", "context": { "cluster": "test", "user": "alice", "namespace": "ml" } }],
        });
        fs::write(folder.path().join("kubeconfig"), config.to_string()).expect("a file");
        let transcript = Transcript::new(folder.path());
        Self { folder, transcript }
    }

    /// Writes a file into the folder.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).expect("a file");
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs the plugin with these words, and notes the command and all that it printed.
    pub fn run(&mut self, arguments: &str) -> Ran {
        self.run_with("", arguments)
    }

    /// As [`Self::run`], with something on standard input, which is no terminal.
    pub fn run_with(&mut self, input: &str, arguments: &str) -> Ran {
        let ran = self.quietly(input, arguments);
        self.transcript.note(arguments, &ran);
        ran
    }

    /// Runs the plugin without noting anything.
    pub fn quietly(&self, input: &str, arguments: &str) -> Ran {
        let mut command = plugin(arguments.split_whitespace());
        let kept: Vec<_> = ["PATH", "LLVM_PROFILE_FILE"]
            .into_iter()
            .filter_map(|name| std::env::var_os(name).map(|value| (name, value)))
            .collect();
        command.env_clear().envs(kept).env("HOME", "/nonexistent").env("COLUMNS", "100");
        command.env("XDG_STATE_HOME", self.path("state")).current_dir(self.folder.path());
        Ran::with_input(command, input)
    }

    /// Notes a file as it is now.
    pub fn show(&mut self, name: &str) {
        let content = fs::read_to_string(self.path(name)).expect("a file");
        writeln!(self.transcript.text, "$ cat {name}\n{content}").expect("a string");
    }

    /// The journal of the only purge so far.
    pub fn journal(&self) -> String {
        let mut entries = fs::read_dir(self.path("state/argo-gc")).expect("journals");
        let path = entries.next().expect("a journal").expect("an entry").path();
        path.strip_prefix(self.folder.path()).expect("in the folder").display().to_string()
    }

    /// Holds what was run so far against a snapshot, and begins a new one in the same folder.
    #[track_caller]
    pub fn assert(&mut self, name: &str) {
        assert!(!self.transcript.text.contains("not-to-be-shown"), "the token is shown");
        self.transcript.assert(name);
    }
}

/// The text without what changes from run to run.
fn steady(text: &str) -> String {
    let mut steady = String::new();
    let mut has_ages = false;
    for line in text.lines() {
        let is_header = line.starts_with(|c: char| c.is_ascii_uppercase() || c == '|');
        if line.is_empty() || line.starts_with("$ ") {
            has_ages = line.contains(" inspect ") && line.contains(" --no-headers");
        } else if is_header && line.split_whitespace().any(|name| name == "AGE" || name == "NEWEST") {
            has_ages = true;
        }
        let mut words: Vec<String> = line.split(' ').map(word).collect();
        if let Some(at) = words.iter().position(|word| word == "GENERATION" || word == "[PIN]") {
            close_up(&mut words, at);
        }
        let last = words.iter().rposition(|word| is_age(word));
        if has_ages && let Some(at) = last {
            words[at] = "[AGE]".to_owned();
            close_up(&mut words, at);
        }
        for at in 1..words.len() {
            if words[at].starts_with("ago") && is_age(&words[at - 1]) {
                words[at - 1] = "[AGE]".to_owned();
            }
        }
        steady.push_str(&words.join(" "));
        steady.push('\n');
    }
    steady
}

/// Leaves three spaces after a cell, whose column is as wide as its longest value.
fn close_up(words: &mut Vec<String>, at: usize) {
    while words.get(at + 1).is_some_and(String::is_empty) {
        words.remove(at + 1);
    }
    if at + 1 < words.len() {
        words.splice(at + 1..at + 1, [String::new(), String::new()]);
    }
}

/// An age as kubectl shows it: `6d13h`.
fn is_age(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit())
        && word.ends_with(|c: char| "smhdy".contains(c))
        && word.chars().all(|c| c.is_ascii_digit() || "smhdy".contains(c))
}

/// A word without the moment of this run, names made of it, hashes over it, and the version of the plugin.
fn word(word: &str) -> String {
    let mut word = word.replace(env!("CARGO_PKG_VERSION"), "[VERSION]");
    while let Some((at, end)) = moment(&word) {
        word.replace_range(at..end, "[NOW]");
    }
    if let (Some(at), Some(end)) = (word.find("state/argo-gc/"), word.find(".jsonl")) {
        word.replace_range(at + "state/argo-gc/".len()..end, "[JOURNAL]");
    }
    if is_pin(&word) {
        word = "[PIN]".to_owned();
    }
    word
}

/// The ETag of a file, which begins with its inode: `"9de08b-660752268d640-3d"`.
fn is_pin(word: &str) -> bool {
    let parts = word.strip_prefix('"').and_then(|word| word.strip_suffix('"'));
    let is_hex = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_hexdigit());
    parts.is_some_and(|word| word.split('-').count() == 3 && word.split('-').all(is_hex))
}

/// Where a word has an RFC 3339 time of the last or next hour.
fn moment(word: &str) -> Option<(usize, usize)> {
    let starts = word.char_indices().map(|(at, _)| at);
    starts.filter(|at| word[*at..].starts_with("20")).find_map(|at| {
        let end = at + word[at..].find('Z')? + 1;
        let time: Timestamp = word[at..end].parse().ok()?;
        (time.duration_since(Timestamp::now()).abs() < SignedDuration::from_hours(1)).then_some((at, end))
    })
}

#[test]
fn only_what_changes_is_left_out() {
    let table = "NAMESPACE   AGE\nml   6d13h   terminating\nml   9d\n\nolder than 7d\nSucceeded 7d23h ago\n";
    let shown =
        "NAMESPACE   AGE\nml   [AGE]   terminating\nml   [AGE]\n\nolder than 7d\nSucceeded [AGE] ago\n";
    assert_eq!(steady(table), shown);
    let now = Timestamp::now();
    assert_eq!(steady(&format!("\"at\":\"{now}\",\n")), "\"at\":\"[NOW]\",\n");
    assert_eq!(steady("2026-11-01T00:00:00Z\n"), "2026-11-01T00:00:00Z\n");
}
