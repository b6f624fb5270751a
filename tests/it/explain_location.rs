//! `explain LOCATION`: what a place is, who refers to it, and what a purge with the same flags does, by the purge's own
//! functions.

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::support::plugin;
use crate::support::purge::{BUCKET, Folder, Live, Ran, deletes, keeps_to, pod, workflow};

const ALLOW: [&str; 2] = ["--repository", "gs://ml-artifacts"];

/// The answer about a key of the bucket, for a purge with these flags.
#[track_caller]
fn explained(folder: &Folder, key: &str, flags: &[&str]) -> Value {
    let location = format!("gs://{BUCKET}/{key}");
    let words = [&[location.as_str(), "-o", "json"][..], &ALLOW, flags].concat();
    let document = folder.run("explain", &words).ends_with(0).json();
    keeps_to("location-explanation.v1.json", &document);
    document
}

#[track_caller]
fn only_place(document: &Value) -> &Value {
    let [place] = &document["places"].as_array().unwrap()[..] else { panic!("one place: {document:#}") };
    place
}

/// `outcome`, and what says why.
fn conclusion(document: &Value) -> (String, String) {
    let conclusion = &only_place(document)["conclusion"];
    let word = |field: &str| conclusion[field].as_str().unwrap_or_default().to_owned();
    let why = if conclusion["why"].is_string() { word("why") } else { word("protection") };
    (word("outcome"), why)
}

/// Kind, namespace, name, role and whether it protects.
fn referrers(document: &Value) -> Vec<[String; 5]> {
    let referrers = only_place(document)["referrers"].as_array().unwrap();
    let row = |referrer: &Value| {
        ["kind", "namespace", "name", "role", "protects"].map(|field| match &referrer[field] {
            Value::String(text) => text.clone(),
            Value::Bool(protects) => protects.to_string(),
            _ => String::new(),
        })
    };
    let mut rows: Vec<[String; 5]> = referrers.iter().map(row).collect();
    rows.sort();
    rows
}

fn both(text: &str) -> (String, String) {
    let (outcome, why) = text.split_once(' ').unwrap_or((text, ""));
    (outcome.to_owned(), why.to_owned())
}

fn shared() -> Folder {
    let mut folder = Folder::new();
    folder.add(workflow("ml", "train", &["latest.tgz"]));
    folder.add(workflow("other", "build", &["latest.tgz"]));
    folder.put("latest.tgz");
    folder
}

#[test]
fn one_answer_to_why_a_shared_object_is_kept_or_goes() {
    let folder = shared();
    let of_ml = explained(&folder, "latest.tgz", &["-n", "ml"]);
    assert_eq!(conclusion(&of_ml), both("kept referenced"));
    let both_refer = |train: &str| {
        [["workflow", "ml", "train", "output", train], ["workflow", "other", "build", "output", "true"]]
            .map(|row| row.map(str::to_owned))
    };
    assert_eq!(referrers(&of_ml), both_refer("false"));
    let artifacts = only_place(&of_ml)["artifacts"].as_array().unwrap();
    let [train, build] = &artifacts[..] else { panic!("{artifacts:#?}") };
    assert_eq!(
        (&train["purge"]["outcome"], &train["artifact"]["verdict"]),
        (&json!("candidate"), &json!("uncovered"))
    );
    assert_eq!(
        (&build["purge"]["outcome"], &build["purge"]["why"]),
        (&json!("not-selected"), &json!("namespace"))
    );
    // Without a flag that selects it is a purge of everything.
    for flags in [&[][..], &["-A"]] {
        let all = explained(&folder, "latest.tgz", flags);
        assert_eq!(conclusion(&all), both("deletes"), "{all:#}");
        let fate = &only_place(&all)["objects"][0]["fate"];
        assert_eq!(fate["outcome"], "deleted");
        let sharer = fate["sharedWith"][0].as_str().unwrap();
        assert!(["ml/train", "other/build"].contains(&sharer), "{fate}");
    }
    let mut transcript = folder.transcript();
    for flags in [&["-n", "ml"][..], &["-A"]] {
        let words = [&["gs://ml-artifacts/latest.tgz"][..], &ALLOW, flags].concat();
        transcript.note(&format!("explain {}", words.join(" ")), &folder.run("explain", &words).ends_with(0));
    }
    transcript.assert("explain_location");
}

