//! Names and labels of objects without the objects, for completion, which must be quick.

use crate::cluster::api_client::{Answer, Request, with_query};
use crate::cluster::client::Cluster;
use crate::cluster::paging::{Course, continue_token};
use crate::error::Error;
use argo_gc_core::argo::list::{Item, decode};
use argo_gc_core::argo::meta::Meta;
use kube::config::Kubeconfig;
use serde::Deserialize;
use std::path::Path;

/// The server leaves out specs and statuses, which for workflows are their node trees.
const METADATA_ONLY: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

/// Objects a page.
const PAGE: &str = "500";

/// The objects whose names are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    Namespaces,
    /// Those of the connection's namespace.
    Workflows,
}

impl Cluster {
    /// Hands on the metadata of all objects, page by page. Each page is asked for once, because a user waits for the
    /// completion.
    ///
    /// # Errors
    /// The server can't be reached, or refuses.
    pub async fn names(&self, what: Named, mut take: impl FnMut(Vec<Meta>)) -> Result<(), Error> {
        #[derive(Deserialize)]
        struct Object {
            metadata: Meta,
        }
        let base = match what {
            Named::Namespaces => "/api/v1/namespaces".to_owned(),
            Named::Workflows => {
                format!("/apis/argoproj.io/v1alpha1/namespaces/{}/workflows", self.namespace)
            }
        };
        let mut course = Course::default();
        loop {
            let mut query = vec![("limit", PAGE)];
            query.extend(course.token().map(|token| ("continue", token)));
            let path = with_query(&base, &query);
            let sent = self.api.send(Request::get(&path).accept(METADATA_ONLY)).await;
            let Answer { status, body, .. } = sent.map_err(|failure| failure.error)?;
            if !status.is_success() {
                return Err(Error::from_status(status.as_u16(), &body));
            }
            let mut names = Vec::new();
            decode::<Object>(&body, |item| {
                if let Item::Object(object) = item {
                    names.push(object.metadata);
                }
            })?;
            let more = course.goes_on(continue_token(&body)?, names.is_empty())?;
            take(names);
            if !more {
                return Ok(());
            }
        }
    }
}

/// The names that a kubeconfig defines.
#[derive(Debug, Clone, Default)]
pub struct Configured {
    pub contexts: Vec<String>,
    pub clusters: Vec<String>,
    pub users: Vec<String>,
    /// The namespaces that its contexts name.
    pub namespaces: Vec<String>,
}

impl Configured {
    /// Reads this file or the usual ones; gives nothing if there are none.
    pub fn read(file: Option<&Path>) -> Self {
        let read = match file {
            Some(path) => Kubeconfig::read_from(path),
            None => crate::cluster::access::read_default(),
        };
        let Ok(config) = read else { return Self::default() };
        let contexts = config.contexts.iter().filter_map(|named| named.context.as_ref());
        Self {
            namespaces: contexts.filter_map(|context| context.namespace.clone()).collect(),
            contexts: config.contexts.into_iter().map(|named| named.name).collect(),
            clusters: config.clusters.into_iter().map(|named| named.name).collect(),
            users: config.auth_infos.into_iter().map(|named| named.name).collect(),
        }
    }
}
