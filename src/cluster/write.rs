//! The only writes: guarded patches of a workflow, and an Event that says what was done. Reviews store nothing.

use crate::cluster::api_client::Request;
use crate::cluster::client::Cluster;
use crate::error::Error;
use argo_gc_core::argo::meta::Meta;
use argo_gc_core::argo::{names, weight};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

/// The result of a guarded patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patched {
    Done,
    /// The workflow changed since it was read: it must be read again and decided on anew.
    Conflict,
}

impl Cluster {
    /// One workflow's JSON, which is safe to decode; none when it does not exist.
    ///
    /// # Errors
    /// It can't be read, or would take too much memory.
    pub async fn workflow(&self, namespace: &str, name: &str) -> Result<Option<Vec<u8>>, Error> {
        match self.get(&path(namespace, name)).await {
            Ok(body) => match weight::check(&body, weight::MAX_WEIGHT) {
                Ok(()) => Ok(Some(body.to_vec())),
                Err(too_heavy) => Err(Error::malformed(format!("workflow {namespace}/{name}: {too_heavy}"))),
            },
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Applies JSON patch operations if the workflow is still the one of `meta` and did not change.
    ///
    /// # Errors
    /// The server refuses for any reason but a change of the workflow.
    pub async fn patch(&self, meta: &Meta, mut operations: Vec<Value>) -> Result<Patched, Error> {
        let guard = [
            json!({"op": "test", "path": "/metadata/uid", "value": meta.uid}),
            json!({"op": "test", "path": "/metadata/resourceVersion", "value": meta.resource_version}),
        ];
        operations.splice(0..0, guard);
        let body = Value::from(operations).to_string().into_bytes();
        let path = path(&meta.namespace, &meta.name);
        let sent = self.api.send(Request::json_patch(&path, &body)).await;
        let answer = sent.map_err(|failure| failure.error)?;
        match answer.status.as_u16() {
            200..=299 => Ok(Patched::Done),
            // A failed test of a JSON patch is 422; a race inside the server 409; a deleted workflow 404.
            404 | 409 | 422 => Ok(Patched::Conflict),
            code => Err(Error::from_status(code, &answer.body)),
        }
    }

    /// Creates an Event about a workflow.
    ///
    /// # Errors
    /// The server refuses it.
    pub async fn event(&self, meta: &Meta, message: &str, now: Timestamp) -> Result<(), Error> {
        let time = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let event = json!({
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": { "generateName": format!("{}.", meta.name), "namespace": meta.namespace },
            "involvedObject": {
                "apiVersion": names::API_VERSION, "kind": "Workflow", "namespace": meta.namespace,
                "name": meta.name, "uid": meta.uid,
            },
            "reason": "ArtifactsPurged",
            "type": "Normal",
            "message": message,
            "source": { "component": "kubectl-argo-gc" },
            "firstTimestamp": time,
            "lastTimestamp": time,
            "count": 1,
        });
        let path = format!("/api/v1/namespaces/{}/events", meta.namespace);
        let sent = self.api.send(Request::post(&path, event.to_string().as_bytes())).await;
        let answer = sent.map_err(|failure| failure.error)?;
        match answer.status.is_success() {
            true => Ok(()),
            false => Err(Error::from_status(answer.status.as_u16(), &answer.body)),
        }
    }

    /// The name that the API server has for the user; none if the server does not say.
    pub async fn user(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Review {
            status: Status,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Status {
            user_info: UserInfo,
        }
        #[derive(Deserialize)]
        struct UserInfo {
            username: String,
        }
        let review = json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview" });
        let path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
        let answer = self.api.send(Request::post(path, review.to_string().as_bytes())).await.ok()?;
        let review: Review = serde_json::from_slice(&answer.body).ok()?;
        Some(review.status.user_info.username)
    }

    /// Whether the user may do something to workflows in a namespace; none if the server could not say.
    pub async fn may_i(&self, verb: &str, namespace: &str) -> Option<bool> {
        self.is_allowed(verb, ("argoproj.io", "workflows"), namespace).await
    }

    /// Whether the user may do something to a resource, by its group and name, in a namespace or (empty) in all of them; none
    /// if the server could not say.
    pub(crate) async fn is_allowed(
        &self,
        verb: &str,
        (group, resource): (&str, &str),
        namespace: &str,
    ) -> Option<bool> {
        #[derive(Deserialize)]
        struct Review {
            status: Status,
        }
        #[derive(Deserialize)]
        struct Status {
            allowed: bool,
        }
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": { "resourceAttributes": {
                "namespace": namespace, "verb": verb, "group": group, "resource": resource,
            }},
        });
        let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
        let answer = self.api.send(Request::post(path, review.to_string().as_bytes())).await.ok()?;
        let review: Review = serde_json::from_slice(&answer.body).ok()?;
        Some(review.status.allowed)
    }
}

fn path(namespace: &str, name: &str) -> String {
    format!("/apis/argoproj.io/v1alpha1/namespaces/{namespace}/workflows/{name}")
}
