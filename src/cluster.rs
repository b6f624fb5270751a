//! The Kubernetes API server: connecting, raw reads with short retries, pages of workflows, related objects.
//!
//! Only [`write`] writes, and only `purge` calls it. Bodies are handed on as bytes; decoding them is the
//! caller's work.

mod access;
mod accounts;
mod argo_server;
mod buffer;
mod manifests;
mod names;
mod pages;
mod related;
mod sources;
mod write;

pub use access::Access;
pub use argo_server::{ArgoAddress, ArgoServer, Row, Rows, WHOLE};
pub use buffer::Buffer;
use buffer::Pool;
pub use manifests::Manifests;
pub use names::{Configured, Named};
pub use pages::{Body, Missing, Scope};
pub use sources::{Beside, Unread, template_of};
pub use write::Patched;

use crate::error::{Error, Kind};
use http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use jiff::Timestamp;
use kube::Client;
use kube::client::Body as KubeBody;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Attempts in all at one read.
const TRIES: u32 = 4;
/// The longest wait a server can ask for.
const MAX_WAIT: Duration = Duration::from_secs(10);

/// A connection to one API server.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    namespace: String,
    host: String,
    context: Option<String>,
    timeout: Option<Duration>,
    buffers: Pool,
    /// The server's time at its first answer.
    first_answer: Arc<OnceLock<Timestamp>>,
    /// Where offloaded nodes and the archive can be read.
    argo_server: Option<Arc<ArgoServer>>,
}

/// The answer to one read.
struct Answer {
    status: StatusCode,
    wait: Option<Duration>,
    body: Buffer,
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
    async fn get(&self, path: &str) -> Result<Buffer, Error> {
        self.exchange(path, None).await
    }

    /// As [`Self::get`]; with a body, a POST of a review, which creates nothing and may be sent again too.
    async fn exchange(&self, path: &str, json: Option<&[u8]>) -> Result<Buffer, Error> {
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
    async fn send(&self, path: &str, json: Option<&[u8]>) -> Result<Answer, (Error, bool)> {
        let method = if json.is_some() { "POST" } else { "GET" };
        self.request(method, path, "application/json", json.unwrap_or_default()).await
    }

    async fn request(
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
            Err(error) if error.kind == Kind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// Reads a body into one buffer; frames are dropped as they come, since each holds on to a larger read buffer.
async fn collect(response: http::Response<KubeBody>, bytes: &mut Vec<u8>) -> Result<(), kube::Error> {
    /// No length is believed beyond this before the bytes are there.
    const MAX_TRUST: usize = 64 << 20;
    let length = response.headers().get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse().ok()).unwrap_or(0);
    bytes.reserve(MAX_TRUST.min(length));
    let mut body = std::pin::pin!(response.into_body());
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            bytes.extend_from_slice(&data);
        }
    }
    Ok(())
}

/// When the server answered, by its own clock.
fn date(headers: &http::HeaderMap) -> Option<Timestamp> {
    let text = headers.get(header::DATE)?.to_str().ok()?;
    jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

/// `Retry-After` in seconds.
fn retry_after(headers: &http::HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// Refuses what can't be one part of a path, as kubectl does; `what` is `resource name` or `namespace`.
fn check_segment(what: &str, text: &str) -> Result<(), Error> {
    let ordinary = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let problem = match text.chars().find(|c| !ordinary(*c)) {
        Some(odd) => format!("may not contain {odd:?}"),
        None if text.is_empty() => "may not be empty".to_owned(),
        None if matches!(text, "." | "..") => format!("may not be '{text}'"),
        None => return Ok(()),
    };
    Err(Error::usage(format!("invalid {what} \"{text}\": {problem}")))
}

/// Appends an encoded query.
fn with_query(path: &str, query: &[(&str, &str)]) -> String {
    if query.is_empty() {
        return path.to_owned();
    }
    let target = format!("{path}?");
    let start = target.len();
    form_urlencoded::Serializer::for_suffix(target, start).extend_pairs(query).finish()
}
