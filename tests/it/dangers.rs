//! The dangers of deletion, each by its number in the list the guards were made from; without any server.

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::support::purge::{BUCKET, Folder, Ran, ago, deletes, keeps_to, pod, protections, workflow};

/// A folder with one workflow and all its objects.
fn one(keys: &[&str]) -> Folder {
    let mut folder = Folder::new();
    folder.add(workflow("ml", "train", keys));
    keys.iter().for_each(|key| folder.put(key));
    folder
}

#[track_caller]
fn kept(plan: &Value, protection: &str) {
    assert_eq!(protections(plan), [protection], "{plan:#}");
    assert!(deletes(plan).is_empty(), "{plan:#}");
}

#[test]
fn without_dangers_the_objects_are_deleted() {
    let folder = one(&["train/a.tgz", "train/b.tgz"]);
    let mut transcript = folder.transcript();
    transcript.note("purge train --yes", &folder.purge(&["train", "--yes"]).ends_with(0));
    assert!(!folder.has("train/a.tgz") && !folder.has("train/b.tgz"));
    // Again: nothing is left to do.
    transcript.note("purge train --yes", &folder.purge(&["train", "--yes"]).ends_with(0));
    transcript.assert("dangers_none");
}

#[test]
fn a_journal_goes_where_programs_keep_their_state() {
    let home = tempfile::tempdir().unwrap();
    let purge = |state: Option<&str>| {
        let folder = one(&["train/a.tgz"]);
        let mut command = folder.command("purge", &["train", "--yes"]);
        command.env_remove("XDG_STATE_HOME").env("HOME", home.path());
        command.envs(state.map(|state| ("XDG_STATE_HOME", home.path().join(state))));
        Ran::of(command).ends_with(0);
    };
    for (state, path) in [(None, ".local/state"), (Some("state"), "state")] {
        purge(state);
        let journals = std::fs::read_dir(home.path().join(path).join("argo-gc")).unwrap();
        assert_eq!(journals.count(), 1, "{path}");
    }
    // No home at all: nothing is deleted before someone says where the journal goes.
    let folder = one(&["train/a.tgz"]);
    let mut command = folder.command("purge", &["train", "--yes"]);
    command.env_remove("XDG_STATE_HOME").env_remove("HOME");
    let ran = Ran::of(command).ends_with(1);
    assert!(ran.err.contains("hint: name a file with --journal") && folder.has("train/a.tgz"), "{}", ran.err);
}

