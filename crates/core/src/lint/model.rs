//! Specs, templates and steps for `lint`, each with its path in the manifest.

use crate::argo::artifact::{Artifact, ArtifactGc, ArtifactLocation};
use crate::argo::node::TemplateRef;
use crate::argo::{de, words};
use crate::lint::path::{FieldError, FieldPath};
use crate::lint::times::Times;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A workflow's spec.
#[derive(Debug, Clone)]
pub(crate) struct Spec {
    pub path: FieldPath,
    pub entrypoint: String,
    pub on_exit: String,
    pub gc: Option<ArtifactGc>,
    pub archive_logs: Option<bool>,
    pub repository: Option<RepositoryRef>,
    pub template_ref: Option<TemplateRef>,
    /// The parameters of `arguments` that have a value.
    pub parameters: Vec<(String, String)>,
    pub hooks: Vec<Hook>,
    pub templates: Vec<Body>,
    /// The artifacts that `templateDefaults` declares, with their paths.
    pub defaults: Vec<(FieldPath, Artifact)>,
}

/// `artifactRepositoryRef`: a key of a ConfigMap, both with defaults.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct RepositoryRef {
    #[serde(deserialize_with = "de::or_default")]
    pub config_map: String,
    #[serde(deserialize_with = "de::or_default")]
    pub key: String,
}

/// The kind of node that a template's body makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Makes {
    Pod,
    /// Steps or a DAG.
    Graph,
    /// HTTP, plugin or suspend, which have no pod of their own.
    Other,
}

/// A template, or the body of an inline one.
#[derive(Debug, Clone)]
pub(crate) struct Body {
    pub path: FieldPath,
    /// The template's name; for an inline body the step's.
    pub name: String,
    pub makes: Makes,
    pub artifacts: Vec<(FieldPath, Artifact)>,
    pub archive_location: Option<ArtifactLocation>,
    /// The setting of its archive location.
    pub archive_logs: Option<bool>,
    pub retries: bool,
    /// True if a cache may hand out the outputs of an earlier run.
    pub memoizes: bool,
    pub calls: Vec<Call>,
    pub hooks: Vec<Hook>,
}

/// A step or task.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub path: FieldPath,
    pub times: Times,
    pub target: Target,
    pub hooks: Vec<Hook>,
}

/// The template that a step, task or hook runs.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    Named(String),
    Ref(TemplateRef),
    Inline(Box<Body>),
    None,
}

/// A lifecycle hook, or a step's `onExit`.
#[derive(Debug, Clone)]
pub(crate) struct Hook {
    pub path: FieldPath,
    pub target: Target,
}

impl Spec {
    pub fn read(spec: &Value, path: &FieldPath) -> Result<Self, FieldError> {
        map(spec, path)?;
        let templates = path.key("templates");
        let templates = list(&spec["templates"], &templates)?
            .map(|(body, path)| Body::read(body, path, None))
            .collect::<Result<_, _>>()?;
        let defaults = path.key("templateDefaults");
        map(&spec["templateDefaults"], &defaults)?;
        Ok(Self {
            entrypoint: text(spec, "entrypoint", path)?,
            on_exit: text(spec, "onExit", path)?,
            gc: typed(&spec["artifactGC"], &path.key("artifactGC"))?,
            archive_logs: typed(&spec["archiveLogs"], &path.key("archiveLogs"))?,
            repository: typed(&spec["artifactRepositoryRef"], &path.key("artifactRepositoryRef"))?,
            template_ref: typed(&spec["workflowTemplateRef"], &path.key("workflowTemplateRef"))?,
            parameters: parameters(&spec["arguments"]["parameters"]),
            hooks: hooks(spec, path)?,
            defaults: artifacts(&spec["templateDefaults"], &defaults)?,
            templates,
            path: path.clone(),
        })
    }

    /// Returns the path of the workflow-level block.
    pub fn gc_path(&self) -> FieldPath {
        self.path.key("artifactGC")
    }
}

