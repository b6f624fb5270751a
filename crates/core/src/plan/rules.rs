//! The rules of a purge: ages, verdicts, allowed places.

use crate::model::assessment::ArtifactReport;
use crate::model::bucket::Bucket;
use crate::plan::guarded::Guarded;
use crate::plan::retention::Retention;
use crate::reason::Reason;
use crate::verdict::{Class, Verdict};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;

/// The rules of one purge: which workflows it may touch, and how carefully.
#[derive(Debug, Clone)]
pub struct Rules {
    pub now: Timestamp,
    /// The time after the end of a run in which a retry may follow.
    pub grace: SignedDuration,
    /// The tolerated difference between the clocks of cluster and storage, and the tolerated delay of an
    /// upload.
    pub margin: SignedDuration,
    /// True if failed runs were selected by phase or name.
    pub failed_too: bool,
    pub verdicts: Vec<Verdict>,
    /// Only artifacts with these reasons are deleted; empty for all.
    pub reasons: Vec<Reason>,
    pub only: Option<Class>,
    /// True if finalizers that nothing else will remove are to be released.
    pub release_finalizer: bool,
    /// Only objects in buckets of these names are deleted; empty for all.
    pub buckets: Vec<String>,
    pub allowed: Allowed,
    /// The retention policy, which keeps runs that no other rule keeps.
    pub retention: Option<Arc<Retention>>,
    /// Folders of workflows of other clusters that are unfinished or pinned.
    pub elsewhere: Guarded,
}

/// The places where deletion is allowed, as buckets with a key prefix.
#[derive(Debug, Clone, Default)]
pub struct Allowed {
    /// The buckets with their prefixes. A prefix ends in `/`, or is empty, or is a whole key.
    pub(crate) places: Vec<(Bucket, String)>,
    /// True if every place is allowed, because a local directory stands in for all buckets.
    pub(crate) everywhere: bool,
}

impl Allowed {
    /// Allows every place.
    pub fn everywhere() -> Self {
        Self { everywhere: true, ..Self::default() }
    }

    /// Adds a bucket with the constant prefix of the keys that are written to it.
    pub fn add(&mut self, bucket: Bucket, prefix: impl Into<String>) {
        self.places.push((bucket, prefix.into()));
    }

    /// Returns true if no place is allowed.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty() && !self.everywhere
    }

    /// Returns true if the object's place is allowed. A prefix matches only up to a path boundary
    /// (`docs/dangers.md`, danger 2).
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

/// Returns the constant prefix of the keys that a key format makes, cut at a path boundary.
pub fn constant_prefix(format: &str) -> &str {
    let constant = &format[..format.find("{{").unwrap_or(format.len())];
    &constant[..constant.rfind('/').map_or(0, |at| at + 1)]
}

impl Rules {
    /// Returns rules that permit no deletion, for gathering references only.
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
            elsewhere: Guarded::default(),
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