#[test]
fn a_login_of_gcloud_is_found_in_the_home() {
    let home = tempfile::tempdir().unwrap();
    let login = home.path().join(".config/gcloud/application_default_credentials.json");
    std::fs::create_dir_all(login.parent().unwrap()).unwrap();
    std::fs::write(&login, r#"{ "type": "of no kind" }"#).unwrap();
    let mut command = crate::support::plugin(["orphans", "--repository", "gs://b", "-f", "none.json"]);
    command.env("HOME", home.path()).env_remove("STORAGE_EMULATOR_HOST");
    command.env_remove("GOOGLE_APPLICATION_CREDENTIALS");
    let ran = Ran::of(command).ends_with(1);
    assert!(ran.err.starts_with(&format!("error: credentials: {}: ", login.display())), "{}", ran.err);
    assert!(ran.err.contains("of no kind"), "{}", ran.err);
}

#[test]
fn danger_01_a_shared_key_goes_only_with_its_last_owner() {
    let mut folder = one(&["latest.tgz"]);
    folder.add(workflow("other", "build", &["latest.tgz"]));
    let plan = folder.plan(&["-n", "ml", "--all"]);
    kept(&plan, "referenced");
    assert!(plan.to_string().contains("by workflow other/build"), "{plan:#}");
    assert_eq!(deletes(&folder.plan(&["-A"])), ["latest.tgz"]);
}

#[test]
fn danger_01_another_bucket_is_another_object() {
    let mut folder = one(&["latest.tgz"]);
    let mut other = workflow("other", "build", &["latest.tgz"]);
    other["status"]["artifactRepositoryRef"]["artifactRepository"]["gcs"]["bucket"] = json!("else");
    folder.add(other);
    assert_eq!(deletes(&folder.plan(&["-n", "ml", "--all"])), ["latest.tgz"]);
}

/// References know a bucket by its name: what one gives up in one storage it may keep in another of that name.
#[test]
fn danger_01_what_is_given_up_in_one_storage_is_not_in_another() {
    let mut folder = one(&["latest.tgz"]);
    let mut other = workflow("other", "build", &["latest.tgz", "latest.tgz"]);
    let artifacts = &mut pod(&mut other)["outputs"]["artifacts"];
    artifacts[0]["name"] = json!("main-logs");
    artifacts[1].as_object_mut().unwrap().remove("gcs");
    artifacts[1]["s3"] = json!({ "endpoint": "minio:9000", "bucket": BUCKET, "key": "latest.tgz" });
    folder.add(other);
    let plan = folder.plan(&["-A", "--only", "artifacts"]);
    let own = format!("gs://{BUCKET}/latest.tgz");
    let keeps = plan["workflows"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|workflow| workflow["keep"].as_array().unwrap());
    assert!(keeps.into_iter().any(|keep| keep["location"] == own.as_str()), "{plan:#}");
    assert_eq!(deletes(&plan), [""; 0], "{plan:#}");
}

#[test]
fn danger_02_a_neighbour_with_the_same_beginning_stays() {
    let mut folder = Folder::new();
    let mut wf = workflow("ml", "train", &["a/b"]);
    pod(&mut wf)["outputs"]["artifacts"][0]["archive"] = json!({ "none": {} });
    folder.add(wf);
    for key in ["a/b/1", "a/b/c/2", "a/bc", "a/b2/3", "a/c"] {
        folder.put(key);
    }
    folder.purge(&["train", "--yes"]).ends_with(0);
    let left: Vec<bool> = ["a/b/1", "a/b/c/2", "a/bc", "a/b2/3", "a/c"].map(|key| folder.has(key)).to_vec();
    assert_eq!(left, [false, false, true, true, true]);
}

#[test]
fn danger_03_what_has_not_finished_is_left_alone() {
    for phase in ["Running", "Pending", ""] {
        let mut folder = Folder::new();
        let mut wf = workflow("ml", "train", &["train/a.tgz"]);
        // The controller sets both at once; a record that has only the label was cut off.
        wf["metadata"]["labels"]["workflows.argoproj.io/phase"] = json!(phase);
        wf["status"]["phase"] = json!(phase);
        wf["status"]["artifactGCStatus"] = json!({ "notSpecified": true });
        folder.add(wf);
        folder.put("train/a.tgz");
        let plan = folder.plan(&["train"]);
        assert!(deletes(&plan).is_empty(), "{phase}: {plan:#}");
    }
    let mut folder = Folder::new();
    let mut wf = workflow("ml", "train", &["train/a.tgz"]);
    wf["metadata"]["labels"]["workflows.argoproj.io/completed"] = json!("false");
    folder.add(wf);
    folder.put("train/a.tgz");
    kept(&folder.plan(&["train"]), "not-finished");
}

#[test]
fn danger_04_a_run_that_may_be_retried_is_left_alone() {
    let mut folder = Folder::new();
    let mut failed = workflow("ml", "train", &["train/a.tgz"]);
    failed["status"]["phase"] = json!("Failed");
    folder.add(failed);
    folder.put("train/a.tgz");
    kept(&folder.plan(&["--all"]), "failed-run");
    assert_eq!(deletes(&folder.plan(&["--status", "Failed"])), ["train/a.tgz"]);
    assert_eq!(deletes(&folder.plan(&["train"])), ["train/a.tgz"], "its name is a choice");

    let mut folder = Folder::new();
    let mut fresh = workflow("ml", "train", &["train/a.tgz"]);
    fresh["status"]["finishedAt"] = json!(ago(SignedDuration::from_mins(30)));
    folder.add(fresh);
    folder.put("train/a.tgz");
    kept(&folder.plan(&["train"]), "just-finished");
    assert_eq!(deletes(&folder.plan(&["train", "--grace", "10m"])), ["train/a.tgz"]);
}

#[test]
fn danger_05_a_memoized_resubmit_refers_to_the_first_runs_objects() {
    let mut folder = one(&["train/a.tgz"]);
    let mut again = workflow("ml", "again", &["train/a.tgz"]);
    let node = pod(&mut again);
    node["type"] = json!("Skipped");
    node["message"] = json!("original pod: train-1");
    again["metadata"]["labels"]["workflows.argoproj.io/resubmitted-from-workflow"] = json!("train");
    folder.add(again);
    kept(&folder.plan(&["train"]), "referenced");
    // Nor does purging the resubmitted one take them.
    assert!(deletes(&folder.plan(&["again"])).is_empty());
}

#[test]
fn danger_06_an_archived_record_is_not_purged() {
    let mut folder = Folder::new();
    let mut wf = workflow("ml", "train", &["train/a.tgz"]);
    wf["metadata"]["labels"]["workflows.argoproj.io/workflow-archiving-status"] = json!("Persisted");
    folder.add(wf);
    folder.put("train/a.tgz");
    assert!(deletes(&folder.plan(&["train"])).is_empty());
}

#[test]
fn danger_07_a_cache_entry_keeps_its_objects_and_a_hit_deletes_nobody_elses() {
    let mut folder = one(&["train/a.tgz"]);
    let entry = json!({ "nodeID": "train-1", "outputs": { "artifacts": [
        { "name": "out", "gcs": { "key": "train/a.tgz" } } ] } });
    folder.add(json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": "cache", "namespace": "ml",
            "labels": { "workflows.argoproj.io/configmap-type": "Cache" } },
        "data": { "key": entry.to_string() },
    }));
    kept(&folder.plan(&["train"]), "referenced");

    let mut folder = Folder::new();
    let mut hit = workflow("ml", "train", &["first/a.tgz"]);
    pod(&mut hit)["memoizationStatus"] = json!({ "hit": true, "key": "k", "cacheName": "c" });
    folder.add(hit);
    folder.put("first/a.tgz");
    kept(&folder.plan(&["train"]), "memo-hit");
}

