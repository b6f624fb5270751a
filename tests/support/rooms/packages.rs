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

/// The catalogue of reasons. It is a manual, and its remedies name commands.
const CATALOGUE: &str = "crates/core/src/reason/";

/// The programs of others whose commands repairs show.
const OTHER_PROGRAMS: [&str; 4] = ["kubectl ", "aws ", "az ", "gcloud "];

/// Their flags, where a text has the flag without the command.
const OTHER_FLAGS: [&str; 4] = ["--cascade", "--overwrite", "--subresource", "--endpoint-url"];

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

/// Names every text of the core and the store that has a verb or a flag of the command line in it.
pub fn check_words(source: &Source) -> Vec<String> {
    if !matches!(source.room(), "core" | "store") || source.path.starts_with(CATALOGUE) {
        return Vec::new();
    }
    let texts = source.literals.iter().map(|text| content(text));
    let worded = texts.filter(|text| has_verb(text) || !is_other_program(text) && has_flag(text));
    worded.map(|text| format!("package: {} names the command line: {text}", source.path)).collect()
}

/// A string literal without its quotes; a literal of a character as it is.
fn content(literal: &str) -> &str {
    match (literal.find('"'), literal.rfind('"')) {
        (Some(first), Some(last)) if first < last => &literal[first + 1..last],
        _ => literal,
    }
}

fn has_verb(text: &str) -> bool {
    text.split("argo-gc ").skip(1).any(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()))
}

fn is_other_program(text: &str) -> bool {
    OTHER_PROGRAMS.iter().any(|program| text.starts_with(program))
}

fn has_flag(text: &str) -> bool {
    let is_flag = |word: &str| {
        let name = word.trim_start_matches(|c: char| !c.is_ascii_alphanumeric() && c != '-');
        let end = name.find(|c: char| !c.is_ascii_lowercase() && c != '-').unwrap_or(name.len());
        let name = &name[..end];
        let is_named = name.strip_prefix("--").is_some_and(|rest| rest.starts_with(|c| c != '-'));
        is_named && !OTHER_FLAGS.contains(&name)
    };
    text.split_whitespace().any(is_flag)
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

    #[test]
    fn a_flag_or_a_verb_in_the_core_or_the_store_fails() {
        let check = |path: &str, text: &str| {
            let code =
                format!("// --force\nfn f() {{ g({text:?}) }}\n#[cfg(test)]\nmod tests {{ \"--force\" }}");
            check_words(&Source::new(path, &code).unwrap())
        };
        for text in ["--force", "use --force", "(--force)", "kubectl argo-gc purge", "a; `--plan x` b"] {
            for path in ["crates/core/src/a.rs", "crates/store/src/a.rs"] {
                assert_eq!(check(path, text), [format!("package: {path} names the command line: {text}")]);
            }
            assert_eq!(check("src/cli/a.rs", text), [""; 0]);
            assert_eq!(check("crates/core/src/reason/fails.rs", text), [""; 0]);
        }
        for text in ["a -- b", "---", "argo-gc/keep", "kubectl logs x --since=24h", "with --cascade=orphan"] {
            assert_eq!(check("crates/core/src/a.rs", text), [""; 0], "{text}");
        }
    }
}
