//! How workflows and artifacts are chosen: names with namespaces, several namespaces, fields, names and sizes of artifacts.

use crate::support::kube::ApiServer;
use crate::support::purge::{BUCKET, Folder, deletes, workflow as finished};
use crate::support::stub::{Reply, Stub};
use crate::support::{Ran, plugin, workflow as plain};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/cluster");

fn example(arguments: &[&str]) -> Ran {
    Ran::of(plugin(["inspect", "-f", EXAMPLE].iter().chain(arguments)))
}

fn names(ran: &Ran) -> Vec<&str> {
    ran.out.lines().map(|line| line.trim_start_matches("workflow.argoproj.io/")).collect()
}

#[test]
fn names_and_namespaces_choose_workflows_of_files() {
    let all = example(&["-o", "name"]).ends_with(0);
    let of = |spaces: &[&str]| -> Vec<&str> {
        let is_in = |name: &&str| spaces.iter().any(|space| name.starts_with(&format!("{space}/")));
        names(&all).into_iter().filter(is_in).collect()
    };
    assert_eq!(names(&example(&["-n", "ml,etl", "-o", "name"]).ends_with(0)), of(&["ml", "etl"]));
    let ran = example(&["ml/eval-k5r3v", "wf/build-9c4tz", "-o", "name"]).ends_with(0);
    assert_eq!(names(&ran), ["ci/build-9c4tz", "ml/eval-k5r3v"]);
    // A name that is in another namespace only is not there.
    let ran = example(&["etl/eval-k5r3v"]).ends_with(1);
    assert!(ran.err.contains("workflow \"etl/eval-k5r3v\" not found"), "{ran:#?}");
    let ran = Ran::of(plugin(["lint", "-f", EXAMPLE, "-n", "ml,etl"])).ends_with(2);
    assert!(ran.err.contains("name one namespace"), "{ran:#?}");
}

#[test]
fn artifacts_are_chosen_by_name_and_size() {
    let folder = Folder::new();
    let buckets = folder.bucket("");
    let buckets = buckets.display().to_string();
    let made =
        std::process::Command::new(Path::new(EXAMPLE).with_file_name("make-buckets")).arg(&buckets).output();
    assert!(made.unwrap().status.success());
    let artifacts = |arguments: &[&str]| -> Vec<(String, u64)> {
        let line = ["-o", "json", "--check", "--store-root", &buckets];
        let ran = example(&line.iter().chain(arguments).copied().collect::<Vec<_>>()).ends_with(0);
        let document = ran.json();
        let workflows = document["workflows"].as_array().unwrap().iter();
        let artifacts = workflows.flat_map(|workflow| workflow["artifacts"].as_array().unwrap());
        let artifact = |one: &Value| {
            (one["name"].as_str().unwrap().to_owned(), one["stored"]["bytes"].as_u64().unwrap_or_default())
        };
        artifacts.map(artifact).collect()
    };
    let all = artifacts(&[]);
    let logs = artifacts(&["--artifact", "main-logs"]);
    assert_eq!(logs, all.iter().filter(|(name, _)| name == "main-logs").cloned().collect::<Vec<_>>());
    let large = artifacts(&["--min-size", "80B"]);
    assert!(!large.is_empty() && large.len() < all.len(), "{all:?}");
    assert_eq!(large, all.iter().filter(|(_, bytes)| *bytes >= 80).cloned().collect::<Vec<_>>());
    let ran = example(&["--min-size", "80B"]).ends_with(2);
    assert!(ran.err.contains("--check"), "{ran:#?}");
}

#[test]
fn totals_by_workflow_and_label_and_prices_of_workflows() {
    let mut folder = Folder::new();
    for (name, team) in [("a", "red"), ("b", "red"), ("c", "blue")] {
        let mut workflow = finished("ml", name, &[&format!("{name}/x")]);
        workflow["metadata"]["labels"]["team"] = json!(team);
        workflow["spec"]["workflowTemplateRef"] = json!({ "name": "train" });
        folder.add(workflow);
        folder.put(&format!("{name}/x"));
    }
    let totals = |by: &str| {
        let ran = folder.run("inspect", &["--check", "--group-by", by]).ends_with(0);
        let rows: Vec<String> = ran
            .out
            .lines()
            .skip(2)
            .map(|line| line.split_whitespace().take(3).collect::<Vec<_>>().join(" "))
            .collect();
        rows
    };
    assert_eq!(totals("label=team"), ["team WORKFLOWS ARTIFACTS", "red 2 2", "blue 1 1"]);
    assert_eq!(totals("workflow"), ["WORKFLOW WORKFLOWS ARTIFACTS", "ml/a 1 1", "ml/b 1 1", "ml/c 1 1"]);
    assert_eq!(totals("workflow-template")[1], "train 3 3");
    let ran = folder.run("inspect", &["--group-by", "team"]).ends_with(2);
    assert!(ran.err.contains("or label=KEY"), "{ran:#?}");
    let ran = folder.run("inspect", &["--show-labels"]).ends_with(0);
    assert!(ran.out.lines().nth(2).unwrap().ends_with("LABELS") && ran.out.contains("team=red"), "{ran:#?}");
    let checked =
        folder.run("inspect", &["-o", "json", "--check", "--price", "1073741824"]).ends_with(0).json();
    let first = &checked["workflows"][0];
    assert_eq!(
        first["monthlyDollars"].as_f64(),
        first["artifacts"][0]["stored"]["bytes"].as_f64(),
        "{first}"
    );
    let unchecked = folder.run("inspect", &["-o", "json"]).ends_with(0).json();
    assert!(unchecked["workflows"][0]["monthlyDollars"].is_null());
}

