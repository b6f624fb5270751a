//! Objects that no record refers to, grouped by the workflow their key would belong to.

use super::plan::{ObjectFacts, PlannedObject, is_safe};
use super::reference::{References, Released};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// Where the Argo server puts files uploaded in its UI (docs, "Abandoned Upload Cleanup").
const UPLOADS: &str = "uploads/";

/// How an orphan may have come about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// No workflow of that name is left: deleted by TTL, by hand, or by force.
    WorkflowGone,
    /// The workflow is there, but names no such object: an attempt that was preempted or retried away.
    Unrecorded,
    /// A file uploaded in the UI for a workflow that was never submitted.
    AbandonedUpload,
}

impl Cause {
    /// The stable word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WorkflowGone => "workflow-gone",
            Self::Unrecorded => "unrecorded",
            Self::AbandonedUpload => "abandoned-upload",
        }
    }
}

/// The orphans of one workflow's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Orphans {
    /// The part of the key after the prefix: the workflow's name in Argo's default key format.
    pub name: String,
    pub bucket: String,
    pub cause: Cause,
    pub objects: u64,
    pub bytes: u64,
    pub newest: Option<Timestamp>,
}

/// What was found in one place.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Found {
    pub orphans: Vec<Orphans>,
    /// Objects something refers to.
    pub referenced: u64,
    /// Objects written too recently to judge.
    pub young: u64,
    /// Objects whose key or age can't be judged.
    pub unclear: u64,
}

/// Judges listed objects one by one; only sums are kept.
pub struct Search<'a> {
    pub references: &'a References,
    /// Names of all workflows that exist.
    pub workflows: &'a HashSet<String>,
    pub bucket: Arc<str>,
    /// Ends in `/`, or is empty.
    pub prefix: String,
    pub now: Timestamp,
    /// Objects written within it are left alone: their record may still come.
    pub margin: SignedDuration,
    groups: BTreeMap<(Cause, String), Orphans>,
    found: Found,
}

impl<'a> Search<'a> {
    pub fn new(
        references: &'a References,
        workflows: &'a HashSet<String>,
        (bucket, prefix): (&str, &str),
        now: Timestamp,
        margin: SignedDuration,
    ) -> Self {
        let slash = if prefix.is_empty() || prefix.ends_with('/') { "" } else { "/" };
        Self {
            references,
            workflows,
            bucket: bucket.into(),
            prefix: format!("{prefix}{slash}"),
            now,
            margin,
            groups: BTreeMap::new(),
            found: Found::default(),
        }
    }

    /// Judges an object; gives it back with its workflow's name if it is an orphan that may be deleted.
    pub fn judge(&mut self, facts: ObjectFacts) -> Option<(String, PlannedObject)> {
        let Some(rest) = facts.key.strip_prefix(&self.prefix) else {
            self.found.unclear += 1;
            return None;
        };
        if self.references.holder(&self.bucket, &facts.key, &Released::default()).is_some() {
            self.found.referenced += 1;
            return None;
        }
        // Argo's keys have a folder for each workflow; what lies beside those is somebody else's.
        let is_argos = rest.contains('/') && is_safe(&facts.key);
        let Some(created) = facts.created.filter(|_| is_argos) else {
            self.found.unclear += 1;
            return None;
        };
        if self.now.duration_since(created) < self.margin {
            self.found.young += 1;
            return None;
        }
        let (name, cause) = match rest.strip_prefix(UPLOADS) {
            Some(upload) => (format!("{UPLOADS}{}", folder(upload)), Cause::AbandonedUpload),
            None => {
                let name = folder(rest).to_owned();
                let cause =
                    if self.workflows.contains(&name) { Cause::Unrecorded } else { Cause::WorkflowGone };
                (name, cause)
            }
        };
        let group = self.groups.entry((cause, name.clone())).or_insert_with(|| Orphans {
            name: name.clone(),
            bucket: self.bucket.to_string(),
            cause,
            objects: 0,
            bytes: 0,
            newest: None,
        });
        group.objects += 1;
        group.bytes += facts.size;
        group.newest = group.newest.max(Some(created));
        let deletable = facts.held.is_none();
        deletable.then(|| {
            let object = PlannedObject {
                bucket: Arc::clone(&self.bucket),
                key: facts.key.into(),
                generation: facts.generation.into(),
                size: facts.size,
                created: Some(created),
                storage_class: facts.storage_class,
                crc32c: facts.crc32c.into(),
                artifact: "".into(),
                node_id: "".into(),
                reason: cause.as_str().into(),
                shared_with: Vec::new(),
            };
            (name, object)
        })
    }

    /// The sums, most bytes first.
    pub fn finish(self) -> Found {
        let mut found = self.found;
        found.orphans = self.groups.into_values().collect();
        found.orphans.sort_by_key(|orphans| std::cmp::Reverse(orphans.bytes));
        found
    }
}

/// The first part of a path; the whole of it where it has one only.
fn folder(path: &str) -> &str {
    path.split('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::argo::Use;
    use crate::gc::reference::{Buckets, Gathering};

    /// A thousand objects: 900 referenced, 60 orphans, 20 too young, 20 outside.
    #[test]
    fn of_a_thousand_objects_exactly_the_orphans_are_reported() {
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(1000);
        let mut gathering = Gathering::default();
        let by = gathering.referrer("workflow ml/live".into(), "u".into());
        let object = |key: String, hours: i64| ObjectFacts {
            key,
            generation: "1".into(),
            size: 10,
            created: Some(now - SignedDuration::from_hours(hours)),
            storage_class: "".into(),
            crc32c: String::new(),
            held: None,
        };
        let mut objects = Vec::new();
        for at in 0..900 {
            let key = format!("argo/live/{at}.tgz");
            let found = Use { bucket: "b".into(), key: key.clone(), read: false, mentioned: false };
            gathering.add(by, &found, &Buckets::default(), false);
            objects.push(object(key, 500));
        }
        objects.extend((0..30).map(|at| object(format!("argo/gone/{at}.tgz"), 500)));
        objects.extend((0..20).map(|at| object(format!("argo/live/attempt-{at}.tgz"), 500)));
        objects.extend((0..10).map(|at| object(format!("argo/uploads/ml/{at}/file"), 500)));
        objects.extend((0..20).map(|at| object(format!("argo/gone/new-{at}.tgz"), 1)));
        objects.extend((0..10).map(|at| object(format!("argon/{at}.tgz"), 500)));
        objects.extend((0..10).map(|at| object(format!("argo/notes-{at}.txt"), 500)));
        let references = gathering.finish();
        let workflows = HashSet::from(["live".to_owned()]);
        let week = SignedDuration::from_hours(168);
        let mut search = Search::new(&references, &workflows, ("b", "argo"), now, week);
        let offered = objects.into_iter().filter_map(|object| search.judge(object)).count();
        let found = search.finish();
        assert_eq!((offered, found.referenced, found.young, found.unclear), (60, 900, 20, 20));
        let groups: Vec<_> = found.orphans.iter().map(|o| (o.name.as_str(), o.cause, o.objects)).collect();
        assert_eq!(
            groups,
            [
                ("gone", Cause::WorkflowGone, 30),
                ("live", Cause::Unrecorded, 20),
                ("uploads/ml", Cause::AbandonedUpload, 10)
            ]
        );
    }
}
