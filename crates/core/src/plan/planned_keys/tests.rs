#![allow(clippy::unwrap_used)]

use super::*;
use crate::model::bucket::Bucket;
use crate::model::engine::StorageEngine;
use proptest::prelude::*;
use serde_json::json;

const KEY: PlannedKey<'_> =
    PlannedKey { bucket: "b", key: "train-x7k2p/pod-1/model.tgz", workflow: "train-x7k2p", uid: "u-1" };

fn index(keys: &[PlannedKey], allowed: &Allowed) -> PlannedKeys {
    let mut builder = PlannedKeysBuilder::new(allowed);
    keys.iter().for_each(|key| builder.add(key));
    builder.finish()
}

fn names(planned: PlannedKey, text: &str) -> bool {
    names_within(planned, text, &Allowed::default())
}

fn names_within(planned: PlannedKey, text: &str, allowed: &Allowed) -> bool {
    let keys = index(&[planned], allowed);
    let hits = keys.named_in(text);
    keys.find(&planned, |hash| hits.contains(&hash).then_some(())).is_some()
}

/// Places below these prefixes of the bucket `b`.
fn allowed(prefix: &str) -> Allowed {
    let mut allowed = Allowed::default();
    allowed.add(Bucket::new(StorageEngine::Gcs, "", "b").unwrap(), prefix);
    allowed
}

/// How a key, a folder above it or something below it is written.
const FORMS: [&str; 49] = [
    "train-x7k2p/pod-1/model.tgz",
    "/train-x7k2p/pod-1/model.tgz",
    "./train-x7k2p//pod-1/./model.tgz",
    "old/../train-x7k2p/pod-1/model.tgz",
    "gs://b/train-x7k2p/pod-1/model.tgz",
    "gs://b/train-x7k2p/pod-1/model.tgz#1699999999",
    "gs://b/train-x7k2p/pod-1/model.tgz.",
    "(see gs://b/train-x7k2p/pod-1/model.tgz)",
    "a:gs://b/train-x7k2p/pod-1/model.tgz",
    "[x, gs://b/train-x7k2p/pod-1/model.tgz]",
    "{in: gs://b/train-x7k2p/pod-1/model.tgz}",
    "${IN:-gs://b/train-x7k2p/pod-1/model.tgz}",
    "gsutil cp -r gs://b/train-x7k2p/* /tmp",
    "gs://b/train-x7k2p/**/*.tgz",
    "gs://b/train-x7k2p/",
    "gs://b/train-x7k2p",
    "gs://b/train-*/pod-1/other.tgz",
    "gs://b/train-x7k2p/{{item}}/x",
    "gs://b/train-x7k2p/pod-{{item}}.tgz",
    "gs://b/train-x7k2p/pod-$N",
    "gs://b/train-x7k2p/{pod-1,pod-2}/x",
    "gs://b/$RUN/pod-1/model.tgz",
    "gs://b/${RUN}/pod-1/model.tgz",
    "b/train-x7k2p/pod-1/model.tgz",
    "/gcs/b/train-x7k2p/pod-1/model.tgz",
    "bucket=b key=train-x7k2p/pod-1/model.tgz",
    "gcs:b/train-x7k2p/pod-1/model.tgz",
    "--in=train-x7k2p/pod-1/model.tgz",
    "gs://b/train-x7k2p%2Fpod-1%2Fmodel.tgz",
    "https://storage.googleapis.com/storage/v1/b/b/o/train-x7k2p%2Fpod-1%2Fmodel.tgz?alt=media",
    "https://x/?prefix=train-x7k2p%252Fpod-1%252Fmodel.tgz",
    "https://console.cloud.google.com/storage/browser/_details/b/train-x7k2p/pod-1/model.tgz;tab=live?project=p",
    "https://console.cloud.google.com/storage/browser/b/train-x7k2p?project=p",
    "https://b.s3.eu-west-1.amazonaws.com/train-x7k2p/pod-1/model.tgz?X-Amz-Signature=abc",
    "abfss://b@account.dfs.core.windows.net/train-x7k2p/pod-1/model.tgz",
    r#"{"in":"gs:\/\/b\/train-x7k2p\/pod-1\/model.tgz"}"#,
    r#"{"in":"{\"in\":\"train-x7k2p/pod-1\\u002fmodel.tgz\"}"}"#,
    r#"echo "{\"in\":\"line\ntrain-x7k2p/pod-1/model.tgz\"}" {"#,
    r"train-x7k2p\x2fpod-1\/model.tgz",
    "train-x7k2p/pod\\\n    -1/model.tgz",
    "gcs: {bucket: b, key: train-x7k2p/pod-1/model.tgz} # the last run",
    "key: train-x7k2p/pod-1/model.tgz # the last run",
    "key: >-\n  train-x7k2p/pod-1/model.tgz\nname: {{x}}",
    "train-x7k2p",
    "--run train-x7k2p --fast",
    "{{inputs.parameters.dir}}/model.tgz",
    "{{ workflow.parameters.run }}/pod-1/model.tgz",
    "{{workflow.parameters.run}}/pod-1/model.tgz/part-7",
    "train-x7k2p/pod-1/model.tgz/part-7",
];