fn parameters(list: &Value) -> Vec<(String, String)> {
    let value = |parameter: &Value| match &parameter["value"] {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let list = list.as_array().into_iter().flatten();
    list.filter_map(|parameter| Some((parameter["name"].as_str()?.to_owned(), value(parameter)?))).collect()
}

impl Body {
    fn read(body: &Value, path: FieldPath, step: Option<&str>) -> Result<Self, FieldError> {
        map(body, &path)?;
        let has = |field: &str| body.get(field).is_some_and(|value| !value.is_null());
        let makes = if has("steps") || has("dag") {
            Makes::Graph
        } else if has("http") || has("plugin") || has("suspend") {
            Makes::Other
        } else {
            Makes::Pod
        };
        let mut calls = Vec::new();
        let steps = path.key("steps");
        for (group, path) in list(&body["steps"], &steps)? {
            // A bare step is a group of one; Argo's own reader accepts both.
            if group.is_object() {
                calls.push(Call::read(group, path)?);
                continue;
            }
            for (step, path) in list(group, &path)? {
                calls.push(Call::read(step, path)?);
            }
        }
        let dag = path.key("dag");
        map(&body["dag"], &dag)?;
        for (task, path) in list(&body["dag"]["tasks"], &dag.key("tasks"))? {
            calls.push(Call::read(task, path)?);
        }
        let archive = path.key("archiveLocation");
        map(&body["archiveLocation"], &archive)?;
        let name = match step {
            Some(step) => step.to_owned(),
            None => text(body, "name", &path)?,
        };
        Ok(Self {
            name,
            makes,
            artifacts: artifacts(body, &path)?,
            archive_location: typed(&body["archiveLocation"], &archive)?,
            archive_logs: typed(&body["archiveLocation"]["archiveLogs"], &archive.key("archiveLogs"))?,
            retries: has("retryStrategy"),
            memoizes: has("memoize"),
            hooks: hooks(body, &path)?,
            calls,
            path,
        })
    }
}

impl Call {
    fn read(step: &Value, path: FieldPath) -> Result<Self, FieldError> {
        map(step, &path)?;
        let name = text(step, "name", &path)?;
        let template = text(step, "template", &path)?;
        let inline = match &step["inline"] {
            Value::Null => None,
            body => Some(Box::new(Body::read(body, path.key("inline"), Some(&name))?)),
        };
        let target = match inline {
            // If both are set, the inline body runs but the node gets the template's name
            // (`docs/argo-gc.md#inline-templates`), which GC finds. What the body's own steps run has no such name.
            Some(body) if template.is_empty() || body.makes == Makes::Graph => Target::Inline(body),
            _ if !template.is_empty() => Target::Named(template),
            _ => reference(step, &path)?,
        };
        let mut hooks = hooks(step, &path)?;
        let on_exit = text(step, "onExit", &path)?;
        if !on_exit.is_empty() {
            hooks.push(Hook { path: path.key("onExit"), target: Target::Named(on_exit) });
        }
        Ok(Self { path, times: Times::of(step), target, hooks })
    }
}

fn reference(holder: &Value, path: &FieldPath) -> Result<Target, FieldError> {
    let reference: Option<TemplateRef> = typed(&holder["templateRef"], &path.key("templateRef"))?;
    Ok(reference.map_or(Target::None, Target::Ref))
}

fn hooks(holder: &Value, path: &FieldPath) -> Result<Vec<Hook>, FieldError> {
    let path = path.key("hooks");
    map(&holder["hooks"], &path)?;
    let mut all = Vec::new();
    for (name, hook) in holder["hooks"].as_object().into_iter().flatten() {
        let path = path.key(name);
        map(hook, &path)?;
        let template = text(hook, "template", &path)?;
        let target = if template.is_empty() { reference(hook, &path)? } else { Target::Named(template) };
        all.push(Hook { path, target });
    }
    Ok(all)
}

fn artifacts(holder: &Value, path: &FieldPath) -> Result<Vec<(FieldPath, Artifact)>, FieldError> {
    let outputs = path.key("outputs");
    map(&holder["outputs"], &outputs)?;
    list(&holder["outputs"]["artifacts"], &outputs.key("artifacts"))?
        .map(|(artifact, path)| {
            map(artifact, &path)?;
            Ok((path.clone(), typed(artifact, &path)?.unwrap_or_default()))
        })
        .collect()
}

/// Checks that a value is a map or null.
fn map(value: &Value, path: &FieldPath) -> Result<(), FieldError> {
    match value {
        Value::Null | Value::Object(_) => Ok(()),
        _ => Err(FieldError { path: path.clone(), message: "expected a map".to_owned() }),
    }
}

/// Returns a list's items with their paths; no items for null.
fn list<'v>(
    value: &'v Value,
    path: &FieldPath,
) -> Result<impl Iterator<Item = (&'v Value, FieldPath)>, FieldError> {
    let items: &[Value] = match value {
        Value::Null => &[],
        Value::Array(items) => items,
        _ => return Err(FieldError { path: path.clone(), message: "expected a list".to_owned() }),
    };
    let path = path.clone();
    Ok(items.iter().enumerate().map(move |(at, item)| (item, path.index(at))))
}

fn text(holder: &Value, field: &str, path: &FieldPath) -> Result<String, FieldError> {
    match &holder[field] {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text.clone()),
        // YAML reads some texts as a number or a boolean, so these are accepted as texts.
        other @ (Value::Number(_) | Value::Bool(_)) => Ok(other.to_string()),
        _ => Err(FieldError { path: path.key(field), message: "expected a text".to_owned() }),
    }
}

fn typed<T: DeserializeOwned>(value: &Value, path: &FieldPath) -> Result<Option<T>, FieldError> {
    Option::<T>::deserialize_from(value)
        .map_err(|error| FieldError { path: path.clone(), message: words::of(&error) })
}

/// Reads by reference, without a copy of the value.
trait FromRef: Sized {
    fn deserialize_from(value: &Value) -> Result<Self, serde_json::Error>;
}

impl<T: DeserializeOwned> FromRef for T {
    fn deserialize_from(value: &Value) -> Result<Self, serde_json::Error> {
        T::deserialize(value)
    }
}
