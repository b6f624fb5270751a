//! What the packages may depend on, and what the pure one may not touch.

use super::source::Source;

/// Packages that bring the outside world, by the package that must do without them.
const BANNED: [(&str, &[&str]); 2] = [
    ("crates/core", &["kube", "k8s-openapi", "tokio", "reqwest", "clap", "object_store", "argo-gc-store"]),
    ("crates/store", &["kube", "k8s-openapi", "clap"]),
];

/// Names in code by which the core would reach files, the environment or the clock.
const OUTSIDE: [&str; 6] = ["std::fs", "std::env", "std::net", "std::process", "std::io", "::now("];

/// The one file that may name `std::io`: decompression reads from memory through its traits.
const DECOMPRESSION: &str = "crates/core/src/argo/nodes.rs";

/// Names every dependency that a package's manifest may not have.
pub fn check_manifest(package: &str, manifest: &str) -> Vec<String> {
    let banned = BANNED.iter().find(|(name, _)| *name == package).map_or(&[][..], |(_, banned)| banned);
    let mut section = "";
    let mut found = Vec::new();
    for line in manifest.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = name;
            // `[dependencies.kube]` is one dependency.
            found.extend(name.rsplit_once("dependencies.").map(|(_, dependency)| dependency));
        } else if section.ends_with("dependencies") && section != "dev-dependencies" {
            found.extend(line.split(['=', '.', ' ']).next());
        }
    }
    found.retain(|dependency| banned.contains(&dependency.trim_matches('"')));
    found.into_iter().map(|dependency| format!("package: {package} depends on {dependency}")).collect()
}

/// Names every use of the outside world in the core.
pub fn check_pure(source: &Source) -> Vec<String> {
    if source.room() != "core" {
        return Vec::new();
    }
    let named = OUTSIDE.iter().filter(|name| source.code.contains(**name));
    let named = named.filter(|name| **name != "std::io" || source.path != DECOMPRESSION);
    named.map(|name| format!("package: {} names {name}", source.path)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_banned_dependency_fails() {
        let core = |manifest: &str| check_manifest("crates/core", manifest);
        assert_eq!(core("[dependencies]\nserde = \"1\"\njiff.workspace = true\n"), [""; 0]);
        assert_eq!(core("[dev-dependencies]\ntokio = \"1\"\n"), [""; 0]);
        for manifest in [
            "[dependencies]\ntokio = { version = \"1\" }\n",
            "[dependencies]\ntokio.workspace = true\n",
            "[dependencies.tokio]\nversion = \"1\"\n",
            "[target.'cfg(unix)'.dependencies]\ntokio=\"1\"\n",
        ] {
            assert_eq!(core(manifest), ["package: crates/core depends on tokio"], "{manifest}");
        }
        assert_eq!(check_manifest("crates/store", "[dependencies]\ntokio = \"1\"\n"), [""; 0]);
        assert_eq!(check_manifest("crates/store", "[dependencies]\nclap = \"4\"\n").len(), 1);
    }

    #[test]
    fn the_outside_world_in_the_core_fails() {
        let core = |code: &str| check_pure(&Source::new("crates/core/src/a.rs", code).unwrap()).join("\n");
        assert_eq!(core("// std::fs\nconst A: &str = \"std::env\";"), "");
        assert_eq!(check_pure(&Source::new(DECOMPRESSION, "use std::io;").unwrap()), [""; 0]);
        assert_eq!(core("fn f() { std::fs::read(p) }"), "package: crates/core/src/a.rs names std::fs");
        assert_eq!(core("fn f() { Timestamp::now() }"), "package: crates/core/src/a.rs names ::now(");
        assert_eq!(core("use std::io;"), "package: crates/core/src/a.rs names std::io");
        assert_eq!(check_pure(&Source::new("src/a.rs", "use std::fs;").unwrap()), [""; 0]);
    }
}
