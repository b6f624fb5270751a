//! The accounts that workflows name beside their buckets, as Argo uses them: read from the Secrets of their namespaces,
//! once a bucket is first used.

use crate::cluster::client::Cluster;
use crate::cluster::secrets::Secret;
use argo_gc_core::argo::login::{Login, SecretKey};
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
    identity: Result<Option<Identity>, StoreError>,
}

/// The values that a login is made of, by their order in the login.
type Values = Vec<String>;

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

    async fn find(&self, bucket: &Bucket) -> Result<Option<Identity>, StoreError> {
        if let Some(identity) = self.by_hand.get(bucket) {
            return Ok(Some(identity.clone()));
        }
        if self.emulator && bucket.engine() == StorageEngine::Gcs {
            return Ok(None);
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
    async fn read(
        &self,
        bucket: &Bucket,
        named: &BTreeSet<Option<NamedLogin>>,
    ) -> Result<Option<Identity>, String> {
        let logins: Vec<&NamedLogin> = named.iter().flatten().collect();
        let Some(first) = logins.first() else { return Ok(None) };
        if logins.len() < named.len() {
            return Err(several(named));
        }
        let mut secrets = BTreeMap::new();
        let mut all: Option<Values> = None;
        for login in &logins {
            let values = self.values(login, &mut secrets).await?;
            if all.get_or_insert_with(|| values.clone()) != &values {
                return Err(several(named));
            }
        }
        let values = all.unwrap_or_default();
        let identity = Identity::of_values(bucket, &values, &first.to_string());
        identity.map(Some).map_err(|why| format!("{first}: {why}"))
    }

    async fn values<'a>(
        &self,
        named: &'a NamedLogin,
        secrets: &mut BTreeMap<(&'a str, &'a str), Secret>,
    ) -> Result<Values, String> {
        let NamedLogin { namespace, login } = named;
        if let Login::Role { role } = login {
            return Err(format!("its workflows name the role {role}, which is not taken on here"));
        }
        let mut values = Vec::new();
        for SecretKey { name, key } in login.secrets() {
            if !secrets.contains_key(&(&**namespace, &**name)) {
                let cluster = self.cluster.get().ok_or("without a cluster no Secret can be read")?;
                let secret = cluster.secret(namespace, name).await;
                let secret =
                    secret.map_err(|error| format!("Secret {namespace}/{name}: {}", error.brief()))?;
                secrets.insert((namespace, name), secret);
            }
            let secret = secrets.get(&(&**namespace, &**name));
            let text = secret.and_then(|secret| secret.text(key));
            values.push(text.ok_or_else(|| format!("Secret {namespace}/{name} has no text in {key}"))?);
        }
        Ok(values)
    }
}

impl Identities for WorkflowIdentities {
    fn of<'a>(&'a self, bucket: &'a Bucket) -> BoxFuture<'a, Result<Option<Identity>, StoreError>> {
        Box::pin(self.find(bucket))
    }
}
