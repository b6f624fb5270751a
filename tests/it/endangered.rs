//! The hazard `endangered`: what Argo's own collection will delete although something needs it.

use serde_json::{Value, json};

use crate::support::plugin;
use crate::support::purge::{BUCKET, Folder, Live, Ran, pod, workflow};

/// A finished workflow of one named template, whose outputs Argo collects by this strategy.
fn collected(namespace: &str, name: &str, keys: &[&str], strategy: &str) -> Value {
    let mut wf = workflow(namespace, name, keys);
    let mut template = wf["spec"]["templates"][0]["steps"][0][0]["inline"].take();
    template["name"] = json!("step");
    wf["spec"]["templates"][0]["steps"][0][0] = json!({ "name": "step", "template": "step" });
    wf["spec"]["templates"].as_array_mut().unwrap().push(template);
    wf["spec"]["artifactGC"]["strategy"] = json!(strategy);
    pod(&mut wf)["templateName"] = json!("step");
    if strategy != "Never" {
        wf["status"]["artifactGCStatus"] = json!({});
        wf["metadata"]["finalizers"] = json!(["workflows.argoproj.io/artifact-gc"]);
    }
    wf
}

const DELETION: &str = "OnWorkflowDeletion";

fn other(kind: &str, namespace: &str, name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": kind,
        "metadata": { "name": name, "namespace": namespace }, "spec": spec,
    })
}

fn reading(key: &str) -> Value {
    json!({ "artifacts": [{ "name": "in", "gcs": { "bucket": BUCKET, "key": key } }] })
}

/// What `inspect --endangered` says of an artifact: its verdict and the evidence of who needs it.
#[track_caller]
fn said(folder: &Folder, workflow: &str) -> (String, Vec<String>) {
    let document = inspected(folder, &["--endangered"]).ends_with(0).json();
    let workflows = document["workflows"].as_array().unwrap();
    let found = workflows.iter().find(|found| found["name"] == workflow).unwrap();
    let artifact = &found["artifacts"][0];
    let evidence = artifact["evidence"].as_array().unwrap().iter();
    let evidence = evidence
        .map(|fact| format!("{} {}", fact["field"].as_str().unwrap(), fact["value"].as_str().unwrap()))
        .filter(|fact| fact.contains(" by ") || fact.contains("collected with"))
        .collect();
    (artifact["verdict"].as_str().unwrap().to_owned(), evidence)
}

fn inspected(folder: &Folder, flags: &[&str]) -> Ran {
    let format = if flags.contains(&"-o") { &[][..] } else { &["-o", "json"] };
    folder.run("inspect", &[flags, format].concat())
}

fn endangered(evidence: &str) -> (String, Vec<String>) {
    ("endangered".to_owned(), vec![evidence.to_owned()])
}

#[test]
fn a_key_that_another_workflow_keeps_is_told_of_both() {
    let mut folder = Folder::new();
    folder.add(collected("ml", "train", &["latest.tgz"], DELETION));
    folder.add(collected("prod", "serve", &["latest.tgz"], "Never"));
    assert_eq!(said(&folder, "train"), endangered("kept by workflow prod/serve"));
    assert_eq!(said(&folder, "serve"), endangered("collected with an artifact of workflow ml/train"));
    // It is looked for where it is asked for.
    let plain = inspected(&folder, &[]).ends_with(0).json();
    // It takes a reading more, so it is looked for only if asked.
    assert_ne!(plain["workflows"][0]["artifacts"][0]["verdict"], "endangered", "{plain:#}");
    for flags in [["--fail-on", "endangered"], ["--fail-on", "failing,endangered"]] {
        inspected(&folder, &flags).ends_with(3);
    }
    let only = inspected(&folder, &["--verdict", "endangered"]).ends_with(0).json();
    assert_eq!(only["summary"]["artifacts"]["endangered"], 2, "{only:#}");
    // Its own row.
    let table = inspected(&folder, &["--endangered", "-o", "table"]).ends_with(0).out;
    let row = table.lines().find(|line| line.contains("train")).unwrap();
    assert!(row.contains("endangered   endangered   gs://ml-artifacts/latest.tgz"), "{table}");
    assert!(
        table.contains("2 artifacts that Argo will delete although something needs the object"),
        "{table}"
    );
}

