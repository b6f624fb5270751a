//! What is running or yet to run may name an object in any text and in any form: it is kept (danger 36).

use serde_json::{Value, json};

use crate::support::purge::{BUCKET, ENDED, Folder, Live, deletes, pod, protections, workflow};

/// Forms in which texts name the object `KEY`, its folder `DIR`, or something in it.
const FORMS: [&str; 31] = [
    "KEY",
    "gs://ml-artifacts/DIR/",
    "gs://ml-artifacts/DIR/*",
    "gs://ml-artifacts/DIR",
    "[x, gs://ml-artifacts/KEY]",
    "{in: gs://ml-artifacts/KEY}",
    "${IN:-gs://ml-artifacts/KEY}",
    "gs://ml-artifacts/KEY#1700000000",
    "a:gs://ml-artifacts/KEY",
    "gs://ml-artifacts/KEY.",
    "gs://ml-artifacts/DIR%2Fmodel.tgz",
    "https://console.cloud.google.com/storage/browser/_details/ml-artifacts/KEY;tab=live_object?project=p",
    "https://console.cloud.google.com/storage/browser/ml-artifacts/DIR?project=p",
    "ml-artifacts/KEY",
    "/gcs/ml-artifacts/KEY",
    "bucket=ml-artifacts key=KEY",
    "gcs:ml-artifacts/KEY",
    "gs://ml-artifacts/DIR/{{item}}",
    "gs://ml-artifacts/${RUN}/DIR-main/model.tgz",
    "DIR",
    "--run DIR --fast",
    "{\"in\": \"KEY\"}",
    "{\"in\": \"{\\\"in\\\": \\\"a\\\\nKEY\\\"}\"}",
    "spec: {inputs: {artifacts: [{name: {{x}}, gcs: {key: KEY}}]}}",
    "name: {{x}}\ngcs:\n  key: KEY # of the last run\n",
    "name: {{x}}\ngcs:\n  key: >-\n    KEY\n",
    "{\"name\":{{x}},\"gcs\":{\"key\":\"KEY\"}}",
    "KEY/part-1",
    "cat <<< KEY; echo",
    "set -e\nrun --in KEY\n",
    "gs://ml-artifacts/a,gs://ml-artifacts/KEY",
];

/// One finished workflow for each form, and one that nobody names. With the texts that name them.
fn named() -> (Folder, Vec<String>) {
    let mut folder = Folder::new();
    let mut texts = Vec::new();
    for (at, form) in FORMS.iter().enumerate() {
        let name = format!("train-{at:05}");
        let key = match form.contains("-main") {
            true => format!("{name}/{name}-main/model.tgz"),
            false => format!("{name}/model.tgz"),
        };
        folder.add(workflow("ml", &name, &[&key])).put(&key);
        texts.push(form.replace("KEY", &key).replace("DIR", &name));
    }
    folder.add(workflow("ml", "free-bcd42", &["free-bcd42/other.tgz"])).put("free-bcd42/other.tgz");
    (folder, texts)
}

fn parameters(texts: &[String]) -> Value {
    let parameter = |(at, text): (usize, &String)| json!({ "name": format!("p{at}"), "value": text });
    json!({ "parameters": texts.iter().enumerate().map(parameter).collect::<Vec<_>>() })
}

fn object(kind: &str, spec: &Value) -> Value {
    json!({ "apiVersion": "argoproj.io/v1alpha1", "kind": kind,
        "metadata": { "name": "reader", "namespace": "x" }, "spec": spec })
}

/// A workflow that is not over.
fn unfinished(status: Value, texts: &[String]) -> Value {
    let mut reader = workflow("x", "reader", &[]);
    reader["metadata"]["labels"] = json!({ "workflows.argoproj.io/completed": "false" });
    reader["spec"]["arguments"] = parameters(texts);
    reader["status"] = status;
    reader
}

