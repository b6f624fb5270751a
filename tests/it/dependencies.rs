//! What deny.toml says of licences and bans, for where cargo-deny is missing: of the crates of this platform.

use std::process::Command;

use serde_json::Value;

use crate::support::stdout;

/// The strings of a list in deny.toml.
fn list(section: &str, name: &str) -> Vec<String> {
    let root = env!("CARGO_MANIFEST_DIR");
    let text = std::fs::read_to_string(format!("{root}/deny.toml")).unwrap();
    let (_, section) = text.split_once(&format!("\n[{section}]\n")).unwrap();
    let (_, list) = section.split_once(&format!("\n{name} = [\n")).unwrap();
    let entries =
        list.lines().take_while(|line| *line != "]").filter(|line| !line.trim_start().starts_with('#'));
    entries.map(|entry| entry.split('"').nth(1).unwrap().to_owned()).collect()
}

/// All crates that are built or tested with here.
pub fn crates() -> Vec<Value> {
    let cargo = env!("CARGO");
    let version = stdout({
        let mut command = Command::new(cargo);
        command.arg("-vV");
        command
    });
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let mut command = Command::new(cargo);
    command.args(["metadata", "--locked", "--offline", "--format-version", "1", "--filter-platform", host]);
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    let metadata: Value = serde_json::from_str(&stdout(command)).unwrap();
    let used: Vec<&Value> =
        metadata["resolve"]["nodes"].as_array().unwrap().iter().map(|node| &node["id"]).collect();
    let all = metadata["packages"].as_array().unwrap().iter();
    all.filter(|package| used.contains(&&package["id"])).cloned().collect()
}

/// Parts of an SPDX expression at a word outside of brackets.
fn split<'a>(expression: &'a str, word: &str) -> Vec<&'a str> {
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (at, c) in expression.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ if depth == 0 && at >= start && expression[at..].starts_with(word) => {
                parts.push(&expression[start..at]);
                start = at + word.len();
            }
            _ => {}
        }
    }
    parts.push(&expression[start..]);
    parts
}

fn allows(allowed: &[String], expression: &str) -> bool {
    let expression = expression.trim();
    let choices = split(expression, " OR ");
    if choices.len() > 1 {
        return choices.into_iter().any(|choice| allows(allowed, choice));
    }
    let all = split(expression, " AND ");
    if all.len() > 1 {
        return all.into_iter().all(|part| allows(allowed, part));
    }
    match expression.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')) {
        Some(inner) => allows(allowed, inner),
        None => allowed.iter().any(|licence| licence == expression),
    }
}

#[test]
fn licences_are_those_we_may_hand_on() {
    let allowed = list("licenses", "allow");
    let crates = crates();
    assert!(crates.len() > 200, "{} crates", crates.len());
    for package in &crates {
        // An old way to write OR.
        let licence =
            package["license"].as_str().unwrap_or_default().replace(" / ", "/").replace('/', " OR ");
        assert!(allows(&allowed, &licence), "{} {}: {licence}", package["name"], package["version"]);
    }
}

#[test]
fn expressions_are_read_as_spdx_means_them() {
    let allowed = ["MIT".to_owned(), "ISC".to_owned(), "Apache-2.0 WITH LLVM-exception".to_owned()];
    for fine in ["MIT", "GPL-3.0 OR MIT", "(GPL-3.0 OR MIT) AND ISC", "Apache-2.0 WITH LLVM-exception"] {
        assert!(allows(&allowed, fine), "{fine}");
    }
    for wrong in ["", "GPL-3.0", "MIT AND GPL-3.0", "MIT AND (GPL-3.0 OR BSD)", "Apache-2.0"] {
        assert!(!allows(&allowed, wrong), "{wrong}");
    }
}

#[test]
fn no_banned_crate_and_one_provider_of_tls() {
    let banned = list("bans", "deny");
    assert!(banned.iter().any(|name| name == "openssl") && banned.iter().any(|name| name == "serde_yaml"));
    let crates = crates();
    let names: Vec<&str> = crates.iter().map(|package| package["name"].as_str().unwrap()).collect();
    let found: Vec<&&str> =
        names.iter().filter(|name| banned.iter().any(|banned| banned == **name)).collect();
    assert!(found.is_empty(), "{found:?}");
    for single in ["rustls", "ring", "reqwest"] {
        assert_eq!(names.iter().filter(|name| **name == single).count(), 1, "{single}");
    }
}

#[test]
fn what_is_released_is_what_is_looked_at() {
    let targets = list("graph", "targets");
    let root = env!("CARGO_MANIFEST_DIR");
    let release = std::fs::read_to_string(format!("{root}/.github/workflows/release.yaml")).unwrap();
    assert_eq!(targets.len(), release.matches("target: ").count());
    assert!(targets.iter().all(|target| release.contains(&format!("target: {target} "))), "{targets:?}");
}