#[test]
fn a_purge_takes_artifacts_of_a_name_alone() {
    let mut folder = Folder::new();
    let mut workflow = finished("ml", "train", &["train/a", "train/b"]);
    let artifacts = &mut crate::support::purge::pod(&mut workflow)["outputs"]["artifacts"];
    artifacts[1]["name"] = json!("model");
    folder.add(workflow);
    ["train/a", "train/b"].into_iter().for_each(|key| folder.put(key));
    assert_eq!(deletes(&folder.plan(&["--all", "--artifact", "model"])), ["train/b"]);
    let ran = folder.purge(&["--all", "--artifact", "none", "--dry-run"]).ends_with(0);
    assert!(ran.err.contains("2 of other names"), "{ran:#?}");
}

/// What `inspect` lists by name, a purge takes, whatever namespaces it is in.
#[test]
#[ignore = "tests/run brings what it needs"]
fn what_is_listed_by_name_is_read_and_planned_by_name_on_apiserver() {
    let server = ApiServer::start();
    for (namespace, name) in [("ml", "a"), ("ml", "b"), ("etl", "a"), ("web", "c")] {
        server.apply(finished(namespace, name, &[&format!("{namespace}/{name}/x")]));
    }
    let run = |verb: &str, words: &[&str]| Ran::of(server.kubectl(["argo-gc", verb].iter().chain(words)));
    let listed = run("inspect", &["-n", "ml,etl", "-o", "name"]).ends_with(0);
    assert_eq!(names(&listed), ["etl/a", "ml/a", "ml/b"]);
    let chosen: Vec<&str> = listed.out.lines().filter(|line| !line.ends_with("ml/b")).collect();
    let tree = run("inspect", &chosen).ends_with(0);
    assert!(
        tree.out.contains("ml/a ") && tree.out.contains("etl/a ") && !tree.out.contains("ml/b "),
        "{tree:#?}"
    );
    let folder = tempfile::TempDir::new().unwrap();
    let root = folder.path().display().to_string();
    for key in ["ml/a/x", "ml/b/x", "etl/a/x", "web/c/x"] {
        let path = folder.path().join(BUCKET).join(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "x").unwrap();
    }
    let repository = format!("gs://{BUCKET}");
    let plan = |chosen: &[&str]| {
        let line = [
            "--store-root",
            &root,
            "--repository",
            &repository,
            "--dry-run",
            "-o",
            "json",
            "--margin",
            "9999d",
        ];
        let words: Vec<&str> = chosen.iter().copied().chain(line).collect();
        let mut keys = deletes(&run("purge", &words).ends_with(0).json());
        keys.sort();
        keys
    };
    assert_eq!(plan(&chosen), ["etl/a/x", "ml/a/x"]);
    assert_eq!(plan(&["-n", "ml,web", "--all"]), ["ml/a/x", "ml/b/x", "web/c/x"]);
    assert_eq!(plan(&["-n", "ml", "a"]), ["ml/a/x"]);
    assert_eq!(plan(&["-A", "--field-selector", "metadata.name=a"]), ["etl/a/x", "ml/a/x"]);
    let ran = run("purge", &["ml/nosuch", "--dry-run"]).ends_with(1);
    assert!(ran.err.contains("workflow \"ml/nosuch\" not found"), "{ran:#?}");
    // A misspelt one is no empty answer beside the others.
    for verb in [&["inspect"][..], &["doctor"], &["purge", "--all", "--dry-run"]] {
        let ran = run(verb[0], &[&verb[1..], &["-n", "ml,elt"]].concat()).ends_with(1);
        assert!(ran.err.contains("\"elt\" not found"), "{ran:#?}");
    }
    let ran = run("inspect", &["-n", "ml,etl", "a"]).ends_with(2);
    assert!(ran.err.contains("write NAMESPACE/a"), "{ran:#?}");
}

/// What is new, worse or gone is shown once; an inspection that fails is made again.
#[test]
fn a_watch_shows_what_changed_and_goes_on() {
    let mut covered = plain("first");
    covered["spec"]["artifactGC"] = json!({ "strategy": "Never" });
    let pages = [
        Reply::page(&[plain("first")], ""),
        Reply::page(&[plain("first"), plain("second")], ""),
        Reply::status(500, "InternalError", "etcd is gone").header("retry-after", "0"),
        Reply::page(&[plain("first"), plain("second")], ""),
        Reply::page(&[covered, plain("second")], ""),
    ];
    let stub = Stub::listing(pages);
    let mut command = stub.command(&stub.config(&json!({})), "-w --interval 1s");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
    let mut shown = Vec::new();
    while !shown.iter().any(|line: &String| line.contains("ml ") && line.contains(" gone ")) {
        shown.push(receiver.recv_timeout(Duration::from_secs(120)).expect("it goes on"));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let rows: Vec<String> =
        shown.iter().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let rows: Vec<&String> =
        rows.iter().filter(|row| row.contains("first") || row.contains("second")).collect();
    assert_eq!(rows.len(), 3, "{shown:#?}");
    assert!(rows[0].starts_with("first 1 uncovered no-strategy"), "{shown:#?}");
    assert!(rows[1].starts_with("ml second new 1 <none> uncovered (no-strategy)"), "{shown:#?}");
    assert!(rows[2].starts_with("ml first gone 1 uncovered (no-strategy) <none>"), "{shown:#?}");
    let ran = stub.inspect("-w -o json").ends_with(2);
    assert!(ran.err.contains("cannot be used with"), "{ran:#?}");
}
