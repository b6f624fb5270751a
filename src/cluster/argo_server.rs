//! The Argo server's API: nodes that are stored in the controller's database, and the archive (`docs/argo-gc.md#archive`).
//!
//! It is only read. It is reached as the argo CLI reaches it, with the same variables and the same token. `--as` has no
//! effect, because the server knows tokens only.

pub mod address;
pub mod archive;

use crate::cluster::api_client::{Answer, ApiClient, Failure, Failures, Patience, Request, check_segment};
use crate::cluster::argo_server::address::ArgoAddress;
use crate::cluster::buffer::Buffer;
use crate::error::{Error, ErrorKind, Hint};
use argo_gc_core::argo::de;
use argo_gc_core::argo::list::{Item, decode};
use argo_gc_core::argo::nodes::Nodes;
use argo_gc_core::argo::weight;
use argo_gc_core::argo::workflow::Workflow;
use argo_gc_core::model::context::ArchiveExtent;
use kube::config::{AuthInfo, Config};
use serde::Deserialize;

/// How many whole workflows are asked for at a time: the nodes of each may be tens of megabytes.
pub const WHOLE: usize = 4;

/// The hint if the server does not accept the token.
const TOKEN_HINT: &str = "set ARGO_TOKEN to what `argo auth token` prints";

/// The hint if the credentials of the kubeconfig can't be used.
const OWN_TOKEN_HINT: &str = "ARGO_TOKEN gives the Argo server a token of its own";

/// A connection to one Argo server.
#[derive(Clone)]
pub struct ArgoServer {
    api: ApiClient,
}

/// The server's settings.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Info {
    /// The one namespace it shows; empty for all.
    #[serde(deserialize_with = "de::or_default")]
    managed_namespace: String,
}

/// A live workflow, by which a cluster is known.
#[derive(Debug, Clone)]
pub struct KnownWorkflow {
    pub namespace: String,
    pub name: String,
    pub uid: String,
}

/// A whole workflow as the server sent it.
#[derive(Debug)]
pub struct Whole {
    pub workflow: Box<Workflow>,
    pub text: Buffer,
}

impl ArgoServer {
    /// Nothing is sent yet.
    ///
    /// # Errors
    /// The credentials can't be used.
    pub(crate) fn new(address: &ArgoAddress, auth: &AuthInfo, patience: Patience) -> Result<Self, Error> {
        let ArgoAddress { uri, insecure } = address;
        let mut config = Config::new(uri.clone());
        config.accept_invalid_certs = *insecure;
        config.proxy_url = address::proxy(uri)?;
        config.auth_info = address::credentials(auth)?;
        let api = ApiClient::new(config, patience).map_err(|error| match error.kind {
            ErrorKind::Credentials => error.hint(OWN_TOKEN_HINT),
            _ => error,
        })?;
        Ok(Self { api })
    }

    /// Host and port.
    pub fn host(&self) -> &str {
        self.api.host()
    }

    /// Checks that it is an Argo server that accepts the token.
    ///
    /// # Errors
    /// It can't be reached, is no Argo server, or doesn't accept the token.
    pub async fn greet(&self) -> Result<(), Error> {
        self.info().await.map(drop)
    }

    async fn info(&self) -> Result<Info, Error> {
        let body = self.get("/api/v1/info").await?;
        serde_json::from_slice(&body).map_err(|error| self.half("info", error))
    }

    /// Which archive the server shows, after so many of its rows were read.
    ///
    /// # Errors
    /// The server doesn't say.
    pub async fn shown(&self, rows: u64) -> Result<ArchiveExtent, Error> {
        let managed_namespace = self.info().await?.managed_namespace;
        let exists = rows > 0 || self.has_archive().await?;
        Ok(ArchiveExtent { exists, managed_namespace })
    }

