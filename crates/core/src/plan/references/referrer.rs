//! Who refers to objects, and how a reference is kept.

use serde::Serialize;
use std::hash::{DefaultHasher, Hasher};

/// Something that names locations.
#[derive(Debug, Clone)]
pub struct Referrer {
    /// The name for users: `workflow ml/train-x7k2p`, `cache ml/build-cache`.
    pub name: String,
    /// The workflow's UID; empty for other kinds.
    pub uid: String,
}

impl Referrer {
    /// Returns namespace and name if the referrer is a workflow.
    pub fn workflow(&self) -> Option<(&str, &str)> {
        self.name.strip_prefix(WORKFLOW)?.split_once('/')
    }
}

/// What a referrer's name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReferrerName<'a> {
    /// `workflow`, `cron workflow`, `cache`, …
    pub kind: &'a str,
    /// Empty for what is in no namespace.
    pub namespace: &'a str,
    pub name: &'a str,
    /// Another cluster that told of it; empty for this one.
    pub cluster: &'a str,
}

impl<'a> ReferrerName<'a> {
    /// Takes a referrer's name apart.
    pub fn parse(name: &'a str) -> Self {
        let (own, cluster) = name.split_once(OF_CLUSTER).unwrap_or((name, ""));
        let (kind, object) = own.rsplit_once(' ').unwrap_or(("", own));
        let (namespace, name) = object.split_once('/').unwrap_or(("", object));
        Self { kind, namespace, name, cluster }
    }
}

/// The prefix of the names of workflows.
pub(super) const WORKFLOW: &str = "workflow ";

/// What stands between the name of another cluster's referrer and that of the cluster.
pub(super) const OF_CLUSTER: &str = " of the cluster ";

/// The way in which a referrer names an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// It wrote the object.
    Output,
    /// It reads the object, or may.
    Input,
    /// The object's address stands in it.
    Address,
    /// Its text names the object in another way.
    Text,
}

/// The index of a [`Referrer`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReferrerId(pub(super) u32);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    pub(super) hash: u64,
    pub(super) by: ReferrerId,
    /// True for an input, false for an output.
    pub(super) read: bool,
}

/// The entries of one list that have one hash: all uses of one place, all its readers, or all mentions of it.
pub(super) type Run = (Role, u64);

pub(super) fn hasher(bucket: &str) -> DefaultHasher {
    let mut hasher = DefaultHasher::new();
    hasher.write(bucket.as_bytes());
    hasher.write(b"\0");
    hasher
}

pub(super) fn hash(bucket: &str, key: &str) -> u64 {
    let mut hasher = hasher(bucket);
    hasher.write(key.as_bytes());
    hasher.finish()
}