#[test]
fn what_a_flag_leaves_out_says_which_flag() {
    let folder = shared();
    for (flags, answer) in [
        (&["-n", "prod"][..], "not-selected namespace"),
        (&["--older", "30d"], "not-selected age"),
        (&["--status", "Failed"], "not-selected phase"),
        (&["--prefix", "x"], "not-selected prefix"),
        (&["--instanceid", "x"], "not-selected instance-id"),
        (&["--reason", "no-strategy"], "not-asked-for reason"),
        (&["--verdict", "failing"], "not-asked-for verdict"),
        (&["--only", "logs"], "not-asked-for class"),
        (&["--bucket", "x"], "not-asked-for bucket"),
        (&["--grace", "30d"], "kept just-finished"),
        (&["--workflow", "train", "-n", "ml"], "kept referenced"),
        (&["--workflow", "build", "-n", "other", "--only", "logs"], "not-asked-for class"),
    ] {
        assert_eq!(conclusion(&explained(&folder, "latest.tgz", flags)), both(answer), "{flags:?}");
    }
}

/// What each protection keeps, and what a purge makes of it: the answer is the plan's for each object, with and without
/// flags.
#[test]
fn the_answer_is_the_plans() {
    let mut folder = Folder::new();
    let mut failed = workflow("ml", "failed", &["failed/a"]);
    failed["status"]["phase"] = json!("Failed");
    let mut running = workflow("ml", "running", &["running/a"]);
    running["status"]["phase"] = json!("Running");
    let mut pinned = workflow("ml", "pinned", &["pinned/a"]);
    pinned["metadata"]["labels"]["argo-gc/keep"] = json!("true");
    let mut kept = workflow("ml", "kept", &["kept/a"]);
    kept["spec"]["artifactGC"]["strategy"] = json!("Never");
    let mut reader = workflow("other", "reader", &[]);
    pod(&mut reader)["inputs"] =
        json!({ "artifacts": [{ "name": "in", "gcs": { "bucket": BUCKET, "key": "read/a" } }] });
    let mut directory = workflow("ml", "directory", &["directory/d"]);
    pod(&mut directory)["outputs"]["artifacts"][0]["archive"] = json!({ "none": {} });
    for object in [failed, running, pinned, kept, reader, directory] {
        folder.add(object);
    }
    for name in ["plain", "read", "gone", "newer", "older"] {
        folder.add(workflow("ml", name, &[&format!("{name}/a")]));
    }
    let keys = [
        "plain/a",
        "read/a",
        "failed/a",
        "running/a",
        "pinned/a",
        "kept/a",
        "newer/a",
        "older/a",
        "directory/d/1",
        "directory/d/2",
    ];
    keys.iter().for_each(|key| folder.put(key));
    folder.put_at(BUCKET, "newer/a", SignedDuration::from_hours(1));
    folder.put_at(BUCKET, "older/a", SignedDuration::from_hours(500));
    for flags in [&["-A"][..], &["-n", "ml"], &["-A", "--status", "Failed"], &["-A", "--margin", "600h"]] {
        let all = if flags.contains(&"-A") { flags.to_vec() } else { [flags, &["--all"]].concat() };
        let plan = folder.plan(&all);
        let planned = deletes(&plan);
        for key in keys {
            let answer = explained(&folder, key, flags);
            let object = &only_place(&answer)["objects"][0];
            assert_eq!(object["location"], format!("gs://{BUCKET}/{key}"), "{answer:#}");
            let deleted = object["fate"]["outcome"] == "deleted";
            assert_eq!(deleted, planned.contains(&key.to_owned()), "{key} {flags:?}: {answer:#}");
            let own = key.split('/').next().unwrap();
            let workflows = plan["workflows"].as_array().unwrap();
            let kept = workflows.iter().filter(|workflow| workflow["name"] == own);
            let kept: Vec<&Value> = kept.flat_map(|workflow| workflow["keep"].as_array().unwrap()).collect();
            if let [kept] = &kept[..] {
                assert_eq!(conclusion(&answer), ("kept".into(), kept["protection"].as_str().unwrap().into()));
                let detail = &only_place(&answer)["conclusion"]["detail"];
                assert_eq!(detail.as_str().unwrap_or_default(), kept["detail"].as_str().unwrap_or_default());
            }
        }
        assert_eq!(
            conclusion(&explained(&folder, "gone/a", flags)).0,
            match flags.contains(&"--status") {
                true => "not-selected",
                false => "absent",
            }
        );
    }
}

