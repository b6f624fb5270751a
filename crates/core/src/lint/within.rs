//! Workflows that other objects hold: a Sensor's triggers, and the manifests that `resource` templates apply.

use crate::lint::path::FieldPath;
use crate::lint::types::ManifestKind;
use serde_json::Value;

/// How many manifests are looked for within one another.
const DEPTH: usize = 4;

/// The actions of a `resource` template that leave its manifest in the cluster.
const MAKES: [&str; 3] = ["create", "apply", "replace"];

/// An object within another one.
#[derive(Debug, Clone, PartialEq)]
pub struct Within {
    pub kind: ManifestKind,
    /// The path of the object in the outer document. It leads through texts as if they were maps.
    pub path: FieldPath,
    pub object: Value,
}

/// A place that may hold a workflow, which could not be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unseen {
    pub path: FieldPath,
    pub why: String,
}

/// Everything within an object.
#[derive(Debug, Default)]
pub struct Found {
    pub within: Vec<Within>,
    pub unseen: Vec<Unseen>,
}

/// Returns the workflows and templates within an object of any kind.
pub fn within(kind: &str, object: &Value) -> Found {
    let mut found = Found::default();
    let path = FieldPath::default();
    match ManifestKind::of(kind, object) {
        Some(kind) => found.manifests(kind, object, &path, 0),
        None if kind == "Sensor" => found.sensor(object, &path),
        None => {}
    }
    found
}

impl Found {
    fn sensor(&mut self, sensor: &Value, path: &FieldPath) {
        let path = path.key("spec").key("triggers");
        let triggers = sensor["spec"]["triggers"].as_array().into_iter().flatten().enumerate();
        for (at, trigger) in triggers {
            let path = path.index(at).key("template");
            for (name, always) in [("argoWorkflow", true), ("k8s", false)] {
                let (trigger, path) = (&trigger["template"][name], path.key(name));
                let submits = trigger["operation"].as_str().unwrap_or("create");
                // The others act on workflows that are there.
                if trigger.is_null() || !["submit", "submit-from", "create", "update", ""].contains(&submits)
                {
                    continue;
                }
                self.source(&trigger["source"], &path.key("source"), always);
            }
        }
    }

    /// Takes the source of a trigger; with `always` it is sure to be a workflow.
    fn source(&mut self, source: &Value, path: &FieldPath, always: bool) {
        if source["resource"].is_object() {
            return self.take(&source["resource"], path.key("resource"), 0);
        }
        if let Some(text) = source["inline"].as_str() {
            return self.text(text, path.key("inline"), 0);
        }
        let elsewhere = source.as_object().into_iter().flatten().next().map(|(name, _)| name.as_str());
        if let Some(elsewhere) = elsewhere.filter(|_| always) {
            let why = format!("the trigger's workflow comes from {elsewhere}");
            self.unseen.push(Unseen { path: path.clone(), why });
        }
    }

    fn take(&mut self, object: &Value, path: FieldPath, depth: usize) {
        let kind = object["kind"].as_str().and_then(|kind| ManifestKind::of(kind, object));
        let Some(kind) = kind else { return };
        self.manifests(kind, object, &path, depth + 1);
        self.within.push(Within { kind, path, object: object.clone() });
    }

    fn manifests(&mut self, kind: ManifestKind, object: &Value, path: &FieldPath, depth: usize) {
        let path = path.join(&kind.spec_path()).key("templates");
        let templates = kind.spec_path().key("templates");
        for (at, template) in templates.of(object).and_then(Value::as_array).into_iter().flatten().enumerate()
        {
            self.template(template, &path.index(at), depth);
        }
    }

    fn template(&mut self, template: &Value, path: &FieldPath, depth: usize) {
        let resource = &template["resource"];
        let makes = resource["action"].as_str().is_none_or(|action| MAKES.contains(&action));
        if let Some(text) = resource["manifest"].as_str().filter(|_| makes) {
            self.text(text, path.key("resource").key("manifest"), depth);
        } else if !resource["manifestFrom"].is_null() && makes {
            let why = "the manifest comes from an artifact".to_owned();
            self.unseen.push(Unseen { path: path.key("resource").key("manifestFrom"), why });
        }
        let groups = template["steps"].as_array().into_iter().flatten().enumerate();
        for (at, group) in groups {
            let path = path.key("steps").index(at);
            match group {
                Value::Array(steps) => {
                    steps.iter().enumerate().for_each(|(at, step)| self.step(step, &path.index(at), depth));
                }
                step => self.step(step, &path, depth),
            }
        }
        let tasks = template["dag"]["tasks"].as_array().into_iter().flatten().enumerate();
        tasks.for_each(|(at, task)| self.step(task, &path.key("dag").key("tasks").index(at), depth));
    }

    fn step(&mut self, step: &Value, path: &FieldPath, depth: usize) {
        if step["inline"].is_object() {
            self.template(&step["inline"], &path.key("inline"), depth);
        }
    }

