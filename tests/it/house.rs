//! The rules of the house: the core stays pure, the documents stay in step.

use crate::support::gcs::Gcs;
use crate::support::kube::ApiServer;
use crate::support::plugin;
use argo_gc::gc::reason::markdown;
use serde_json::Value;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(directory: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

#[test]
fn the_core_knows_no_outside_world() {
    let mut files = vec![root().join("src/gc.rs")];
    sources(&root().join("src/gc"), &mut files);
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        for word in ["kube::", "tokio", "std::io", "std::env", "std::fs", "::now("] {
            assert!(!text.contains(word), "{} names {word}", file.display());
        }
    }
}

/// `UPDATE_DOCS=1` writes the page instead.
#[test]
fn the_reasons_page_is_the_catalogue() {
    let path = root().join("docs/reasons.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, markdown()).unwrap();
    }
    let page = std::fs::read_to_string(&path).unwrap();
    assert!(page == markdown(), "docs/reasons.md is out of step: UPDATE_DOCS=1 cargo test --test it house");
}

/// As above.
#[test]
fn the_protections_page_is_the_code() {
    let path = root().join("docs/protections.md");
    let page = argo_gc::gc::protection::markdown();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    assert!(std::fs::read_to_string(&path).unwrap() == page, "docs/protections.md is out of step");
}

/// Commands in a page's `sh` blocks that need nothing but the plugin and this checkout are run.
#[test]
fn the_readme_shows_what_the_plugin_prints() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    // A folder like a checkout, where a purge may delete.
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(root().join("examples"), folder.path().join("examples")).unwrap();
    let mut shown = 0;
    for (command, output) in consoles(&readme).filter(|(command, _)| !command.contains(" -A")) {
        let (command, file) = command.split_once(" > ").unwrap_or((command, ""));
        let mut run = match command.strip_prefix("$ kubectl argo-gc ") {
            Some(arguments) => plugin(arguments.split_whitespace()),
            None => std::process::Command::new(
                command
                    .strip_prefix("$ examples/")
                    .unwrap()
                    .split(' ')
                    .next()
                    .map(|script| root().join("examples").join(script))
                    .unwrap(),
            ),
        };
        if !command.starts_with("$ kubectl") {
            run.args(command.split(' ').skip(2));
        }
        let ran = run.current_dir(&folder).env("XDG_STATE_HOME", folder.path()).output().unwrap();
        let mut printed = String::from_utf8(ran.stdout).unwrap();
        if !file.is_empty() {
            std::fs::write(folder.path().join(file), std::mem::take(&mut printed)).unwrap();
        }
        // Ages move on with the clock.
        assert_eq!(ageless(&printed), ageless(output), "{command}");
        shown += 1;
    }
    assert!(shown >= 4, "README.md shows {shown} commands with their output");
}

/// The same for those of a whole cluster: the example's objects in the real API server, its buckets in fake-gcs-server.
#[test]
fn the_readme_shows_what_a_cluster_prints() {
    let (Some(server), Some(gcs)) = (ApiServer::start(), Gcs::start()) else { return };
    let mut files: Vec<PathBuf> = std::fs::read_dir(root().join("examples/cluster"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let texts: Vec<String> = files.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    server.apply(&texts.join("\n---\n"));
    let folder = tempfile::tempdir().unwrap();
    let made = std::process::Command::new(root().join("examples/make-buckets")).arg(folder.path()).status();
    assert!(made.unwrap().success());
    for bucket in std::fs::read_dir(folder.path()).unwrap() {
        let bucket = bucket.unwrap();
        let name = bucket.file_name().into_string().unwrap();
        gcs.bucket(&name);
        fill(&gcs, &name, &bucket.path(), "");
    }
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let mut shown = 0;
    for (command, output) in consoles(&readme).filter(|(command, _)| command.contains(" -A")) {
        let arguments = command.strip_prefix("$ kubectl ").unwrap().split_whitespace();
        let mut run = server.kubectl(arguments);
        run.env("STORAGE_EMULATOR_HOST", gcs.url());
        assert_eq!(ageless(&crate::support::stdout(run)), ageless(output), "{command}");
        shown += 1;
    }
    assert!(shown > 0);
}

fn fill(gcs: &Gcs, bucket: &str, folder: &Path, key: &str) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let key = format!("{key}{}", entry.file_name().into_string().unwrap());
        match entry.path().is_dir() {
            true => fill(gcs, bucket, &entry.path(), &format!("{key}/")),
            false => {
                gcs.put(bucket, &key, std::fs::read(entry.path()).unwrap());
            }
        }
    }
}

/// The commands that a page shows, each with its output.
fn consoles(page: &str) -> impl Iterator<Item = (&str, &str)> {
    let blocks = page.split("```console\n").skip(1).map(|block| block.split("```").next().unwrap());
    blocks.map(|block| block.split_once('\n').unwrap())
}

fn ageless(text: &str) -> Vec<String> {
    let is_age = |word: &str| {
        let word = word.trim_end_matches(',');
        word.len() > 1
            && word.starts_with(|c: char| c.is_ascii_digit())
            && word.chars().all(|c| c.is_ascii_digit() || "smhdy".contains(c))
            && word.ends_with(|c: char| "smhdy".contains(c))
    };
    let words =
        |line: &str| line.split_whitespace().filter(|word| !is_age(word)).collect::<Vec<_>>().join(" ");
    text.lines().map(words).collect()
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