    /// The live workflow with its nodes, which the server reads from the database.
    ///
    /// # Errors
    /// The server can't give them, or what it gives is not the state that was seen: another workflow of that
    /// name, the archived record, or a run that went on.
    pub async fn hydrated(&self, seen: &Workflow) -> Result<Whole, Error> {
        let (namespace, name) = (&seen.metadata.namespace, &seen.metadata.name);
        check_segment("namespace", namespace)?;
        check_segment("resource name", name)?;
        let whole = self.whole(&format!("/api/v1/workflows/{namespace}/{name}")).await?;
        match objection(seen, &whole.workflow) {
            None => Ok(whole),
            Some(why) => Err(Error::new(format!("the Argo server answered with {why}"))),
        }
    }

    /// The nodes of [`Self::hydrated`].
    ///
    /// # Errors
    /// As [`Self::hydrated`].
    pub async fn nodes(&self, seen: &Workflow) -> Result<Nodes, Error> {
        Ok(self.hydrated(seen).await?.workflow.status.nodes)
    }

    /// Makes sure that the server is of the cluster these live workflows were read from:
    /// an `ARGO_SERVER` that is set for another one would show another archive.
    ///
    /// # Errors
    /// It is of another cluster, or this can't be found out.
    pub async fn ensure_of(&self, known: &[KnownWorkflow]) -> Result<(), Error> {
        let mut failure = None;
        for KnownWorkflow { namespace, name, uid } in known {
            // Without nodes, which it would fetch from the database first.
            match self.whole(&format!("/api/v1/workflows/{namespace}/{name}?fields=metadata.uid")).await {
                Ok(whole) if whole.workflow.metadata.uid == *uid => return Ok(()),
                Ok(_) => failure = Some(self.foreign()),
                Err(error) if error.kind == ErrorKind::NotFound => failure = failure.or(Some(self.foreign())),
                // The workflow may be another controller's: each server has one instance ID.
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        match failure {
            Some(error) => Err(error),
            None if known.is_empty() => self.ensure_empty().await,
            None => Ok(()),
        }
    }

    /// Checks that the server knows no live workflow either, for a cluster without workflows.
    async fn ensure_empty(&self) -> Result<(), Error> {
        let body = self.get("/api/v1/workflows/?listOptions.limit=10&fields=items.metadata").await?;
        let mut live = false;
        decode::<Workflow>(&body, |item| {
            // Since v3.5 archived ones are listed there too.
            live |= matches!(item, Item::Object(workflow) if !workflow.is_archived_record());
        })
        .map_err(|error| self.half("list of workflows", error))?;
        if live { Err(self.foreign()) } else { Ok(()) }
    }

    fn foreign(&self) -> Error {
        Error::new(format!("the Argo server {} is not this cluster's: it knows other workflows", self.host()))
    }

    /// Reads and decodes one workflow. Decoding megabytes takes a while, so another thread does it.
    async fn whole(&self, path: &str) -> Result<Whole, Error> {
        let text = self.get(path).await?;
        let decoded = tokio::task::spawn_blocking(move || {
            weight::check(&text, weight::MAX_WHOLE_WEIGHT).map_err(Error::malformed)?;
            let workflow = serde_json::from_slice::<Workflow>(&text);
            Ok(workflow.map(|workflow| Whole { workflow: Box::new(workflow), text }))
        });
        let decoded: Result<_, Error> = decoded
            .await
            .map_err(|error| Error::new(format!("a decoder stopped: {error}")).caused_by(error))?;
        decoded?.map_err(|error| Error::malformed(self.half("workflow", error).brief()))
    }

    /// Reads a path. A failed connection is tried again, and what a proxy in front of the server may answer for a
    /// while. The server's own failures are not: it has tried the database several times already
    /// (workflow/hydrator@v4.1.2).
    async fn get(&self, path: &str) -> Result<Buffer, Error> {
        let body = self.api.exchange(Request::get(path), &ArgoFailures { host: self.host() }).await?;
        self.json(body)
    }

    /// Refuses HTML, with which log-in pages and other sites answer 200 too.
    fn json(&self, body: Buffer) -> Result<Buffer, Error> {
        match body.trim_ascii_start().first() {
            Some(b'{') => Ok(body),
            _ => Err(Error::no_argo_server(self.host())),
        }
    }

    /// The error for an answer that can't be decoded.
    fn half(&self, wanted: &str, error: serde_json::Error) -> Error {
        Error::new(format!("the Argo server {} sent no whole {wanted}: {error}", self.host()))
            .caused_by(error)
    }
}

/// Why an answer is not the state of the workflow that was seen; none if it is.
fn objection(seen: &Workflow, answer: &Workflow) -> Option<&'static str> {
    let (one, other) = (&seen.metadata, &answer.metadata);
    let same_run =
        seen.status.phase == answer.status.phase && seen.status.finished_at == answer.status.finished_at;
    if one.uid.is_empty() || one.uid != other.uid {
        Some("another workflow of that name")
    } else if answer.is_archived_record() {
        Some("its archived record: the workflow was deleted meanwhile")
    } else if one.resource_version != other.resource_version && !same_run {
        Some("a later state of it; try again")
    } else if answer.is_offloaded() || answer.status.nodes.is_empty() {
        Some("no nodes")
    } else {
        None
    }
}

/// Failures of the Argo server at `host`.
struct ArgoFailures<'a> {
    host: &'a str,
}