#[test]
fn danger_36_whatever_runs_or_is_yet_to_run_keeps_what_its_texts_name() {
    let (_, texts) = named();
    let arguments = parameters(&texts);
    let defaults = json!([{ "name": "main", "inputs": arguments, "container": { "image": "x" } }]);
    let script = json!([{ "name": "main", "script": { "image": "x", "source": texts.join(" \n") } }]);
    let manifests: Vec<Value> = texts
        .iter()
        .map(|text| json!({ "name": "make", "resource": { "action": "create", "manifest": text } }))
        .collect();
    let sensor = json!({ "triggers": [{ "template": { "argoWorkflow": {
        "source": { "resource": { "kind": "Workflow", "spec": { "arguments": arguments } } } } } }] });
    let mut compressed = unfinished(json!({ "phase": "Running" }), &[]);
    let nodes = json!({ "reader": { "id": "reader", "name": "reader", "inputs": arguments } });
    compressed["status"]["compressedNodes"] = json!(gzipped(&nodes.to_string()));
    let suspended = json!({ "phase": "Running", "nodes": { "reader": { "id": "reader", "name": "reader",
        "type": "Suspend", "phase": "Running" } } });
    for (place, referrer) in [
        ("unfinished workflow x/reader", unfinished(json!({}), &texts)),
        ("unfinished workflow x/reader", unfinished(json!({ "phase": "Pending" }), &texts)),
        ("running workflow x/reader", unfinished(json!({ "phase": "Running" }), &texts)),
        ("running workflow x/reader", unfinished(suspended, &texts)),
        ("running workflow x/reader", compressed),
        (
            "cron workflow x/reader",
            object("CronWorkflow", &json!({ "workflowSpec": { "arguments": arguments } })),
        ),
        ("workflow template x/reader", object("WorkflowTemplate", &json!({ "arguments": arguments }))),
        ("workflow template x/reader", object("WorkflowTemplate", &json!({ "templates": defaults }))),
        ("workflow template x/reader", object("WorkflowTemplate", &json!({ "templates": script }))),
        ("workflow template x/reader", object("WorkflowTemplate", &json!({ "templates": manifests }))),
        ("sensor x/reader", object("Sensor", &sensor)),
    ] {
        let (mut folder, _) = named();
        folder.add(referrer);
        let plan = folder.plan(&["-n", "ml", "--all"]);
        assert_eq!(deletes(&plan), ["free-bcd42/other.tgz"], "{place}");
        assert_eq!(protections(&plan), ["referenced"], "{place}");
        assert!(
            plan.to_string().contains(&format!("by {place}: its text names train-00000/model.tgz")),
            "{plan:#}"
        );
    }
}

/// The text as Argo compresses it, though in stored blocks: the simplest form of gzip.
fn gzipped(text: &str) -> String {
    use base64::Engine as _;
    let mut packed = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let chunks: Vec<&[u8]> = text.as_bytes().chunks(60_000).collect();
    for (at, chunk) in chunks.iter().enumerate() {
        let length = u16::try_from(chunk.len()).unwrap();
        packed.push(u8::from(at + 1 == chunks.len()));
        packed.extend(length.to_le_bytes());
        packed.extend((!length).to_le_bytes());
        packed.extend_from_slice(chunk);
    }
    let bits = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    let crc = text.bytes().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(byte), bits));
    packed.extend((!crc).to_le_bytes());
    packed.extend(u32::try_from(text.len()).unwrap().to_le_bytes());
    base64::engine::general_purpose::STANDARD.encode(packed)
}

#[test]
fn danger_36_the_end_of_a_key_after_a_variable_keeps_what_ends_so() {
    let mut folder = Folder::new();
    for (name, key) in [("train-bcd42", "train-bcd42/model.tgz"), ("other-bcd42", "other-bcd42/data.tgz")] {
        folder.add(workflow("ml", name, &[key])).put(key);
    }
    let key = |key: &str| json!({ "artifacts": [{ "name": "a", "gcs": { "key": key } }] });
    let templates = json!([{ "name": "main", "inputs": key("{{inputs.parameters.run}}/model.tgz"),
        "outputs": key("{{inputs.parameters.run}}/data.tgz") }]);
    folder.add(object("WorkflowTemplate", &json!({ "templates": templates })));
    let plan = folder.plan(&["-n", "ml", "--all"]);
    assert_eq!(deletes(&plan), ["other-bcd42/data.tgz"]);
    assert!(plan.to_string().contains("its text names model.tgz after a variable or wildcard"), "{plan:#}");
}

