//! Finds objects that no record refers to, and groups them by the workflow that their key names.

use crate::hashes::Names;
use crate::model::bucket::Bucket;
use crate::model::object::{ObjectFacts, is_safe, is_within};
use crate::plan::guarded::Guarded;
use crate::plan::key_shape::{KeyFormat, Named, is_label, is_uuid};
use crate::plan::kubeflow::{self, KubeflowKey, LiveRuns};
use crate::plan::planned::{ObjectPlace, PlannedObject};
use crate::plan::references::{References, Referrer, Released};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The folder for files uploaded in the UI of the Argo server (Argo's docs, "Abandoned Upload Cleanup").
const UPLOADS: &str = "uploads/";

/// The number of folders whose foreign objects are counted each.
const MAX_FOLDERS: usize = 1_000;

/// The number of a folder's foreign keys that are named.
const MAX_KEYS: usize = 3;

/// Returns the folder of the first part of a key that is equal to `name`; the whole key if no part is.
pub fn folder_of<'k>(key: &'k str, name: &str) -> &'k str {
    let starts = std::iter::once(0).chain(key.match_indices('/').map(|(at, _)| at + 1));
    let mut whole = starts.filter(|at| is_within(&key[*at..], name));
    whole.next().map_or(key, |at| &key[..at + name.len()])
}

/// Returns a referrer to an object in the folder that tells its workflow. An address of the folder counts as a
/// reference too, because it does not show which artifact in the folder is meant.
pub fn referrer<'r>(
    references: &'r References,
    bucket: &str,
    key: &str,
    folder: &str,
) -> Option<&'r Referrer> {
    references.holder_within(bucket, key, folder, &Released::default())
}

/// The beginning of the keys below a prefix, which is a folder whether it ends in `/` or not.
pub fn below(prefix: &str) -> String {
    let slash = if prefix.is_empty() || prefix.ends_with('/') { "" } else { "/" };
    format!("{prefix}{slash}")
}

/// The probable cause of an orphan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// No workflow of that name exists: it was deleted by TTL, by hand, or by force.
    WorkflowGone,
    /// A file uploaded in the UI for a workflow that was never submitted.
    AbandonedUpload,
    /// Kubeflow Pipelines has no such run any more, by the list that was given.
    KubeflowRunGone,
}

impl Cause {
    /// All causes.
    pub const ALL: [Self; 3] = [Self::WorkflowGone, Self::AbandonedUpload, Self::KubeflowRunGone];

    /// Returns the stable word for the cause.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WorkflowGone => "workflow-gone",
            Self::AbandonedUpload => "abandoned-upload",
            Self::KubeflowRunGone => "kubeflow-run-gone",
        }
    }
}

/// The orphans that share a workflow's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Orphans {
    /// The workflow's name, its UID if the key has only that, the folder of an upload's namespace, or the ID of a run of
    /// Kubeflow Pipelines.
    pub name: String,
    /// The workflow's namespace, if the key has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    pub bucket: Bucket,
    pub cause: Cause,
    pub objects: u64,
    pub bytes: u64,
    pub newest: Option<Timestamp>,
}

/// What does not have the shape of Argo's keys: somebody else's, and never an orphan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Foreign {
    pub objects: u64,
    pub bytes: u64,
    /// The first folders below the prefix, the largest first. Not all are listed if there are many.
    pub folders: Vec<ForeignFolder>,
}

/// The foreign objects of one folder.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ForeignFolder {
    /// The folder's name; empty for objects right below the prefix.
    pub name: String,
    pub objects: u64,
    pub bytes: u64,
    /// The first keys in their order, below the prefix. Not all are listed if there are many.
    pub keys: Vec<String>,
}