#[test]
fn every_form_of_a_key_and_of_its_folders_is_found_in_every_place() {
    for form in FORMS {
        let flow = format!("spec: {{arguments: {{parameters: [{{name: {{{{x}}}}, value: \"{form}\"}}]}}}}");
        for (place, text) in [
            ("text", form.to_owned()),
            ("value", json!({ "arguments": { "parameters": [{ "name": "k", "value": form }] } }).to_string()),
            ("within", json!({ "args": [format!("set -e; run {form}\n")] }).to_string()),
            ("nested", json!({ "manifest": json!({ "value": form }).to_string() }).to_string()),
            ("flow", json!({ "manifest": flow }).to_string()),
        ] {
            assert!(names(KEY, &text), "{place}: {text}");
        }
    }
}

#[test]
fn neighbours_and_other_objects_of_the_folder_are_not_named() {
    for text in [
        "train-x7k2p/pod-1/model.tgz2",
        "train-x7k2p/pod-1/model",
        "train-x7k2p/pod-1/a-model.tgz",
        "atrain-x7k2p/pod-1/model.tgz",
        "gs://b/train-x7k2p/pod-1/other.tgz",
        "gs://b/train-x7k2p/pod-2/",
        "gs://b/train-x7k2pq/",
        "gs://b/",
        "gs://b",
        "gs://b/*",
        "pod-1/model.tgz",
        "model.tgz",
        "{{workflow.name}}/model.tgz",
        "{{ pod.name }}/model.tgz",
        "{{inputs.parameters.dir}}/other.tgz",
        "{{inputs.parameters.dir}}.tgz",
        "${HOME}/model.tgz",
    ] {
        assert!(!names(KEY, text), "{text}");
    }
    // What is written by a template is not read.
    let outputs = json!({ "outputs": { "artifacts": [{ "key": "{{inputs.parameters.x}}/model.tgz" }] } });
    assert!(!names(KEY, &outputs.to_string()));
    let inputs = json!({ "inputs": outputs["outputs"] });
    assert!(names(KEY, &inputs.to_string()));
}