#[test]
fn what_names_a_neighbour_or_is_over_keeps_nothing() {
    let mut folder = Folder::new();
    folder.add(workflow("ml", "train-bcd42", &["train-bcd42/model.tgz"])).put("train-bcd42/model.tgz");
    let mut over = workflow("x", "over", &[]);
    over["spec"]["arguments"] = parameters(&["train-bcd42/model.tgz".to_owned()]);
    folder.add(over);
    let texts = [
        "gs://ml-artifacts/train-bcd42/other.tgz",
        "train-bcd42/model.tgz2",
        "train-bcd4",
        "gs://ml-artifacts/",
    ];
    folder.add(unfinished(json!({ "phase": "Running" }), &texts.map(str::to_owned)));
    assert_eq!(deletes(&folder.plan(&["-n", "ml", "--all"])), ["train-bcd42/model.tgz"]);
}

/// A text may name an object of a directory by the directory alone, or by another object of it.
#[test]
fn danger_36_a_directory_is_kept_whole() {
    let mut folder = Folder::new();
    let mut wf = workflow("ml", "train", &["data/v1"]);
    pod(&mut wf)["outputs"]["artifacts"][0]["archive"] = json!({ "none": {} });
    folder.add(wf).add(unfinished(json!({ "phase": "Running" }), &["data/v1/part-7".to_owned()]));
    ["data/v1/part-1", "data/v1/part-2"].iter().for_each(|key| folder.put(key));
    let plan = folder.plan(&["-n", "ml", "--all"]);
    assert!(deletes(&plan).is_empty(), "{plan:#}");
    assert_eq!(protections(&plan), ["referenced"]);
}

#[test]
fn danger_36_an_orphan_that_a_text_names_is_kept_by_its_plan() {
    let mut folder = Folder::new();
    folder.add(unfinished(json!({ "phase": "Running" }), &["gone-bcd42/gone-bcd42-7/a.tgz".to_owned()]));
    ["gone-bcd42/gone-bcd42-7/a.tgz", "gone-bcd42/gone-bcd42-7/b.tgz"]
        .iter()
        .for_each(|key| folder.put_at(BUCKET, key, ENDED * 10));
    let directory = tempfile::tempdir().unwrap();
    let plan = directory.path().join("plan.json").display().to_string();
    let arguments = ["--repository", "gs://ml-artifacts", "--exclusive", "--plan-out", &plan];
    let ran = folder.run("orphans", &arguments).ends_with(0);
    assert!(ran.err.contains("Note: 1 object will be kept"), "{}", ran.err);
    let plan: Value = serde_json::from_str(&std::fs::read_to_string(plan).unwrap()).unwrap();
    assert_eq!(deletes(&plan), ["gone-bcd42/gone-bcd42-7/b.tgz"]);
    assert_eq!(protections(&plan), ["referenced"]);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn danger_36_a_key_in_a_parameter_is_kept_by_a_new_and_a_saved_plan_on_apiserver_and_fake_gcs() {
    let live = Live::with("texts", "train", &["texts/a.tgz", "texts/b.tgz", "texts/dir"]);
    let mut reader = live.workflow("reader", &[]);
    reader["metadata"]["labels"]["workflows.argoproj.io/completed"] = json!("false");
    reader["status"]["phase"] = json!("Running");
    reader["spec"]["arguments"] = parameters(&["texts/a.tgz".to_owned()]);
    let plan = live.file("plan.json");
    live.purge(&["train", "--plan-out", &plan]).ends_with(0);
    live.server.apply(reader);
    let ran = live.purge(&["--plan", &plan, "--dry-run"]).ends_with(0);
    assert!(ran.out.contains("by running workflow texts/reader: its text names texts/a.tgz"), "{}", ran.out);
    let ran = live.purge(&["train", "--dry-run", "-o", "json"]).ends_with(0);
    assert_eq!(deletes(&ran.json()), ["texts/b.tgz", "texts/dir"]);
    let ran = live.purge(&["--plan", &plan, "--yes"]).ends_with(4);
    assert!(ran.err.contains("Note: 1 object of the plan will be kept"), "{}", ran.err);
    assert_eq!(live.gcs.keys(live.namespace), ["texts/a.tgz"]);
    live.was_careful(&["texts/b.tgz", "texts/dir"]);
}