#[test]
fn danger_08_a_literal_input_anywhere_keeps_the_object() {
    let input = json!({ "artifacts": [{ "name": "in", "gcs": { "bucket": BUCKET, "key": "train/a.tgz" } }] });
    let templates = json!([{ "name": "main", "inputs": input, "container": { "image": "x" } }]);
    let template = json!({ "apiVersion": "argoproj.io/v1alpha1", "kind": "WorkflowTemplate",
        "metadata": { "name": "t", "namespace": "x" }, "spec": { "templates": templates } });
    let cron = json!({ "apiVersion": "argoproj.io/v1alpha1", "kind": "CronWorkflow",
        "metadata": { "name": "c", "namespace": "x" },
        "spec": { "workflowSpec": { "arguments": input, "templates": [] } } });
    let mut reader = workflow("x", "reader", &[]);
    pod(&mut reader)["inputs"] = input;
    for referrer in [template, cron, reader] {
        let mut folder = one(&["train/a.tgz"]);
        folder.add(referrer);
        kept(&folder.plan(&["train"]), "referenced");
    }
}

#[test]
fn danger_09_a_directory_that_is_read_takes_its_neighbours_with_it() {
    let mut folder = one(&["data-2024/a.tgz"]);
    let mut reader = workflow("x", "reader", &[]);
    pod(&mut reader)["inputs"] = json!({ "artifacts": [{ "name": "in", "gcs": { "key": "data" } }] });
    folder.add(reader);
    kept(&folder.plan(&["train"]), "referenced");
}

#[test]
fn danger_10_an_object_that_is_not_of_this_run_stays() {
    for (age, protection) in [(1, "newer-than-run"), (60, "older-than-run")] {
        let mut folder = Folder::new();
        folder.add(workflow("ml", "train", &["train/a.tgz"]));
        folder.put_at(BUCKET, "train/a.tgz", SignedDuration::from_hours(age));
        kept(&folder.plan(&["train"]), protection);
    }
}

