//! Finds objects that no record refers to, and groups them by the workflow that their key names.

use crate::model::bucket::Bucket;
use crate::model::object::{ObjectFacts, is_safe, is_within};
use crate::plan::planned::PlannedObject;
use crate::plan::references::{References, Referrer, Released};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::collections::{BTreeMap, HashSet};

/// The folder for files uploaded in the UI of the Argo server (Argo's docs, "Abandoned Upload Cleanup").
const UPLOADS: &str = "uploads/";

/// Folders whose objects are not orphans: an unfinished run may still read objects that no record names, or a
/// pin keeps them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Guarded {
    /// Names of workflows; the names of their pods start with them.
    workflows: HashSet<String>,
    /// UIDs of workflows, and names of pinned namespaces.
    others: HashSet<String>,
}

impl Guarded {
    /// Guards all paths that contain the name of a workflow or its UID.
    pub fn workflow(&mut self, name: &str, uid: &str) {
        self.workflows.insert(name.to_owned());
        self.others.insert(uid.to_owned());
    }

    /// Guards all paths that contain the name of a namespace.
    pub fn namespace(&mut self, name: &str) {
        self.others.insert(name.to_owned());
    }

    /// Adds everything that `other` guards.
    pub fn absorb(&mut self, other: Self) {
        self.workflows.extend(other.workflows);
        self.others.extend(other.others);
    }

    /// Returns the part of a path that is guarded, if there is one.
    pub fn holder<'p>(&self, path: &'p str) -> Option<&'p str> {
        let of_workflow = |part: &str| {
            let ends = part.match_indices('-').map(|(at, _)| at).chain([part.len()]);
            ends.into_iter().any(|end| self.workflows.contains(&part[..end]))
        };
        path.split('/')
            .filter(|part| !part.is_empty())
            .find(|part| self.others.contains(*part) || of_workflow(part))
    }
}

/// Returns the part of an orphan's key that starts with the name it was planned under, or the whole key if the
/// name is not a part of it.
pub fn below<'k>(key: &'k str, name: &str) -> &'k str {
    let starts = key.match_indices(name).map(|(at, _)| at);
    let whole = |at: &usize| (*at == 0 || key[..*at].ends_with('/')) && is_within(&key[*at..], name);
    starts.into_iter().find(whole).map_or(key, |at| &key[at..])
}

/// Returns a referrer to an object that was planned as an orphan under a name. An address of its folder counts
/// as a reference too, because an address does not show which artifact in the folder is meant.
pub fn referrer<'r>(references: &'r References, bucket: &str, key: &str, name: &str) -> Option<&'r Referrer> {
    let above = key.len() - below(key, name).len();
    let folder = &key[..(above + name.len()).min(key.len())];
    references.holder_within(bucket, key, folder, &Released::default())
}

/// The probable cause of an orphan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// No workflow of that name exists: it was deleted by TTL, by hand, or by force.
    WorkflowGone,
    /// The workflow exists but does not name the object, for example because its attempt was preempted or
    /// retried.
    Unrecorded,
    /// A file uploaded in the UI for a workflow that was never submitted.
    AbandonedUpload,
}

impl Cause {
    /// Returns the stable word for the cause.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WorkflowGone => "workflow-gone",
            Self::Unrecorded => "unrecorded",
            Self::AbandonedUpload => "abandoned-upload",
        }
    }
}

/// The orphans that share a workflow's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Orphans {
    /// The part of the key after the prefix: the workflow's name in Argo's default key format.
    pub name: String,
    pub bucket: Bucket,
    pub cause: Cause,
    pub objects: u64,
    pub bytes: u64,
    pub newest: Option<Timestamp>,
}

/// The result of the search in one place.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Found {
    pub orphans: Vec<Orphans>,
    /// The number of objects that something refers to.
    pub referenced: u64,
    /// The number of objects in the folders of pinned namespaces, and of workflows that are unfinished, pinned
    /// or in another cluster.
    pub guarded: u64,
    /// The number of objects that were written too recently to judge.
    pub young: u64,
    /// The number of objects whose key or age can't be judged.
    pub unclear: u64,
}

/// The records by which objects are judged.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    pub references: &'a References,
    /// Names of all workflows that exist.
    pub workflows: &'a HashSet<String>,
    pub guarded: &'a Guarded,
}

/// An orphan that may be deleted.
pub struct Orphan {
    /// The name of its workflow, as its key has it.
    pub workflow: String,
    pub object: PlannedObject,
}

/// Judges listed objects one by one and keeps only sums in memory.
pub struct Search<'a> {
    pub known: Known<'a>,
    pub bucket: Bucket,
    /// The prefix ends in `/`, or is empty.
    pub prefix: String,
    pub now: Timestamp,
    /// Objects younger than this are not orphans, because their record may not be written yet.
    pub margin: SignedDuration,
    groups: BTreeMap<(Cause, String), Orphans>,
    found: Found,
}

