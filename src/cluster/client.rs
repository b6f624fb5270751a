//! A connection to one Kubernetes API server.

use crate::cluster::api_client::{Answer, ApiClient, Failure, Failures, Request};
use crate::cluster::argo_server::ArgoServer;
use crate::cluster::buffer::Buffer;
use crate::error::Error;
use crate::progress::Progress;
use jiff::Timestamp;
use std::sync::Arc;

/// A connection to one API server.
#[derive(Clone)]
pub struct Cluster {
    pub(crate) api: ApiClient,
    pub(crate) namespace: String,
    pub(crate) context: Option<String>,
    /// The server that can read offloaded nodes and the archive.
    pub(crate) argo_server: Option<Arc<ArgoServer>>,
    /// Told how far the reading is.
    pub(crate) progress: Progress,
}

/// Failures of a Kubernetes API server.
struct KubernetesFailures;

impl Failures for KubernetesFailures {
    fn of_answer(&self, answer: &Answer) -> Failure {
        let passing = answer.status == 429 || answer.status.is_server_error();
        Failure { error: Error::from_status(answer.status.as_u16(), &answer.body), passing }
    }
}

impl Cluster {
    /// The namespace of the flag, else of the context, else `default`.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The server's time at its first answer; none before, or if its answers have no date.
    pub fn first_answer(&self) -> Option<Timestamp> {
        self.api.first_answer()
    }

    /// The same cluster, which tells how far the reading of its workflows is.
    #[must_use]
    pub fn telling(self, progress: &Progress) -> Self {
        Self { progress: progress.clone(), ..self }
    }

    /// The Argo server that was named, if any.
    pub fn argo_server(&self) -> Option<&ArgoServer> {
        self.argo_server.as_deref()
    }

    /// Host and port of the server.
    pub fn host(&self) -> &str {
        self.api.host()
    }

    /// The kubeconfig context in use; none inside a cluster.
    pub fn context(&self) -> Option<&str> {
        self.context.as_deref()
    }

    /// Reads a path; waits a little and tries again on 429, 5xx and broken connections.
    ///
    /// # Errors
    /// The server can't be reached, answers with an error, or the tries are used up.
    pub(crate) async fn get(&self, path: &str) -> Result<Buffer, Error> {
        self.api.exchange(Request::get(path), &KubernetesFailures).await
    }

    /// Sends an access review, as [`Self::get`] does: it creates nothing and may be sent again.
    pub(crate) async fn review_access(&self, path: &str, json: &[u8]) -> Result<Buffer, Error> {
        self.api.exchange(Request::post(path, json), &KubernetesFailures).await
    }

    /// As [`Self::ensure_namespace`], of several: of one that is misspelt nothing would be shown beside the others.
    ///
    /// # Errors
    /// One does not exist.
    pub async fn ensure_namespaces(&self, namespaces: &[String]) -> Result<(), Error> {
        for namespace in namespaces {
            self.ensure_namespace(namespace).await?;
        }
        Ok(())
    }

    /// Refuses a namespace that does not exist, because Kubernetes answers an empty list for it.
    ///
    /// # Errors
    /// The namespace does not exist. It is no error if it can't be read.
    pub async fn ensure_namespace(&self, namespace: &str) -> Result<(), Error> {
        match self.get(&format!("/api/v1/namespaces/{namespace}")).await {
            Err(error) if error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }
}