#[test]
fn danger_11_nothing_is_touched_while_argo_collects() {
    let mut folder = Folder::new();
    let mut wf = workflow("ml", "train", &["train/a.tgz"]);
    wf["metadata"]["finalizers"] = json!(["workflows.argoproj.io/artifact-gc"]);
    wf["status"]["artifactGCStatus"] = json!({ "strategiesProcessed": { "OnWorkflowCompletion": true } });
    wf["spec"]["artifactGC"]["strategy"] = json!("OnWorkflowCompletion");
    folder.add(json!({ "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": "train-artgc-wfcomp-1", "namespace": "ml", "labels": {
            "workflows.argoproj.io/workflow": "train", "workflows.argoproj.io/component": "artifact-gc" } },
        "spec": {}, "status": { "phase": "Running" } }));
    folder.add(wf);
    folder.put("train/a.tgz");
    let plan = folder.plan(&["train"]);
    assert!(deletes(&plan).is_empty(), "{plan:#}");
}

#[test]
fn danger_13_a_key_that_is_no_plain_path_is_refused() {
    for key in ["{{workflow.name}}/a.tgz", "", "/", "../../etc/a.tgz", "a/../../b"] {
        let folder = one(&[]);
        let mut folder = folder;
        folder.add(workflow("ml", "odd", &[key]));
        let plan = folder.plan(&["odd"]);
        assert!(deletes(&plan).is_empty(), "{key:?}: {plan:#}");
    }
    // What the driver's Save cleans is found under its clean name.
    let mut folder = Folder::new();
    folder.add(workflow("ml", "train", &["train//./a.tgz"]));
    folder.put("train/a.tgz");
    assert_eq!(deletes(&folder.plan(&["train"])), ["train/a.tgz"]);
}

#[test]
fn danger_14_a_key_without_its_repository_is_no_certain_place() {
    let mut folder = Folder::new();
    let mut wf = workflow("ml", "train", &["train/a.tgz"]);
    wf["status"]["artifactRepositoryRef"] = json!({ "default": true });
    folder.add(wf);
    folder.put("train/a.tgz");
    kept(&folder.plan(&["train"]), "no-certain-location");
}

#[test]
fn danger_14_a_key_whose_template_is_not_there_may_lie_at_another_archive_location() {
    let mut folder = Folder::new();
    let mut wf = workflow("ml", "train", &["train/a.tgz"]);
    pod(&mut wf)["templateRef"] = json!({ "name": "t", "template": "export" });
    let archive = json!({ "gcs": { "bucket": "elsewhere", "key": "{{workflow.name}}" } });
    wf["status"]["storedTemplates"] =
        json!({ "namespaced/t/other": { "name": "other", "archiveLocation": archive } });
    folder.add(wf);
    folder.put("train/a.tgz");
    kept(&folder.plan(&["train"]), "no-certain-location");
}

#[test]
fn danger_16_what_could_not_be_read_may_refer_to_anything() {
    let mut folder = one(&["train/a.tgz"]);
    let mut offloaded = workflow("x", "big", &[]);
    offloaded["status"]["nodes"] = json!({});
    offloaded["status"]["offloadNodeStatusVersion"] = json!("fnv:1");
    folder.add(offloaded);
    let mut transcript = folder.transcript();
    transcript.note("purge train --yes", &folder.purge(&["train", "--yes"]).ends_with(5));
    assert!(folder.has("train/a.tgz"));
    let ran = folder.purge(&["train", "--yes", "--accept-unread", "nodes"]).ends_with(0);
    transcript.note("purge train --yes --accept-unread nodes", &ran).assert("dangers_16_unread");
    assert!(!folder.has("train/a.tgz"));
}