    fn text(&mut self, text: &str, path: FieldPath, depth: usize) {
        if depth >= DEPTH {
            return;
        }
        match parse(text) {
            Some(object) => self.take(&object, path, depth),
            None if names_a_kind(text) => {
                let why = "the manifest within can't be read before its variables are replaced".to_owned();
                self.unseen.push(Unseen { path, why });
            }
            None => {}
        }
    }
}

/// Returns true if a text that can't be read seems to hold one of the kinds.
fn names_a_kind(text: &str) -> bool {
    let kinds =
        text.lines().filter_map(|line| line.trim_start_matches([' ', '-', '{', '"']).strip_prefix("kind"));
    let mut words = kinds.map(|rest| rest.trim_matches(|c: char| !c.is_ascii_alphanumeric()));
    words.any(|word| ManifestKind::from_name(word).is_some())
}

/// Reads the YAML of a manifest. Argo replaces the variables in its text before it is read, so they may stand where YAML
/// would take the braces for a map.
fn parse(text: &str) -> Option<Value> {
    let mut value: Value = serde_saphyr::from_str(&masked(text)).ok()?;
    unmask(&mut value);
    Some(value)
}

/// The masks of `{{` and `}}`: characters that no manifest holds, as many as the braces, so that all stay in place.
const MASKS: [(&str, &str); 2] = [("{{", "\u{e000}\u{e000}"), ("}}", "\u{e001}\u{e001}")];

/// Masks the braces of variables; those of flow maps stay.
pub fn masked(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 64);
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(MASKS[0].0) {
        let tag = after.split_once(MASKS[1].0).filter(|(tag, _)| !tag.contains('\n'));
        out.push_str(before);
        let Some((tag, after)) = tag else {
            out.push_str(MASKS[0].0);
            rest = after;
            continue;
        };
        out.push_str(MASKS[0].1);
        out.push_str(tag);
        out.push_str(MASKS[1].1);
        rest = after;
    }
    out + rest
}

fn unmask(value: &mut Value) {
    match value {
        Value::String(text) => {
            for (braces, mask) in MASKS {
                if text.contains(mask) {
                    *text = text.replace(mask, braces);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(unmask),
        Value::Object(map) => map.values_mut().for_each(unmask),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn paths(kind: &str, object: &Value) -> Vec<String> {
        within(kind, object)
            .within
            .iter()
            .map(|found| format!("{} {}", found.kind.as_str(), found.path))
            .collect()
    }

    #[test]
    fn finds_the_workflows_of_triggers() {
        let workflow = json!({ "kind": "Workflow", "spec": {} });
        let sensor = json!({ "spec": { "triggers": [
            { "template": { "argoWorkflow": { "operation": "submit", "source": { "resource": workflow } } } },
            { "template": { "k8s": { "operation": "create", "source": { "resource": { "kind": "CronWorkflow" } } } } },
            { "template": { "k8s": { "source": { "resource": { "kind": "Pod" } } } } },
            { "template": { "argoWorkflow": { "operation": "stop", "source": { "resource": workflow } } } },
            { "template": { "argoWorkflow": { "source": { "inline": "kind: Workflow\nspec: {}\n" } } } },
            { "template": { "argoWorkflow": { "source": { "git": { "url": "u" } } } } },
            { "template": { "http": { "url": "u" } } },
        ] } });
        assert_eq!(
            paths("Sensor", &sensor),
            [
                "Workflow spec.triggers[0].template.argoWorkflow.source.resource",
                "CronWorkflow spec.triggers[1].template.k8s.source.resource",
                "Workflow spec.triggers[4].template.argoWorkflow.source.inline",
            ]
        );
        let unseen = within("Sensor", &sensor).unseen;
        assert_eq!(unseen.len(), 1);
        assert!(unseen[0].why.contains("git"), "{unseen:?}");
    }

    #[test]
    fn finds_the_workflows_that_resource_templates_make() {
        let text = "kind: Workflow\nmetadata: {name: {{workflow.name}}-child}\nspec:\n  x: '{{a}}'\n  y: {a: {b: {c: 1}}}\n";
        let template = |action: &str| json!({ "resource": { "action": action, "manifest": text } });
        let object = json!({ "spec": { "templates": [
            template("create"), template("delete"), { "dag": { "tasks": [{ "inline": template("apply") }] } },
            { "resource": { "action": "create", "manifest": "kind: Pod\nspec: {}\n" } },
            { "resource": { "action": "create", "manifest": "{{=x}}\n  - : kind\nkind: Workflow\n [" } },
        ] } });
        assert_eq!(
            paths("Workflow", &object),
            [
                "Workflow spec.templates[0].resource.manifest",
                "Workflow spec.templates[2].dag.tasks[0].inline.resource.manifest",
            ]
        );
        let found = within("Workflow", &object);
        assert_eq!(found.within[0].object["metadata"]["name"], "{{workflow.name}}-child");
        assert_eq!(
            found.within[0].object["spec"],
            json!({ "x": "{{a}}", "y": { "a": { "b": { "c": 1 } } } })
        );
        assert_eq!(found.unseen.len(), 1, "{:?}", found.unseen);
    }
}
