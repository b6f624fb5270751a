//! The workflows of the soak, each with what becomes of its artifacts under v4.0.5, which is known beforehand.

use serde_json::{Value, json};

use super::random::Random;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Collected when the workflow is deleted.
    Named,
    /// Collected as soon as it is over.
    NamedAtOnce,
    /// As [`Self::Named`], under a key that others of these write as well.
    NamedShared,
    Inline,
    InlineNested,
    InlineDag,
    /// An inline template keeps everything from being collected.
    Mixed,
    /// The same in a WorkflowTemplate.
    TemplateRef,
    /// The strategy Never: kept on purpose.
    Never,
    NoStrategy,
    /// Without a strategy, and its result is in a cache for half a minute.
    Memo,
    /// Inline, under a key that others of these write as well.
    Shared,
    /// Inline, a directory.
    Directory,
    /// Inline, and failed until it is retried.
    Flaky,
    /// Its only input is an object of another workflow, by its key.
    Reader,
    /// As [`Self::Reader`], but the key is in a text.
    Mentioner,
}

const FORMS: [Form; 14] = [
    Form::Named,
    Form::NamedAtOnce,
    Form::NamedShared,
    Form::Inline,
    Form::InlineNested,
    Form::InlineDag,
    Form::Mixed,
    Form::TemplateRef,
    Form::Never,
    Form::NoStrategy,
    Form::Memo,
    Form::Shared,
    Form::Directory,
    Form::Flaky,
];

impl Form {
    pub fn any(random: &mut Random) -> Self {
        *random.of(&FORMS)
    }

    /// Whether nobody will delete its artifacts, so that a purge may.
    pub fn leaks(self) -> bool {
        use Form::{
            Directory, Flaky, Inline, InlineDag, InlineNested, Memo, Mixed, NoStrategy, Shared, TemplateRef,
        };
        matches!(
            self,
            Inline
                | InlineNested
                | InlineDag
                | Mixed
                | TemplateRef
                | NoStrategy
                | Memo
                | Shared
                | Directory
                | Flaky
        )
    }

    /// Whether its finalizer may stay for ever.
    ///
    /// Argo can delete an object that several wrote only once. And one that is deleted while its collection at completion
    /// is under way may lose what the GC pod told, with v4.0.5.
    pub fn hangs(self) -> bool {
        matches!(self, Self::Mixed | Self::TemplateRef | Self::NamedShared | Self::NamedAtOnce)
    }
}

/// What every namespace of the soak has.
pub fn templates(namespace: &str) -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "WorkflowTemplate",
        "metadata": { "name": "leaking", "namespace": namespace },
        "spec": {
            "entrypoint": "main",
            "templates": [{ "name": "main", "steps": [[{ "name": "step", "inline": work(&["out"], &[]) }]] }],
        },
    })
}

/// A body that writes artifacts.
fn work(artifacts: &[&str], words: &[String]) -> Value {
    let artifacts: Vec<Value> =
        artifacts.iter().map(|name| json!({ "name": name, "path": format!("/tmp/{name}") })).collect();
    json!({
        "container": { "image": "work", "command": ["produce"], "args": words },
        "outputs": { "artifacts": artifacts },
    })
}

fn named(name: &str, mut body: Value) -> Value {
    body["name"] = json!(name);
    body
}

fn steps(names: &[(&str, Value)]) -> Value {
    let groups: Vec<Value> = names
        .iter()
        .map(|(name, step)| {
            let mut step = step.clone();
            step["name"] = json!(name);
            json!([step])
        })
        .collect();
    json!({ "name": "main", "steps": groups })
}