#[test]
fn danger_17_one_key_in_two_forms_is_one_object() {
    let mut folder = one(&["train/a.tgz"]);
    let mut reader = workflow("x", "reader", &[]);
    let input = json!({ "artifacts": [{ "name": "in", "s3": { "endpoint": "storage.googleapis.com",
        "bucket": BUCKET, "key": "./train//a.tgz" } }] });
    pod(&mut reader)["inputs"] = input;
    folder.add(reader);
    kept(&folder.plan(&["train"]), "referenced");
}

#[test]
fn danger_17_an_address_in_any_text_keeps_its_object() {
    let inputs = [
        json!({ "parameters": [{ "name": "in", "value": format!("gs://{BUCKET}/train/a.tgz") }] }),
        json!({ "artifacts": [{ "name": "in", "http": { "url":
            format!("https://storage.googleapis.com/{BUCKET}/train%2Fa.tgz?X-Goog-Expires=1") } }] }),
    ];
    for input in inputs {
        let mut folder = one(&["train/a.tgz"]);
        let mut reader = workflow("x", "reader", &[]);
        pod(&mut reader)["inputs"] = input.clone();
        folder.add(reader);
        kept(&folder.plan(&["train"]), "referenced");
        // What a workflow says of itself does not keep it.
        let mut folder = Folder::new();
        let mut own = workflow("ml", "train", &["train/a.tgz"]);
        own["spec"]["arguments"] = input;
        folder.add(own);
        folder.put("train/a.tgz");
        assert_eq!(deletes(&folder.plan(&["train"])), ["train/a.tgz"]);
    }
}

#[test]
fn danger_08_a_workflow_made_by_another_ones_manifest_keeps_its_inputs() {
    let manifest = format!(
        "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nspec:\n  arguments:\n    artifacts:\n    - name: in\n      gcs:\n        bucket: {BUCKET}\n        key: train/a.tgz\n"
    );
    let mut folder = one(&["train/a.tgz"]);
    folder.add(json!({ "apiVersion": "argoproj.io/v1alpha1", "kind": "WorkflowTemplate",
        "metadata": { "name": "t", "namespace": "x" },
        "spec": { "templates": [{ "name": "make", "resource": { "action": "create", "manifest": manifest } }] } }));
    kept(&folder.plan(&["train"]), "referenced");
}

#[test]
fn danger_01_a_key_completed_from_an_inline_archive_location_is_shared_too() {
    let archive = json!({ "gcs": { "bucket": BUCKET, "key": "{{workflow.name}}" } });
    for inline in [true, false] {
        let mut folder = one(&["latest.tgz"]);
        let mut other = workflow("other", "build", &["latest.tgz"]);
        other["status"]["artifactRepositoryRef"]["artifactRepository"]["gcs"]["bucket"] = json!("else");
        match inline {
            true => {
                other["spec"]["templates"][0]["steps"][0][0]["inline"]["archiveLocation"] = archive.clone()
            }
            false => other["spec"]["templateDefaults"] = json!({ "archiveLocation": archive }),
        }
        folder.add(other);
        kept(&folder.plan(&["-n", "ml", "--all"]), "referenced");
    }
}

#[test]
fn danger_20_no_way_back_is_said_before_anything_is_asked() {
    let folder = one(&["train/a.tgz"]);
    let ran = folder.purge(&["train"]).ends_with(5);
    folder.transcript().note("purge train", &ran).assert("dangers_20_no_way_back");
    assert!(folder.has("train/a.tgz"));
}

#[test]
fn danger_22_never_is_a_pin_until_it_is_named() {
    let mut folder = Folder::new();
    let mut wf = workflow("ml", "train", &["train/a.tgz"]);
    pod(&mut wf)["outputs"]["artifacts"][0]["artifactGC"] = json!({ "strategy": "Never" });
    folder.add(wf);
    folder.put("train/a.tgz");
    assert!(deletes(&folder.plan(&["train"])).is_empty());
    assert_eq!(deletes(&folder.plan(&["train", "--verdict", "kept"])), ["train/a.tgz"]);
    for refused in ["unknown", "covered", "collected"] {
        folder.purge(&["train", "--verdict", refused]).ends_with(2);
    }
}

