//! An artifact: its GC block and the storage location inlined in it (`docs/argo-gc.md#spec-fields`, `#locations`).

use crate::argo::de;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::fmt;

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
}

/// What GC pods carry besides Argo's own labels.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct PodMetadata {
    #[serde(deserialize_with = "de::or_default")]
    pub labels: BTreeMap<String, String>,
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
        let location = ArtifactLocation { gcs, s3, azure, oss, hdfs, http, artifactory, git, raw, plugin };
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
    /// Google Cloud Storage.
    Gcs { bucket, key }
    /// S3 and S3-compatible servers.
    S3 { endpoint, bucket, key }
    /// Azure Blob Storage.
    Azure { endpoint, container, blob }
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
