//! `inspect --check`: what the cluster records beside what the bucket holds.

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::support::Ran;
use crate::support::purge::{BUCKET, Folder, Live, pod, workflow};

fn artifact<'d>(document: &'d Value, name: &str) -> &'d Value {
    let artifacts = document["workflows"][0]["artifacts"].as_array().unwrap();
    artifacts.iter().find(|artifact| artifact["name"] == name).unwrap()
}

#[test]
fn sizes_come_from_the_exact_key_and_what_is_below_it() {
    let mut folder = Folder::new();
    let mut wf = workflow("ml", "train", &["train/dir", "train/a.tgz"]);
    pod(&mut wf)["outputs"]["artifacts"][0]["archive"] = json!({ "none": {} });
    folder.add(wf);
    for key in ["train/dir/1", "train/dir/2/3", "train/directory", "train/a.tgz", "train/a.tgz.bak"] {
        folder.put(key);
    }
    let document = folder.run("inspect", &["--check", "-o", "json"]).ends_with(0).json();
    let stored = |name: &str| {
        (&artifact(&document, name)["stored"]["objects"], &artifact(&document, name)["stored"]["bytes"])
    };
    assert_eq!(stored("out-0"), (&json!(2), &json!("train/dir/1train/dir/2/3".len())));
    assert_eq!(stored("out-1"), (&json!(1), &json!("train/a.tgz".len())));
    assert_eq!(document["summary"]["stored"]["objects"], 3);
    let table = folder.run("inspect", &["--check"]).ends_with(0);
    folder.transcript().note("inspect --check", &table).assert("check_sizes");
}

#[test]
fn the_record_and_the_bucket_are_held_against_each_other() {
    let mut folder = Folder::new();
    let mut wf = workflow("ml", "train", &["train/a.tgz", "train/b.tgz", "train/c.tgz"]);
    let artifacts = &mut pod(&mut wf)["outputs"]["artifacts"];
    artifacts[0]["deleted"] = json!(true);
    artifacts[1]["deleted"] = json!(true);
    folder.add(wf);
    folder.put("train/a.tgz");
    let document = folder.run("inspect", &["--check", "-o", "json"]).ends_with(0).json();
    let said = |name: &str| (&artifact(&document, name)["verdict"], &artifact(&document, name)["reason"]);
    assert_eq!(said("out-0"), (&json!("uncovered"), &json!("deleted-but-present")));
    assert_eq!(said("out-1"), (&json!("collected"), &json!(null)));
    assert_eq!(said("out-2"), (&json!("collected"), &json!(null)), "nobody has anything to delete");
    assert_eq!(artifact(&document, "out-2")["notes"][0]["reason"], "recorded-but-missing");
    // It counts for pipelines, too.
    folder
        .run("inspect", &["--check", "--reason", "deleted-but-present", "--fail-on", "uncovered"])
        .ends_with(3);
}

#[test]
fn what_another_run_wrote_later_was_not_left_by_this_one() {
    let mut folder = Folder::new();
    let mut wf = workflow("ml", "train", &["latest.tgz"]);
    pod(&mut wf)["outputs"]["artifacts"][0]["deleted"] = json!(true);
    folder.add(wf);
    folder.put_at(BUCKET, "latest.tgz", SignedDuration::from_hours(2));
    let document = folder.run("inspect", &["--check", "-o", "json"]).ends_with(0).json();
    assert_eq!(artifact(&document, "out-0")["verdict"], "collected");
    assert_eq!(artifact(&document, "out-0")["stored"]["objects"], 1);
}

#[test]
fn what_lies_below_an_archive_is_another_artifacts_however_many_there_are() {
    let mut folder = Folder::new();
    let keys = ["train/a", "train/a/b", "train/c", "train/d", "train/e"];
    let mut wf = workflow("ml", "train", &keys);
    pod(&mut wf)["outputs"]["artifacts"][0]["deleted"] = json!(true);
    folder.add(wf);
    keys[1..].iter().for_each(|key| folder.put(key));
    let document = folder.run("inspect", &["--check", "-o", "json"]).ends_with(0).json();
    assert_eq!(artifact(&document, "out-0")["verdict"], "collected");
    assert_eq!(document["summary"]["stored"]["objects"], 4);
}