#[test]
fn danger_22_an_artifact_kept_below_a_directory_stays() {
    let mut folder = Folder::new();
    let mut wf = workflow("ml", "train", &["train/dir", "train/dir/model"]);
    let artifacts = &mut pod(&mut wf)["outputs"]["artifacts"];
    artifacts[0]["archive"] = json!({ "none": {} });
    artifacts[1]["artifactGC"] = json!({ "strategy": "Never" });
    folder.add(wf);
    folder.put("train/dir/model");
    folder.put("train/dir/rest");
    assert_eq!(deletes(&folder.plan(&["train"])), ["train/dir/rest"]);
}

#[test]
fn danger_23_logs_are_a_class_of_their_own() {
    let mut folder = Folder::new();
    let mut wf = workflow("ml", "train", &["train/a.tgz", "train/main.log"]);
    pod(&mut wf)["outputs"]["artifacts"][1]["name"] = json!("main-logs");
    folder.add(wf);
    folder.put("train/a.tgz");
    folder.put("train/main.log");
    assert_eq!(deletes(&folder.plan(&["train", "--only", "logs"])), ["train/main.log"]);
    assert_eq!(deletes(&folder.plan(&["train", "--only", "artifacts"])), ["train/a.tgz"]);
}

#[test]
fn danger_27_an_empty_selection_and_a_large_plan_are_refused() {
    let folder = one(&["train/a.tgz", "train/b.tgz"]);
    let mut transcript = folder.transcript();
    for (arguments, code) in [
        (&["--yes"][..], 2),
        (&["--all", "--yes", "--max-objects", "1"], 5),
        (&["--all", "--yes", "--max-bytes", "1"], 5),
    ] {
        transcript.note(&format!("purge {}", arguments.join(" ")), &folder.purge(arguments).ends_with(code));
    }
    transcript.assert("dangers_27_selection");
    assert!(folder.has("train/a.tgz") && folder.has("train/b.tgz"));
}

#[test]
fn danger_27_an_unset_variable_selects_nothing() {
    let folder = one(&["train/a.tgz"]);
    folder.purge(&["--prefix", "", "--yes"]).ends_with(2);
    assert!(folder.has("train/a.tgz"));
}

/// A flag that chooses has no effect on a plan that was made before, so it must not be taken as if it had.
#[test]
fn danger_27_a_flag_that_chooses_is_refused_beside_a_saved_plan() {
    let folder = one(&["train/a.tgz"]);
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name).display().to_string();
    let (plan, journal) = (file("plan.json"), file("journal.jsonl"));
    let root = folder.bucket("").display().to_string();
    let purge = |arguments: &[&str]| {
        let always = ["purge", "--store-root", &root, "--yes"];
        Ran::of(crate::support::plugin(always.iter().chain(arguments)))
    };
    folder.purge(&["train", "--plan-out", &plan]).ends_with(0);
    let choosing: [(&[&str], &str); 7] = [
        (&["-n", "ci"], "--namespace"),
        (&["--grace", "1h"], "--grace"),
        (&["--margin", "1h"], "--margin"),
        (&["--verdict", "failing"], "--verdict"),
        (&["--release-finalizer"], "--release-finalizer"),
        (&["--older", "7d"], "--older"),
        (&["train"], "[NAME]..."),
    ];
    let refused = |mode: [&str; 2]| {
        for (flags, name) in choosing {
            let ran = purge(&[&mode, flags].concat()).ends_with(2);
            let words = format!("error: {name} cannot be used with {}: ", mode[0]);
            assert!(ran.err.starts_with(&words) && ran.out.is_empty(), "{flags:?}: {}", ran.err);
        }
    };
    refused(["--plan", &plan]);
    assert!(folder.has("train/a.tgz"));
    purge(&["--plan", &plan, "--journal", &journal]).ends_with(0);
    assert!(!folder.has("train/a.tgz"));
    refused(["--resume", &journal]);
    purge(&["--resume", &journal]).ends_with(0);
}