/// What the launcher of Kubeflow Pipelines wrote in one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KubeflowRun {
    pub pipeline: String,
    pub run: String,
    pub objects: u64,
    pub bytes: u64,
    /// True if a workflow of the run exists.
    pub has_workflow: bool,
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
    /// The number of objects whose key names a workflow that exists but does not record them, for example because
    /// the attempt was preempted or retried.
    pub unrecorded: u64,
    /// The number of objects with the shape of a key of Kubeflow Pipelines, whose cache may need them.
    pub kubeflow: u64,
    /// The runs of Kubeflow Pipelines whose objects were found, whatever becomes of them, the largest first. Not all are
    /// listed if there are many.
    pub kubeflow_runs: Vec<KubeflowRun>,
    /// The number of objects that were written too recently to judge.
    pub young: u64,
    /// The number of objects whose key or age can't be judged.
    pub unclear: u64,
    /// The number of objects that a report of the storage's own lists, and that were gone when they were looked at.
    #[serde(skip_serializing_if = "is_none")]
    pub gone: u64,
    pub foreign: Foreign,
}

impl Found {
    /// Returns what was found of one object, in the word of the document: a cause, or a field that counts.
    pub fn word(&self) -> &'static str {
        let counts = [
            ("referenced", self.referenced),
            ("guarded", self.guarded),
            ("unrecorded", self.unrecorded),
            ("kubeflow", self.kubeflow),
            ("young", self.young),
            ("unclear", self.unclear),
        ];
        match self.orphans.first() {
            Some(orphans) => orphans.cause.as_str(),
            None => counts.iter().find(|(_, count)| *count > 0).map_or("foreign", |(word, _)| word),
        }
    }
}

fn is_none(count: &u64) -> bool {
    *count == 0
}

/// The records by which objects are judged.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    pub references: &'a References,
    /// Names and UIDs of all workflows that exist.
    pub workflows: &'a Names,
    pub guarded: &'a Guarded,
    /// The key formats of the bucket, from its root. Those that tell no workflow count for nothing.
    pub shapes: &'a [KeyFormat],
    /// The runs that Kubeflow Pipelines still has, if its leftovers are asked for.
    pub live_runs: Option<&'a LiveRuns>,
}

/// An object that a plan has.
pub struct Judged {
    /// The name of its workflow, as its key has it.
    pub workflow: String,
    pub what: Judgement,
}

/// What a plan does with an object.
pub enum Judgement {
    /// It is an orphan, and may be deleted.
    Orphan(PlannedObject),
    /// It would be an orphan if nothing needed it.
    Needed(ObjectPlace),
}

