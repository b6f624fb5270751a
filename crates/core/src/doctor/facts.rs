//! Collects the facts about the controllers and their repositories, for output.

use crate::argo::artifact::ArtifactGc;
use crate::argo::config;
use crate::argo::config::Repository;
use crate::argo::related::ConfigMap;
use crate::model::account::Answer;
use crate::model::context::{Controller, Controllers};
use crate::model::gap::Gap;
use serde::Serialize;

/// The facts about one controller, for output; none means that a value could not be read.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ControllerFacts {
    pub namespace: String,
    pub name: String,
    pub version: Option<String>,
    /// The instance ID; empty if the controller has none.
    pub instance_id: Option<String>,
    /// `ARGO_ARTIFACT_GC_ENABLED`.
    #[serde(rename = "artifactGCEnabled")]
    pub artifact_gc_enabled: Option<bool>,
    /// The single namespace it manages; null for all.
    pub managed_namespace: Option<String>,
    pub replicas: i32,
    /// What its service account certainly may not do of what artifact GC needs.
    pub lacks: Vec<String>,
    /// Whether GC pods pass the admission plugin OwnerReferencesPermissionEnforcement, where that is on.
    pub owns_gc_pods: Answer,
    /// The settings of its ConfigMap; null if it could not be read.
    pub config: Option<ConfigFacts>,
}

/// The settings of a controller's ConfigMap that affect collection.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigFacts {
    /// `workflowDefaults.spec.artifactGC`; null if it is not set.
    pub workflow_defaults: Option<DefaultsFacts>,
    /// Null for no limit.
    pub parallelism: Option<u64>,
    pub namespace_parallelism: Option<u64>,
    /// Null if the setting could not be understood.
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

/// An artifact repository, and the ways its keys can collide.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RepositoryFacts {
    /// The object that configures it.
    pub source: String,
    pub engine: &'static str,
    pub bucket: String,
    pub key_format: String,
    /// True if the logs of every pod are kept there.
    pub archive_logs: bool,
    /// The ways in which keys of different workflows can collide; empty if they can't.
    pub hazards: Vec<String>,
}

impl RepositoryFacts {
    pub fn new(source: String, repository: &Repository) -> Self {
        Self {
            source,
            engine: repository.engine,
            bucket: repository.bucket.clone(),
            key_format: repository.key_format.clone(),
            archive_logs: repository.archive_logs,
            hazards: hazards(&repository.key_format),
        }
    }
}

/// Returns the facts about the controllers seen, and about the repositories of their own configuration.
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
    let rights = controller.rights.clone().unwrap_or_default();
    ControllerFacts {
        namespace: controller.namespace.clone(),
        name: controller.name.clone(),
        version: version.map(|version| version.to_string()),
        instance_id: controller.instance_id.clone(),
        artifact_gc_enabled: controller.gc_enabled,
        managed_namespace: controller.managed_namespace.clone(),
        replicas: controller.replicas.unwrap_or(1),
        lacks: rights.lacks.iter().map(ToString::to_string).collect(),
        owns_gc_pods: rights.owns,
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

/// Adds the repositories of one `artifact-repositories` ConfigMap.
pub fn repositories_of(map: &ConfigMap, found: &mut Vec<RepositoryFacts>, gaps: &mut Vec<Gap>) {
    let config::Repositories { entries, default } = config::repositories(map);
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

/// Returns the ways in which keys of a format can collide: between pods, between runs, or between namespaces and with a
/// later workflow of the same name.
///
/// A `generateName` makes names differ in practice, but nothing enforces it.
pub fn hazards(key_format: &str) -> Vec<String> {
    let holds =
        |variable: &str| key_format.split("{{").skip(1).any(|rest| rest.trim_start().starts_with(variable));
    let names_pod = holds("pod.name") || holds("node.name");
    let mut hazards = Vec::new();
    if holds("workflow.uid") {
        hazards.extend((!names_pod).then(pods_of_a_run));
        return hazards;
    }
    if !holds("workflow.name") && !names_pod {
        hazards.push(
            "it names neither workflow nor pod: every pod of every run writes the same keys".to_owned(),
        );
        return hazards;
    }
    hazards.extend((!names_pod).then(pods_of_a_run));
    if !holds("workflow.namespace") {
        hazards.push(
            "without {{workflow.uid}} or {{workflow.namespace}}, workflows of one name in two namespaces share keys"
                .to_owned(),
        );
    }
    hazards
}

fn pods_of_a_run() -> String {
    "it names no pod: artifacts of one name, as logs, of all pods of a run share a key".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_formats_that_can_collide() {
        assert_eq!(hazards("{{workflow.name}}/{{pod.name}}").len(), 1);
        assert!(hazards("{{workflow.namespace}}/{{workflow.name}}/{{pod.name}}").is_empty());
        assert!(hazards("x/{{ workflow.uid }}/{{pod.name}}").is_empty());
        assert!(hazards("logs/{{workflow.creationTimestamp.Y}}")[0].contains("every pod of every run"));
        assert!(hazards("{{workflow.uid}}")[0].contains("all pods of a run"));
        assert_eq!(hazards("logs/{{workflow.name}}").len(), 2);
    }
}
