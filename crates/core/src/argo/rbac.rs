//! Roles, their bindings and service accounts, as files hold them.

use crate::argo::de;
use crate::argo::meta::Meta;
use serde::Deserialize;

/// A `Role` or `ClusterRole`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Role {
    #[serde(deserialize_with = "de::or_default")]
    pub metadata: Meta,
    #[serde(deserialize_with = "de::or_default")]
    pub rules: Vec<PolicyRule>,
    /// True if a controller of the cluster fills in the rules from other roles.
    #[serde(rename = "aggregationRule", deserialize_with = "de::present")]
    pub is_aggregated: bool,
}

/// One rule of a [`Role`].
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PolicyRule {
    #[serde(deserialize_with = "de::or_default")]
    pub api_groups: Vec<String>,
    #[serde(deserialize_with = "de::or_default")]
    pub resources: Vec<String>,
    #[serde(deserialize_with = "de::or_default")]
    pub resource_names: Vec<String>,
    #[serde(deserialize_with = "de::or_default")]
    pub verbs: Vec<String>,
}

/// A `RoleBinding` or `ClusterRoleBinding`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RoleBinding {
    #[serde(deserialize_with = "de::or_default")]
    pub metadata: Meta,
    #[serde(deserialize_with = "de::or_default")]
    pub role_ref: RoleRef,
    #[serde(deserialize_with = "de::or_default")]
    pub subjects: Vec<Subject>,
}

/// The role that a [`RoleBinding`] grants.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct RoleRef {
    #[serde(deserialize_with = "de::or_default")]
    pub kind: String,
    #[serde(deserialize_with = "de::or_default")]
    pub name: String,
}

/// One to whom a [`RoleBinding`] grants its role.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Subject {
    #[serde(deserialize_with = "de::or_default")]
    pub kind: String,
    #[serde(deserialize_with = "de::or_default")]
    pub name: String,
    #[serde(deserialize_with = "de::or_default")]
    pub namespace: String,
}

/// A `ServiceAccount`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ServiceAccount {
    #[serde(deserialize_with = "de::or_default")]
    pub metadata: Meta,
}
