//! The rules of a purge: ages, verdicts, allowed places.

use crate::model::assessment::ArtifactReport;
use crate::model::bucket::Bucket;
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
    /// True if workflows that are in the archive only are purged too.
    pub archived: bool,
    /// Only objects in buckets of these names are deleted; empty for all.
    pub buckets: Vec<String>,
    pub allowed: Allowed,
    /// The retention policy, which keeps runs that no other rule keeps.
    pub retention: Option<Arc<Retention>>,
}

/// Why an artifact of a selected workflow is not asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unwanted {
    /// Its verdict is not among those asked for.
    Verdict(Verdict),
    /// Its reason is not among those asked for.
    Reason,
    /// It is in none of the buckets asked for.
    Bucket,
    /// Only logs were asked for, or only other artifacts.
    Class,
    /// The retention policy does not give it up.
    Policy,
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
            archived: false,
            buckets: Vec::new(),
            allowed: Allowed::default(),
            retention: None,
        }
    }

    /// Returns why the artifact is not asked for, if there is a reason.
    pub fn unwanted(&self, artifact: &ArtifactReport) -> Option<Unwanted> {
        let class = if artifact.logs { Class::Logs } else { Class::Artifacts };
        let bucket = artifact.location.as_ref().map(|location| &location.bucket);
        if self.only.is_some_and(|only| only != class) {
            Some(Unwanted::Class)
        } else if !self.buckets.is_empty() && bucket.is_some_and(|bucket| !self.buckets.contains(bucket)) {
            Some(Unwanted::Bucket)
        } else if artifact.verdict == Verdict::Collected && self.reasons.contains(&Reason::DeletedButPresent)
        {
            // Whether anything is there only storage shows.
            None
        } else if artifact.reason == Some(Reason::ArchivedStale) && self.archived {
            // Argo collects nothing of a workflow that is gone, so what is still there stays.
            self.other_reason(artifact)
        } else if !self.verdicts.contains(&artifact.verdict) {
            Some(Unwanted::Verdict(artifact.verdict))
        } else {
            self.other_reason(artifact)
        }
    }

    fn other_reason(&self, artifact: &ArtifactReport) -> Option<Unwanted> {
        let asked = |reason| self.reasons.contains(&reason);
        (!self.reasons.is_empty() && !artifact.reason.is_some_and(asked)).then_some(Unwanted::Reason)
    }
}
