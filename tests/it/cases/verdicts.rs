//! What `inspect`, `doctor` and `purge` say of collections that hang, fail or look finished.

use super::Case;
use crate::support::fixture::Fixture;
use crate::support::kube::ApiServer;
use crate::support::{Ran, in_process};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::fs;

impl Case {
    /// Runs the plugin in this process at the given time, on one file of the folder.
    fn at(&self, now: &str, verb: &str, file: &str, more: &str) -> String {
        let path = self.0.path().join(file).display().to_string();
        at(now, verb, &path, more)
    }

    /// Returns the verdicts of all artifacts and workflows, as `name artifact verdict reason` and `name verdict reason`.
    fn verdicts(&self, arguments: &str) -> Vec<String> {
        verdicts(&self.run(arguments).ends_with(0).json())
    }

    /// Returns the keys that a purge of the case would delete.
    fn planned(&self, arguments: &str) -> Vec<String> {
        let plan =
            self.run(&format!("{arguments} --store-root buckets --dry-run -o json")).ends_with(0).json();
        let workflows = plan["workflows"].as_array().unwrap().iter();
        let objects = workflows.flat_map(|workflow| workflow["delete"].as_array().unwrap());
        let mut keys: Vec<String> =
            objects.map(|object| object["key"].as_str().unwrap().to_owned()).collect();
        keys.sort();
        keys
    }
}

fn at(now: &str, verb: &str, path: &str, more: &str) -> String {
    let arguments = format!("argo-gc {verb} -A -f {path} {more}");
    let now: Timestamp = now.parse().unwrap();
    let (code, out, err) = in_process(arguments.split_whitespace(), "", now);
    assert_eq!(code, 0, "{err}");
    format!("{out}{err}")
}

fn document(now: &str, path: &str, more: &str) -> Value {
    let said = at(now, "inspect", path, &format!("-o json {more}"));
    serde_json::Deserializer::from_str(&said).into_iter().next().unwrap().unwrap()
}

fn verdicts(document: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let mut rows = Vec::new();
    for workflow in document["workflows"].as_array().unwrap() {
        let name = text(&workflow["name"]);
        for artifact in workflow["artifacts"].as_array().unwrap() {
            let (verdict, reason) = (text(&artifact["verdict"]), text(&artifact["reason"]));
            rows.push(format!("{name} {} {verdict} {reason}", text(&artifact["name"])));
        }
        for finding in workflow["findings"].as_array().unwrap() {
            rows.push(format!("{name} {} {}", text(&finding["verdict"]), text(&finding["reason"])));
        }
    }
    rows.sort();
    rows
}

const FORCED: [&str; 3] =
    ["r141 failing force-no-pod", "r155 failing force-no-pod", "r51 failing force-no-pod"];

/// Half a minute after the workflows of the case were deleted.
const AT_ONCE: &str = "2026-11-27T15:06:00Z";

