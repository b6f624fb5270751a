//! An artifact: its GC block and the storage location inlined in it (`docs/argo-gc.md#spec-fields`, `#locations`).

use crate::argo::de;
use crate::argo::login::{Account, Login, SecretKey};
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The strategy: when Argo is asked to collect an artifact.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Strategy {
    /// No strategy is set at this level.
    #[default]
    Unset,
    OnWorkflowCompletion,
    OnWorkflowDeletion,
    Never,
    /// A value that Argo does not know; the CRD does not refuse it (`docs/argo-gc.md#spec-fields`).
    Other(String),
}

impl Strategy {
    /// Returns the spelling of the field's value; empty for [`Strategy::Unset`].
    pub fn as_str(&self) -> &str {
        match self {
            Self::Unset => "",
            Self::OnWorkflowCompletion => "OnWorkflowCompletion",
            Self::OnWorkflowDeletion => "OnWorkflowDeletion",
            Self::Never => "Never",
            Self::Other(text) => text,
        }
    }

    /// Returns true if Argo would act on the strategy: if it is set and not `Never`.
    pub fn asks_for_collection(&self) -> bool {
        !matches!(self, Self::Unset | Self::Never)
    }
}

impl From<&str> for Strategy {
    fn from(text: &str) -> Self {
        match text {
            "" => Self::Unset,
            "OnWorkflowCompletion" => Self::OnWorkflowCompletion,
            "OnWorkflowDeletion" => Self::OnWorkflowDeletion,
            "Never" => Self::Never,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl serde::Serialize for Strategy {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Strategy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::<String>::deserialize(deserializer)?.as_deref().unwrap_or_default().into())
    }
}

/// `artifactGC` of an artifact or a workflow.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ArtifactGc {
    pub strategy: Strategy,
    #[serde(deserialize_with = "de::or_default")]
    pub service_account_name: String,
    /// Only at the workflow level, since v3.5.0.
    #[serde(deserialize_with = "de::or_default")]
    pub force_finalizer_removal: bool,
    #[serde(deserialize_with = "de::or_default")]
    pub pod_metadata: PodMetadata,
    /// The service account that `podSpecPatch` names; empty if none. Only at the workflow level, since v3.5.0.
    #[serde(rename = "podSpecPatch", deserialize_with = "patched_account")]
    pub patched_account: String,
}

/// Reads a patch of GC pods, in YAML or JSON, for the service account that it names. The controller refuses a patch that
/// can't be read before there is a pod, so such a patch names none.
fn patched_account<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    /// The old name of the field counts where the new one is not set.
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct Patch {
        service_account_name: Option<String>,
        service_account: Option<String>,
    }
    let text = Option::<String>::deserialize(deserializer)?.unwrap_or_default();
    if !text.contains("serviceAccount") {
        return Ok(String::new());
    }
    let patch: Patch = serde_saphyr::from_str(&text).unwrap_or_default();
    let named = [patch.service_account_name, patch.service_account].into_iter().flatten();
    Ok(named.into_iter().find(|name| !name.is_empty()).unwrap_or_default())
}

/// What GC pods carry besides Argo's own labels.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct PodMetadata {
    #[serde(deserialize_with = "de::or_default")]
    pub labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "de::or_default")]
    pub annotations: BTreeMap<String, String>,
}

/// One artifact of a template or a node.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(from = "ArtifactFields")]
pub struct Artifact {
    pub name: String,
    pub artifact_gc: Option<ArtifactGc>,
    /// The controller sets this, in status only, once the GC pod has reported success.
    pub deleted: bool,
    pub optional: bool,
    pub archive: Option<Archive>,
    pub location: ArtifactLocation,
}

