//! Templates, steps and tasks; inline bodies stay nested.

use crate::argo::artifact::{self, Artifact, ArtifactLocation};
use crate::argo::de;
use crate::argo::node::TemplateRef;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// A template, or the body of an inline one.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Template {
    #[serde(deserialize_with = "de::or_default")]
    pub name: String,
    #[serde(deserialize_with = "de::or_default")]
    pub outputs: TemplateOutputs,
    #[serde(deserialize_with = "artifact::measured")]
    pub archive_location: Option<ArtifactLocation>,
    #[serde(deserialize_with = "steps")]
    pub steps: Vec<Step>,
    pub dag: Option<Dag>,
    pub resource: Option<Resource>,
    /// The hashes of what its container or script runs.
    #[serde(deserialize_with = "program")]
    pub container: Option<u64>,
    #[serde(deserialize_with = "program")]
    pub script: Option<u64>,
    #[serde(deserialize_with = "de::or_default")]
    pub metadata: TemplateMeta,
}

/// `metadata` of a template, which its pods get.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct TemplateMeta {
    #[serde(deserialize_with = "de::or_default")]
    pub labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "de::or_default")]
    pub annotations: BTreeMap<String, String>,
}

/// A resource template's manifest.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Resource {
    #[serde(deserialize_with = "de::or_default")]
    pub manifest: String,
}

/// Declared outputs, artifacts only.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct TemplateOutputs {
    #[serde(deserialize_with = "de::or_default")]
    pub artifacts: Vec<Artifact>,
}

/// A DAG template's tasks.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Dag {
    #[serde(deserialize_with = "de::or_default")]
    pub tasks: Vec<Step>,
}

/// A step or a DAG task: both name a template in the same three ways.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Step {
    #[serde(deserialize_with = "de::or_default")]
    pub name: String,
    #[serde(deserialize_with = "de::or_default")]
    pub template: String,
    pub template_ref: Option<TemplateRef>,
    pub inline: Option<Box<Template>>,
    #[serde(deserialize_with = "de::or_default")]
    pub hooks: BTreeMap<String, Hook>,
}

/// A lifecycle hook.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Hook {
    pub template_ref: Option<TemplateRef>,
}

impl Template {
    /// Returns all steps and tasks.
    pub fn children(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().chain(self.dag.iter().flat_map(|dag| &dag.tasks))
    }
}

/// Reads a container or script as the hash of its image, command, arguments and source.
fn program<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let Some(container) = Option::<Value>::deserialize(deserializer)? else { return Ok(None) };
    let mut hasher = DefaultHasher::new();
    for field in ["image", "command", "args", "source"] {
        // Argo leaves out what is empty.
        let text = container.get(field).map(Value::to_string);
        let text = text.filter(|text| !matches!(text.as_str(), "null" | "[]" | "\"\""));
        (field, text).hash(&mut hasher);
    }
    Ok(Some(hasher.finish()))
}

/// Reads `steps`, an array of arrays. A bare step is a group of one, as in Argo's own unmarshaller.
fn steps<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<Step>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Group {
        Many(Vec<Step>),
        One(Box<Step>),
    }
    let groups = Option::<Vec<Group>>::deserialize(deserializer)?.unwrap_or_default();
    let mut all = Vec::new();
    for group in groups {
        match group {
            Group::Many(steps) => all.extend(steps),
            Group::One(step) => all.push(*step),
        }
    }
    Ok(all)
}