#[test]
fn danger_27_a_misspelt_name_ends_it_before_anything_is_deleted() {
    let folder = one(&["train/a.tgz"]);
    let ran = folder.purge(&["train", "trian", "--yes"]).ends_with(1);
    folder.transcript().note("purge train trian --yes", &ran).assert("dangers_27_misspelt");
    assert!(folder.has("train/a.tgz"));
}

#[test]
fn a_place_saved_once_as_file_and_once_as_directory_is_looked_for_as_both() {
    let mut folder = Folder::new();
    let mut wf = workflow("ml", "train", &["train/out", "train/out"]);
    pod(&mut wf)["outputs"]["artifacts"][1]["archive"] = json!({ "none": {} });
    folder.add(wf);
    folder.put("train/out/x");
    assert_eq!(deletes(&folder.plan(&["train"])), ["train/out/x"]);
}

#[test]
fn danger_28_a_signed_url_is_never_shown() {
    let mut folder = Folder::new();
    let mut wf = workflow("ml", "train", &["train/a.tgz"]);
    pod(&mut wf)["outputs"]["artifacts"][0] = json!({ "name": "out", "path": "/out", "http": { "url": "https://u:hunter2@h/a?X-Goog-Signature=s3cr3t" } });
    folder.add(wf);
    for output in ["table", "wide", "json", "yaml"] {
        let ran = folder.purge(&["train", "--dry-run", "-o", output]).ends_with(0);
        assert!(ran.out.contains("https://h/a"), "{}", ran.out);
        assert!(!ran.out.contains("s3cr3t") && !ran.out.contains("hunter2"), "{}", ran.out);
    }
}

#[test]
fn danger_30_control_characters_never_reach_the_terminal() {
    let mut folder = Folder::new();
    folder.add(workflow("ml", "train", &["train/\u{1b}[31m.tgz"]));
    folder.put("train/\u{1b}[31m.tgz");
    for output in ["table", "wide", "json", "yaml"] {
        let ran = folder.purge(&["train", "--dry-run", "-o", output]);
        assert!(!ran.out.contains('\u{1b}') && !ran.err.contains('\u{1b}'), "{}{}", ran.out, ran.err);
    }
}

#[test]
fn a_pin_on_workflow_or_template_keeps_everything() {
    for field in ["labels", "annotations"] {
        let mut folder = Folder::new();
        let mut wf = workflow("ml", "train", &["train/a.tgz"]);
        wf["metadata"][field]["argo-gc/keep"] = json!("true");
        folder.add(wf);
        folder.put("train/a.tgz");
        kept(&folder.plan(&["train"]), "pinned");
    }
    let mut folder = Folder::new();
    let mut wf = workflow("ml", "train", &["train/a.tgz"]);
    wf["metadata"]["labels"]["workflows.argoproj.io/workflow-template"] = json!("t");
    folder.add(wf);
    folder.add(json!({ "apiVersion": "argoproj.io/v1alpha1", "kind": "WorkflowTemplate",
        "metadata": { "name": "t", "namespace": "ml", "labels": { "argo-gc/keep": "true" } }, "spec": {} }));
    folder.put("train/a.tgz");
    kept(&folder.plan(&["train"]), "pinned");
}

#[test]
fn a_pin_on_the_namespace_keeps_everything_from_files_too() {
    let mut folder = one(&["train/a.tgz"]);
    folder.add(json!({ "apiVersion": "v1", "kind": "Namespace",
        "metadata": { "name": "ml", "annotations": { "argo-gc/keep": "true" } } }));
    kept(&folder.plan(&["train"]), "pinned");
}