impl<'a> Search<'a> {
    pub fn new(
        known: Known<'a>,
        bucket: &Bucket,
        prefix: &str,
        now: Timestamp,
        margin: SignedDuration,
    ) -> Self {
        let slash = if prefix.is_empty() || prefix.ends_with('/') { "" } else { "/" };
        Self {
            known,
            bucket: bucket.clone(),
            prefix: format!("{prefix}{slash}"),
            now,
            margin,
            groups: BTreeMap::new(),
            found: Found::default(),
        }
    }

    /// Judges an object, and returns it if it is an orphan that may be deleted.
    pub fn judge(&mut self, facts: ObjectFacts) -> Option<Orphan> {
        let Some(rest) = facts.key.strip_prefix(&self.prefix) else {
            self.found.unclear += 1;
            return None;
        };
        let upload = rest.strip_prefix(UPLOADS);
        let name = match upload {
            Some(upload) => format!("{UPLOADS}{}", folder(upload)),
            None => folder(rest).to_owned(),
        };
        if referrer(self.known.references, self.bucket.name(), &facts.key, &name).is_some() {
            self.found.referenced += 1;
            return None;
        }
        if self.known.guarded.holder(below(&facts.key, &name)).is_some() {
            self.found.guarded += 1;
            return None;
        }
        // Argo's keys have a folder for each workflow, so an object outside these folders belongs to somebody
        // else.
        let is_argos = rest.contains('/') && is_safe(&facts.key);
        let Some(created) = facts.created.filter(|_| is_argos) else {
            self.found.unclear += 1;
            return None;
        };
        if self.now.duration_since(created) < self.margin {
            self.found.young += 1;
            return None;
        }
        let cause = match upload {
            Some(_) => Cause::AbandonedUpload,
            None if self.known.workflows.contains(&name) => Cause::Unrecorded,
            None => Cause::WorkflowGone,
        };
        let group = self.groups.entry((cause, name.clone())).or_insert_with(|| Orphans {
            name: name.clone(),
            bucket: self.bucket.clone(),
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
                bucket: self.bucket.clone(),
                key: facts.key.into(),
                generation: facts.generation.into(),
                size: facts.size,
                created: Some(created),
                storage_class: facts.storage_class,
                crc32c: facts.crc32c.into(),
                artifact: "".into(),
                node_id: "".into(),
                reason: cause.as_str().into(),
                shared_with: None,
            };
            Orphan { workflow: name, object }
        })
    }

    /// Returns the sums, sorted by bytes in descending order.
    pub fn finish(self) -> Found {
        let mut found = self.found;
        found.orphans = self.groups.into_values().collect();
        found.orphans.sort_by_key(|orphans| std::cmp::Reverse(orphans.bytes));
        found
    }
}

/// Returns the first part of a path.
fn folder(path: &str) -> &str {
    path.split('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used)]

    use super::*;
    use crate::argo::uses::Use;
    use crate::model::bucket::Bucket;
    use crate::model::engine::StorageEngine;
    use crate::model::object::ObjectFacts;
    use crate::plan::references::{Buckets, ReferencesBuilder};
    use jiff::{SignedDuration, Timestamp};
    use std::collections::HashSet;

    #[test]
    fn a_guarded_name_guards_its_pods_and_no_neighbour() {
        let mut guarded = Guarded::default();
        guarded.workflow("train", "u1");
        guarded.namespace("ml");
        for path in ["train/1/a", "x/train-main-123/a", "x/u1/a", "ml/gone/a"] {
            assert!(guarded.holder(path).is_some(), "{path}");
        }
        for path in ["trainer/1/a", "ml-train/a", "retrain/a", "gone//a"] {
            assert!(guarded.holder(path).is_none(), "{path}");
        }
    }

    #[test]
    fn the_folder_of_an_orphan_begins_at_its_name() {
        assert_eq!(below("argo/gone/1/a", "gone"), "gone/1/a");
        assert_eq!(below("argone/gone/1/a", "gone"), "gone/1/a");
        assert_eq!(below("a/a/b", "a"), "a/a/b");
        assert_eq!(below("argo/x", "gone"), "argo/x");
    }

    /// A thousand objects: 900 referenced, 60 orphans, 20 too young, 20 outside.
    #[test]
    fn of_a_thousand_objects_exactly_the_orphans_are_reported() {
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(1000);
        let mut gathering = ReferencesBuilder::default();
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
        let guarded = Guarded::default();
        let bucket = Bucket::new(StorageEngine::Gcs, "", "b").expect("a bucket");
        let known = Known { references: &references, workflows: &workflows, guarded: &guarded };
        let mut search = Search::new(known, &bucket, "argo", now, week);
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
