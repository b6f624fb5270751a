//! Reads service accounts and their permissions, and what only `doctor` needs: events about GC pods, and repositories.

use crate::cluster::client::Cluster;
use crate::cluster::listing::{Listing, gap, why};
use crate::error::Error;
use argo_gc_core::argo::list::Item;
use argo_gc_core::argo::related::{ConfigMap, Event};
use argo_gc_core::doctor::facts::{RepositoryFacts, repositories_of};
use argo_gc_core::model::account::{Account, Action, Answer, Standing};
use argo_gc_core::model::context::{Related, RelatedKind};
use argo_gc_core::model::gap::Gap;
use futures::stream;
use futures::stream::StreamExt;
use std::collections::{BTreeMap, BTreeSet};
use tokio::sync::Mutex;

/// How many service accounts are examined at most; each takes four requests.
pub(crate) const MAX_ACCOUNTS: usize = 200;

/// How many of them are examined at a time.
const AT_A_TIME: usize = 4;

const POD_EVENTS: Listing = Listing {
    kind: RelatedKind::Events,
    resource: "events",
    group: "/api/v1",
    namespaced: true,
    query: &[("fieldSelector", "type=Warning")],
    effect: "it may be unknown that a GC pod was refused, not scheduled or lacked a secret",
};

pub(crate) const REPOSITORIES: Listing = Listing {
    kind: RelatedKind::ConfigMaps,
    resource: "configmaps",
    group: "/api/v1",
    namespaced: true,
    query: &[("fieldSelector", "metadata.name=artifact-repositories")],
    effect: "repositories that namespaces configure themselves are not known",
};

/// What the `artifact-repositories` ConfigMaps of some namespaces say.
#[derive(Default)]
pub(crate) struct ConfiguredRepositories {
    pub found: Vec<RepositoryFacts>,
    /// By namespace.
    pub maps: BTreeMap<String, ConfigMap>,
    pub gaps: Vec<Gap>,
}

/// The service accounts that were examined, each once.
pub(crate) struct Accounts {
    cluster: Cluster,
    known: Mutex<BTreeMap<Account, Standing>>,
}

impl Accounts {
    pub fn new(cluster: &Cluster) -> Self {
        Self { cluster: cluster.clone(), known: Mutex::default() }
    }

    /// Whether these service accounts exist and have the permissions of a GC pod.
    pub async fn standings(&self, wanted: &BTreeSet<Account>) -> BTreeMap<Account, Standing> {
        let mut known = self.known.lock().await;
        let new: Vec<Account> =
            wanted.iter().filter(|account| !known.contains_key(account)).cloned().collect();
        let most = MAX_ACCOUNTS.saturating_sub(known.len());
        known.extend(self.cluster.standings(&new, most).await);
        wanted.iter().filter_map(|account| Some((account.clone(), known.get(account)?.clone()))).collect()
    }
}

/// Says why it is unknown whether service accounts may do what a GC pod must, or whether they exist.
pub(crate) fn unreviewed(standings: &BTreeMap<Account, Standing>) -> Option<Gap> {
    let gap = |what: &str, standing: &Standing, effect: &str| Gap {
        what: what.to_owned(),
        why: standing.why.clone(),
        effect: effect.to_owned(),
    };
    let unknown = standings.values().find(|standing| standing.is_unknown());
    let unseen = standings.values().find(|standing| standing.exists == Answer::Unknown);
    let rights = "missing permissions of a GC pod's service account are unknown";
    let accounts = "it is unknown whether those of GC pods exist";
    unknown
        .map(|standing| gap("access reviews", standing, rights))
        .or_else(|| unseen.map(|standing| gap("service accounts", standing, accounts)))
}

impl Cluster {
    /// Whether these service accounts exist and have the permissions of a GC pod; of `most` of them. This never fails: what
    /// can't be read is unknown. Access reviews store nothing.
    pub async fn standings(&self, accounts: &[Account], most: usize) -> BTreeMap<Account, Standing> {
        let mut standings = BTreeMap::new();
        let mut looked_at = accounts.iter().take(most);
        // Whoever may not ask about the first may not ask about the others.
        if let Some(first) = looked_at.next() {
            let standing = self.standing(first).await;
            let refused = standing.is_unknown().then(|| standing.why.clone());
            standings.insert(first.clone(), standing);
            if let Some(why) = refused {
                let unknown = || Standing { why: why.clone(), ..Standing::default() };
                standings.extend(accounts.iter().skip(1).map(|account| (account.clone(), unknown())));
                return standings;
            }
        }
        let found = stream::iter(looked_at)
            .map(|account| async move { (account.clone(), self.standing(account).await) })
            .buffer_unordered(AT_A_TIME);
        standings.extend(found.collect::<Vec<_>>().await);
        let why = format!("only the first {MAX_ACCOUNTS} service accounts are checked");
        for account in accounts.iter().skip(most) {
            standings.insert(account.clone(), Standing { why: why.clone(), ..Standing::default() });
        }
        standings
    }

    async fn standing(&self, account: &Account) -> Standing {
        let Account { namespace, name } = account;
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
        // A failure of the reviews is recorded first: it matters more than why the account could not be read.
        let mut rights = [Answer::Unknown; 3];
        for (right, action) in rights.iter_mut().zip(Action::OF_GC_POD) {
            let asked = self.account_may(account, action, namespace).await;
            *right = answer("create subjectaccessreviews", asked);
        }
        let exists = answer("get serviceaccounts", there);
        Standing { why: unknown, ..Standing::new(exists, rights) }
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
    pub(crate) async fn configured_repositories(&self, namespace: Option<&str>) -> ConfiguredRepositories {
        let ConfiguredRepositories { mut found, mut maps, mut gaps } = ConfiguredRepositories::default();
        match self.list::<ConfigMap>(&REPOSITORIES, namespace).await {
            Err(error) => gaps.push(gap(&REPOSITORIES, namespace, &error)),
            Ok(items) => {
                for item in items {
                    match item {
                        Item::Object(config) => {
                            repositories_of(&config, &mut found, &mut gaps);
                            maps.insert(config.metadata.namespace.clone(), *config);
                        }
                        Item::Malformed(bad) => gaps.push(Gap {
                            what: format!("configmap {}", bad.name),
                            why: bad.error,
                            effect: REPOSITORIES.effect.to_owned(),
                        }),
                    }
                }
            }
        }
        ConfiguredRepositories { found, maps, gaps }
    }
}
