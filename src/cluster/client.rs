//! A connection to one Kubernetes API server.

use crate::cluster::api_client::{Answer, collect, date, retry_after};
use crate::cluster::argo_server::ArgoServer;
use crate::cluster::buffer::{Buffer, Pool};
use crate::cluster::{MAX_WAIT, TRIES};
use crate::error::{Error, ErrorKind};
use http::{Request, header};
use jiff::Timestamp;
use kube::Client;
use kube::client::Body as KubeBody;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// A connection to one API server.
#[derive(Clone)]
pub struct Cluster {
    pub(crate) client: Client,
    pub(crate) namespace: String,
    pub(crate) host: String,
    pub(crate) context: Option<String>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) buffers: Pool,
    /// The server's time at its first answer.
    pub(crate) first_answer: Arc<OnceLock<Timestamp>>,
    /// Where offloaded nodes and the archive can be read.
    pub(crate) argo_server: Option<Arc<ArgoServer>>,
}

impl Cluster {
    /// The namespace of the flag, else of the context, else `default`.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The server's time at its first answer; none before, or where it doesn't say.
    pub fn first_answer(&self) -> Option<Timestamp> {
        self.first_answer.get().copied()
    }

    /// The Argo server that was named, if any.
    pub fn argo_server(&self) -> Option<&ArgoServer> {
        self.argo_server.as_deref()
    }

    /// Host and port of the server.
    pub fn host(&self) -> &str {
        &self.host
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
        self.exchange(path, None).await
    }

    /// As [`Self::get`]; with a body, a POST of a review, which creates nothing and may be sent again too.
    pub(crate) async fn exchange(&self, path: &str, json: Option<&[u8]>) -> Result<Buffer, Error> {
        let mut wait = Duration::from_millis(250);
        let mut attempt = 1;
        loop {
            let (error, asked) = match self.send(path, json).await {
                Ok(answer) if answer.status.is_success() => return Ok(answer.body),
                Ok(answer) => {
                    let error = Error::from_status(answer.status.as_u16(), &answer.body);
                    let passing = answer.status == 429 || answer.status.is_server_error();
                    if !passing {
                        return Err(error);
                    }
                    (error, answer.wait)
                }
                Err((error, false)) => return Err(error),
                Err((error, true)) => (error, None),
            };
            if attempt == TRIES {
                return Err(error);
            }
            tracing::debug!(path, attempt, %error, "trying again");
            tokio::time::sleep(asked.unwrap_or(wait).min(MAX_WAIT)).await;
            wait *= 2;
            attempt += 1;
        }
    }

    /// Sends one request: a GET, or a POST of a review. The flag of an error says whether another try may help.
    pub(crate) async fn send(&self, path: &str, json: Option<&[u8]>) -> Result<Answer, (Error, bool)> {
        let method = if json.is_some() { "POST" } else { "GET" };
        self.request(method, path, "application/json", json.unwrap_or_default()).await
    }

    pub(crate) async fn request(
        &self,
        method: &str,
        path: &str,
        content_type: &str,
        body: &[u8],
    ) -> Result<Answer, (Error, bool)> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, content_type)
            .body(KubeBody::from(body.to_vec()))
            .map_err(|error| (Error::new(format!("{path}: {error}")), false))?;
        let exchange = async {
            let response = self.client.send(request).await.map_err(|error| {
                let retriable = matches!(error, kube::Error::HyperError(_) | kube::Error::Service(_));
                let error = Error::from_kube(&self.host, &error);
                let refused = error.to_string().contains("was refused");
                (error, retriable && !refused)
            })?;
            let status = response.status();
            if let Some(time) = date(response.headers()) {
                let _ = self.first_answer.set(time);
            }
            tracing::debug!(method, path, status = status.as_u16(), server = %self.host, "kubernetes");
            let wait = retry_after(response.headers());
            let mut body = self.buffers.take();
            let collected = collect(response, &mut body.bytes).await;
            collected.map_err(|error| (Error::from_kube(&self.host, &error), true))?;
            Ok(Answer { status, wait, body })
        };
        match self.timeout {
            None => exchange.await,
            Some(timeout) => match tokio::time::timeout(timeout, exchange).await {
                Ok(answer) => answer,
                Err(_) => Err((Error::timeout(&self.host), false)),
            },
        }
    }

    /// Kubernetes answers an empty list for a namespace that isn't there; kubectl users expect to be told.
    ///
    /// # Errors
    /// The namespace does not exist. That it can't be read is no error.
    pub async fn ensure_namespace(&self, namespace: &str) -> Result<(), Error> {
        match self.get(&format!("/api/v1/namespaces/{namespace}")).await {
            Err(error) if error.kind == ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}
