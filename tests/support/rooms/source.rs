//! The source files under check.

use super::strip::{literals, without_tests, without_text};
use std::path::Path;

/// The packages: where their sources are, and what other crates call them.
const PACKAGES: [(&str, &str); 3] =
    [("crates/core/src", "argo_gc_core"), ("crates/store/src", "argo_gc_store"), ("src", "argo_gc")];

/// A file of the program.
#[derive(Debug, Clone)]
pub struct Source {
    /// The path from the repository's root, with slashes.
    pub path: String,
    /// The crate and the modules down to this one.
    pub module: Vec<String>,
    /// The text without comments, literals and tests.
    pub code: String,
    /// The literals of that code, with their quotes.
    pub literals: Vec<String>,
}

impl Source {
    /// A file by its path from the repository's root; none for tests.
    pub fn new(path: &str, text: &str) -> Option<Self> {
        let (folder, package) = PACKAGES
            .iter()
            .find(|(folder, _)| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')))?;
        let inside = path[folder.len() + 1..].strip_suffix(".rs")?;
        let mut module = vec![(*package).to_owned()];
        match inside {
            "lib" => {}
            // The program is a crate of its own that uses the library.
            "main" => module = vec!["main".to_owned()],
            inside => module.extend(inside.split('/').filter(|part| *part != "mod").map(str::to_owned)),
        }
        let is_test = module.last().is_some_and(|name| name == "tests");
        (!is_test).then(|| Self {
            path: path.to_owned(),
            module,
            code: without_tests(&without_text(text)),
            literals: literals(text),
        })
    }

    /// The package or the plugin's top-level module that the file belongs to.
    pub fn room(&self) -> &str {
        match self.module[0].as_str() {
            "argo_gc_core" => "core",
            "argo_gc_store" => "store",
            "argo_gc" => self.module.get(1).map_or("lib", String::as_str),
            other => other,
        }
    }
}

/// Reads all files of the program.
pub fn read(root: &Path) -> Vec<Source> {
    let mut sources = Vec::new();
    for (folder, _) in PACKAGES {
        walk(root, folder, &mut sources);
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

fn walk(root: &Path, folder: &str, into: &mut Vec<Source>) {
    for entry in std::fs::read_dir(root.join(folder)).expect("the folder of a package") {
        let entry = entry.expect("an entry");
        let path = format!("{folder}/{}", entry.file_name().to_str().expect("a UTF-8 name"));
        if entry.path().is_dir() {
            walk(root, &path, into);
        } else if path.ends_with(".rs") {
            into.extend(Source::new(&path, &std::fs::read_to_string(entry.path()).expect("a readable file")));
        }
    }
}

/// Made-up sources, for the tests of the checks.
#[cfg(test)]
pub fn made_up(files: &[(&str, &str)]) -> Vec<Source> {
    files.iter().filter_map(|(path, text)| Source::new(path, text)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_module_of_a_room() {
        for (path, module, room) in [
            ("src/scan/files.rs", "argo_gc::scan::files", "scan"),
            ("src/scan.rs", "argo_gc::scan", "scan"),
            ("src/lib.rs", "argo_gc", "lib"),
            ("src/main.rs", "main", "main"),
            ("crates/core/src/argo/de.rs", "argo_gc_core::argo::de", "core"),
            ("crates/store/src/lib.rs", "argo_gc_store", "store"),
        ] {
            let source = Source::new(path, "").unwrap();
            assert_eq!((source.module.join("::").as_str(), source.room()), (module, room));
        }
        assert!(Source::new("src/scan/tests.rs", "").is_none());
        assert!(Source::new("tests/it/rooms.rs", "").is_none());
    }
}