#[test]
fn a_place_may_be_an_object_of_a_directory_or_a_folder_of_artifacts() {
    let mut folder = Folder::new();
    let mut wf = workflow("ml", "train", &["train/dir", "train/b.tgz"]);
    pod(&mut wf)["outputs"]["artifacts"][0]["archive"] = json!({ "none": {} });
    folder.add(wf);
    ["train/dir/1", "train/dir/2", "train/b.tgz", "train/directory"].iter().for_each(|key| folder.put(key));
    let inner = explained(&folder, "train/dir/1", &[]);
    assert_eq!(only_place(&inner)["artifacts"][0]["relation"], "holds");
    assert_eq!(only_place(&inner)["objects"].as_array().unwrap().len(), 1);
    assert_eq!(conclusion(&inner).0, "deletes");
    let whole = explained(&folder, "train/dir/", &[]);
    assert_eq!(only_place(&whole)["conclusion"]["objects"], 2);
    let both = explained(&folder, "train", &[]);
    let places: Vec<&str> =
        both["places"].as_array().unwrap().iter().map(|place| place["location"].as_str().unwrap()).collect();
    assert_eq!(places, ["gs://ml-artifacts/train/dir", "gs://ml-artifacts/train/b.tgz"]);
    // A neighbour with the same beginning is nobody's.
    assert_eq!(conclusion(&explained(&folder, "train/directory", &[])).0, "no-record");
}

#[test]
fn who_refers_to_it_is_named_with_kind_namespace_and_name() {
    let mut folder = Folder::new();
    folder.add(workflow("ml", "train", &["train/a.tgz"]));
    folder.put("train/a.tgz");
    let input = json!({ "artifacts": [{ "name": "in", "gcs": { "bucket": BUCKET, "key": "train/a.tgz" } }] });
    let object = |kind: &str, namespace: &str, name: &str, spec: Value| {
        json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": kind,
            "metadata": { "name": name, "namespace": namespace }, "spec": spec,
        })
    };
    folder.add(object("WorkflowTemplate", "ci", "reads", json!({ "arguments": input })));
    folder.add(object("CronWorkflow", "ci", "daily", json!({ "workflowSpec": { "arguments": input } })));
    let script = json!({ "template": "cp gs://ml-artifacts/train/a.tgz ." });
    folder.add(object("Sensor", "events", "on-push", json!({ "triggers": [script] })));
    let entry = json!({ "nodeID": "x", "outputs": { "artifacts": [
        { "name": "out", "gcs": { "bucket": BUCKET, "key": "train/a.tgz" } },
    ] } });
    folder.add(json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": "builds", "namespace": "ml",
                      "labels": { "workflows.argoproj.io/configmap-type": "Cache" } },
        "data": { "key": entry.to_string() },
    }));
    let mut running = workflow("ml", "next", &[]);
    running["status"]["phase"] = json!("Running");
    running["status"].as_object_mut().unwrap().remove("finishedAt");
    running["metadata"]["labels"] = json!({ "workflows.argoproj.io/phase": "Running" });
    running["spec"]["arguments"] = input;
    running["spec"]["templates"][0]["steps"][0][0]["inline"]["container"]["args"] = json!(["x train/a.tgz"]);
    folder.add(running);
    let answer = explained(&folder, "train/a.tgz", &[]);
    assert_eq!(conclusion(&answer), both("kept referenced"));
    let rows = referrers(&answer);
    for row in [
        ["cache", "ml", "builds", "output", "true"],
        ["cron workflow", "ci", "daily", "input", "true"],
        ["sensor", "events", "on-push", "address", "true"],
        ["workflow template", "ci", "reads", "input", "true"],
        ["workflow", "ml", "next", "input", "true"],
        ["running workflow", "ml", "next", "text", "true"],
        ["workflow", "ml", "train", "output", "false"],
    ] {
        assert!(rows.contains(&row.map(str::to_owned)), "{row:?}: {rows:#?}");
    }
}