#[test]
fn where_an_artifact_lies_elsewhere_perhaps_it_is_not_said_to_be_missing() {
    let mut folder = Folder::new();
    let mut wf = workflow("ml", "train", &["train/a.tgz"]);
    let archive = json!({ "gcs": { "bucket": "elsewhere", "key": "{{workflow.name}}" } });
    let gc = json!({ "strategy": "OnWorkflowDeletion" });
    pod(&mut wf)["templateRef"] = json!({ "name": "t", "template": "export" });
    pod(&mut wf)["outputs"]["artifacts"][0]["artifactGC"] = gc.clone();
    wf["status"]["artifactGCStatus"] = json!({});
    wf["metadata"]["finalizers"] = json!(["workflows.argoproj.io/artifact-gc"]);
    wf["status"]["storedTemplates"] = json!({
        "namespaced/t/export": {
            "name": "export", "outputs": { "artifacts": [{ "name": "out-0", "artifactGC": gc }] },
        },
        "namespaced/u/export": { "name": "export", "archiveLocation": archive },
    });
    folder.add(wf);
    let document = folder.run("inspect", &["--check", "-o", "json"]).ends_with(0).json();
    let out = artifact(&document, "out-0");
    assert!(!out.to_string().contains("recorded-but-missing"), "{out:#}");
    assert!(out.to_string().contains("archive-location-mixup"), "{out:#}");
}

#[test]
fn an_object_that_many_workflows_write_is_there_once() {
    let mut folder = Folder::new();
    for name in ["one", "two", "three"] {
        folder.add(workflow("ml", name, &["latest.tgz"]));
    }
    folder.put("latest.tgz");
    let document = folder.run("inspect", &["--check", "-o", "json"]).ends_with(0).json();
    assert_eq!(document["summary"]["stored"]["objects"], 1);
    assert_eq!(document["summary"]["artifacts"]["uncovered"], 3);
    let table = folder.run("inspect", &["--check", "--group-by", "bucket"]).ends_with(0).out;
    let row = table.lines().last().unwrap_or_default();
    assert_eq!(row.split_whitespace().take(4).collect::<Vec<_>>(), [BUCKET, "3", "3", "1"], "{table}");
}

#[test]
fn an_object_of_a_directory_and_of_an_artifact_in_it_is_there_once() {
    let mut folder = Folder::new();
    let mut wf = workflow("ml", "train", &["train/dir/x", "train/dir", "train/dir2"]);
    for artifact in pod(&mut wf)["outputs"]["artifacts"].as_array_mut().unwrap() {
        artifact["archive"] = json!({ "none": {} });
    }
    folder.add(wf);
    ["train/dir/x", "train/dir/y", "train/dir2"].iter().for_each(|key| folder.put(key));
    let document = folder.run("inspect", &["--check", "-o", "json"]).ends_with(0).json();
    assert_eq!(document["summary"]["stored"]["objects"], 3, "{document:#}");
    let table = folder.run("inspect", &["--check", "--group-by", "bucket"]).ends_with(0).out;
    let row = table.lines().last().unwrap_or_default();
    assert_eq!(row.split_whitespace().take(4).collect::<Vec<_>>(), [BUCKET, "1", "3", "3"], "{table}");
    let metrics = folder.run("inspect", &["--check", "-o", "prometheus"]).ends_with(0).out;
    let objects = metrics.lines().find(|line| line.starts_with("argo_gc_objects{")).unwrap_or_default();
    assert!(objects.ends_with(" 3"), "{metrics}");
}

#[test]
fn totals_are_by_what_is_asked_for_and_largest_first() {
    let mut folder = Folder::new();
    folder.add(workflow("small", "one", &["one/a.tgz"])).add(workflow(
        "large",
        "two",
        &["two/a.tgz", "two/bbbb.tgz"],
    ));
    for key in ["one/a.tgz", "two/a.tgz", "two/bbbb.tgz"] {
        folder.put_at(BUCKET, key, SignedDuration::from_hours(49));
    }
    let totals = |by: &str| {
        let ran = folder.run("inspect", &["--check", "--price", "1073741824", "--group-by", by]).ends_with(0);
        ran.out
            .lines()
            .skip(2)
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        totals("namespace"),
        [
            "NAMESPACE WORKFLOWS ARTIFACTS OBJECTS SIZE COST/MONTH",
            "large 1 2 2 21B $21",
            "small 1 1 1 9B $9.00"
        ]
    );
    assert_eq!(totals("bucket")[1], "ml-artifacts 2 3 3 30B $30");
    assert_eq!(totals("reason")[1], "inline-only 2 3 3 30B $30");
    assert_eq!(totals("template")[1], "<inline> 2 3 3 30B $30");
    folder.run("inspect", &["--sort-by", "size"]).ends_with(2);
}

