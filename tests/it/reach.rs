//! Where others run the plugin: k9s, pre-commit and GitHub actions, by the very files that they read.

use crate::support::Ran;
use crate::support::kube::ApiServer;
use crate::support::purge::workflow;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn yaml(file: &str) -> Value {
    serde_saphyr::from_str(&fs::read_to_string(root().join(file)).unwrap()).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

/// A folder to put before the PATH: the plugin, and a pager that only passes on.
fn programs() -> TempDir {
    let folder = TempDir::new().unwrap();
    symlink(env!("CARGO_BIN_EXE_kubectl-argo_gc"), folder.path().join("kubectl-argo_gc")).unwrap();
    symlink("/bin/true", folder.path().join("cargo")).unwrap();
    let pager = folder.path().join("less");
    fs::write(&pager, "#!/bin/sh\nexec cat\n").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&pager, mode).unwrap();
    folder
}

fn with_programs(command: &mut Command, folder: &TempDir) {
    let path = std::env::var("PATH").unwrap();
    command.env("PATH", format!("{}:{path}", folder.path().display())).env("HOME", "/nonexistent");
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn what_k9s_runs_shows_the_selected_workflow_or_namespace_on_apiserver() {
    let server = ApiServer::start();
    server.apply(workflow("ml", "train", &["train/a"]));
    server.apply(workflow("etl", "nightly", &["nightly/a"]));
    let programs = programs();
    let plugins = yaml("docs/k9s.yaml")["plugins"].as_object().unwrap().clone();
    let context = Ran::of(server.kubectl(["config", "current-context"])).ends_with(0).out;
    let mut shortcuts: Vec<(String, String)> = Vec::new();
    for (name, plugin) in &plugins {
        let scope = text(&plugin["scopes"][0]);
        assert!(["workflows", "namespaces"].contains(&scope) && plugin["background"] == false, "{name}");
        assert!(!text(&plugin["description"]).is_empty());
        shortcuts.push((scope.to_owned(), text(&plugin["shortCut"]).to_owned()));
        let mut command = Command::new(text(&plugin["command"]));
        command.args(plugin["args"].as_array().unwrap().iter().map(text));
        with_programs(&mut command, &programs);
        let (namespace, selected) = if scope == "workflows" { ("ml", "train") } else { ("-", "ml") };
        command.env("KUBECONFIG", server.kubeconfig()).env("CONTEXT", context.trim());
        command.env("NAMESPACE", namespace).env("NAME", selected);
        // A purge looks into the bucket, and here there is none.
        command.env("STORAGE_EMULATOR_HOST", "http://127.0.0.1:1");
        let ran = Ran::of(command);
        assert!(!ran.out.contains("nightly") && !ran.out.contains("unexpected argument"), "{name}: {ran:#?}");
        let knows = ran.out.contains("train") || name.contains("doctor") || name.contains("purge");
        assert!(knows && !ran.out.trim().is_empty(), "{name}: {ran:#?}");
        let deletes = plugin["args"][1].as_str().is_some_and(|line| line.contains(" purge "));
        assert!(!deletes || text(&plugin["args"][1]).contains("--dry-run"), "{name}");
    }
    let all = shortcuts.len();
    shortcuts.sort();
    shortcuts.dedup();
    assert_eq!((shortcuts.len(), all), (6, 6));
}

/// A leaking manifest and one that is fine.
fn manifests(folder: &Path) -> [PathBuf; 2] {
    let source = |folder: &str| root().join("tests/fixtures/lint").join(folder).join("1-inline.yaml");
    let (first, second) = (folder.join("leaking.yaml"), folder.join("a fine one.yaml"));
    fs::copy(source("planted"), &first).unwrap();
    fs::copy(source("clean"), &second).unwrap();
    [first, second]
}

#[test]
fn the_hook_of_pre_commit_fails_on_what_leaks_alone() {
    let hook = yaml(".pre-commit-hooks.yaml")[0].clone();
    assert_eq!((text(&hook["id"]), text(&hook["language"])), ("argo-gc-lint", "rust"));
    let (programs, folder) = (programs(), TempDir::new().unwrap());
    let [leaking, fine] = manifests(folder.path());
    let run = |files: &[&PathBuf]| {
        // The entry is split as a shell splits it, and the files come after it.
        let mut command = Command::new("bash");
        command.arg("-c").arg(format!("exec {} \"$@\"", text(&hook["entry"]))).arg("hook").args(files);
        with_programs(&mut command, &programs);
        Ran::of(command)
    };
    run(&[&fine]).ends_with(0);
    let ran = run(&[&fine, &leaking]).ends_with(3);
    assert!(ran.out.contains("inline-only"), "{ran:#?}");
}

#[test]
fn the_github_action_annotates_and_writes_sarif() {
    let action = yaml("action.yml");
    let steps = action["runs"]["steps"].as_array().unwrap();
    let lint = steps.iter().find(|step| step["name"] == "Lint").unwrap();
    let (programs, folder) = (programs(), TempDir::new().unwrap());
    manifests(folder.path());
    let mut command = Command::new("bash");
    command.args(["-eo", "pipefail", "-c", text(&lint["run"])]).current_dir(folder.path());
    with_programs(&mut command, &programs);
    for (name, value) in lint["env"].as_object().unwrap() {
        let input = text(value).trim_start_matches("${{ inputs.").trim_end_matches(" }}");
        let default = text(&action["inputs"][input]["default"]);
        command.env(name, default);
    }
    let ran = Ran::of(command).ends_with(3);
    assert!(ran.out.contains("::warning file=") && ran.out.contains("inline-only"), "{ran:#?}");
    let sarif: Value =
        serde_json::from_str(&fs::read_to_string(folder.path().join("argo-gc.sarif")).unwrap()).unwrap();
    assert!(!sarif["runs"][0]["results"].as_array().unwrap().is_empty());
}
