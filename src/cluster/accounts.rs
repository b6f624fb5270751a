//! Reads what only `doctor` needs: service accounts and their permissions, events about GC pods, and repositories.

use crate::cluster::client::Cluster;
use crate::cluster::listing::{Listing, gap, why};
use crate::error::Error;
use argo_gc_core::argo::list::Item;
use argo_gc_core::argo::related::{ConfigMap, Event};
use argo_gc_core::doctor::account::{Answer, Standing};
use argo_gc_core::doctor::facts::{RepositoryFacts, repositories_of};
use argo_gc_core::doctor::symptom::Account;
use argo_gc_core::model::context::{Related, RelatedKind};
use argo_gc_core::model::gap::Gap;
use futures::stream;
use futures::stream::StreamExt;
use std::collections::BTreeMap;

/// How many service accounts are examined at most; each takes four requests.
const MAX_ACCOUNTS: usize = 200;

/// How many of them are examined at a time.
const AT_A_TIME: usize = 4;

const POD_EVENTS: Listing = Listing {
    kind: RelatedKind::Events,
    resource: "events",
    group: "/api/v1",
    namespaced: true,
    query: &[("fieldSelector", "type=Warning")],
    effect: "that a GC pod was refused, not scheduled or lacked a secret may not be told",
};

pub(crate) const REPOSITORIES: Listing = Listing {
    kind: RelatedKind::ConfigMaps,
    resource: "configmaps",
    group: "/api/v1",
    namespaced: true,
    query: &[("fieldSelector", "metadata.name=artifact-repositories")],
    effect: "repositories of namespaces of their own are not known",
};

impl Cluster {
    /// Whether these service accounts exist and have the permissions of a GC pod. This never fails: what can't be read
    /// is unknown. Access reviews store nothing.
    pub async fn standings(&self, accounts: &[Account]) -> BTreeMap<Account, Standing> {
        let looked_at = accounts.iter().take(MAX_ACCOUNTS);
        let found = stream::iter(looked_at)
            .map(|account| async move { (account.clone(), self.standing(account).await) })
            .buffer_unordered(AT_A_TIME);
        let mut standings: BTreeMap<Account, Standing> = found.collect().await;
        let why = format!("only the first {MAX_ACCOUNTS} service accounts are looked at");
        for account in accounts.iter().skip(MAX_ACCOUNTS) {
            standings.insert(account.clone(), Standing { why: why.clone(), ..Standing::default() });
        }
        standings
    }

    async fn standing(&self, Account { namespace, name }: &Account) -> Standing {
        // The name comes from a workflow's spec and becomes part of a path.
        if let Err(error) = crate::cluster::api_client::check_segment("service account", name) {
            return Standing { why: error.brief().to_owned(), ..Standing::default() };
        }
        let mut unknown = String::new();
        let mut answer = |what: &str, asked: Result<bool, Error>| match asked {
            Ok(yes) => Answer::from(yes),
            Err(error) => {
                if unknown.is_empty() {
                    unknown = format!("{what}: {}", why(&error));
                }
                Answer::Unknown
            }
        };
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{name}");
        let there = match self.get(&path).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        };
        const REVIEW: &str = "create subjectaccessreviews";
        // A failure of the reviews is recorded first: it matters more than why the account could not be read.
        let list = answer(REVIEW, self.may(namespace, name, "list", "").await);
        let watch = answer(REVIEW, self.may(namespace, name, "watch", "").await);
        let patch_status = answer(REVIEW, self.may(namespace, name, "patch", "status").await);
        let exists = answer("get serviceaccounts", there);
        Standing { exists, list, watch, patch_status, why: unknown }
    }

    /// Adds the cluster's events about GC pods; returns a gap if they can't be read.
    pub async fn pod_events(&self, namespace: Option<&str>, related: &mut Related) -> Option<Gap> {
        match self.list::<Event>(&POD_EVENTS, namespace).await {
            Ok(events) => {
                for item in events {
                    if let Item::Object(event) = item
                        && event.gc_pod().is_some()
                    {
                        related.add_event(*event);
                    }
                }
                None
            }
            Err(error) => Some(gap(&POD_EVENTS, namespace, &error)),
        }
    }

    /// The repositories of `artifact-repositories` ConfigMaps, and the gaps for those that could not be read.
    pub async fn configured_repositories(&self, namespace: Option<&str>) -> (Vec<RepositoryFacts>, Vec<Gap>) {
        let (mut found, mut gaps) = (Vec::new(), Vec::new());
        match self.list::<ConfigMap>(&REPOSITORIES, namespace).await {
            Err(error) => gaps.push(gap(&REPOSITORIES, namespace, &error)),
            Ok(items) => {
                for item in items {
                    match item {
                        Item::Object(config) => repositories_of(&config, &mut found, &mut gaps),
                        Item::Malformed(bad) => gaps.push(Gap {
                            what: format!("configmap {}", bad.name),
                            why: bad.error,
                            effect: REPOSITORIES.effect.to_owned(),
                        }),
                    }
                }
            }
        }
        (found, gaps)
    }
}