/// The serialised form, in which Argo inlines the location. (`serde(flatten)` would buffer every artifact.)
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ArtifactFields {
    #[serde(deserialize_with = "de::or_default")]
    name: String,
    #[serde(rename = "artifactGC")]
    artifact_gc: Option<ArtifactGc>,
    #[serde(deserialize_with = "de::or_default")]
    deleted: bool,
    #[serde(deserialize_with = "de::or_default")]
    optional: bool,
    archive: Option<Archive>,
    gcs: Option<Gcs>,
    s3: Option<Box<S3>>,
    azure: Option<Box<Azure>>,
    oss: Option<Box<Oss>>,
    hdfs: Option<Box<Hdfs>>,
    http: Option<Box<Http>>,
    artifactory: Option<Box<Artifactory>>,
    git: Option<Box<Git>>,
    raw: Option<Box<Raw>>,
    plugin: Option<Box<Plugin>>,
}

impl From<ArtifactFields> for Artifact {
    fn from(fields: ArtifactFields) -> Self {
        let ArtifactFields {
            name,
            artifact_gc,
            deleted,
            optional,
            archive,
            gcs,
            s3,
            azure,
            oss,
            hdfs,
            http,
            artifactory,
            git,
            raw,
            plugin,
        } = fields;
        let location =
            ArtifactLocation { gcs, s3, azure, oss, hdfs, http, artifactory, git, raw, plugin, written: 0 };
        Self { name, artifact_gc, deleted, optional, archive, location }
    }
}

impl Artifact {
    /// Returns true if the artifact is saved without archiving (`archive: {none: {}}`), so it may be a
    /// directory of objects.
    pub fn is_unarchived(&self) -> bool {
        self.archive.as_ref().is_some_and(|archive| archive.none)
    }

    /// Returns true for archived logs, `main-logs` or `<container>-logs`, which no template declares.
    pub fn is_logs(&self) -> bool {
        self.name.ends_with("-logs") && self.artifact_gc.is_none()
    }
}

/// How an artifact is packed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Archive {
    #[serde(deserialize_with = "de::present")]
    pub none: bool,
}

/// The storage location of an artifact, a template's `archiveLocation` or a repository: one of several types.
///
/// The types are boxed because one workflow may have a hundred thousand locations.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ArtifactLocation {
    pub gcs: Option<Gcs>,
    pub s3: Option<Box<S3>>,
    pub azure: Option<Box<Azure>>,
    pub oss: Option<Box<Oss>>,
    pub hdfs: Option<Box<Hdfs>>,
    pub http: Option<Box<Http>>,
    pub artifactory: Option<Box<Artifactory>>,
    pub git: Option<Box<Git>>,
    pub raw: Option<Box<Raw>>,
    pub plugin: Option<Box<Plugin>>,
    /// The least bytes of the driver's settings in JSON, for a location that was read by [`measured`]; else 0.
    #[serde(skip)]
    pub written: usize,
}

/// Reads a location with the length of what is written there, which a GC task repeats for each node.
///
/// # Errors
/// This is no location.
pub(crate) fn measured<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<ArtifactLocation>, D::Error> {
    let Some(value) = Option::<Value>::deserialize(deserializer)? else { return Ok(None) };
    let drivers = value.as_object().into_iter().flat_map(serde_json::Map::values);
    let written = drivers.filter(|driver| driver.is_object()).map(|driver| driver.to_string().len()).min();
    let location = ArtifactLocation::deserialize(value).map_err(D::Error::custom)?;
    Ok(Some(ArtifactLocation { written: written.unwrap_or_default(), ..location }))
}

macro_rules! drivers {
    ($($(#[$doc:meta])* $name:ident { $($field:ident),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Default, Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        pub struct $name { $(#[serde(deserialize_with = "de::or_default")] pub $field: String,)* }
    )*};
}

drivers! {
    /// Alibaba OSS.
    Oss { endpoint, bucket, key }
    /// Any URL.
    Http { url }
    /// A git repository.
    Git { repo }
    /// Content written into the manifest.
    Raw { data }
    /// A driver plugin, v4.0 and later.
    Plugin { name, configuration, key }
}

/// Google Cloud Storage.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(from = "GcsFields")]
pub struct Gcs {
    pub bucket: String,
    pub key: String,
    /// Shared, because each artifact that the location completes has it.
    pub login: Option<Arc<Login>>,
}

/// S3 and S3-compatible servers.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(from = "S3Fields")]
pub struct S3 {
    pub endpoint: String,
    pub bucket: String,
    pub key: String,
    pub login: Option<Arc<Login>>,
}

/// Azure Blob Storage.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(from = "AzureFields")]
pub struct Azure {
    pub endpoint: String,
    pub container: String,
    pub blob: String,
    pub login: Option<Arc<Login>>,
}

/// A key of a Secret; one without a name counts as absent, as in Argo.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Selector {
    #[serde(deserialize_with = "de::or_default")]
    name: String,
    #[serde(deserialize_with = "de::or_default")]
    key: String,
}

