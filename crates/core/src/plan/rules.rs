//! The rules of a purge: ages, verdicts, allowed places.

use crate::model::assessment::ArtifactReport;
use crate::model::bucket::Bucket;
use crate::plan::retention::Retention;
use crate::reason::Reason;
use crate::verdict::{Class, Verdict};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;

/// Who may be purged, and how carefully.
#[derive(Debug, Clone)]
pub struct Rules {
    pub now: Timestamp,
    /// Time after the end of a run in which a retry is to be expected.
    pub grace: SignedDuration,
    /// How far clocks of cluster and storage may be apart, and a late upload may lag.
    pub margin: SignedDuration,
    /// Failed runs were asked for by phase or name.
    pub failed_too: bool,
    pub verdicts: Vec<Verdict>,
    /// Only these reasons; empty for all.
    pub reasons: Vec<Reason>,
    pub only: Option<Class>,
    /// Finalizers that nothing else will take away are to be released.
    pub release_finalizer: bool,
    /// Only buckets of these names; empty for all.
    pub buckets: Vec<String>,
    pub allowed: Allowed,
    /// What keeps runs that all else would let go.
    pub retention: Option<Arc<Retention>>,
}

/// Where deleting is allowed: buckets with a key prefix.
#[derive(Debug, Clone, Default)]
pub struct Allowed {
    /// A prefix ends in `/`, or is empty, or is a whole key.
    pub(crate) places: Vec<(Bucket, String)>,
    /// The user vouches for every place: a local directory of buckets.
    pub(crate) everywhere: bool,
}

impl Allowed {
    /// Every place.
    pub fn everywhere() -> Self {
        Self { everywhere: true, ..Self::default() }
    }

    /// Adds a bucket with the constant beginning of the keys that are written there.
    pub fn add(&mut self, bucket: Bucket, prefix: impl Into<String>) {
        self.places.push((bucket, prefix.into()));
    }

    /// No place at all.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty() && !self.everywhere
    }

    /// Whether the object may be deleted at all. Prefixes end at a path boundary (`docs/dangers.md`, danger 2).
    pub fn covers(&self, bucket: &Bucket, key: &str) -> bool {
        self.everywhere
            || self.places.iter().any(|(allowed, prefix)| {
                let inside = key.strip_prefix(prefix.as_str());
                let whole = |rest: &str| {
                    prefix.is_empty() || prefix.ends_with('/') || rest.is_empty() || rest.starts_with('/')
                };
                allowed == bucket && inside.is_some_and(whole)
            })
    }
}

/// The constant beginning of the keys a key format makes, cut at a path boundary.
pub fn constant_prefix(format: &str) -> &str {
    let constant = &format[..format.find("{{").unwrap_or(format.len())];
    &constant[..constant.rfind('/').map_or(0, |at| at + 1)]
}

impl Rules {
    /// Rules under which nothing goes: for gathering references alone.
    pub fn none(now: Timestamp) -> Self {
        Self {
            now,
            grace: SignedDuration::MAX,
            margin: SignedDuration::ZERO,
            failed_too: false,
            verdicts: Vec::new(),
            reasons: Vec::new(),
            only: None,
            release_finalizer: false,
            buckets: Vec::new(),
            allowed: Allowed::default(),
            retention: None,
        }
    }

    pub(crate) fn wants(&self, artifact: &ArtifactReport) -> bool {
        let class = if artifact.logs { Class::Logs } else { Class::Artifacts };
        self.verdicts.contains(&artifact.verdict)
            && (self.reasons.is_empty()
                || artifact.reason.is_some_and(|reason| self.reasons.contains(&reason)))
            && self.only.is_none_or(|only| only == class)
    }
}