#[test]
fn nobodys_object_is_told_as_orphans_sees_it() {
    let mut folder = Folder::new();
    folder.add(workflow("ml", "train", &["train/a.tgz"]));
    let old = SignedDuration::from_hours(1000);
    for key in ["gone/gone-123/a.tgz", "train/train-9/b.tgz", "backups/db"] {
        folder.put_at(BUCKET, key, old);
    }
    // As old as `orphans` wants it without --older.
    let week = 7 * 24;
    folder.put_at(BUCKET, "gone/gone-125/a.tgz", SignedDuration::from_hours(week + 1));
    folder.put_at(BUCKET, "gone/gone-126/a.tgz", SignedDuration::from_hours(week - 1));
    folder.put("gone/gone-124/a.tgz");
    for (key, word) in [
        ("gone/gone-125/a.tgz", "workflow-gone"),
        ("gone/gone-126/a.tgz", "young"),
        ("gone/gone-123/a.tgz", "workflow-gone"),
        ("gone/gone-124/a.tgz", "young"),
        ("train/train-9/b.tgz", "unrecorded"),
        ("backups/db", "foreign"),
    ] {
        let answer = explained(&folder, key, &[]);
        assert_eq!(conclusion(&answer).0, "no-record", "{answer:#}");
        let fate = &only_place(&answer)["objects"][0]["fate"];
        assert_eq!((&fate["outcome"], &fate["orphans"]), (&json!("untouched"), &json!(word)), "{key}");
        let text =
            folder.run("explain", &[&format!("gs://{BUCKET}/{key}"), "--repository", "gs://ml-artifacts"]);
        assert!(text.ends_with(0).out.contains(&format!("for orphans it is {word}: ")), "{key}");
    }
    // Where deletes are not allowed, an artifact is kept, and the flag that allows it is told.
    folder.put("train/a.tgz");
    let outside = folder.run("explain", &["gs://ml-artifacts/train/a.tgz"]).ends_with(0);
    let words = "keeps it: foreign-location, because the artifact is outside the repositories";
    assert!(
        outside.out.contains(words) && outside.out.contains("--repository gs://ml-artifacts allows it"),
        "{}",
        outside.out
    );
}

