//! The accounts that workflows name beside their buckets, as Argo uses them: read from the Secrets of their namespaces,
//! once a bucket is first used.

use crate::cluster::client::Cluster;
use crate::cluster::secrets::Secret;
use argo_gc_core::argo::login::{Account, SecretKey};
use argo_gc_core::model::bucket::Bucket;
use argo_gc_core::model::engine::StorageEngine;
use argo_gc_core::model::login::{Logins, NamedLogin, several};
use argo_gc_store::identity::{Identities, Identity, Known};
use argo_gc_store::types::StoreError;
use futures::future::BoxFuture;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::{Mutex, OnceLock, PoisonError};

/// Tells the store which account stands beside a bucket. Every workflow that is looked up or purged must be told before
/// its buckets are used; a bucket beside which different accounts turn up is refused from then on.
#[derive(Default)]
pub struct WorkflowIdentities {
    /// Accounts that the user named; these come first.
    by_hand: Known,
    /// Whether Google's buckets are an emulator's, which is asked without credentials.
    emulator: bool,
    logins: Mutex<Logins>,
    cluster: OnceLock<Cluster>,
    found: tokio::sync::Mutex<HashMap<Bucket, Found>>,
}

/// The account of a bucket, and what had been named for it when it was found.
struct Found {
    named: BTreeSet<Option<NamedLogin>>,
    identity: Result<Identity, StoreError>,
}

/// The values that a login is made of.
#[derive(PartialEq)]
struct Values {
    /// By their order in the account; a role is its own value.
    account: Vec<String>,
    authority: Option<String>,
}

/// Secrets that were read, by namespace and name.
type Secrets<'a> = BTreeMap<(&'a str, &'a str), Secret>;

impl fmt::Debug for WorkflowIdentities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WorkflowIdentities")
    }
}

impl WorkflowIdentities {
    pub fn new(by_hand: Known, emulator: bool) -> Self {
        Self { by_hand, emulator, ..Self::default() }
    }

    /// Names the cluster whose Secrets are read.
    pub fn connect(&self, cluster: &Cluster) {
        let _ = self.cluster.set(cluster.clone());
    }

    /// Takes in what workflows name.
    pub fn tell(&self, logins: Logins) {
        self.logins.lock().unwrap_or_else(PoisonError::into_inner).absorb(logins);
    }

    async fn find(&self, bucket: &Bucket) -> Result<Identity, StoreError> {
        if let Some(identity) = self.by_hand.get(bucket) {
            return Ok(identity.clone());
        }
        if self.emulator && bucket.engine() == StorageEngine::Gcs {
            return Ok(Identity::default());
        }
        let named = self.logins.lock().unwrap_or_else(PoisonError::into_inner).of(bucket);
        let mut found = self.found.lock().await;
        if let Some(found) = found.get(bucket).filter(|found| found.named == named) {
            return found.identity.clone();
        }
        let identity = self
            .read(bucket, &named)
            .await
            .map_err(|why| StoreError::NoIdentity { bucket: bucket.clone(), why });
        found.insert(bucket.clone(), Found { named, identity: identity.clone() });
        identity
    }

    /// The one account of all that are named: several count as one if all of them have the same values.
    async fn read(&self, bucket: &Bucket, named: &BTreeSet<Option<NamedLogin>>) -> Result<Identity, String> {
        let logins: Vec<&NamedLogin> = named.iter().flatten().collect();
        let Some(first) = logins.first() else { return Ok(Identity::default()) };
        if logins.len() < named.len() {
            return Err(several(named));
        }
        let mut secrets = BTreeMap::new();
        let values = self.values(first, &mut secrets).await?;
        for other in &logins[1..] {
            if self.values(other, &mut secrets).await? != values {
                return Err(several(named));
            }
        }
        let identity = match &first.login.account {
            Account::Environment => Ok(Identity::default()),
            Account::Role { role } => Identity::of_role(bucket, role).await,
            _ => Identity::of_values(bucket, &values.account, &first.to_string()),
        };
        let identity = match values.authority {
            Some(authority) => identity.and_then(|identity| identity.trusting(&authority)),
            None => identity,
        };
        identity.map_err(|why| format!("{first}: {why}"))
    }

    async fn values<'a>(&self, named: &'a NamedLogin, secrets: &mut Secrets<'a>) -> Result<Values, String> {
        let NamedLogin { namespace, login } = named;
        let mut account = Vec::new();
        if let Account::Role { role } = &login.account {
            account.push(role.clone());
        }
        for key in login.account.secrets() {
            account.push(self.text(namespace, key, secrets).await?);
        }
        let authority = match &login.authority {
            Some(key) => Some(self.text(namespace, key, secrets).await?),
            None => None,
        };
        Ok(Values { account, authority })
    }

    /// The value of a Secret's key. Each Secret is read once.
    async fn text<'a>(
        &self,
        namespace: &'a str,
        SecretKey { name, key }: &'a SecretKey,
        secrets: &mut Secrets<'a>,
    ) -> Result<String, String> {
        if !secrets.contains_key(&(namespace, &**name)) {
            let cluster = self.cluster.get().ok_or("without a cluster no Secret can be read")?;
            let secret = cluster.secret(namespace, name).await;
            let secret = secret.map_err(|error| format!("Secret {namespace}/{name}: {}", error.brief()))?;
            secrets.insert((namespace, name), secret);
        }
        let text = secrets.get(&(namespace, &**name)).and_then(|secret| secret.text(key));
        // With an empty one Argo goes on to another account.
        let text = text.filter(|text| !text.trim().is_empty());
        text.ok_or_else(|| format!("Secret {namespace}/{name} has no text in {key}"))
    }
}

impl Identities for WorkflowIdentities {
    fn of<'a>(&'a self, bucket: &'a Bucket) -> BoxFuture<'a, Result<Identity, StoreError>> {
        Box::pin(self.find(bucket))
    }
}