#[test]
fn danger_08_an_event_binding_keeps_what_it_passes_on() {
    let mut folder = one(&["train/a.tgz"]);
    let input = json!({ "artifacts": [{ "name": "in", "gcs": { "bucket": BUCKET, "key": "train/a.tgz" } }] });
    folder.add(json!({ "apiVersion": "argoproj.io/v1alpha1", "kind": "WorkflowEventBinding",
        "metadata": { "name": "on-push", "namespace": "x" },
        "spec": { "event": { "selector": "true" }, "submit": { "arguments": input } } }));
    kept(&folder.plan(&["train"]), "referenced");
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn from_files_a_real_bucket_is_only_planned_for_on_fake_gcs() {
    let gcs = crate::support::gcs::Gcs::start();
    gcs.bucket(BUCKET);
    gcs.put(BUCKET, "train/a.tgz", "x");
    gcs.created(BUCKET, "train/a.tgz", &ago(crate::support::purge::within_the_run()));
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("wf.json");
    std::fs::write(&file, workflow("ml", "train", &["train/a.tgz"]).to_string()).unwrap();
    let mut command =
        crate::support::plugin(["purge", "train", "--yes", "--repository", "gs://ml-artifacts", "-f"]);
    command.arg(&file).env("STORAGE_EMULATOR_HOST", gcs.url());
    let ran = crate::support::purge::Ran::of(command).ends_with(0);
    assert!(ran.out.contains("To delete: 1 object"), "{}", ran.out);
    assert!(ran.err.contains("only a plan"), "{}", ran.err);
    assert!(gcs.deletes().is_empty());
}

#[test]
fn plan_and_result_are_documents_of_their_schemas() {
    let mut folder = one(&["train/a.tgz", "train/b.tgz"]);
    folder.add(workflow("other", "reader", &["train/b.tgz"]));
    let plan = folder.plan(&["-n", "ml", "--all"]);
    keeps_to("purge-plan.v1.json", &plan);
    let yaml = folder.purge(&["-n", "ml", "--all", "--dry-run", "-o", "yaml"]).ends_with(0);
    let mut yaml: Value = serde_saphyr::from_str(&yaml.out).unwrap();
    keeps_to("purge-plan.v1.json", &yaml);
    for moment in ["createdAt", "hash"] {
        yaml[moment] = plan[moment].clone();
    }
    assert_eq!(yaml, plan);
    let ran = folder.purge(&["-n", "ml", "--all", "--yes", "-o", "json"]).ends_with(0);
    keeps_to("purge-result.v1.json", &ran.json());
    assert_eq!(ran.json()["totals"]["deleted"], 1);
    assert!(ran.err.contains("To delete: 1 object"), "the plan is shown all the same: {}", ran.err);
}

#[test]
fn danger_28_credentials_we_can_not_use_are_named_without_their_content() {
    let directory = tempfile::tempdir().unwrap();
    let objects = directory.path().join("wf.json");
    std::fs::write(&objects, workflow("ml", "train", &["train/a.tgz"]).to_string()).unwrap();
    let file = directory.path().join("key.json");
    for (content, words) in [
        (
            r#"{"type": "external_account", "x": "s3cret"}"#,
            "credentials of type external_account need the field audience",
        ),
        (
            r#"{"type": "impersonated_service_account", "x": "s3cret"}"#,
            "credentials of type impersonated_service_account need the field service_account_impersonation_url",
        ),
        (
            r#"{"type": "external_account_authorized_user", "x": "s3cret"}"#,
            "external_account_authorized_user, which a browser's login to a workforce pool makes, are not supported",
        ),
        (
            r#"{"type": "external_account", "audience": "a", "subject_token_type": "t", "token_url": "u",
                "credential_source": {"certificate": "s3cret"}}"#,
            "its credential_source is neither a file, a URL, a program nor AWS",
        ),
        (r#"{"type": "other", "x": "s3cret"}"#, "credentials of type \"other\" are not known"),
        (r#"{"type": "service_account", "private_key": "s3cret", "client_email": "a@b"}"#, "credentials: "),
        ("s3cret", "is not a credentials file"),
    ] {
        std::fs::write(&file, content).unwrap();
        let mut command = crate::support::plugin(["purge", "train", "--yes", "-f"]);
        command.arg(&objects).arg("--credentials").arg(&file).env_remove("STORAGE_EMULATOR_HOST");
        let ran = crate::support::Ran::of(command).ends_with(1);
        assert!(ran.err.contains(words), "{content}: {}", ran.err);
        assert!(!ran.err.contains("s3cret"), "{}", ran.err);
    }
}