#[test]
fn a_name_that_is_a_plain_word_counts_as_a_folder_and_not_as_a_word() {
    let planned = PlannedKey { key: "train/model.tgz", workflow: "train", ..KEY };
    for text in [
        "gs://b/train",
        "gs://b/train/",
        "train/",
        "train/*",
        "ls train/ /tmp",
        "cp train/mo* /tmp",
        "b/train",
        "--run=train",
        "run: train\nx",
        "train",
    ] {
        assert!(names(planned, text), "{text}");
    }
    assert!(names(planned, &json!({ "parameters": [{ "name": "run", "value": "train" }] }).to_string()));
    for text in
        ["python train --fast", "to train a model", "/tmp/train/", "gs://other/train/", "ghcr.io/x/train:v1"]
    {
        assert!(!names(planned, text), "{text}");
    }
    let identifiers = json!({ "spec": { "entrypoint": "train", "templates": [{ "name": "train", "command": ["train"] }] },
        "nodes": { "train": { "templateName": "train", "templateScope": "local/train" } },
        "metadata": { "managedFields": [{ "f:train/": {}, "x": "train" }] } });
    assert!(!names(planned, &identifiers.to_string()));
}

#[test]
fn a_key_of_one_word_is_found_as_a_word() {
    let planned = PlannedKey { key: "latest.tgz", ..KEY };
    for text in ["latest.tgz", "cp latest.tgz.", "gs://b/latest.tgz", "x=latest.tgz", "(latest.tgz)"] {
        assert!(names(planned, text), "{text}");
        assert!(
            names(planned, &json!({ "command": ["sh", "-c", format!("cat {text}")] }).to_string()),
            "{text}"
        );
    }
    assert!(!names(planned, "latest.tgz2 alatest.tgz") && !names(planned, r#"{"name":"latest.tgz"}"#));
    // A number of JSON may be a key, too.
    for (key, text) in [("7", r#"{"value":7}"#), ("-7", r#"{"value":-7}"#), ("1.5", r#"{"value":1.5}"#)] {
        assert!(names(PlannedKey { key, ..KEY }, text), "{text}");
    }
}

#[test]
fn a_folder_that_tells_no_workflow_counts_with_its_bucket_only() {
    let planned = PlannedKey { key: "artifacts/ml/v1/model.tgz", ..KEY };
    let within = allowed("artifacts/");
    for text in [
        "gs://b/artifacts/ml/v1/",
        "gs://b/artifacts/ml",
        "gs://b/artifacts/ml/*",
        "b/artifacts/ml/v1",
        "https://b.s3.amazonaws.com/artifacts/ml/",
        "abfss://b@account.dfs.core.windows.net/artifacts/ml/",
    ] {
        assert!(names_within(planned, text, &within), "{text}");
    }
    for text in [
        "gs://b/artifacts",
        "gs://b/artifacts/",
        "artifacts/ml/",
        "gs://other/artifacts/ml/",
        "gs://b/art*",
        // A single object in the folder is not the folder.
        "gs://b/artifacts/ml/v1/other.tgz",
        "gs://b/artifacts/ml/v2/",
    ] {
        assert!(!names_within(planned, text, &within), "{text}");
    }
    assert!(names(planned, "gs://b/artifacts/"), "nothing says that all keys are there");
}

/// A folder that tells no workflow counts with its bucket, and a bucket may be a part of an address's host.
#[test]
fn a_bucket_in_a_host_counts_within_its_address_only() {
    let planned = PlannedKey { key: "artifacts/ml/v1/model.tgz", ..KEY };
    for text in [
        "https://b.s3.amazonaws.com/artifacts/ml/",
        "https://b.minio.local:9000/artifacts/ml/",
        "curl -u x https://user:pw@b.minio.local/artifacts/ml/",
        "https://user:pw@b.minio.local:9000/artifacts/ml/",
        "abfss://b@account.dfs.core.windows.net/artifacts/ml/",
        "x:https://b.s3.amazonaws.com/artifacts/ml",
    ] {
        assert!(names(planned, text), "{text}");
    }
    for text in [
        "b.example.com/artifacts/ml/",
        "note:b.example.com/artifacts/ml/",
        "note:/b.example.com/artifacts/ml/",
        "b@host.example.com/artifacts/ml/",
        "pip install b@https://host.example.com/artifacts/ml/",
        "b.example.com:https://host.example.com/artifacts/ml/",
        "https://host.example.com/b.example.com:9000/artifacts/ml/",
        // Blanks, quotes and commas end an address.
        "https://host.example.com b.example.com/artifacts/ml/",
        "https://host.example.com\nb.example.com/artifacts/ml/",
        "https://host.example.com,b.example.com/artifacts/ml/",
        "'https://host.example.com'b.example.com/artifacts/ml/",
        "\"https://host.example.com\"b.example.com/artifacts/ml/",
        "`https://host.example.com`b.example.com/artifacts/ml/",
        "abfss://b@account.dfs.core.windows.net, https://host.example.com/artifacts/ml/",
        "https://b.minio.local:9000, https://host.example.com/artifacts/ml/",
    ] {
        assert!(!names(planned, text), "{text}");
    }
}

/// Of a folder whose name begins with a character that ends a path, the bucket is all that can be looked for.
#[test]
fn a_folder_that_begins_oddly_counts_with_its_bucket() {
    let planned = PlannedKey { key: "~tmp/run/model.tgz", ..KEY };
    for text in ["gs://b/~tmp/", "gs://b/~tmp/*", "gs://b/~tmp/run/", "https://b.minio.local/~tmp/"] {
        assert!(names(planned, text), "{text}");
    }
    assert!(!names(planned, "gs://other/~tmp/"));
}

#[test]
fn of_a_folder_with_odd_characters_the_part_that_tells_the_workflow_is_looked_for() {
    let planned = PlannedKey { key: "train-x7k2p copy/out/model.tgz", ..KEY };
    for text in ["ls 'gs://b/train-x7k2p copy'", "ls \"train-x7k2p copy/out\"", "train-x7k2p copy/*"] {
        assert!(names(planned, text), "{text}");
    }
    for text in ["copy", "copy/out", "copy/", "--mode=copy"] {
        assert!(!names(planned, text), "{text}");
    }
}

#[test]
fn the_folder_of_a_uid_or_of_a_part_with_the_name_tells_the_workflow() {
    for (key, folder) in [
        ("artifacts/u-1/model.tgz", "artifacts/u-1"),
        ("2026/run-train-x7k2p.d/model.tgz", "2026/run-train-x7k2p.d/"),
        ("year=2026/run=train-x7k2p/model.tgz", "year=2026/run=train-x7k2p/"),
        ("my files/train-x7k2p/model.tgz", "my files/train-x7k2p/*"),
    ] {
        let planned = PlannedKey { key, ..KEY };
        for text in [folder.to_owned(), format!("b/{folder}"), key.to_owned()] {
            assert!(names(planned, &text), "{key}: {text}");
        }
    }
    let orphan = PlannedKey { key: "argo/uploads/ml/1/file", workflow: "uploads/ml", uid: "", ..KEY };
    assert!(names(orphan, "argo/uploads/ml/") && !names(orphan, "argo/uploads/"));
}

#[test]
fn keys_of_odd_characters_are_found_too() {
    for key in [
        "my model (1).tgz",
        "a=1/b=2",
        "数据/模型.tgz",
        "w/é",
        "100%",
        "it's",
        "\"q\"/k",
        "a\\b",
        "x{y}z",
        "!!!",
        "…",
    ] {
        let planned = PlannedKey { key, ..KEY };
        for text in [
            key.to_owned(),
            format!("cp gs://b/{key} ."),
            json!({ "value": key }).to_string(),
            json!({ "manifest": json!({ "value": key }).to_string() }).to_string(),
        ] {
            assert!(names(planned, &text), "{key}: {text}");
        }
    }
    let planned = PlannedKey { key: "train/ü/日本 x.tgz", workflow: "train", ..KEY };
    assert!(!names(planned, "to train, cp x.tgz") && names(planned, "gs://b/train/ü/*"));
    assert!(!names(PlannedKey { key: "数据/模型.tgz", ..KEY }, "数据/模型.tgz2 and 数据"));
}

/// References know the bucket of such a key, so that it does not count for all buckets.
#[test]
fn a_literal_location_is_left_to_references() {
    let artifact = json!({ "artifacts": [{ "name": "a", "gcs": { "key": KEY.key } }] });
    assert!(!names(KEY, &json!({ "inputs": artifact }).to_string()));
    let templated = json!({ "artifacts": [{ "name": "a", "gcs": { "key": "{{x}}/model.tgz" } }] });
    assert!(names(KEY, &json!({ "inputs": templated }).to_string()));
    assert!(!names(KEY, &json!({ "outputs": templated }).to_string()));
    let parameter = json!({ "parameters": [{ "name": "a", "value": artifact.to_string() }] });
    assert!(names(KEY, &json!({ "outputs": parameter }).to_string()));
}

/// Collects how much work a search is: the number of paths that are looked up.
fn work(text: &str) -> usize {
    let mut count = 0;
    text::search(text, true, &mut |_, _| count += 1);
    count
}

#[test]
fn the_work_grows_with_the_text_and_not_with_its_shape() {
    for piece in [
        "a/", "/", "../", "a.", "%2f", "\\/", "%5C", "{{", "\"", "[", "a@", "://a.", "é/", "}}/a", "gs://a/*",
    ] {
        let (small, large) = (piece.repeat(20_000 / piece.len()), piece.repeat(80_000 / piece.len()));
        assert!(work(&large) <= 5 * work(&small) + 1000, "{piece}: {} {}", work(&small), work(&large));
        assert!(work(&large) < 400 * large.len(), "{piece}: {}", work(&large));
    }
}

/// A key takes fewer than four hashes of eight bytes, so a million of them fit into 32 MB.
#[test]
fn many_keys_fit_and_each_is_found() {
    const KEYS: usize = 400_000;
    const STEP: usize = KEYS / 1000;
    let name = |at: usize| format!("train-{:05}", at / 10);
    let key = |at: usize| format!("{}/{}-main-{at}/model.tgz", name(at), name(at));
    let mut builder = PlannedKeysBuilder::new(&Allowed::default());
    for at in 0..KEYS {
        let (name, key) = (name(at), key(at));
        builder.add(&PlannedKey { bucket: "b", key: &key, workflow: &name, uid: "" });
    }
    let keys = builder.finish();
    assert!(keys.hashes.len() < 7 * KEYS / 2, "{}", keys.hashes.len());
    assert!(keys.filter.len() < 2 * KEYS);
    let text: String = (0..1000).map(|at| format!("gs://b/{} ", key(at * STEP))).collect();
    let hits = keys.named_in(&text);
    for at in 0..1000 {
        let (name, key) = (name(at * STEP), key(at * STEP));
        let planned = PlannedKey { bucket: "b", key: &key, workflow: &name, uid: "" };
        assert!(keys.find(&planned, |hash| hits.contains(&hash).then_some(())).is_some(), "{key}");
    }
    assert!(hits.len() < 3000, "{}", hits.len());
}

fn plain_key() -> impl Strategy<Value = String> {
    prop::collection::vec("[a-z][a-zA-Z0-9._-]{0,6}[a-z0-9]", 1..5).prop_map(|parts| parts.join("/"))
}

proptest! {
    /// A key is found wherever it is between characters that no plain path has.
    #[test]
    fn a_key_between_other_characters_is_found(
        key in plain_key(),
        before in "[a-z/. \n]{0,20}[ \n\"'`,;<>|=:@#?&*!(){}\\[\\]$]",
        after in "[ \n\"'`,;<>|=:@#?&*!(){}\\[\\]$].{0,20}",
    ) {
        let planned = PlannedKey { key: &key, ..KEY };
        let text = format!("{before}{key}{after}");
        prop_assert!(names(planned, &text), "{text}");
        let document = json!({ "spec": [{ "value": text }] }).to_string();
        prop_assert!(names(planned, &document), "{document}");
        let deeper = json!({ "text": document }).to_string();
        prop_assert!(names(planned, &deeper), "{deeper}");
    }

    /// A key's neighbours are other objects.
    #[test]
    fn a_neighbour_of_a_key_is_not_it(key in plain_key(), more in "[a-z0-9]{1,3}") {
        let planned = PlannedKey { key: &key, workflow: "w", uid: "", ..KEY };
        for text in [format!("x/{key}{more}"), format!("{more}{key}")] {
            let same = text.split('/').any(|part| key == part) || text.ends_with(&format!("/{key}"));
            prop_assert!(same || !names(planned, &text), "{text}");
        }
    }

    /// No text makes the search stop, or find what is not there.
    #[test]
    fn any_text_can_be_searched(text in ".{0,200}", odd in "[%\\\\/{}\"ux0-9a-f@:. ]{0,60}") {
        let planned = PlannedKey { key: "never/there-q8/0.tgz", workflow: "never", uid: "", ..KEY };
        for text in [&text, &odd, &format!("{text}{odd}")] {
            prop_assert!(!names(planned, text), "{text}");
        }
    }
}

#[test]
fn how_a_text_names_a_key_is_told_by_the_kind() {
    assert_eq!(naming(Kind::Anything, "anything"), Naming::Unknown);
    assert_eq!(naming(Kind::Tail, "a.tgz"), Naming::Tail("a.tgz".to_owned()));
    assert_eq!(naming(Kind::Key, "w/a.tgz"), Naming::Path("w/a.tgz".to_owned()));
}

#[test]
fn a_folder_counts_alone_if_its_name_is_no_plain_word() {
    for (folder, kind) in [
        ("train", Kind::Word),
        ("train-model", Kind::Word),
        ("a/b", Kind::Folder),
        // What is appended to a generateName has five characters, and none of them is a vowel.
        ("train-bcdfg", Kind::Folder),
        ("train-bcdf", Kind::Word),
        ("train-bcdfe", Kind::Word),
        ("bcdfg", Kind::Word),
        ("run123", Kind::Folder),
        ("run12", Kind::Word),
        ("runabc", Kind::Word),
    ] {
        assert!(folder_kind(folder) == kind, "{folder}");
    }
}

#[test]
fn the_part_of_a_key_that_tells_its_workflow_is_a_whole_segment_or_a_word_of_one() {
    let of =
        |key: &'static str, workflow: &'static str| telling(&PlannedKey { key, workflow, uid: "", ..KEY });
    for (key, workflow, range) in [
        ("train/a", "train", Some(0..5)),
        ("argo/train/a", "train", Some(5..10)),
        ("argo/run-train.d/a", "train", Some(5..16)),
        ("argo/retrain/a", "train", None),
        ("argo/trainer/a", "train", None),
        ("argo/x/train", "train", None),
        ("uploads/ml/1/file", "uploads/ml", Some(0..10)),
        ("argo/uploads/ml/1/file", "uploads/ml", Some(5..15)),
        ("xuploads/ml/1/file", "uploads/ml", None),
        ("uploads/mlx/1/file", "uploads/ml", None),
    ] {
        assert_eq!(of(key, workflow), range, "{key}");
    }
}

#[test]
fn the_first_letters_of_a_name_count_before_a_wildcard_and_below_the_bucket_only() {
    let planned = PlannedKey { key: "train-x7k2p/model.tgz", workflow: "train-x7k2p", ..KEY };
    for text in ["gs://b/train-*", "gs://b/train-{{x}}/model", "b/train*"] {
        assert!(names(planned, text), "{text}");
    }
    for text in
        ["gs://b/train", "gs://b/train/other*", "gs://b/train/other", "gs://other/train-*", "gs://b/tra*"]
    {
        assert!(!names(planned, text), "{text}");
    }
}
