//! The policies against `lint`: on the fixtures, on Argo's own examples, and on random specs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{Guarded, NAMESPACE, object};
use crate::support::fixture::Fixture;
use crate::support::in_process;
use crate::support::kube::{ApiServer, Objects};

/// The workflows and templates of a folder of manifests, each with the name of its file.
pub fn manifests(folder: &Path) -> Vec<(String, Value)> {
    let mut paths: Vec<PathBuf> = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => paths.push(path),
            }
        }
    }
    paths.sort();
    let texts =
        paths.iter().filter(|path| path.extension().is_some_and(|end| end == "yaml" || end == "json"));
    texts
        .flat_map(|path| {
            let name = path.strip_prefix(folder).unwrap().display().to_string();
            let text = std::fs::read_to_string(path).unwrap();
            let objects: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap_or_default();
            Objects::from(objects).0.into_iter().map(move |object| (name.clone(), object))
        })
        .filter(|(_, object)| {
            let kind = object["kind"].as_str().unwrap_or_default();
            ["Workflow", "CronWorkflow", "WorkflowTemplate", "ClusterWorkflowTemplate"].contains(&kind)
        })
        .collect()
}

/// The manifest of an object that has run, as somebody would write it, in the namespace of these tests.
pub fn unwritten(mut object: Value, at: usize) -> Value {
    object.as_object_mut().unwrap().remove("status");
    let mut meta = json!({ "name": format!("n-{at}") });
    if object["kind"] != "ClusterWorkflowTemplate" {
        meta["namespace"] = NAMESPACE.into();
    }
    object["metadata"] = meta;
    object
}

/// The rules that `lint` finds broken in an object alone, in words of the policies.
fn linted(object: &Value) -> BTreeSet<String> {
    let line = ["kubectl-argo_gc", "lint", "-f", "-", "-o", "json"];
    let (_, out, err) = in_process(line, &object.to_string(), "2026-11-20T12:00:00Z".parse().unwrap());
    let report: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{err}\n{object}"));
    fn rule(finding: &Value) -> Option<&str> {
        let detail = finding["why"].as_str().unwrap_or_default();
        Some(match finding["code"].as_str()? {
            _ if finding["severity"] == "unknown" => return None,
            "inline-only" | "inline-poison" => "inline",
            "no-strategy" | "artifact-block-without-strategy" => "no-strategy",
            code @ ("logs-only" | "unsupported-driver") => code,
            // Several nodes of one run are another matter.
            "shared-key" if detail.starts_with("every run") => "shared-key",
            _ => return None,
        })
    }
    report["findings"].as_array().unwrap().iter().filter_map(rule).map(str::to_owned).collect()
}

/// An object, and what becomes of it with settings that decide.
fn variants(object: &Value) -> Vec<(&'static str, Value)> {
    let field = if object["kind"] == "CronWorkflow" { "/spec/workflowSpec" } else { "/spec" };
    let with = |change: &dyn Fn(&mut Value)| {
        let mut object = object.clone();
        if let Some(spec) = object.pointer_mut(field).filter(|spec| spec.is_object()) {
            change(spec);
        }
        object
    };
    let gc = json!({ "strategy": "OnWorkflowCompletion" });
    vec![
        ("as it is", object.clone()),
        ("strategy", with(&|spec| spec["artifactGC"] = gc.clone())),
        (
            "strategy and logs",
            with(&|spec| {
                spec["artifactGC"] = gc.clone();
                spec["archiveLogs"] = true.into();
            }),
        ),
        ("logs", with(&|spec| spec["archiveLogs"] = true.into())),
    ]
}

/// Holds the policies against `lint`; returns how much was compared, and what only `lint` finds.
async fn compare(guarded: &Guarded, objects: Vec<(String, Value)>) -> (usize, BTreeSet<String>) {
    let (mut seen, mut missed, mut wrong) = (0, BTreeSet::new(), Vec::new());
    for (at, (file, object)) in objects.into_iter().enumerate() {
        for (variant, object) in variants(&unwritten(object, at)) {
            let answer = guarded.create(&object).await;
            // What the kinds' own schemas refuse, no policy sees.
            if answer.status >= 400 {
                assert!(!answer.message().contains("ValidatingAdmissionPolicy"), "{answer:?}");
                continue;
            }
            seen += 1;
            let known = tokio::task::block_in_place(|| linted(&object));
            let told = answer.broken();
            missed.extend(known.difference(&told).map(|rule| format!("{file} {variant}: {rule}")));
            wrong.extend(
                told.difference(&known)
                    .map(|rule| format!("{file} {variant}: {rule}\n{:?}", answer.warnings)),
            );
        }
    }
    assert!(wrong.is_empty(), "lint calls these clean:\n{}", wrong.join("\n"));
    (seen, missed)
}