#[test]
fn a_key_that_all_give_up_endangers_nobody() {
    let mut folder = Folder::new();
    folder.add(collected("ml", "train", &["latest.tgz"], DELETION));
    folder.add(collected("prod", "serve", &["latest.tgz"], DELETION));
    folder.add(collected("prod", "keep", &["other.tgz"], "Never"));
    assert_eq!(said(&folder, "train").0, "covered");
    assert_eq!(said(&folder, "keep").0, "kept");
    inspected(&folder, &["--fail-on", "endangered"]).ends_with(0);
}

#[test]
fn what_a_cache_hands_out_is_endangered() {
    let cache = |key: &str| {
        let entry = json!({ "nodeID": "x", "outputs": { "artifacts": [
            { "name": "out", "gcs": { "bucket": BUCKET, "key": key } },
        ] } });
        json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "name": "builds", "namespace": "ml",
                          "labels": { "workflows.argoproj.io/configmap-type": "Cache" } },
            "data": { "key": entry.to_string() },
        })
    };
    for (key, expected) in [
        ("train/a.tgz", endangered("handed out by cache ml/builds")),
        ("train/b.tgz", ("covered".to_owned(), Vec::new())),
    ] {
        let mut folder = Folder::new();
        folder.add(collected("ml", "train", &["train/a.tgz"], DELETION)).add(cache(key));
        assert_eq!(said(&folder, "train"), expected);
    }
}

#[test]
fn what_is_still_to_be_read_is_endangered() {
    let running = |phase: &str, key: &str| {
        let mut next = workflow("ml", "next", &[]);
        next["status"]["phase"] = json!(phase);
        if phase != "Succeeded" {
            next["metadata"]["labels"] = json!({});
        }
        next["spec"]["arguments"] = reading(key);
        next
    };
    let key = "train/a.tgz";
    let arguments = json!({ "arguments": reading(key) });
    let workflow_of = json!({ "workflowSpec": { "arguments": reading(key) } });
    let writes = json!({ "templates": [{ "name": "t", "outputs": reading(key) }] });
    let any = json!({ "arguments": reading("train/{{workflow.parameters.name}}") });
    let covered = || ("covered".to_owned(), Vec::new());
    for (object, expected) in [
        (running("Running", key), endangered("read by workflow ml/next")),
        (running("Pending", key), endangered("read by workflow ml/next")),
        (running("Succeeded", key), covered()),
        (running("Running", "train/b.tgz"), covered()),
        (other("WorkflowTemplate", "ci", "t", &arguments), endangered("read by workflow template ci/t")),
        (other("CronWorkflow", "ci", "c", &workflow_of), endangered("read by cron workflow ci/c")),
        (other("Sensor", "ci", "s", &arguments), endangered("read by sensor ci/s")),
        // It writes there, or reads what nobody knows yet.
        (other("WorkflowTemplate", "ci", "t", &writes), covered()),
        (other("WorkflowTemplate", "ci", "t", &any), covered()),
    ] {
        let mut folder = Folder::new();
        folder.add(collected("ml", "train", &[key], DELETION)).add(object.clone());
        assert_eq!(said(&folder, "train"), expected, "{object}");
    }
}