impl Failures for ArgoFailures<'_> {
    fn of_answer(&self, answer: &Answer) -> Failure {
        let code = answer.status.as_u16();
        let error = Error::from_argo_status(self.host, code, &answer.body);
        let error = match code {
            401 => error.hint(TOKEN_HINT),
            403 => error.hint(format!("{TOKEN_HINT}, for a user who may get and list workflows there")),
            _ => error,
        };
        Failure { error, passing: matches!(code, 429 | 502 | 503 | 504) }
    }

    fn of_connection(&self, Failure { error, passing }: Failure) -> Failure {
        let (hint, may_pass) = match error.kind {
            ErrorKind::Credentials => (Hint::from(OWN_TOKEN_HINT), false),
            ErrorKind::UntrustedCertificate => (
                "if its certificate is self-signed and you trust the connection, set \
                 ARGO_INSECURE_SKIP_VERIFY=true"
                    .into(),
                false,
            ),
            ErrorKind::NotTls => (
                "it seems to speak plain HTTP: set ARGO_SECURE=false, or write http:// before the host"
                    .into(),
                false,
            ),
            _ => (Hint::IsArgoServer, true),
        };
        Failure { error: error.hint(hint), passing: passing && may_pass }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use argo_gc_core::argo::workflow::Workflow;

    #[test]
    fn only_the_state_that_was_seen_is_taken() {
        let mut seen = Workflow::default();
        seen.metadata.uid = "u".into();
        seen.metadata.resource_version = "7".into();
        seen.status.phase = "Succeeded".into();
        seen.status.offload_node_status_version = "fnv:1".into();
        let mut answer = seen.clone();
        answer.status.offload_node_status_version = String::new();
        assert_eq!(objection(&seen, &answer), Some("no nodes"));
        answer.status.nodes.insert("n".into(), argo_gc_core::argo::node::NodeStatus::default());
        assert_eq!(objection(&seen, &answer), None);
        let changed = |change: &dyn Fn(&mut Workflow)| {
            let mut answer = answer.clone();
            change(&mut answer);
            objection(&seen, &answer)
        };
        assert!(changed(&|answer| answer.metadata.uid = "other".into()).is_some());
        assert!(changed(&|answer| answer.metadata.uid = String::new()).is_some());
        // A label or a finalizer changed, the run did not.
        assert_eq!(changed(&|answer| answer.metadata.resource_version = "8".into()), None);
        let retried = changed(&|answer| {
            answer.metadata.resource_version = "8".into();
            answer.status.phase = "Running".into();
        });
        assert_eq!(retried, Some("a later state of it; try again"));
        let archived = changed(&|answer| {
            let label = (argo_gc_core::argo::names::ARCHIVING.to_owned(), "Persisted".to_owned());
            answer.metadata.labels.extend([label]);
        });
        assert!(archived.is_some_and(|why| why.contains("archived")));
    }
}