/// The workflow; `key` is what a reader reads.
pub fn workflow(form: Form, namespace: &str, name: &str, key: &str, random: &mut Random) -> Value {
    let strategy = |strategy: &str| json!({ "strategy": strategy });
    let inline = |body: Value| json!({ "inline": body });
    let pause =
        if random.in_hundred(30) { vec![format!("sleep={}", random.within(1..4))] } else { Vec::new() };
    let shared = json!({ "key": format!("shared/{namespace}-{}", random.within(0..3)) });
    let (gc, templates) = match form {
        Form::Named => ("OnWorkflowDeletion", vec![named("main", work(&["out", "more"], &pause))]),
        Form::NamedAtOnce => ("OnWorkflowCompletion", vec![named("main", work(&["out"], &pause))]),
        Form::NamedShared | Form::Shared => {
            let mut body = work(&["out"], &pause);
            body["outputs"]["artifacts"][0]["gcs"] = shared;
            let shared = match form {
                Form::Shared => steps(&[("step", inline(body))]),
                _ => named("main", body),
            };
            ("OnWorkflowDeletion", vec![shared])
        }
        Form::Inline => {
            ("OnWorkflowDeletion", vec![steps(&[("step", inline(work(&["out", "more"], &pause)))])])
        }
        Form::InlineNested => {
            let inner = json!({ "steps": [[{ "name": "deep", "inline": work(&["out"], &pause) }]] });
            ("OnWorkflowCompletion", vec![steps(&[("step", inline(inner))])])
        }
        Form::InlineDag => {
            let tasks = json!([{ "name": "a", "inline": work(&["out"], &pause) },
                               { "name": "b", "dependencies": ["a"], "inline": work(&["out"], &[]) }]);
            ("OnWorkflowDeletion", vec![json!({ "name": "main", "dag": { "tasks": tasks } })])
        }
        Form::Mixed => {
            let main = steps(&[
                ("first", json!({ "template": "work" })),
                ("second", inline(work(&["out"], &pause))),
            ]);
            ("OnWorkflowDeletion", vec![main, named("work", work(&["out"], &[]))])
        }
        Form::TemplateRef => {
            let step = json!({ "templateRef": { "name": "leaking", "template": "main" } });
            ("OnWorkflowDeletion", vec![steps(&[("step", step)])])
        }
        Form::Never => ("Never", vec![named("main", work(&["out"], &pause))]),
        Form::NoStrategy => ("", vec![named("main", work(&["out"], &pause))]),
        Form::Memo => {
            let mut body = named("main", work(&["out"], &[]));
            body["memoize"] = json!({
                "key": format!("key-{}", random.within(0..3)), "maxAge": "1h",
                "cache": { "configMap": { "name": "cache" } },
            });
            ("", vec![body])
        }
        Form::Directory => {
            let mut body = work(&["out"], &["dir=out".to_owned()]);
            body["outputs"]["artifacts"][0]["archive"] = json!({ "none": {} });
            ("OnWorkflowDeletion", vec![steps(&[("step", inline(body))])])
        }
        Form::Flaky => {
            let body = work(&["out"], &["exit={{workflow.parameters.code}}".to_owned()]);
            ("", vec![named("main", body)])
        }
        Form::Reader => {
            let mut body = named("main", work(&[], &["sleep=3".to_owned()]));
            body["inputs"] =
                json!({ "artifacts": [{ "name": "in", "path": "/tmp/in", "gcs": { "key": key } }] });
            ("", vec![body])
        }
        Form::Mentioner => {
            let mut body = named("main", work(&[], &["sleep=3".to_owned()]));
            body["container"]["env"] =
                json!([{ "name": "MODEL", "value": format!("gs://argo-artifacts/{key}") }]);
            ("", vec![body])
        }
    };
    let mut spec = json!({ "entrypoint": "main", "templates": templates });
    if !gc.is_empty() {
        spec["artifactGC"] = strategy(gc);
    }
    if form == Form::Flaky {
        spec["arguments"] = json!({ "parameters": [{ "name": "code", "value": "1" }] });
    }
    if random.in_hundred(20) {
        spec["ttlStrategy"] = json!({ "secondsAfterCompletion": random.within(3..15) });
    }
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow",
        "metadata": { "name": name, "namespace": namespace }, "spec": spec,
    })
}
