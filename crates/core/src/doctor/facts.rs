//! What is known of the controllers and their repositories, in one place.

use crate::argo::artifact::ArtifactGc;
use crate::argo::config;
use crate::argo::config::Repository;
use crate::argo::related::ConfigMap;
use crate::model::context::{Controller, Controllers};
use crate::model::gap::Gap;
use serde::Serialize;

/// One controller, for the reader; none means that it could not be read.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ControllerFacts {
    pub namespace: String,
    pub name: String,
    pub version: Option<String>,
    /// Empty where it has none.
    pub instance_id: Option<String>,
    /// `ARGO_ARTIFACT_GC_ENABLED`.
    #[serde(rename = "artifactGCEnabled")]
    pub artifact_gc_enabled: Option<bool>,
    /// The one namespace it manages; null for all.
    pub managed_namespace: Option<String>,
    pub replicas: i32,
    /// What its ConfigMap says; null where that could not be read.
    pub config: Option<ConfigFacts>,
}

/// The parts of a controller's ConfigMap that bear on collection.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigFacts {
    /// `workflowDefaults.spec.artifactGC`; null where it is not set.
    pub workflow_defaults: Option<DefaultsFacts>,
    /// Null for no limit.
    pub parallelism: Option<u64>,
    pub namespace_parallelism: Option<u64>,
    /// Null where it could not be understood.
    pub archive: Option<bool>,
}

/// `artifactGC` of the `workflowDefaults`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DefaultsFacts {
    pub strategy: String,
    pub service_account_name: String,
    pub force_finalizer_removal: bool,
}

/// An artifact repository, and what its keys may do to each other.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RepositoryFacts {
    /// Where it is configured.
    pub source: String,
    pub engine: &'static str,
    pub bucket: String,
    pub key_format: String,
    /// How keys of different workflows can collide; empty where they can't.
    pub hazards: Vec<String>,
}

impl RepositoryFacts {
    pub fn new(source: String, repository: &Repository) -> Self {
        Self {
            source,
            engine: repository.engine,
            bucket: repository.bucket.clone(),
            key_format: repository.key_format.clone(),
            hazards: hazards(&repository.key_format),
        }
    }
}

/// The controllers seen, and the repositories of their own configuration.
pub fn controllers(controllers: &Controllers) -> (Vec<ControllerFacts>, Vec<RepositoryFacts>) {
    let repositories = controllers.seen.iter().filter_map(|controller| {
        let repository = controller.config.as_ref()?.repository.as_ref()?;
        let source = format!("controller {}/{}", controller.namespace, controller.name);
        Some(RepositoryFacts::new(source, repository))
    });
    let repositories = repositories.collect();
    (controllers.seen.iter().map(|seen| facts(seen, controllers)).collect(), repositories)
}

fn facts(controller: &Controller, all: &Controllers) -> ControllerFacts {
    let version = all.version.or(controller.version);
    ControllerFacts {
        namespace: controller.namespace.clone(),
        name: controller.name.clone(),
        version: version.map(|version| version.to_string()),
        instance_id: controller.instance_id.clone(),
        artifact_gc_enabled: controller.gc_enabled,
        managed_namespace: controller.managed_namespace.clone(),
        replicas: controller.replicas.unwrap_or(1),
        config: controller.config.as_ref().map(|config| ConfigFacts {
            workflow_defaults: config.default_gc.as_ref().map(defaults),
            parallelism: config.parallelism,
            namespace_parallelism: config.namespace_parallelism,
            archive: config.archives,
        }),
    }
}

fn defaults(gc: &ArtifactGc) -> DefaultsFacts {
    DefaultsFacts {
        strategy: gc.strategy.as_str().to_owned(),
        service_account_name: gc.service_account_name.clone(),
        force_finalizer_removal: gc.force_finalizer_removal,
    }
}

/// Takes the repositories of one `artifact-repositories` ConfigMap in.
pub fn repositories_of(map: &ConfigMap, found: &mut Vec<RepositoryFacts>, gaps: &mut Vec<Gap>) {
    let (entries, default) = config::repositories(map);
    for (key, entry) in entries {
        let place = format!("configmap {}/{} key {key}", map.metadata.namespace, map.metadata.name);
        match entry {
            Ok(Some(repository)) => {
                let note = if default == Some(key) { " (default)" } else { "" };
                found.push(RepositoryFacts::new(format!("{place}{note}"), &repository));
            }
            Ok(None) => {}
            Err(error) => {
                gaps.push(Gap { what: place, why: error, effect: "this repository is not known".to_owned() });
            }
        }
    }
}

/// How keys of a format can collide: between runs, or between namespaces and with a later workflow of one name.
///
/// A `generateName` makes names differ in practice; nothing enforces it.
pub fn hazards(key_format: &str) -> Vec<String> {
    let holds =
        |variable: &str| key_format.split("{{").skip(1).any(|rest| rest.trim_start().starts_with(variable));
    if holds("workflow.uid") {
        return Vec::new();
    }
    let mut hazards = Vec::new();
    if !holds("workflow.name") && !holds("pod.name") {
        hazards.push("it names no workflow: every run writes the same keys".to_owned());
    } else if !holds("workflow.namespace") {
        hazards.push(
            "without {{workflow.uid}} or {{workflow.namespace}}, workflows of one name in two namespaces share keys"
                .to_owned(),
        );
    }
    hazards
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_formats_that_can_collide() {
        assert_eq!(hazards("{{workflow.name}}/{{pod.name}}").len(), 1);
        assert!(hazards("{{workflow.namespace}}/{{workflow.name}}/{{pod.name}}").is_empty());
        assert!(hazards("x/{{ workflow.uid }}/{{pod.name}}").is_empty());
        assert!(hazards("logs/{{workflow.creationTimestamp.Y}}")[0].contains("every run"));
    }
}