#[test]
fn a_bucket_that_is_not_there_is_a_gap_not_an_absence() {
    let mut folder = Folder::new();
    let mut wf = workflow("ml", "train", &["train/a.tgz"]);
    wf["status"]["artifactRepositoryRef"]["artifactRepository"]["gcs"]["bucket"] = json!("elsewhere");
    folder.add(wf);
    let ran = folder.run("inspect", &["--check", "-o", "json"]).ends_with(0);
    let table = folder.run("inspect", &["--check"]).ends_with(0);
    folder.transcript().note("inspect --check", &table).assert("check_missing_bucket");
    assert_eq!(ran.err, table.err);
    let document = ran.json();
    assert_eq!(document["gaps"].as_array().unwrap().len(), 1);
    assert!(artifact(&document, "out-0").get("stored").is_none());
    assert!(artifact(&document, "out-0")["notes"].as_array().unwrap().is_empty());
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn a_real_bucket_is_only_read_and_a_workflows_own_folder_listed_once_on_apiserver_and_fake_gcs() {
    let keys = ["train/0.tgz", "train/1.tgz", "train/2.tgz", "train/3.tgz", "train/4.tgz"];
    let live = Live::with("check-live", "train", &keys);
    let inspect = |arguments: &[&str]| {
        let mut command = live.command("inspect", arguments);
        command.args(["-n", "check-live"]);
        Ran::of(command)
    };
    let document = inspect(&["--check", "-o", "json"]).ends_with(0).json();
    assert_eq!(document["summary"]["stored"]["objects"], 5);
    let log = live.gcs.log();
    assert!(log.iter().all(|entry| entry.method == "GET"), "{log:?}");
    // The folder, and once the bucket's settings: whether it keeps copies.
    assert_eq!(log.len(), 2, "{log:?}");
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn copies_that_a_bucket_keeps_of_deleted_objects_are_counted_on_apiserver_and_fake_gcs() {
    for (namespace, settings) in [
        ("check-versions", json!({ "versioning": { "enabled": true } })),
        ("check-soft", crate::support::gcs::soft_delete_for_a_week()),
    ] {
        let live = Live::start(namespace);
        live.gcs.bucket_with(namespace, settings);
        // More than are asked for one by one.
        let keys: Vec<String> = ('a'..='f').map(|name| format!("copies/{name}.tgz")).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        live.server.apply(live.workflow("copies", &keys));
        for key in keys.iter().chain(&["copies/b.tgz.sig"]) {
            live.put(key);
        }
        live.purge(&["copies", "--yes"]).ends_with(0);
        live.put("copies/b.tgz");
        let ran = live.inspect(&["-n", namespace, "--check", "-o", "json"]).ends_with(0);
        let document = ran.json();
        for name in (0..6).map(|n| format!("out-{n}")) {
            let name = name.as_str();
            let copies = &artifact(&document, name)["stored"]["copies"];
            assert_eq!((&copies["objects"], &copies["bytes"]), (&json!(1), &json!(12)), "{document}");
            let notes = artifact(&document, name)["notes"].to_string();
            assert!(notes.contains("versioned-bucket") && notes.contains("1 copy, 12 bytes"), "{notes}");
        }
        let table = live.inspect(&["-n", namespace, "--check", "--group-by", "bucket"]).ends_with(0).out;
        assert!(table.contains("COPIES"), "{table}");
    }
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn without_copies_there_is_no_word_of_them_on_apiserver_and_fake_gcs() {
    let live = Live::with("check-plain", "plain", &["plain/a.tgz"]);
    let ran = live.inspect(&["-n", "check-plain", "--check", "-o", "json"]).ends_with(0);
    assert_eq!(artifact(&ran.json(), "out-0")["stored"]["copies"]["objects"], 0);
    let table = live.inspect(&["-n", "check-plain", "--check", "--group-by", "bucket"]).ends_with(0).out;
    assert!(!table.contains("COPIES") && !table.contains("still billed"), "{table}");
}