impl Selector {
    fn named(self) -> Option<SecretKey> {
        let Self { name, key } = self;
        (!name.is_empty()).then_some(SecretKey { name, key })
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct GcsFields {
    #[serde(deserialize_with = "de::or_default")]
    bucket: String,
    #[serde(deserialize_with = "de::or_default")]
    key: String,
    service_account_key_secret: Option<Selector>,
}

impl From<GcsFields> for Gcs {
    fn from(fields: GcsFields) -> Self {
        let GcsFields { bucket, key, service_account_key_secret } = fields;
        let secret = service_account_key_secret.and_then(Selector::named);
        let account = secret.map(|service_account_key| Account::Google { service_account_key });
        Self { bucket, key, login: Login::new(account, None).map(Arc::new) }
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct S3Fields {
    #[serde(deserialize_with = "de::or_default")]
    endpoint: String,
    #[serde(deserialize_with = "de::or_default")]
    bucket: String,
    #[serde(deserialize_with = "de::or_default")]
    key: String,
    access_key_secret: Option<Selector>,
    secret_key_secret: Option<Selector>,
    session_token_secret: Option<Selector>,
    ca_secret: Option<Selector>,
    /// Without TLS.
    #[serde(deserialize_with = "de::or_default")]
    insecure: bool,
    #[serde(rename = "roleARN", deserialize_with = "de::or_default")]
    role: String,
}

impl From<S3Fields> for S3 {
    fn from(fields: S3Fields) -> Self {
        let S3Fields {
            endpoint,
            bucket,
            key,
            access_key_secret,
            secret_key_secret,
            session_token_secret,
            ca_secret,
            insecure,
            role,
        } = fields;
        let named = |selector: Option<Selector>| selector.and_then(Selector::named);
        // Argo tries static keys first, then the role, then the SDK's own chain.
        let account = match (named(access_key_secret), named(secret_key_secret)) {
            (Some(access_key), Some(secret_key)) => {
                Some(Account::S3 { access_key, secret_key, session_token: named(session_token_secret) })
            }
            _ => (!role.is_empty()).then_some(Account::Role { role }),
        };
        let authority = named(ca_secret).filter(|_| !insecure);
        Self { endpoint, bucket, key, login: Login::new(account, authority).map(Arc::new) }
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct AzureFields {
    #[serde(deserialize_with = "de::or_default")]
    endpoint: String,
    #[serde(deserialize_with = "de::or_default")]
    container: String,
    #[serde(deserialize_with = "de::or_default")]
    blob: String,
    account_key_secret: Option<Selector>,
}

impl From<AzureFields> for Azure {
    fn from(fields: AzureFields) -> Self {
        let AzureFields { endpoint, container, blob, account_key_secret } = fields;
        let secret = account_key_secret.and_then(Selector::named);
        let account = secret.map(|account_key| Account::Azure { account_key });
        Self { endpoint, container, blob, login: Login::new(account, None).map(Arc::new) }
    }
}

/// JFrog Artifactory.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Artifactory {
    #[serde(deserialize_with = "de::or_default")]
    pub url: String,
    #[serde(deserialize_with = "de::present")]
    pub username_secret: bool,
}

/// HDFS.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Hdfs {
    #[serde(deserialize_with = "de::or_default")]
    pub addresses: Vec<String>,
    #[serde(deserialize_with = "de::or_default")]
    pub path: String,
}