/// What the shape of a key tells.
enum Shape<'k> {
    /// Every workflow that the key may name by one of the formats.
    Workflow(Vec<Named<'k>>),
    /// The namespace of an upload.
    Upload(&'k str),
    /// A run that Kubeflow Pipelines has no more.
    Run(&'k str),
}

/// What the key and the age of an object tell that a plan has.
enum Told {
    Orphan { cause: Cause, namespace: Option<String>, name: String, created: Timestamp },
    Needed { by: Need, name: String },
}

/// What needs an object, or may need it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    Reference,
    /// A folder of what is unfinished or pinned.
    Guard,
    KubeflowCache,
}

/// Judges listed objects one by one, in any order, and keeps only sums in memory.
pub struct Search<'a> {
    pub known: Known<'a>,
    pub bucket: Bucket,
    /// The prefix ends in `/`, or is empty.
    pub prefix: String,
    /// What was written later may be recorded where nobody looked, or be unknown to a report.
    pub now: Timestamp,
    /// Objects younger than this are not orphans, because their record may not be written yet.
    pub margin: SignedDuration,
    groups: BTreeMap<(Cause, Option<String>, String), Orphans>,
    foreign: BTreeMap<String, ForeignFolder>,
    runs: BTreeMap<(String, String), KubeflowRun>,
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
        Self {
            known,
            bucket: bucket.clone(),
            prefix: below(prefix),
            now,
            margin,
            groups: BTreeMap::new(),
            foreign: BTreeMap::new(),
            runs: BTreeMap::new(),
            found: Found::default(),
        }
    }

    /// Judges an object, and returns it if a plan has it.
    pub fn judge(&mut self, facts: ObjectFacts) -> Option<Judged> {
        let (cause, namespace, name, created) = match self.told(&facts)? {
            Told::Orphan { cause, namespace, name, created } => (cause, namespace, name, created),
            Told::Needed { by, name } => {
                self.count_needed(by);
                let place = ObjectPlace { bucket: self.bucket.clone(), key: facts.key.into() };
                return Some(Judged { workflow: name, what: Judgement::Needed(place) });
            }
        };
        let key = (cause, namespace.clone(), name.clone());
        let group = self.groups.entry(key).or_insert_with(|| Orphans {
            name: name.clone(),
            namespace,
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
                artifact_key: None,
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
            Judged { workflow: name, what: Judgement::Orphan(object) }
        })
    }

    /// Judges what a report lists that may be out of date. What a plan has is not counted but returned, to be judged again as
    /// it is now.
    pub fn sift(&mut self, facts: ObjectFacts) -> Option<ObjectFacts> {
        self.told(&facts).map(|_| facts)
    }

    /// Counts an orphan of a report that is gone.
    pub fn count_gone(&mut self) {
        self.found.gone += 1;
    }

    /// Counts an orphan of a report whose key the storage can't be asked for.
    pub fn count_unclear(&mut self) {
        self.found.unclear += 1;
    }

    /// Returns what the key tells if a plan has the object; else the object is counted.
    fn told(&mut self, facts: &ObjectFacts) -> Option<Told> {
        let Some(rest) = facts.key.strip_prefix(&self.prefix) else {
            self.found.unclear += 1;
            return None;
        };
        let kubeflow = kubeflow::shape(&facts.key);
        if let Some(KubeflowKey::Run { pipeline, run }) = kubeflow {
            self.count_run(pipeline, run, facts.size);
        }
        let shape = self.shape(kubeflow, &facts.key, rest);
        let (namespace, name) = match &shape {
            None => (None, String::new()),
            Some(Shape::Upload(namespace)) => (None, format!("{UPLOADS}{namespace}")),
            Some(Shape::Run(run)) => (None, (*run).to_owned()),
            Some(Shape::Workflow(readings)) => readings.first().map_or((None, String::new()), |named| {
                (named.namespace.map(str::to_owned), named.name.or(named.uid).unwrap_or_default().to_owned())
            }),
        };
        // A run that is offered is needed by no cache.
        let of_kubeflow = kubeflow.is_some() && !matches!(shape, Some(Shape::Run(_)));
        if let Some(by) = self.need(&facts.key, rest, &name, of_kubeflow) {
            let is_left = match &shape {
                None => false,
                Some(Shape::Workflow(readings)) => !self.exists(readings, rest),
                Some(_) => true,
            };
            if is_left && by != Need::KubeflowCache {
                return Some(Told::Needed { by, name });
            }
            self.count_needed(by);
            return None;
        }
        let Some(shape) = shape else {
            self.count_foreign(rest, facts.size);
            return None;
        };
        let cause = match shape {
            Shape::Upload(_) => Cause::AbandonedUpload,
            Shape::Run(_) => Cause::KubeflowRunGone,
            Shape::Workflow(readings) if self.exists(&readings, rest) => {
                self.found.unrecorded += 1;
                return None;
            }
            Shape::Workflow(_) => Cause::WorkflowGone,
        };
        let Some(created) = facts.created.filter(|_| is_safe(&facts.key)) else {
            self.found.unclear += 1;
            return None;
        };
        if self.now.duration_since(created) < self.margin {
            self.found.young += 1;
            return None;
        }
        Some(Told::Orphan { cause, namespace, name, created })
    }

    /// Returns what the shape of a key tells; none if the key has no shape of Argo's. `rest` is the key below the prefix.
    fn shape<'k>(&self, kubeflow: Option<KubeflowKey<'k>>, key: &'k str, rest: &'k str) -> Option<Shape<'k>> {
        if let (Some(live), Some(KubeflowKey::Run { run, .. })) = (self.known.live_runs, kubeflow)
            && is_uuid(run)
            && !live.has(run)
        {
            return Some(Shape::Run(run));
        }
        if let Some(upload) = rest.strip_prefix(UPLOADS) {
            let parts: Vec<&str> = upload.split('/').collect();
            return match parts[..] {
                [namespace, id, _, ..] if is_label(namespace) && is_uuid(id) => {
                    Some(Shape::Upload(namespace))
                }
                _ => None,
            };
        }
        let shapes = self.known.shapes.iter().filter(|format| format.tells_workflow());
        let readings: Vec<Named<'_>> = shapes.filter_map(|format| format.matches(key)).collect();
        (!readings.is_empty()).then_some(Shape::Workflow(readings))
    }

    /// Returns what needs the object or may need it, as Kubeflow's cache may what is `of_kubeflow`.
    fn need(&self, key: &str, rest: &str, name: &str, of_kubeflow: bool) -> Option<Need> {
        let folder = if name.is_empty() { key } else { folder_of(key, name) };
        if referrer(self.known.references, self.bucket.name(), key, folder).is_some() {
            Some(Need::Reference)
        } else if self.known.guarded.holder(rest).is_some() {
            Some(Need::Guard)
        } else {
            of_kubeflow.then_some(Need::KubeflowCache)
        }
    }

    fn count_needed(&mut self, by: Need) {
        *match by {
            Need::Reference => &mut self.found.referenced,
            Need::Guard => &mut self.found.guarded,
            Need::KubeflowCache => &mut self.found.kubeflow,
        } += 1;
    }

    /// Returns true if a workflow exists that the key may name: by its shape, or, as the real format may be another
    /// one, by any folder below the prefix.
    fn exists(&self, readings: &[Named<'_>], rest: &str) -> bool {
        let named = readings.iter().flat_map(|named| [named.name, named.uid]).flatten();
        named.chain(rest.split('/')).any(|name| self.known.workflows.contains(name))
    }

    fn count_run(&mut self, pipeline: &str, run: &str, bytes: u64) {
        let run_of = (pipeline.to_owned(), run.to_owned());
        if self.runs.len() >= MAX_FOLDERS && !self.runs.contains_key(&run_of) {
            return;
        }
        let (pipeline, run) = run_of.clone();
        let new = || {
            let has_workflow = self.known.guarded.holder(&run).is_some();
            KubeflowRun { pipeline, run, objects: 0, bytes: 0, has_workflow }
        };
        let counted = self.runs.entry(run_of).or_insert_with(new);
        counted.objects += 1;
        counted.bytes += bytes;
    }

    fn count_foreign(&mut self, rest: &str, bytes: u64) {
        let foreign = &mut self.found.foreign;
        foreign.objects += 1;
        foreign.bytes += bytes;
        let name = rest.split_once('/').map_or("", |(folder, _)| folder);
        if self.foreign.len() >= MAX_FOLDERS && !self.foreign.contains_key(name) {
            return;
        }
        let new = || ForeignFolder { name: name.to_owned(), ..ForeignFolder::default() };
        let folder = self.foreign.entry(name.to_owned()).or_insert_with(new);
        folder.objects += 1;
        folder.bytes += bytes;
        // Listings come in any order, and the answer is the same every time.
        let at = folder.keys.partition_point(|key| key.as_str() < rest);
        if at < MAX_KEYS {
            folder.keys.insert(at, rest.to_owned());
            folder.keys.truncate(MAX_KEYS);
        }
    }

    /// Returns the number of workflows' names whose orphans are summed.
    pub fn groups(&self) -> usize {
        self.groups.len()
    }

    /// Takes the sums of the orphans so far. There may be more orphans of the same names.
    pub fn take_groups(&mut self) -> impl Iterator<Item = Orphans> + use<> {
        std::mem::take(&mut self.groups).into_values()
    }

    /// Returns the sums, sorted by bytes in descending order.
    pub fn finish(self) -> Found {
        let mut found = self.found;
        found.orphans = self.groups.into_values().collect();
        found.orphans.sort_by_key(|orphans| std::cmp::Reverse(orphans.bytes));
        found.kubeflow_runs = self.runs.into_values().collect();
        found.kubeflow_runs.sort_by_key(|run| std::cmp::Reverse(run.bytes));
        found.foreign.folders = self.foreign.into_values().collect();
        found.foreign.folders.sort_by_key(|folder| std::cmp::Reverse(folder.bytes));
        found
    }
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

    #[test]
    fn the_folder_of_an_orphan_ends_with_its_name() {
        assert_eq!(folder_of("argo/gone/1/a", "gone"), "argo/gone");
        assert_eq!(folder_of("argone/gone/1/a", "gone"), "argone/gone");
        assert_eq!(folder_of("a/a/b", "a"), "a");
        assert_eq!(folder_of("argo/x", "gone"), "argo/x");
        assert_eq!(folder_of("é/x", "gone"), "é/x");
        assert_eq!(folder_of("x/uploads/ml/u/f", "uploads/ml"), "x/uploads/ml");
    }

    const UID: &str = "0a1b2c3d-0000-4000-8000-00805f9b34fb";

    fn now() -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(1000)
    }

    fn object(key: &str, hours: i64) -> ObjectFacts {
        ObjectFacts {
            key: key.to_owned(),
            generation: "1".into(),
            size: 10,
            created: Some(now() - SignedDuration::from_hours(hours)),
            storage_class: "".into(),
            crc32c: String::new(),
            held: None,
        }
    }

    /// The object, if it may be deleted.
    fn offered(judged: Judged) -> Option<PlannedObject> {
        match judged.what {
            Judgement::Orphan(object) => Some(object),
            Judgement::Needed(_) => None,
        }
    }

    /// What is found of old objects in a bucket with these formats, and the keys that are offered.
    fn search(formats: &[&str], keys: &[&str], exist: &[&str]) -> (Found, Vec<String>) {
        let references = ReferencesBuilder::default().finish();
        let workflows: Names = exist.iter().collect();
        let guarded = Guarded::default();
        let shapes: Vec<KeyFormat> = formats.iter().map(|format| KeyFormat::parse(format)).collect();
        let bucket = Bucket::new(StorageEngine::Gcs, "", "b").expect("a bucket");
        let known = Known {
            references: &references,
            workflows: &workflows,
            guarded: &guarded,
            shapes: &shapes,
            live_runs: None,
        };
        let mut search = Search::new(known, &bucket, "", now(), SignedDuration::from_hours(168));
        let judged = keys.iter().filter_map(|key| search.judge(object(key, 500)));
        let offered = judged.filter_map(offered).map(|object| object.key.to_string()).collect();
        (search.finish(), offered)
    }

    const DEFAULT: &str = "{{workflow.name}}/{{pod.name}}";

    #[test]
    fn what_has_no_shape_of_argos_is_foreign_and_never_offered() {
        let keys = [
            "backups/db.sql",
            "data/train.csv",
            "models/v1/weights.bin",
            "models/v2/weights.bin",
            "readme.txt",
            "uploads/ml/not-an-id/file",
            "uploads/ml",
        ];
        let (found, offered) = search(&[DEFAULT], &keys, &[]);
        assert!(offered.is_empty() && found.orphans.is_empty(), "{offered:?}");
        assert_eq!((found.foreign.objects, found.foreign.bytes), (7, 70));
        let folders: Vec<(&str, u64)> =
            found.foreign.folders.iter().map(|folder| (folder.name.as_str(), folder.objects)).collect();
        assert_eq!(folders, [("models", 2), ("uploads", 2), ("", 1), ("backups", 1), ("data", 1)]);
    }

    #[test]
    fn a_namespace_is_not_taken_for_a_workflow() {
        let format = "{{workflow.namespace}}/{{workflow.name}}/{{pod.name}}";
        let keys = ["ml/ml-1700000000/ml-1700000000-7/a.tgz", "ml/gone/gone-7/a.tgz"];
        // By the default format the first key would be of a workflow "ml".
        let (found, offered) = search(&[DEFAULT, format], &keys, &["ml-1700000000"]);
        assert_eq!((offered, found.unrecorded), (vec!["ml/gone/gone-7/a.tgz".to_owned()], 1));
        assert_eq!(found.orphans[0].namespace.as_deref(), Some("ml"));
        // Nor if the format is not known.
        let (found, offered) = search(&[DEFAULT], &keys, &["ml-1700000000"]);
        assert_eq!((offered.len(), found.unrecorded, found.foreign.objects), (0, 1, 1));
    }

    #[test]
    fn a_workflow_that_exists_keeps_what_its_name_or_uid_tells() {
        let format = "{{workflow.uid}}/{{pod.name}}";
        let (own, other) = (format!("{UID}/x-1/a"), format!("{}/x-1/a", UID.replace('0', "9")));
        let keys = [&*own, &*other, "live/live-1/a", "gone/gone-1/a"];
        let (found, offered) = search(&[DEFAULT, format], &keys, &[UID, "live"]);
        assert_eq!((offered, found.unrecorded), (vec![other, "gone/gone-1/a".to_owned()], 2));
    }

    #[test]
    fn a_format_that_tells_no_workflow_offers_nothing() {
        let keys = ["gone/a.tgz", "ml/gone/a.tgz", "logs/gone-1/main.log"];
        let formats =
            ["{{workflow.name}}", "{{workflow.namespace}}/{{workflow.name}}", "logs/{{pod.name}}", ""];
        let (found, offered) = search(&formats, &keys, &[]);
        assert_eq!((offered.len(), found.foreign.objects), (0, 3));
    }

    #[test]
    fn what_kubeflow_may_hand_out_again_is_not_offered() {
        let format = "private-artifacts/{{workflow.namespace}}/{{workflow.name}}/{{workflow.creationTimestamp.Y}}/\
                      {{workflow.creationTimestamp.m}}/{{workflow.creationTimestamp.d}}/{{pod.name}}";
        let keys = ["private-artifacts/ml/gone/2026/11/28/gone-7/a.tgz", "v2/artifacts/pipe/0a1b/model"];
        let (found, offered) = search(&[format, DEFAULT], &keys, &[]);
        assert_eq!((offered.len(), found.kubeflow), (0, 2));
    }

    #[test]
    fn only_what_is_surely_old_enough_is_an_orphan() {
        let (references, workflows, guarded) = (References::default(), Names::default(), Guarded::default());
        let shapes = [KeyFormat::parse(DEFAULT)];
        let known = Known {
            references: &references,
            workflows: &workflows,
            guarded: &guarded,
            shapes: &shapes,
            live_runs: None,
        };
        let bucket = Bucket::new(StorageEngine::Gcs, "", "b").expect("a bucket");
        let mut search = Search::new(known, &bucket, "", now(), SignedDuration::from_hours(168));
        let second = SignedDuration::from_secs(1);
        let week = object("gone/gone-1/a", 168);
        let later = ObjectFacts { created: week.created.map(|at| at + second), ..object("gone/gone-2/a", 0) };
        let ageless = ObjectFacts { created: None, ..object("gone/gone-3/a", 0) };
        let held = ObjectFacts { held: Some("hold".to_owned()), size: 5, ..object("gone/gone-4/a", 500) };
        let objects = [week, later, ageless.clone(), ageless, held];
        let judged = objects.into_iter().filter_map(|object| search.judge(object));
        let offered: Vec<_> = judged.filter_map(offered).collect();
        assert_eq!(
            (offered.len(), &*offered[0].key, &*offered[0].reason),
            (1, "gone/gone-1/a", "workflow-gone")
        );
        let found = search.finish();
        assert_eq!((found.young, found.unclear), (1, 2));
        let sums = (found.orphans[0].objects, found.orphans[0].bytes, found.orphans[0].newest);
        assert_eq!(sums, (2, 15, Some(now() - SignedDuration::from_hours(168))));
        assert_eq!(Cause::AbandonedUpload.as_str(), "abandoned-upload");
        assert_eq!(found.word(), "workflow-gone");
        assert_eq!(Found { orphans: Vec::new(), ..found }.word(), "young");
        assert_eq!(Found { unrecorded: 1, unclear: 1, ..Found::default() }.word(), "unrecorded");
        assert_eq!(Found::default().word(), "foreign");
    }

    #[test]
    fn an_orphan_of_a_report_counts_only_as_it_is_found_later() {
        let (references, workflows, guarded) = (References::default(), Names::default(), Guarded::default());
        let shapes = [KeyFormat::parse(DEFAULT)];
        let known = Known {
            references: &references,
            workflows: &workflows,
            guarded: &guarded,
            shapes: &shapes,
            live_runs: None,
        };
        let bucket = Bucket::new(StorageEngine::Gcs, "", "b").expect("a bucket");
        let mut search = Search::new(known, &bucket, "", now(), SignedDuration::ZERO);
        let reported = ["gone/gone-1/a", "gone/gone-2/a", "gone/gone-3/a", "readme.txt"];
        let sifted: Vec<_> = reported.iter().filter_map(|key| search.sift(object(key, 500))).collect();
        assert_eq!(sifted.len(), 3);
        // One is as it was, one was written again since, and one is gone.
        assert!(search.judge(object("gone/gone-1/a", 500)).is_some());
        assert!(search.judge(object("gone/gone-2/a", -1)).is_none());
        search.count_gone();
        let found = search.finish();
        assert_eq!((found.orphans[0].objects, found.young, found.gone, found.foreign.objects), (1, 1, 1, 1));
    }

    #[test]
    fn foreign_folders_are_named_up_to_a_limit_and_counted_beyond() {
        let names: Vec<String> = (0..=MAX_FOLDERS).map(|at| format!("folder-{at}/x")).collect();
        let keys: Vec<&str> = names.iter().map(String::as_str).chain(["folder-0/y"]).collect();
        let (found, _) = search(&[DEFAULT], &keys, &[]);
        assert_eq!(found.foreign.objects, keys.len() as u64);
        assert_eq!(found.foreign.folders.len(), MAX_FOLDERS);
        let first = &found.foreign.folders[0];
        assert_eq!((&*first.name, first.objects, first.bytes), ("folder-0", 2, 20));
    }

    /// A thousand objects: 900 referenced, 40 orphans, 20 unrecorded, 20 too young, 20 foreign.
    #[test]
    fn of_a_thousand_objects_exactly_the_orphans_are_reported() {
        let mut gathering = ReferencesBuilder::default();
        let by = gathering.referrer("workflow ml/live".into(), "u".into());
        let mut objects = Vec::new();
        for at in 0..900 {
            let key = format!("argo/live/live-{at}/a.tgz");
            let found = Use { bucket: "b".into(), key: key.clone(), read: false, mentioned: false };
            gathering.add(by, &found, &Buckets::default(), false);
            objects.push(object(&key, 500));
        }
        objects.extend((0..30).map(|at| object(&format!("argo/gone/gone-{at}/a.tgz"), 500)));
        objects.extend((0..20).map(|at| object(&format!("argo/live/live-attempt-{at}/a.tgz"), 500)));
        objects.extend((0..10).map(|at| object(&format!("argo/uploads/ml/{UID}/file-{at}"), 500)));
        objects.extend((0..20).map(|at| object(&format!("argo/gone/gone-{at}/new.tgz"), 1)));
        objects.extend((0..10).map(|at| object(&format!("argo/notes/{at}.txt"), 500)));
        objects.extend((0..10).map(|at| object(&format!("argo/notes-{at}.txt"), 500)));
        objects.extend((0..10).map(|at| object(&format!("argon/{at}.tgz"), 500)));
        let references = gathering.finish();
        let workflows = Names::from_iter(["live"]);
        let week = SignedDuration::from_hours(168);
        let guarded = Guarded::default();
        let bucket = Bucket::new(StorageEngine::Gcs, "", "b").expect("a bucket");
        let shapes = [KeyFormat::parse("argo/{{workflow.name}}/{{pod.name}}")];
        let known = Known {
            references: &references,
            workflows: &workflows,
            guarded: &guarded,
            shapes: &shapes,
            live_runs: None,
        };
        let mut search = Search::new(known, &bucket, "argo", now(), week);
        let offered = objects.into_iter().filter_map(|object| search.judge(object)).count();
        let found = search.finish();
        assert_eq!((offered, found.referenced, found.young, found.unclear), (40, 900, 20, 10));
        assert_eq!((found.unrecorded, found.foreign.objects), (20, 20));
        let groups: Vec<_> = found.orphans.iter().map(|o| (o.name.as_str(), o.cause, o.objects)).collect();
        assert_eq!(groups, [("gone", Cause::WorkflowGone, 30), ("uploads/ml", Cause::AbandonedUpload, 10)]);
    }
}
