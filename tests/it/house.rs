//! The pages and schemas in docs/ agree with the code.

use crate::support::plugin;
use argo_gc::cli::flags_page;
use argo_gc::output::reasons_page::page as reasons_page;
use serde_json::Value;
use std::path::Path;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// `UPDATE_DOCS=1` writes the page instead.
#[test]
fn the_reasons_page_is_the_catalogue() {
    let path = root().join("docs/reasons.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, reasons_page()).unwrap();
    }
    let page = std::fs::read_to_string(&path).unwrap();
    assert!(
        page == reasons_page(),
        "docs/reasons.md is out of step: UPDATE_DOCS=1 cargo test --test it house"
    );
}

/// As above.
#[test]
fn the_protections_page_is_the_code() {
    let path = root().join("docs/protections.md");
    let page = argo_gc::output::protections::page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    assert!(std::fs::read_to_string(&path).unwrap() == page, "docs/protections.md is out of step");
}

/// As above.
#[test]
fn the_flags_page_is_the_command_line() {
    let missing = flags_page::without_example();
    assert!(
        missing.is_empty(),
        "no example sets these: add one to MORE in src/cli/examples.rs, or to the verb's help: {missing:#?}"
    );
    let path = root().join("docs/flags.md");
    let page = flags_page::page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap();
    assert!(
        there == page,
        "docs/flags.md is out of step: UPDATE_DOCS=1 cargo test --locked --workspace --test it house"
    );
}

#[test]
fn documents_keep_to_their_schema() {
    for arguments in [
        vec!["inspect", "-f", "tests/fixtures", "-R", "-o"],
        vec!["inspect", "-f", "examples/cluster", "-o"],
        vec!["inspect", "-f", "examples/cluster", "-n", "none", "-o"],
        vec!["doctor", "-f", "tests/fixtures", "-R", "-o"],
        vec!["doctor", "-f", "examples/cluster", "-o"],
        vec!["doctor", "-f", "examples/cluster", "-n", "none", "-o"],
    ] {
        let name = if arguments[0] == "doctor" { "diagnosis" } else { "inspection" };
        let schema = std::fs::read_to_string(root().join(format!("docs/schema/{name}.v1.json"))).unwrap();
        let schema: Value = serde_json::from_str(&schema).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let document = |format: &str| {
            let ran = plugin(arguments.iter().copied().chain([format])).current_dir(root()).output().unwrap();
            String::from_utf8(ran.stdout).unwrap()
        };
        let json: Value = serde_json::from_str(&document("json")).unwrap();
        let errors: Vec<String> =
            validator.iter_errors(&json).map(|error| error.to_string()).take(3).collect();
        assert!(errors.is_empty(), "{arguments:?}: {errors:#?}");
        let mut yaml: Value = serde_saphyr::from_str(&document("yaml")).unwrap();
        yaml["generatedAt"] = json["generatedAt"].clone();
        assert!(yaml == json, "{arguments:?}: the YAML differs from the JSON");
    }
}
