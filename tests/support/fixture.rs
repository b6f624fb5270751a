//! The fixture files: Kubernetes objects, with comment lines that say what is expected of them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// One fixture file: its objects, and the lines that say what is expected of them.
pub struct Fixture {
    pub path: PathBuf,
    pub text: String,
}

impl Fixture {
    pub fn all() -> Vec<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
        let mut fixtures = Vec::new();
        for directory in std::fs::read_dir(&root).unwrap() {
            let directory = directory.unwrap();
            // Manifests that have not run, which `lint.rs` knows about.
            if directory.file_name() == "lint" {
                continue;
            }
            for file in std::fs::read_dir(directory.path()).unwrap() {
                let path = file.unwrap().path();
                let text = std::fs::read_to_string(&path).unwrap();
                fixtures.push(Self { path, text });
            }
        }
        fixtures.sort_by(|a, b| a.path.cmp(&b.path));
        fixtures
    }

    pub fn code(&self) -> &str {
        self.path.parent().unwrap().file_name().unwrap().to_str().unwrap()
    }

    pub fn is_hit(&self) -> bool {
        self.path.file_name().unwrap().to_str().unwrap().starts_with("hit")
    }

    pub fn lines<'a>(&'a self, name: &str) -> Vec<&'a str> {
        let prefix = format!("# {name}:");
        let header = self.text.lines().take_while(|line| line.starts_with('#'));
        header.filter_map(|line| line.strip_prefix(&prefix)).map(str::trim).collect()
    }

    pub fn expected(&self) -> BTreeSet<String> {
        let rows = self.lines("expect").into_iter().map(normal);
        let workflows =
            self.lines("expect-workflow").into_iter().map(|line| format!("workflow {}", normal(line)));
        let finalizer = self.lines("finalizer").into_iter().map(|line| format!("finalizer {}", normal(line)));
        rows.chain(workflows).chain(finalizer).collect()
    }
}

/// One spelling for each row: notes sorted, none as `[]`.
pub fn normal(line: &str) -> String {
    let (row, notes) = line.split_once('[').unwrap_or((line, "]"));
    let mut notes: Vec<&str> = notes.trim_end_matches(']').split(',').map(str::trim).collect();
    notes.sort_unstable();
    format!("{} [{}]", row.split_whitespace().collect::<Vec<_>>().join(" "), notes.join(","))
}