#[test]
fn what_argo_will_delete_and_what_is_kept_on_purpose_is_not_asked_for() {
    let mut folder = Folder::new();
    let mut covered = workflow("ml", "covered", &["covered/a"]);
    covered["status"]["artifactGCStatus"] = json!({});
    covered["metadata"]["finalizers"] = json!(["workflows.argoproj.io/artifact-gc"]);
    let mut never = workflow("ml", "never", &["never/a"]);
    for (wf, strategy) in [(&mut covered, "OnWorkflowDeletion"), (&mut never, "Never")] {
        let inline = wf["spec"]["templates"][0]["steps"][0][0]["inline"].take();
        wf["spec"]["templates"][0]["steps"][0][0] = json!({ "name": "step", "template": "step" });
        let templates = wf["spec"]["templates"].as_array_mut().unwrap();
        let mut named = inline;
        named["name"] = json!("step");
        templates.push(named);
        wf["spec"]["artifactGC"]["strategy"] = json!(strategy);
        pod(wf)["templateName"] = json!("step");
    }
    folder.add(covered).add(never);
    ["covered/a", "never/a"].iter().for_each(|key| folder.put(key));
    for (key, verdict, when) in
        [("covered/a", "covered", "when the workflow is deleted"), ("never/a", "kept", "never")]
    {
        let answer = explained(&folder, key, &[]);
        assert_eq!(conclusion(&answer), both("not-asked-for verdict"), "{answer:#}");
        assert_eq!(only_place(&answer)["artifacts"][0]["artifact"]["verdict"], verdict);
        let text = folder.run("explain", &[&format!("gs://{BUCKET}/{key}")]).ends_with(0);
        assert!(text.out.contains(when), "{}", text.out);
    }
    assert_eq!(conclusion(&explained(&folder, "never/a", &["--verdict", "kept"])).0, "deletes");
}

#[test]
fn what_a_retention_policy_keeps_says_so() {
    let folder = shared();
    let policy = tempfile::NamedTempFile::new().unwrap();
    let text = "apiVersion: argo-gc/v1\nkind: RetentionPolicy\nkeepLast: 1\n";
    std::fs::write(policy.path(), text).unwrap();
    let answer = explained(&folder, "latest.tgz", &["--policy", policy.path().to_str().unwrap()]);
    assert_eq!(conclusion(&answer), both("kept retained"), "{answer:#}");
}

#[test]
fn the_answer_comes_before_what_refuses_a_purge() {
    let mut folder = shared();
    let mut offloaded = workflow("ml", "big", &[]);
    offloaded["status"].as_object_mut().unwrap().remove("nodes");
    offloaded["status"]["offloadNodeStatusVersion"] = json!("fnv:1");
    folder.add(offloaded);
    let words = [&["gs://ml-artifacts/latest.tgz"][..], &ALLOW].concat();
    let ran = folder.run("explain", &words).ends_with(0);
    assert!(
        ran.out.contains("At present a purge with these flags is refused: it is unknown what else refers"),
        "{}",
        ran.out
    );
    let answer = ran.out.find("a purge with these flags deletes it: 1 object");
    assert!(answer.is_some() && answer < ran.out.find("At present"), "{}", ran.out);
    assert!(ran.out.find("nobody will delete it") < answer, "{}", ran.out);
    assert!(
        ran.err.contains("Warning: not read, and may refer to it: nodes: workflow ml/big"),
        "{}",
        ran.err
    );
    let accepted = explained(&folder, "latest.tgz", &["--accept-unread", "nodes"]);
    assert!(accepted["refused"].is_null() && accepted["unread"].as_array().unwrap().len() == 1);
}

#[test]
fn storage_that_does_not_answer_leaves_the_rest_of_the_answer() {
    let folder = shared();
    std::fs::remove_dir_all(folder.bucket(BUCKET)).unwrap();
    let answer = explained(&folder, "latest.tgz", &[]);
    assert_eq!(conclusion(&answer).0, "unknown");
    assert_eq!(referrers(&answer).len(), 2);
    assert!(only_place(&answer)["storageProblem"].as_str().unwrap().contains("does not exist"), "{answer:#}");
}

#[test]
fn the_same_key_at_another_host_is_another_object_and_is_named() {
    let mut folder = Folder::new();
    let mut wf = workflow("ml", "train", &["train/a"]);
    wf["status"]["artifactRepositoryRef"]["artifactRepository"] =
        json!({ "s3": { "endpoint": "minio:9000", "bucket": "b" } });
    pod(&mut wf)["outputs"]["artifacts"][0] =
        json!({ "name": "out-0", "path": "/out", "s3": { "key": "train/a" } });
    folder.add(wf);
    let text = folder.run("explain", &["s3://b/train/a"]).ends_with(0).out;
    assert!(text.contains("no workflow that was read has it as an artifact"), "{text}");
    assert!(
        text.contains("The same key in a bucket of that name elsewhere: s3://b@minio:9000/train/a"),
        "{text}"
    );
    let text = folder.run("explain", &["s3://b@minio:9000/train/a"]).ends_with(0).out;
    assert!(text.contains("train      step"), "{text}");
}

