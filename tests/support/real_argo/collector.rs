//! What a GC pod does: `argoexec artifact delete` (workflow/artifacts/gcs and cmd/argoexec of v4.0.5).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::api::{Api, words};
use super::places::relocated;
use super::runner::Cluster;

const GROUP: &str = "/apis/argoproj.io/v1alpha1/namespaces";

/// The error of every driver without a delete.
const UNSUPPORTED: &str = "delete not supported for this artifact storage, please check the following issue for details: \
                           https://github.com/argoproj/argo-workflows/issues/3102";

/// Deletes what the pod's tasks name, and records each artifact's result in one patch of each task's status.
///
/// # Errors
/// The message of the container that failed: one artifact's failure is only recorded.
pub async fn collect(cluster: &Cluster, account: &Api, namespace: &str, pod: &Value) -> Result<(), String> {
    let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
    let mut variables = containers.flat_map(|container| container["env"].as_array().into_iter().flatten());
    let hash = variables.find(|variable| variable["name"] == "ARGO_ARTIFACT_POD_NAME");
    let hash = hash.and_then(|variable| variable["value"].as_str()).ok_or("no tasks are named")?;
    let tasks = format!("{GROUP}/{namespace}/workflowartifactgctasks");
    let selector = format!("workflows.argoproj.io%2Fartifact-gc-pod%3D{hash}");
    let list =
        account.get(&format!("{tasks}?labelSelector={selector}")).await.map_err(|error| words(&error))?;
    for task in list["items"].as_array().into_iter().flatten() {
        let mut results = BTreeMap::new();
        for (node, spec) in task["spec"]["artifactsByNode"].as_object().into_iter().flatten() {
            let mut of_node = BTreeMap::new();
            for (name, artifact) in spec["artifacts"].as_object().into_iter().flatten() {
                of_node.insert(
                    name.clone(),
                    match delete(cluster, artifact, &spec["archiveLocation"])? {
                        None => json!({ "name": name, "success": true }),
                        Some(error) => json!({ "name": name, "success": false, "error": error }),
                    },
                );
            }
            results.insert(node.clone(), json!({ "artifactResults": of_node }));
        }
        let name = task["metadata"]["name"].as_str().unwrap_or_default();
        let patch = json!({ "status": { "artifactResultsByNode": results } });
        account.patch(&format!("{tasks}/{name}/status"), &patch).await.map_err(|error| words(&error))?;
    }
    Ok(())
}

/// The driver's error, if it had one.
///
/// # Errors
/// When no driver could be made.
fn delete(cluster: &Cluster, artifact: &Value, archive: &Value) -> Result<Option<String>, String> {
    match relocated(artifact, archive) {
        Ok(place) if cluster.gcs.has_bucket(&place.bucket) && cluster.gcs.remove(&place.bucket, &place.key) => {
            cluster.note_collected(place);
            Ok(None)
        }
        Ok(place) => Ok(Some(format!("delete {}: storage: object doesn't exist", place.key))),
        Err("none") => Err("You need to configure artifact storage. More information on how to do this can be found \
                            in the docs: https://argo-workflows.readthedocs.io/en/latest/configure-artifact-repository/"
            .to_owned()),
        Err(_) => Ok(Some(UNSUPPORTED.to_owned())),
    }
}