#[test]
fn what_can_not_be_read_twice_is_a_gap() {
    let list =
        json!({ "apiVersion": "v1", "kind": "List", "items": [collected("ml", "train", &["a"], DELETION)] });
    let command = plugin(["inspect", "-f", "-", "--endangered", "-o", "json"]);
    let document = Ran::with_input(command, list.to_string()).ends_with(0).json();
    let gaps = document["gaps"].to_string();
    assert!(
        gaps.contains("it is read once; use a file") && gaps.contains("what needs an artifact"),
        "{gaps}"
    );
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn a_cluster_tells_what_other_namespaces_keep_on_apiserver_and_fake_gcs() {
    let live = Live::start("endangered");
    live.server.apply(collected("endangered", "train", &["latest.tgz"], DELETION));
    live.server.apply(collected("endangered-too", "serve", &["latest.tgz"], "Never"));
    let inspect = |flags: &[&str]| {
        // No controller is seen in the cluster of the tests; the version says that there is one.
        let words = [&["-n", "endangered", "-o", "json", "--argo-version", "v4.1.2"][..], flags].concat();
        Ran::of(live.command("inspect", &words))
    };
    let document = inspect(&["--endangered"]).ends_with(0).json();
    let artifact = &document["workflows"][0]["artifacts"][0];
    assert_eq!(artifact["verdict"], "endangered", "{document:#}");
    assert!(artifact["evidence"].to_string().contains("workflow endangered-too/serve"), "{artifact:#}");
    inspect(&["--fail-on", "endangered"]).ends_with(3);
    let plain = inspect(&[]).ends_with(0).json();
    // It takes a reading more, so it is looked for only if asked.
    assert_ne!(plain["workflows"][0]["artifacts"][0]["verdict"], "endangered", "{plain:#}");
}

/// Severity, code, artifact and detail of what `lint` finds of this hazard.
fn linted(manifests: &str) -> Vec<String> {
    let ran = Ran::with_input(plugin(["lint", "-f", "-", "-o", "json"]), manifests);
    let report = ran.ends_with(0).json();
    let findings = report["findings"].as_array().unwrap().iter();
    let findings = findings.filter(|finding| finding["code"] == "endangered");
    let row = |finding: &Value| {
        let text = |field: &str| finding[field].as_str().unwrap_or_default().to_owned();
        format!("{} {} {} {}", finding["line"], text("severity"), text("artifact"), text("why"))
    };
    findings.map(row).collect()
}

fn manifest(name: &str, strategy: &str, key: &str, more: &str) -> String {
    format!(
        "apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {{ name: {name} }}
spec:
  entrypoint: main
  artifactGC: {{ strategy: {strategy}, serviceAccountName: gc }}
  templates:
  - name: main
    container: {{ image: busybox }}{more}
    outputs:
      artifacts:
      - {{ name: model, path: /out, gcs: {{ key: \"{key}\" }} }}
"
    )
}

#[test]
fn lint_tells_a_literal_key_that_another_manifest_keeps() {
    let take = |key: &str| manifest("train", DELETION, key, "");
    let both = format!("{}---\n{}", take("latest.tgz"), manifest("serve", "Never", "latest.tgz", ""));
    let words = "12 note model Workflow/serve keeps \"latest.tgz\" (Never, template main), and this \
                 collection deletes it";
    assert_eq!(linted(&both), [words]);
    // Without a strategy an object stays too, unless the strategy may come from elsewhere.
    let unset = manifest("serve", "''", "latest.tgz", "");
    let found = linted(&format!("{}---\n{unset}", take("latest.tgz")));
    assert_eq!(found, [words.replace("Never", "no strategy")]);
    let template = unset.replace("kind: Workflow", "kind: WorkflowTemplate");
    for (one, other) in [
        (take("latest.tgz"), template),
        (take("latest.tgz"), manifest("serve", "Never", "other.tgz", "")),
        (take("latest.tgz"), manifest("serve", DELETION, "latest.tgz", "")),
        (take("{{workflow.uid}}/m"), manifest("serve", "Never", "{{workflow.uid}}/m", "")),
    ] {
        assert_eq!(linted(&format!("{one}---\n{other}")), [""; 0]);
    }
    let command = plugin(["lint", "-f", "-", "--fail-on", "endangered"]);
    Ran::with_input(command, both).ends_with(3);
}

#[test]
fn lint_tells_a_memoized_step_with_a_strategy() {
    let memoize = "\n    memoize: { key: k, cache: { configMap: { name: c } } }";
    let key = "{{workflow.uid}}/m";
    let found = linted(&manifest("train", DELETION, key, memoize));
    assert!(
        found.len() == 1 && found[0].contains("a cache hands out the object of an earlier run"),
        "{found:?}"
    );
    assert_eq!(linted(&manifest("train", "Never", key, memoize)), [""; 0]);
    assert_eq!(linted(&manifest("train", DELETION, key, "")), [""; 0]);
}