#[test]
fn a_forced_removal_without_a_pod_is_told_at_once_and_later_and_before_the_deletion() {
    let case = Case::new("41-forced-without-pod");
    let file = case.0.path().join("force-stuck-input.json");
    let text = fs::read_to_string(&file).unwrap();
    let undeleted: Vec<&str> =
        text.lines().filter(|line| !line.trim_start().starts_with("\"deletion")).collect();
    fs::write(case.0.path().join("undeleted.json"), undeleted.join("\n")).unwrap();
    for (file, version) in [("force-stuck-input.json", ""), ("undeleted.json", "--argo-version v4.1.2")] {
        let path = case.0.path().join(file).display().to_string();
        for now in [AT_ONCE, "2026-11-27T18:00:00Z"] {
            let found = verdicts(&document(now, &path, version));
            let findings: Vec<&String> = found.iter().filter(|row| !row.contains("collected")).collect();
            assert_eq!(findings, FORCED, "{file} at {now}");
            let said = case.at(now, "doctor", file, version);
            assert!(said.contains("forced-without-pod") && !said.contains("healthy"), "{said}");
            assert!(!said.contains("Upgrade"), "{said}");
            assert!(said.contains("purge -n argo r141 r155 r51 --release-finalizer"), "{said}");
        }
    }
    assert!(case.at(AT_ONCE, "inspect", "undeleted.json", "-o tree").contains("deleting it will hang"));
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn the_repair_of_a_forced_removal_lets_the_workflows_go_on_apiserver() {
    let server = ApiServer::start();
    let case = Case::new("41-forced-without-pod");
    let text = fs::read_to_string(case.0.path().join("force-stuck-input.json")).unwrap();
    let list: Value = serde_json::from_str(&text).unwrap();
    server.apply(list["items"].clone());
    let said = Ran::of(server.kubectl("argo-gc doctor -n argo".split(' '))).ends_with(0).out;
    assert!(said.contains("forced-without-pod"), "{said}");
    let purge = "argo-gc purge -n argo r141 r155 r51 --release-finalizer --yes --store-root";
    let mut arguments: Vec<String> = purge.split(' ').map(str::to_owned).collect();
    let buckets = case.0.path().join("buckets");
    fs::create_dir_all(buckets.join("argo")).unwrap();
    arguments.push(buckets.display().to_string());
    let purged = Ran::of(server.kubectl(arguments)).ends_with(0);
    let left =
        Ran::of(server.kubectl("get workflows.argoproj.io -n argo -o name".split(' '))).ends_with(0).out;
    assert_eq!(left.trim(), "", "{}\n{}", purged.out, purged.err);
}

/// A pod that has been Running, Unknown, Terminating or unseen for too long is in no place covered, healthy or forgotten.
#[test]
fn a_gc_pod_that_hangs_is_failing_everywhere_with_the_time_it_has_hung() {
    let hangs = ["gc-pod-hung", "not-recouped"];
    let fixtures: Vec<Fixture> = Fixture::all()
        .into_iter()
        .filter(|fixture| fixture.is_hit() && hangs.contains(&fixture.code()))
        .filter(|fixture| fixture.lines("denied").is_empty())
        .collect();
    assert!(fixtures.len() >= 4);
    let empty = tempfile::tempdir().unwrap();
    for fixture in fixtures {
        let path = fixture.path.display().to_string();
        let now = fixture.lines("now")[0];
        let found = verdicts(&document(now, &path, ""));
        assert!(found.iter().all(|row| row.contains("failing")), "{path}: {found:?}");
        let said = at(now, "doctor", &path, "");
        assert!(!said.contains("healthy") && said.contains(" ago"), "{path}: {said}");
        let said = at(now, "purge", &path, &format!("--dry-run --store-root {}", empty.path().display()));
        assert!(!said.contains("Nothing to delete\n"), "{path}: {said}");
        let hung = fixture.code() == "gc-pod-hung";
        assert!(!hung || said.contains("gc-active") && said.contains(" since 2026-11-20T"), "{path}: {said}");
    }
}

#[test]
fn records_without_nodes_are_unread_and_not_clean() {
    for fixture in Fixture::all().into_iter().filter(|f| f.is_hit() && f.code() == "nodes-unseen") {
        let path = fixture.path.display().to_string();
        let said = at(fixture.lines("now")[0], "inspect", &path, "");
        assert!(said.contains("As far as could be read") && said.contains("can't be seen"), "{said}");
        assert!(said.contains("Warning: cannot read the nodes of 1 workflow"), "{said}");
        let said = at(fixture.lines("now")[0], "doctor", &path, "");
        assert!(!said.contains("Artifact GC is healthy"), "{said}");
    }
}

#[test]
fn a_fate_has_a_date_where_a_ttl_gives_one() {
    let fixture = Fixture::all().into_iter().find(|f| f.path.ends_with("overdue/miss-ttl.yaml")).unwrap();
    let path = fixture.path.display().to_string();
    let now = "2026-11-20T08:31:05Z";
    let said = at(now, "inspect", &path, "-o wide --verdict covered");
    assert!(said.contains("   WHEN   ") && said.contains("2026-11-20T11:31:05Z"), "{said}");
    let said = at(now, "inspect", &path, "-o tree");
    assert!(said.contains("  ttl        2026-11-20T11:31:05Z"), "{said}");
    assert!(said.contains("when the workflow is deleted, by its TTL at 2026-11-20T11:31:05Z"), "{said}");
    assert_eq!(document(now, &path, "")["workflows"][0]["expiresAt"], "2026-11-20T11:31:05Z");
}

#[test]
fn a_blob_that_was_gone_before_gc_came_leaves_nothing_and_wants_an_upgrade() {
    let case = Case::new("17-azure-blob-gone");
    assert_eq!(case.verdicts("inspect -A -f input.yaml -o json"), ["azgone-x1c9f o failing azure-missing"]);
    let said = case.run("inspect -A -f input.yaml -o tree").ends_with(0).out;
    assert!(said.contains("v3.4.8") && said.contains("nothing left to delete"), "{said}");
    assert!(!said.contains("permissions on the bucket"), "{said}");
    let said = case.run("doctor -A -f input.yaml").ends_with(0).out;
    assert!(
        said.contains("Upgrade the controller to v3.4.8") && said.contains("--release-finalizer"),
        "{said}"
    );
}

#[test]
fn the_pods_own_message_shows_that_its_account_may_not_read_its_tasks() {
    let case = Case::new("08-rbac-default-sa");
    let rows = case.verdicts("inspect -A -f input.yaml -o json");
    assert_eq!(rows, ["large-259nm items failing gc-rbac"]);
    let said = case.run("doctor -A -f input.yaml").ends_with(0).out;
    assert!(said.contains("service-account-rights") && said.contains("kind: Role"), "{said}");

    let rows = case.verdicts("inspect -A -f only-workflow.yaml -o json");
    assert_eq!(rows, ["large-259nm items failing recouped-undeleted"]);
    let said = case.run("doctor -A -f only-workflow.yaml").ends_with(0).out;
    assert!(said.contains("The GC pod has ended") && !said.contains("failed to GC artifacts"), "{said}");
    assert!(said.contains("kubectl logs -n ceph large-259nm-artgc-wfcomp-2166136261"), "{said}");
}

#[test]
fn a_controller_with_an_instance_id_is_told_the_label() {
    let case = Case::new("07-instanceid");
    let rows = case.verdicts("inspect -A -f input.yaml -o json");
    assert!(rows.contains(&"iid-skshd failing instanceid".to_owned()), "{rows:?}");
    let said = case.run("doctor -A -f input.yaml").ends_with(0).out;
    assert!(said.contains("workflows.argoproj.io/controller-instanceid: \"blue\""), "{said}");
}

#[test]
fn a_workflow_without_artifacts_hangs_up_to_v3_5_10_and_wants_an_upgrade() {
    for (name, workflow) in
        [("09-no-artifacts-stuck", "fanin-q4kzr"), ("10-failed-early-stuck", "armfail-qzcrv")]
    {
        let case = Case::new(name);
        let rows = case.verdicts("inspect -A -f input.yaml -o json");
        assert_eq!(rows, [format!("{workflow} failing no-artifact-stuck")]);
        let said = case.run("doctor -A -f input.yaml").ends_with(0).out;
        assert!(said.contains("Upgrade the controller to v3.5.11, v3.6.0 or newer"), "{said}");
        // With its version known that is certain from the first second on.
        let deleted = Timestamp::now().to_string();
        let text = fs::read_to_string(case.0.path().join("input.yaml")).unwrap();
        let stamp = |line: &str| match line.trim_start().starts_with("deletionTimestamp:") {
            true => format!("  deletionTimestamp: '{deleted}'"),
            false => line.to_owned(),
        };
        let now: Vec<String> = text.lines().map(stamp).collect();
        fs::write(case.0.path().join("now.yaml"), now.join("\n")).unwrap();
        assert_eq!(case.verdicts("inspect -A -f now.yaml -o json"), rows);
    }
}

#[test]
fn an_artifact_without_a_location_ends_the_pod_for_the_others() {
    let case = Case::new("05-retry-attempt-without-location");
    let rows = case.verdicts("inspect -A -f input.yaml -o json");
    let with = |reason: &str| rows.iter().filter(|row| row.ends_with(&format!("failing {reason}"))).count();
    assert_eq!((with("unsaved-in-outputs"), with("batch-abort"), rows.len()), (1, 4, 5), "{rows:?}");
    let said = case.run("doctor -A -f input.yaml").ends_with(0).out;
    assert!(said.contains("v3.5.12, v3.6.0"), "{said}");
    // One of the four is not in the bucket, which is no error.
    let keys = case.planned("purge -A -f input.yaml --repository s3://retry-art@minio.storage:9000");
    assert_eq!(keys.len(), 3, "{keys:?}");

    let case = Case::new("21-optional-unwritten-deadline");
    let rows = case.verdicts("inspect -A -f input.yaml -o json");
    assert_eq!(rows, ["late-6kqmz first failing batch-abort", "late-6kqmz late failing unsaved-in-outputs"]);
    let keys =
        case.planned("purge -n dl late-6kqmz -f input.yaml --repository s3://dl-art@minio.storage:9000");
    assert_eq!(keys, ["late-6kqmz/late-6kqmz-a-1/f.tgz"]);
}

#[test]
fn a_gc_pod_without_memory_wants_more_of_it() {
    let case = Case::new("15-gc-pod-oom");
    assert_eq!(case.verdicts("inspect -A -f input.yaml -o json"), ["million-tq2pp o failing gc-oom"]);
    let said = case.run("doctor -A -f input.yaml").ends_with(0).out;
    assert!(said.contains("podSpecPatch") && said.contains("v3.5.0+"), "{said}");
}

#[test]
fn a_gc_pod_that_does_not_start_is_failing_with_the_time_it_waits() {
    let case = Case::new("29-gc-pod-pending");
    let rows = case.verdicts("inspect -A -f input.yaml -o json");
    assert_eq!(rows, ["pend-29xq7 o failing gc-pod-pending"]);
    let said = case.run("inspect -A -f input.yaml -o tree").ends_with(0).out;
    assert!(said.contains("ImagePullBackOff") && said.contains(" ago"), "{said}");
}

/// From files nobody knows whether there is a task; a cluster tells, as the fixture `processed-with-error` shows.
#[test]
fn a_task_that_was_refused_is_not_recouped_as_far_as_files_show() {
    let case = Case::new("26-task-refused");
    assert_eq!(case.verdicts("inspect -A -f input.yaml -o json"), ["slots-m2z7c o failing not-recouped"]);
}

#[test]
fn one_inline_template_takes_the_named_one_along() {
    let case = Case::new("27-inline-poison-mixed");
    let rows = case.verdicts("inspect -A -f input.yaml -o json");
    assert_eq!(rows, ["mix-4vt9s xx failing inline-poison", "mix-4vt9s yy failing inline-poison"]);
    let keys = case.planned("purge -A -f input.yaml --repository gs://mix-art");
    assert_eq!(keys, ["mix-4vt9s/mix-4vt9s-8/x.tgz", "mix-4vt9s/mix-4vt9s-gen-9/y.tgz"]);
}

#[test]
fn a_directory_that_s3_did_not_delete_is_found_and_taken_without_its_neighbour() {
    let case = Case::new("03-s3-parts-dir-false-deleted");
    let found = case.run("inspect -A -f input.yaml --check --store-root buckets -o json").ends_with(0).json();
    let rows = verdicts(&found);
    assert!(rows.contains(&"mapred-v8q2c parts uncovered deleted-but-present".to_owned()), "{rows:?}");
    let parts = found["workflows"][0]["artifacts"].as_array().unwrap().iter().find(|a| a["name"] == "parts");
    assert_eq!(parts.unwrap()["stored"]["objects"], 2);
    let repository = "--repository s3://integ-art@minio.storage:9000";
    let said = case.run(&format!("purge -A -f input.yaml --dry-run --store-root buckets {repository}"));
    let said = said.ends_with(0);
    assert!(said.err.contains("--reason deleted-but-present"), "{}", said.err);
    let keys = case.planned(&format!("purge -A -f input.yaml {repository} --reason deleted-but-present"));
    assert_eq!(keys, ["mapred-v8q2c/parts/0.json", "mapred-v8q2c/parts/1.json"]);
}

#[test]
fn a_key_of_all_runs_is_noted_once_and_its_object_is_kept() {
    let case = Case::new("14-shared-constant-key");
    let found = case.run("inspect -A -f input.yaml -o json").ends_with(0).json();
    let mut noted = 0;
    for workflow in found["workflows"].as_array().unwrap() {
        for artifact in workflow["artifacts"].as_array().unwrap() {
            let notes = artifact["notes"].as_array().unwrap();
            let shared = notes.iter().filter(|note| note["reason"] == "shared-key").count();
            assert!(shared <= 1, "{artifact:#}");
            noted += shared;
        }
    }
    assert!(noted >= 3, "{found:#}");
    let purge = "purge -A -f input.yaml --dry-run --store-root buckets --repository s3://backups";
    let said = case.run(purge).ends_with(0).out;
    assert!(said.contains("referenced") && said.contains("Nothing to delete"), "{said}");
}

/// The pod of the fixture is made when it is applied, so the diagnosis is that of three hours later.
#[test]
#[ignore = "tests/run brings what it needs"]
fn the_repairs_of_a_hung_gc_pod_work_as_printed_on_apiserver() {
    let server = ApiServer::start();
    let fixture = Fixture::all().into_iter().find(|f| f.path.ends_with("gc-pod-hung/hit.yaml")).unwrap();
    server.apply(&fixture.text);
    let _ = rustls::crypto::ring::default_provider().install_default();
    let later = Timestamp::now() + SignedDuration::from_hours(3);
    let kubeconfig = server.kubeconfig().display().to_string();
    let diagnose = ["argo-gc", "doctor", "-n", "gc-gc-pod-hung", "-o", "json", "--kubeconfig", &kubeconfig];
    let (code, out, err) = in_process(diagnose, "", later);
    assert_eq!(code, 0, "{err}");
    let diagnosis: Value = serde_json::from_str(&out).unwrap();
    let cause = diagnosis["causes"].as_array().unwrap().iter().find(|cause| cause["cause"] == "pod-hung");
    let cause = cause.unwrap_or_else(|| panic!("{diagnosis:#}"));
    let repairs = cause["repairs"].as_array().unwrap().iter();
    let commands: Vec<&str> = repairs
        .flat_map(|repair| repair["commands"].as_array().unwrap())
        .map(|command| command.as_str().unwrap().strip_prefix("kubectl ").unwrap())
        .collect();
    // The log is its kubelet's, and there is none here.
    let [_, delete, purge] = commands.as_slice() else { panic!("{commands:?}") };

    let buckets = tempfile::tempdir().unwrap();
    let object = buckets.path().join("gc-gc-pod-hung/train-h3n8p/train-h3n8p/model.tgz");
    fs::create_dir_all(object.parent().unwrap()).unwrap();
    fs::write(&object, "model").unwrap();
    let written: Timestamp = "2026-11-20T02:00:50Z".parse().unwrap();
    fs::File::options().write(true).open(&object).unwrap().set_modified(written.into()).unwrap();
    let folder = buckets.path().display().to_string();
    let place = ["--yes", "--repository", "gs://gc-gc-pod-hung", "--store-root", &folder];
    let run = |command: &str| Ran::of(server.kubectl(command.split(' ').chain(place)));

    // While the pod is there it may yet delete something, and a purge stays away.
    let said = run(purge).ends_with(0);
    assert!(object.exists(), "{}\n{}", said.out, said.err);
    Ran::of(server.kubectl(delete.split(' '))).ends_with(0);
    let said = run(purge).ends_with(0);
    assert!(!object.exists(), "{}\n{}", said.out, said.err);
    let left = Ran::of(server.kubectl("get workflows.argoproj.io -n gc-gc-pod-hung -o name".split(' ')));
    assert_eq!(left.ends_with(0).out.trim(), "", "{}\n{}", said.out, said.err);
}

#[test]
fn a_workflow_that_was_deleted_long_ago_and_still_runs_is_not_healthy() {
    let fixture = Fixture::all().into_iter().find(|f| f.path.ends_with("nodes-offloaded/miss.yaml")).unwrap();
    let deleted = "  deletionTimestamp: \"2026-11-20T09:00:00Z\"\n  finalizers:\n";
    let text = fixture.text.replace("  finalizers:\n", deleted);
    let text = text
        .replace("\n  phase: Succeeded\n", "\n  phase: Running\n")
        .replace("completed: \"true\"", "x: \"\"");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("running.yaml").display().to_string();
    fs::write(&path, text).unwrap();
    let said = at("2026-11-20T12:00:00Z", "doctor", &path, "");
    assert!(said.contains("still-runs") && !said.contains("healthy"), "{said}");
    assert!(said.contains("--type=merge -p '{\"spec\":{\"shutdown\":\"Terminate\"}}'"), "{said}");
    // Within the hour it may just be ending, and up to v3.5.1 nothing waits for its end.
    for (now, version) in [("2026-11-20T09:50:00Z", ""), ("2026-11-20T12:00:00Z", "--argo-version v3.5.1")] {
        assert!(!at(now, "doctor", &path, version).contains("still-runs"));
    }
}
