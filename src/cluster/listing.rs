//! Lists all objects of one kind, and words what could not be listed.

use crate::cluster::api_client::with_query;
use crate::cluster::client::Cluster;
use crate::cluster::paging::{Course, continue_token};
use crate::error::{Error, ErrorKind};
use argo_gc_core::argo::list::{Item, decode};
use argo_gc_core::model::context::RelatedKind;
use argo_gc_core::model::gap::Gap;
use serde::de::DeserializeOwned;

/// Objects a page; these are small.
const PAGE: &str = "500";

/// One kind of object to list.
pub(crate) struct Listing {
    pub kind: RelatedKind,
    /// The name in RBAC rules.
    pub resource: &'static str,
    pub group: &'static str,
    pub namespaced: bool,
    pub query: &'static [(&'static str, &'static str)],
    /// What is unknown if it can't be read.
    pub effect: &'static str,
}

impl Cluster {
    /// Reads all objects of a kind. A kind the server doesn't know has none.
    pub(crate) async fn list<T: DeserializeOwned>(
        &self,
        listing: &Listing,
        namespace: Option<&str>,
    ) -> Result<Vec<Item<T>>, Error> {
        let namespace = namespace.filter(|_| listing.namespaced);
        let base = match namespace {
            Some(namespace) => format!("{}/namespaces/{namespace}/{}", listing.group, listing.resource),
            None => format!("{}/{}", listing.group, listing.resource),
        };
        let mut items = Vec::new();
        let mut course = Course::default();
        loop {
            let mut query = listing.query.to_vec();
            query.push(("limit", PAGE));
            query.extend(course.token().map(|token| ("continue", token)));
            let body = match self.get(&with_query(&base, &query)).await {
                Err(error) if error.is_not_found() => return Ok(items),
                Err(error) if error.kind == ErrorKind::Expired && course.restarts() => {
                    items.clear();
                    continue;
                }
                other => other?,
            };
            let before = items.len();
            let broken = |error: serde_json::Error| {
                Error::new(format!("the server's list of {}: {error}", listing.resource)).caused_by(error)
            };
            decode::<T>(&body, |item| items.push(item)).map_err(broken)?;
            let next = continue_token(&body).map_err(broken)?;
            if !course.goes_on(next, items.len() == before)? {
                return Ok(items);
            }
        }
    }
}

pub(crate) fn gap(listing: &Listing, namespace: Option<&str>, error: &Error) -> Gap {
    let what = match namespace.filter(|_| listing.namespaced) {
        Some(namespace) => format!("{} in \"{namespace}\"", listing.resource),
        None if listing.namespaced => format!("{} in all namespaces", listing.resource),
        None => listing.resource.to_owned(),
    };
    Gap { what, why: why(error), effect: listing.effect.to_owned() }
}

pub(crate) fn why(error: &Error) -> String {
    match error.kind {
        ErrorKind::Forbidden => "forbidden".to_owned(),
        _ => error.brief().to_owned(),
    }
}