const COMPARED: &str = "inline,logs-only,shared-key,unsupported-driver,no-strategy";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "tests/run brings what it needs"]
async fn the_fixtures_break_the_rules_that_lint_finds_broken_on_apiserver() {
    let guarded = Guarded::start().await;
    guarded.guard(&["--action", "warn", "--rule", COMPARED]).await;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut objects = manifests(&root.join("tests/fixtures"));
    objects.extend(manifests(&root.join("examples")));
    assert!(objects.len() > Fixture::all().len(), "{}", objects.len());
    let (seen, missed) = compare(&guarded, objects).await;
    assert!(seen > 400, "{seen}");
    // Templates without an entrypoint, for which `lint` assumes that a caller has a strategy; and what `templateDefaults`
    // bring, which only a run knows.
    let mut known = BTreeSet::from(["template-defaults/hit.yaml strategy and logs: logs-only".to_owned()]);
    for file in ["hit-i4-templateref.yaml", "hit-i5-nested.yaml"] {
        let variants = ["as it is", "strategy", "strategy and logs", "logs"];
        known.extend(variants.map(|variant| format!("inline-poison/{file} {variant}: inline")));
    }
    assert_eq!(missed, known);
    assert_eq!(guarded.errors().await, [""; 0]);
}

/// Argo's full kinds, which know the types of the fields, and all that Argo gives as examples.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "tests/run brings what it needs"]
async fn argos_examples_are_judged_as_lint_does_on_apiserver_and_argo_examples() {
    let [kinds, examples] =
        ["ARGO_GC_TEST_ARGO_CRDS", "ARGO_GC_TEST_ARGO_EXAMPLES"].map(crate::support::program);
    let guarded = Guarded::of(ApiServer::start_with_kinds(Path::new(&kinds))).await;
    guarded.guard(&["--action", "warn", "--rule", COMPARED]).await;
    let objects = manifests(Path::new(&examples));
    assert!(objects.len() > 150, "{}", objects.len());
    let (seen, missed) = compare(&guarded, objects).await;
    assert!(seen > 600, "{seen}");
    // What `templateDefaults` bring, only a run knows.
    let known = ["template-defaults.yaml strategy and logs: logs-only"].map(str::to_owned);
    assert_eq!(missed, BTreeSet::from(known));
    assert_eq!(guarded.errors().await, [""; 0]);
}

/// Numbers that are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn one_in(&mut self, limit: u64) -> bool {
        self.below(limit) == 0
    }

    fn strategy(&mut self) -> &'static str {
        ["OnWorkflowDeletion", "OnWorkflowCompletion", "Never", ""][usize::try_from(self.below(4)).unwrap()]
    }

    fn name(&mut self) -> String {
        format!("t{}", self.below(5))
    }

    fn artifact(&mut self) -> Value {
        let mut artifact = json!({ "name": "o", "path": "/o" });
        if self.one_in(3) {
            artifact["artifactGC"] = json!({ "strategy": self.strategy() });
        }
        match self.below(9) {
            0 => artifact["s3"] = json!({ "key": "latest.tgz" }),
            1 => artifact["gcs"] = json!({ "bucket": "b", "key": "{{workflow.uid}}/o" }),
            2 => artifact["http"] = json!({ "url": "https://example.com" }),
            3 => artifact["hdfs"] = json!({ "path": "/o" }),
            4 => artifact["azure"] = json!({ "blob": "a/{{ workflow.serviceAccountName }}" }),
            5 => artifact["git"] = json!({ "repo": "r" }),
            _ => {}
        }
        artifact
    }

    /// The body of a template, with steps or tasks down to this depth.
    fn body(&mut self, depth: u32) -> Value {
        let mut body = match self.below(8) {
            0 | 1 if depth > 0 => {
                json!({ "steps": [[self.call(depth)], [self.call(depth), self.call(depth)]] })
            }
            2 if depth > 0 => json!({ "dag": { "tasks": [self.call(depth), self.call(depth)] } }),
            3 => json!({ "suspend": {} }),
            _ => json!({ "container": { "image": "x" } }),
        };
        if self.one_in(2) {
            body["outputs"] = json!({ "artifacts": [self.artifact()] });
        }
        if self.one_in(6) {
            body["archiveLocation"] = json!({ "archiveLogs": self.one_in(2) });
        }
        body
    }

    fn call(&mut self, depth: u32) -> Value {
        let mut call = json!({ "name": format!("c{}", self.below(1000)) });
        match self.below(8) {
            0..=3 => call["template"] = self.name().into(),
            4 => call["templateRef"] = json!({ "name": "elsewhere", "template": "t" }),
            kind => {
                call["inline"] = self.body(depth - 1);
                // Then the pod's node has a template's name, and is collected.
                let is_graph = ["steps", "dag"].iter().any(|field| !call["inline"][field].is_null());
                if kind == 5 && !is_graph {
                    call["template"] = self.name().into();
                }
            }
        }
        if self.one_in(6) {
            call["hooks"] = json!({ "exit": { "template": self.name() } });
        }
        call
    }

    fn spec(&mut self) -> Value {
        let mut spec = json!({ "templates": [] });
        let count = 1 + self.below(4);
        spec["templates"] = (0..count)
            .map(|at| {
                let mut body = self.body(3);
                body["name"] = format!("t{at}").into();
                body
            })
            .collect();
        if !self.one_in(5) {
            spec["entrypoint"] = "t0".into();
        }
        if self.one_in(4) {
            spec["onExit"] = self.name().into();
        }
        if !self.one_in(3) {
            spec["artifactGC"] = json!({ "strategy": self.strategy() });
        }
        if self.one_in(3) {
            spec["archiveLogs"] = self.one_in(2).into();
        }
        spec
    }
}

