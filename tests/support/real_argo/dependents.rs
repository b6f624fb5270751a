//! Kubernetes' own garbage collector, as far as Argo's objects need it: what a gone owner leaves behind goes too.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use kube::core::WatchEvent;
use serde_json::Value;

use super::runner::Cluster;

const GROUP: &str = "/apis/argoproj.io/v1alpha1";

/// Deletes the dependents of every object of a kind that goes, without end.
pub async fn clear(cluster: Arc<Cluster>, owners: &'static str, dependents: &'static [&'static str]) {
    let path = format!("{GROUP}/{owners}");
    let mut version = String::new();
    loop {
        if version.is_empty() {
            let Ok(list) = cluster.admin.get(&format!("{path}?limit=1")).await else {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            list["metadata"]["resourceVersion"].as_str().unwrap_or_default().clone_into(&mut version);
        }
        let Ok(mut events) = cluster.admin.watch(&path, "&timeoutSeconds=300", &version).await else {
            version.clear();
            continue;
        };
        while let Some(Ok(event)) = events.next().await {
            match event {
                WatchEvent::Deleted(owner) => {
                    version = resource_version(&owner);
                    for kind in dependents {
                        remove(&cluster, kind, &owner).await;
                    }
                }
                WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                    version = resource_version(&object)
                }
                WatchEvent::Bookmark(_) => {}
                WatchEvent::Error(_) => {
                    version.clear();
                    break;
                }
            }
        }
    }
}

fn resource_version(object: &Value) -> String {
    object["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned()
}

async fn remove(cluster: &Cluster, kind: &str, owner: &Value) {
    let namespace = owner["metadata"]["namespace"].as_str().unwrap_or_default();
    let root = if kind == "pods" { "/api/v1" } else { GROUP };
    let path = format!("{root}/namespaces/{namespace}/{kind}");
    let Ok(list) = cluster.admin.get(&path).await else { return };
    for object in list["items"].as_array().into_iter().flatten() {
        let mut owners = object["metadata"]["ownerReferences"].as_array().into_iter().flatten();
        if owners.any(|other| other["uid"] == owner["metadata"]["uid"]) {
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            let _ = cluster.admin.delete(&format!("{path}/{name}")).await;
        }
    }
}