#[test]
fn a_saved_plan_answers_alone() {
    let mut folder = shared();
    folder.add(workflow("ml", "absent", &["absent/a"]));
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    folder.purge(&["-n", "ml", "--all", "--plan-out", path]).ends_with(0);
    let ask = |place: &str, more: &[&str]| {
        Ran::of(plugin([&["explain", "--plan", path, place][..], more].concat()))
    };
    let answer = ask("gs://ml-artifacts/latest.tgz", &["-o", "json"]).ends_with(0).json();
    keeps_to("location-explanation.v1.json", &answer);
    assert_eq!(conclusion(&answer), both("kept referenced"));
    assert!(answer.to_string().contains("by workflow other/build"), "{answer:#}");
    folder.purge(&["-A", "--plan-out", path]).ends_with(0);
    let text = ask("gs://ml-artifacts/latest.tgz", &[]).ends_with(0).out;
    for words in [
        "The plan of 20",
        "deletes it: 1 object",
        "inline-only, artifact out-0 of ml/train",
        "it is deleted for other/build too",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let says = |place: &str| conclusion(&ask(place, &["-o", "json"]).ends_with(0).json()).0;
    assert_eq!(says("gs://ml-artifacts/absent/a"), "absent");
    assert_eq!(says("gs://ml-artifacts/elsewhere"), "not-in-plan");
    // Flags that read something have no effect beside it.
    ask("gs://ml-artifacts/latest.tgz", &["-A"]).ends_with(2);
    ask("inline-only", &[]).ends_with(2);
}

#[test]
fn a_place_that_two_artifacts_name_is_told_once() {
    let mut folder = shared();
    folder.add(workflow("ml", "tune", &["latest.tgz"]));
    let mut wf = workflow("ml", "dir", &["dir"]);
    pod(&mut wf)["outputs"]["artifacts"][0]["archive"] = json!({ "none": {} });
    folder.add(wf);
    folder.add(workflow("ml", "one", &["dir/1"]));
    folder.put("dir/1");
    let objects = |answer: &Value| only_place(answer)["objects"].as_array().unwrap().len();
    // By the plan as by what is there, and however the location is written.
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    folder.purge(&["-n", "ml", "--all", "--plan-out", path]).ends_with(0);
    for key in ["latest.tgz", "dir/1", "latest.tgz/", "dir/1/", "dir//1"] {
        assert_eq!(objects(&explained(&folder, key, &["-n", "ml"])), 1, "{key}");
        let location = format!("gs://{BUCKET}/{key}");
        let saved = Ran::of(plugin(["explain", "--plan", path, &location, "-o", "json"]));
        assert_eq!(objects(&saved.ends_with(0).json()), 1, "{key}");
    }
}

#[test]
fn yaml_is_the_json() {
    let folder = shared();
    let ask = |format: &str| {
        let words = ["gs://ml-artifacts/latest.tgz", "-o", format];
        folder.run("explain", &words).ends_with(0).out
    };
    let json: Value = serde_json::from_str(&ask("json")).unwrap();
    let mut yaml: Value = serde_saphyr::from_str(&ask("yaml")).unwrap();
    yaml["generatedAt"] = json["generatedAt"].clone();
    assert_eq!(yaml, json);
}

#[test]
fn wrong_locations_are_refused_with_the_form() {
    for (words, hint) in [
        (&["ml-artifacts/a.tgz"][..], "name its storage too, such as gs://BUCKET/KEY"),
        (&["gs://"], "use gs://BUCKET"),
        (&["gs://a/b", "gs://a/c"], "one location at a time"),
        (&["gs://a/b", "inline-only"], "one location at a time"),
    ] {
        let ran = Ran::of(plugin([&["explain"][..], words].concat())).ends_with(2);
        assert!(ran.err.contains(hint), "{words:?}: {}", ran.err);
    }
}

#[test]
fn every_word_of_a_table_has_its_meaning() {
    use argo_gc_core::model::protection::Protection;
    use argo_gc_core::plan::orphans::Cause;
    use argo_gc_core::verdict::Verdict;
    let words = Protection::ALL.iter().map(|protection| protection.code());
    let words = words.chain(Cause::ALL.map(Cause::as_str)).chain(Verdict::ALL.map(Verdict::as_str));
    let list = Ran::of(plugin(["explain", "--list"])).ends_with(0).out;
    for word in words.chain(["foreign", "guarded", "unrecorded", "young", "unclear"]) {
        let ran = Ran::of(plugin(["explain", word])).ends_with(0);
        assert!(ran.out.contains(&format!("{word} (")), "{word}: {}", ran.out);
        assert!(list.lines().any(|line| line.starts_with(&format!("{word}   "))), "{word}: {list}");
    }
    // Both a reason and a protection.
    let both = Ran::of(plugin(["explain", "memo-hit"])).ends_with(0).out;
    assert!(both.contains("memo-hit: ") && both.contains("memo-hit (protection): "), "{both}");
}

#[test]
fn a_wide_plan_names_each_object_that_it_keeps() {
    let mut folder = Folder::new();
    folder.add(workflow("ml", "train", &["a", "b"]));
    folder.add(workflow("other", "build", &["a"])).add(workflow("third", "test", &["b"]));
    ["a", "b"].iter().for_each(|key| folder.put(key));
    let wide = folder.purge(&["-n", "ml", "--all", "--dry-run", "-o", "wide"]).ends_with(0).out;
    for (artifact, key, by) in [("out-0", "a", "other/build"), ("out-1", "b", "third/test")] {
        let row = wide.lines().find(|line| line.contains(&format!("gs://{BUCKET}/{key} ")));
        let row = row.unwrap_or_else(|| panic!("{key}: {wide}"));
        assert!(row.contains(artifact) && row.ends_with(&format!("by workflow {by}")), "{row}");
    }
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn a_cluster_answers_as_files_do_on_apiserver_and_fake_gcs() {
    let live = Live::with("explain-location", "train", &["train/a.tgz", "latest.tgz"]);
    live.server.apply(live.workflow("build", &["latest.tgz"]));
    let ask = |key: &str, flags: &[&str]| {
        let (place, repository) = (format!("gs://explain-location/{key}"), "gs://explain-location");
        let words = [&[place.as_str(), "-o", "json", "--repository", repository][..], flags].concat();
        Ran::of(live.command("explain", &words)).ends_with(0).json()
    };
    let answer = ask("train/a.tgz", &[]);
    keeps_to("location-explanation.v1.json", &answer);
    assert_eq!(conclusion(&answer).0, "deletes", "{answer:#}");
    assert_eq!(only_place(&answer)["artifacts"][0]["artifact"]["reason"], "inline-only");
    let shared = ask("latest.tgz", &["-n", "explain-location", "--workflow", "train"]);
    assert_eq!(conclusion(&shared), both("kept referenced"), "{shared:#}");
    assert_eq!(conclusion(&ask("latest.tgz", &["-l", "no=such"])), both("not-selected labels"));
    assert_eq!(conclusion(&ask("latest.tgz", &["-n", "explain-location"])).0, "deletes");
    // It deletes nothing, and the purge does what it said.
    live.purge(&["train", "--yes"]).ends_with(0);
    assert_eq!(conclusion(&ask("train/a.tgz", &[])), both("not-asked-for verdict"));
    assert_eq!(
        conclusion(&ask("latest.tgz", &["-n", "explain-location", "--workflow", "train"])),
        both("kept referenced")
    );
}