/// The spec as it would be if all that something names did run: a policy does not follow who names it.
fn all_named(spec: &Value) -> Value {
    fn names(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(map) => map.iter().for_each(|(field, value)| match value {
                Value::String(name) if ["template", "onExit", "entrypoint"].contains(&field.as_str()) => {
                    found.insert(name.clone());
                }
                value => names(value, found),
            }),
            Value::Array(items) => items.iter().for_each(|value| names(value, found)),
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    names(spec, &mut found);
    let tasks: Vec<Value> = found.iter().map(|name| json!({ "name": name, "template": name })).collect();
    let mut spec = spec.clone();
    spec["templates"].as_array_mut().unwrap().push(json!({ "name": "all", "dag": { "tasks": tasks } }));
    spec["entrypoint"] = "all".into();
    spec
}

/// Whether docs/admission.md says that the policies can't know it.
fn is_beyond(rule: &str, kind: &str, spec: &Value) -> bool {
    /// Whether an inline template has steps or tasks of its own.
    fn nests(value: &Value) -> bool {
        let inner = &value["inline"];
        let mut within: Box<dyn Iterator<Item = &Value>> = match value {
            Value::Object(map) => Box::new(map.values()),
            Value::Array(items) => Box::new(items.iter()),
            _ => Box::new(std::iter::empty()),
        };
        !inner["steps"].is_null() || !inner["dag"].is_null() || within.any(nests)
    }
    let (text, is_nested) = (spec.to_string(), nests(spec));
    let is_library = kind == "WorkflowTemplate" && spec["entrypoint"].is_null();
    match rule {
        "logs-only" => is_nested || text.contains("templateRef"),
        // lint judges nodes without pods, and locations that are not complete.
        "unsupported-driver" => is_library || is_nested || text.contains("suspend") || text.contains("hdfs"),
        "no-strategy" | "shared-key" => is_library || is_nested || text.contains("suspend"),
        _ => is_library || is_nested,
    }
}

/// Specs of every shape: what the policies find `lint` finds too; the other way round but for what they can't know.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "tests/run brings what it needs"]
async fn random_specs_are_judged_as_lint_does_on_apiserver() {
    let guarded = Guarded::start().await;
    guarded.guard(&["--action", "warn", "--rule", COMPARED]).await;
    let mut random = Random(1);
    let (mut agreed, mut missed) = (0, 0);
    for at in 0..1500 {
        let spec = random.spec();
        let kind = ["Workflow", "CronWorkflow", "WorkflowTemplate"][at % 3];
        let made = |spec: &Value| object(kind, "random", spec);
        let answer = guarded.create(&made(&spec)).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let (told, known) = (answer.broken(), tokio::task::block_in_place(|| linted(&made(&spec))));
        for rule in told.difference(&known) {
            assert!(spec["entrypoint"].is_string(), "{rule}: {answer:?}\n{}", made(&spec));
            let known = tokio::task::block_in_place(|| linted(&made(&all_named(&spec))));
            assert!(known.contains(rule), "{rule}: {answer:?}\n{}", made(&spec));
        }
        for rule in known.difference(&told) {
            assert!(is_beyond(rule, kind, &spec), "{rule}: {answer:?}\n{}", made(&spec));
            missed += 1;
        }
        agreed += told.intersection(&known).count();
    }
    assert!(agreed > 400 && missed < agreed, "{agreed} {missed}");
    assert_eq!(guarded.errors().await, [""; 0]);
}
