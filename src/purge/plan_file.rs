//! The plan as it is saved, shown and applied: `kind: PurgePlan`, one JSON document with a line for each workflow.
//!
//! A plan may have a million objects, so it lives in a file and is read line by line: the head, the workflows,
//! the tail. The hash is a checksum of every byte before it: it shows damage and slips, and protects from nobody who
//! edits a plan on purpose.

use crate::cluster::identity::ClusterIdentity;
use crate::cluster::unread::Unread;
use crate::disk_queue::until_error;
use crate::error::{Error, Hint};
use crate::purge::bucket_login::BucketLogin;
use crate::purge::hashing::{Hashing, hexadecimal};
use crate::purge::totals::{QuarantineTotals, Totals};
use argo_gc_core::model::API_VERSION;
use argo_gc_core::model::bucket::Bucket;
use argo_gc_core::plan::planned::{PlannedObject, PlannedWorkflow};
use argo_gc_core::plan::planned_keys::{PlannedKeys, PlannedKeysBuilder};
use argo_gc_core::plan::rules::Allowed;
use argo_gc_core::plan::select::CLOCKS;
use argo_gc_core::plan::sharing::Sharing;
use argo_gc_store::types::BucketFacts;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeSet, HashSet};
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::io::{BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};

/// What is between the tail and the hash.
const HASH: &str = ",\"hash\":\"";

/// What is known before the first workflow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Head {
    pub api_version: String,
    pub kind: String,
    pub created_at: Timestamp,
    /// The cluster it was made in; none for files.
    pub cluster: Option<ClusterIdentity>,
    /// Where the buckets are: an endpoint or a directory.
    pub storage: String,
    /// Sources of references that could not be read, which the user accepted.
    pub unread: Vec<Unread>,
    /// Other clusters whose references counted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<ClusterIdentity>,
    /// The namespace that the user named, whose repositories count too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Where the user allowed deletes besides the repositories of the cluster.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repositories: Vec<Repository>,
    /// The accounts that workflows named for their buckets, and that the plan was made with: names, and no secret.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identities: Vec<BucketLogin>,
    /// How long its objects are marked before a later run deletes them; none if they are deleted at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantine_seconds: Option<u64>,
}

/// A place where the user allowed deletes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repository {
    pub bucket: Bucket,
    /// The beginning of the keys; empty for the whole bucket.
    pub prefix: String,
}

/// What is known after the last one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tail {
    /// The buckets that objects are deleted from, or marked in.
    pub buckets: Vec<BucketFacts>,
    pub totals: Totals,
    /// The workflows that share objects of the plan.
    #[serde(flatten)]
    pub sharing: Sharing,
}

/// Which objects go, which stay and why, in which cluster and storage.
#[derive(Debug)]
pub struct Plan {
    pub head: Head,
    pub tail: Tail,
    /// SHA-256 of the text before it, as hexadecimal digits.
    pub hash: String,
    file: File,
    length: u64,
}

impl Head {
    /// The head of a plan made now.
    pub fn new(
        now: Timestamp,
        cluster: Option<ClusterIdentity>,
        storage: String,
        unread: Vec<Unread>,
    ) -> Self {
        let (api_version, kind) = (API_VERSION.to_owned(), "PurgePlan".to_owned());
        Self {
            api_version,
            kind,
            created_at: now,
            cluster,
            storage,
            unread,
            also: Vec::new(),
            namespace: None,
            repositories: Vec::new(),
            identities: Vec::new(),
            quarantine_seconds: None,
        }
    }

    /// Adds the places that the user allowed.
    pub fn allow(&self, allowed: &mut Allowed) {
        for Repository { bucket, prefix } in &self.repositories {
            allowed.add(bucket.clone(), &**prefix);
        }
    }

    /// The head of a plan whose user allows these places, too.
    pub fn allowing(mut self, repositories: &[(Bucket, String)]) -> Self {
        let place = |(bucket, prefix): &(Bucket, String)| Repository {
            bucket: bucket.clone(),
            prefix: prefix.clone(),
        };
        self.repositories = repositories.iter().map(place).collect();
        self
    }
}

/// A plan being written.
pub struct Draft {
    writer: Hashing,
    head: Head,
    totals: Totals,
    sharing: Sharing,
    buckets: BTreeSet<Bucket>,
    lines: u64,
    /// Names of orphans met, as hashes: a name's objects may stand on several lines.
    orphans: HashSet<u64>,
    state: RandomState,
}

impl Draft {
    /// Begins a plan in a file that vanishes with it.
    ///
    /// # Errors
    /// There is no room for temporary files.
    pub fn new(head: Head) -> Result<Self, Error> {
        let file = tempfile::tempfile().map_err(unwritten)?;
        let mut writer = Hashing::new(file);
        let text = serde_json::to_string(&head).map_err(Error::new)?;
        // The document's brace stays open for what comes after.
        let open = text.strip_suffix('}').unwrap_or(&text);
        writeln!(writer, "{open},\"workflows\":[").map_err(unwritten)?;
        Ok(Self {
            writer,
            head,
            totals: Totals::default(),
            sharing: Sharing::default(),
            buckets: BTreeSet::new(),
            lines: 0,
            orphans: HashSet::new(),
            state: RandomState::new(),
        })
    }

    /// Adds a workflow; one of which there is nothing to say is left out.
    ///
    /// # Errors
    /// There is no more room for temporary files.
    pub fn add(&mut self, workflow: &PlannedWorkflow) -> Result<(), Error> {
        let PlannedWorkflow { delete, keep, mark, needed, absent, gone, release_finalizer, .. } = workflow;
        let has_objects = [delete, mark, gone].into_iter().any(|objects| !objects.is_empty());
        let is_kept = !keep.is_empty() || !needed.is_empty();
        if !has_objects && !is_kept && absent.is_empty() && !release_finalizer {
            return Ok(());
        }
        let counts = !delete.is_empty()
            && (!workflow.orphans || self.orphans.insert(self.state.hash_one(&workflow.name)));
        self.totals.add(workflow, counts);
        for PlannedObject { bucket, .. } in workflow.touched() {
            if !self.buckets.contains(bucket) {
                self.buckets.insert(bucket.clone());
            }
        }
        let comma = if self.lines == 0 { "" } else { "," };
        self.lines += 1;
        write!(self.writer, "{comma}").map_err(unwritten)?;
        serde_json::to_writer(&mut self.writer, workflow).map_err(|error| unwritten(error.into()))?;
        writeln!(self.writer).map_err(unwritten)
    }

    /// The buckets that objects are deleted from, or marked in.
    pub fn buckets(&self) -> impl Iterator<Item = &Bucket> {
        self.buckets.iter()
    }

    /// Names the workflows that share objects; the objects have the numbers of their sets.
    pub fn share(&mut self, sharing: Sharing) {
        self.sharing = sharing;
    }

    /// Sums up the plan, and ends it with its checksum.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub fn seal(self, buckets: Vec<BucketFacts>) -> Result<Plan, Error> {
        let Self { mut writer, head, totals, sharing, .. } = self;
        let tail = Tail { buckets, totals, sharing };
        let text = serde_json::to_string(&tail).map_err(Error::new)?;
        let inner = text.trim_start_matches('{').strip_suffix('}').unwrap_or_default();
        write!(writer, "],{inner}{HASH}").map_err(unwritten)?;
        let hash = hexadecimal(writer.hasher.clone());
        writeln!(writer, "{hash}\"}}").map_err(unwritten)?;
        let length = writer.length;
        let file = writer.inner.into_inner().map_err(|error| unwritten(error.into_error()))?;
        Ok(Plan { head, tail, hash, file, length })
    }
}

impl Plan {
    /// Refuses a plan that is past `max_age`, or dated later than now (`docs/dangers.md`, danger 25).
    ///
    /// # Errors
    /// It is.
    pub fn check_age(&self, max_age: SignedDuration, now: Timestamp) -> Result<(), Error> {
        let made = self.head.created_at;
        let age = now.duration_since(made);
        if age < -CLOCKS {
            return Err(Error::refused(format!("the plan is dated {made}, which is in the future")));
        }
        if age > max_age {
            return Err(Error::refused(format!("the plan was made at {made}, which is too long ago"))
                .hint(Hint::OldPlan));
        }
        Ok(())
    }

    /// Refuses a plan of another cluster or storage (`docs/dangers.md`, danger 25).
    ///
    /// # Errors
    /// It is of another.
    pub fn check_place(&self, cluster: Option<&ClusterIdentity>, storage: &str) -> Result<(), Error> {
        let same = match (&self.head.cluster, cluster) {
            (None, None) => true,
            (Some(then), Some(now)) => then.is(now),
            _ => false,
        };
        if !same {
            let place = self.head.cluster.as_ref().map_or("files", |cluster| &cluster.server);
            return Err(
                Error::refused(format!("the plan is of another cluster: {place}")).hint(Hint::OtherCluster)
            );
        }
        match self.head.storage == storage {
            true => Ok(()),
            false => Err(Error::refused(format!("the plan is of other storage: {}", self.head.storage))
                .hint(format!("here it is: {storage}; endpoints must be named as when it was made"))),
        }
    }

    /// Opens the plan at the beginning of a file; a journal continues after it.
    ///
    /// # Errors
    /// It is no plan, or was edited.
    pub fn open(file: File) -> Result<Self, Error> {
        let no_plan = |why: &str| Error::refused(format!("this is no saved plan: {why}"));
        let unread = |error: io::Error| no_plan(&error.to_string());
        let mut reader = BufReader::with_capacity(1 << 16, file);
        // What is checked is carried out, whatever is written to the file meanwhile.
        let mut copy = BufWriter::with_capacity(1 << 16, tempfile::tempfile().map_err(unwritten)?);
        let mut hasher = Sha256::new();
        let mut line = String::new();
        let mut length = 0;
        let mut head = None;
        loop {
            line.clear();
            length += reader.read_line(&mut line).map_err(unread)? as u64;
            if line.is_empty() {
                return Err(no_plan("it is cut short"));
            }
            copy.write_all(line.as_bytes()).map_err(unwritten)?;
            let Some(first) = &head else {
                let open = line.trim_end().strip_suffix(",\"workflows\":[");
                let open = open.ok_or_else(|| no_plan("it does not begin as one"))?;
                let read: Head = serde_json::from_str(&format!("{open}}}"))
                    .map_err(|error| no_plan(&error.to_string()))?;
                if read.api_version != API_VERSION || read.kind != "PurgePlan" {
                    return Err(no_plan(&format!("it is a {} of {}", read.kind, read.api_version)));
                }
                hasher.update(&line);
                head = Some(read);
                continue;
            };
            if !line.starts_with(']') {
                hasher.update(&line);
                continue;
            }
            let (before, hash) =
                line.trim_end().rsplit_once(HASH).ok_or_else(|| no_plan("it has no hash"))?;
            hasher.update(before);
            hasher.update(HASH);
            let hash = hash.trim_end_matches("\"}").to_owned();
            if hexadecimal(hasher) != hash {
                return Err(Error::refused(
                    "the plan was changed since it was made: its checksum shows that it was edited or damaged",
                )
                .hint(Hint::NewPlan));
            }
            let inner = before.trim_start_matches("],");
            let tail =
                serde_json::from_str(&format!("{{{inner}}}")).map_err(|error| no_plan(&error.to_string()))?;
            let head = first.clone();
            let file = copy.into_inner().map_err(|error| unwritten(error.into_error()))?;
            return Ok(Self { head, tail, hash, file, length });
        }
    }

    /// The workflows, read from the file one by one.
    ///
    /// # Errors
    /// The file can't be read any more.
    pub fn workflows(&self) -> Result<impl Iterator<Item = Result<PlannedWorkflow, Error>> + use<>, Error> {
        let lines = self.text()?.lines().skip(1);
        let lines = lines.take_while(|line| !line.as_ref().is_ok_and(|line| line.starts_with(']')));
        Ok(until_error(lines.map(|line| {
            let line = line.map_err(unwritten)?;
            serde_json::from_str(line.trim_start_matches(',')).map_err(Error::new)
        })))
    }

    /// Bytes of the document; a journal continues after them.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The document's text from its beginning.
    ///
    /// # Errors
    /// As [`Self::workflows`].
    pub fn text(&self) -> Result<BufReader<io::Take<File>>, Error> {
        // Both handles share one position, so only one reader may be at work at a time.
        let mut file = self.file.try_clone().map_err(unwritten)?;
        file.seek(SeekFrom::Start(0)).map_err(unwritten)?;
        Ok(BufReader::with_capacity(1 << 16, file.take(self.length)))
    }

    /// Whether there is nothing to do.
    pub fn is_idle(&self) -> bool {
        let Totals { objects, finalizers, quarantine: QuarantineTotals { to_mark, to_lift, .. }, .. } =
            self.tail.totals;
        [objects, finalizers, to_mark, to_lift].into_iter().all(|count| count == 0)
    }

    /// The plan with every workflow changed.
    ///
    /// # Errors
    /// There is no room for temporary files.
    pub fn map(&self, mut change: impl FnMut(&mut PlannedWorkflow)) -> Result<Self, Error> {
        let mut draft = self.redraft(self.head.clone())?;
        for workflow in self.workflows()? {
            let mut workflow = workflow?;
            change(&mut workflow);
            draft.add(&workflow)?;
        }
        self.reseal(draft)
    }

    /// Begins a plan that takes the place of this one.
    ///
    /// # Errors
    /// As [`Draft::new`].
    pub fn redraft(&self, head: Head) -> Result<Draft, Error> {
        let mut draft = Draft::new(head)?;
        draft.share(self.tail.sharing.clone());
        Ok(draft)
    }

    /// Ends a plan that [`Self::redraft`] began, with what is known of its buckets.
    ///
    /// # Errors
    /// As [`Draft::seal`].
    pub fn reseal(&self, draft: Draft) -> Result<Self, Error> {
        let mut buckets = self.tail.buckets.clone();
        buckets.retain(|facts| draft.buckets.contains(&facts.bucket));
        draft.seal(buckets)
    }

    /// The plan with the settings of its buckets as they are now.
    ///
    /// # Errors
    /// As [`Self::map`].
    pub fn with_buckets(mut self, buckets: Vec<BucketFacts>) -> Result<Self, Error> {
        self.tail.buckets = buckets;
        self.map(|_| {})
    }

    /// One of `of` shards, the first of which is 1: whole workflows, by their UIDs, so that each is in just one.
    ///
    /// # Errors
    /// As [`Self::map`].
    pub fn shard(&self, which: u32, of: u32) -> Result<Self, Error> {
        self.map(|workflow| {
            let PlannedWorkflow {
                uid,
                name,
                delete,
                keep,
                mark,
                lift,
                needed,
                unread,
                absent,
                gone,
                release_finalizer,
                ..
            } = workflow;
            let word = if uid.is_empty() { name } else { uid };
            let hash = Sha256::digest(word.as_bytes());
            let number = hash.iter().take(4).fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
            if number % of.max(1) + 1 != which {
                delete.clear();
                keep.clear();
                mark.clear();
                lift.clear();
                needed.clear();
                unread.clear();
                absent.clear();
                gone.clear();
                *release_finalizer = false;
            }
        })
    }

    /// Whether it is of orphans, of which nobody else keeps watch.
    ///
    /// # Errors
    /// As [`Self::workflows`].
    pub fn has_orphans(&self) -> Result<bool, Error> {
        for workflow in self.workflows()? {
            if workflow?.orphans {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// UIDs of all workflows that give up what is planned.
    ///
    /// # Errors
    /// As [`Self::workflows`].
    pub fn uids(&self) -> Result<HashSet<String>, Error> {
        let (mut uids, mut sets) = (HashSet::new(), HashSet::new());
        for workflow in self.workflows()? {
            let workflow = workflow?;
            sets.extend(workflow.touched().map(|object| object.shared_with));
            uids.insert(workflow.uid);
        }
        for set in sets {
            uids.extend(self.tail.sharing.members(set).into_iter().map(|sharer| sharer.uid.clone()));
        }
        Ok(uids)
    }

    /// The keys of all its objects, to search texts for. `allowed` are the places at which deletion is allowed.
    ///
    /// # Errors
    /// As [`Self::workflows`].
    pub fn keys(&self, allowed: &Allowed) -> Result<PlannedKeys, Error> {
        let mut keys = PlannedKeysBuilder::new(allowed);
        for workflow in self.workflows()? {
            let workflow = workflow?;
            let PlannedWorkflow { name, uid, .. } = &workflow;
            workflow.touched().for_each(|object| keys.add(&object.planned_key(name, uid)));
        }
        Ok(keys.finish())
    }
}

fn unwritten(error: io::Error) -> Error {
    Error::new(format!("the plan's file: {error}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::cluster::identity::ClusterIdentity;
    use argo_gc_core::plan::planned::{PlannedObject, PlannedWorkflow};
    use jiff::SignedDuration;
    use std::io::SeekFrom;

    fn identity(uid: &str, server: &str) -> ClusterIdentity {
        ClusterIdentity { uid: Some(uid.into()), server: server.into(), context: None }
    }

    fn workflow(name: &str) -> PlannedWorkflow {
        PlannedWorkflow {
            namespace: "ml".into(),
            name: name.into(),
            uid: format!("uid-{name}"),
            phase: "Succeeded".into(),
            absent: vec!["gs://b/k".into()],
            ..PlannedWorkflow::default()
        }
    }

    fn plan() -> String {
        let now = "2026-11-01T00:00:00Z".parse().unwrap();
        let mut draft =
            Draft::new(Head::new(now, Some(identity("u", "s")), "gcs".into(), Vec::new())).unwrap();
        draft.add(&workflow("a")).unwrap();
        draft.add(&workflow("b")).unwrap();
        let plan = draft.seal(Vec::new()).unwrap();
        let mut text = String::new();
        plan.text().unwrap().read_to_string(&mut text).unwrap();
        text
    }

    fn read(text: &str, uid: &str, now: &str) -> Result<Plan, String> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file.seek(SeekFrom::Start(0)).unwrap();
        let cluster = identity(uid, "other address");
        let day = SignedDuration::from_hours(24);
        let checked = Plan::open(file).and_then(|plan| {
            plan.check_age(day, now.parse().unwrap())?;
            plan.check_place(Some(&cluster), "gcs").map(|()| plan)
        });
        checked.map_err(|error| error.to_string())
    }

    #[test]
    fn danger_25_a_stale_edited_or_foreign_plan_is_refused() {
        let text = plan();
        let soon = "2026-11-01T01:00:00Z";
        assert!(read(&text, "u", soon).is_ok());
        assert!(read(&text, "v", soon).unwrap_err().contains("another cluster"));
        assert!(read(&text, "u", "2026-11-02T01:00:00Z").unwrap_err().contains("too long ago"));
        assert!(read(&text, "u", "2026-10-31T23:00:00Z").unwrap_err().contains("in the future"));
        for (from, to) in [("\"gcs\"", "\"gcS\""), ("uid-a", "uid-x"), ("\"absent\":2", "\"absent\":3")] {
            assert!(text.contains(from));
            assert!(read(&text.replace(from, to), "u", soon).unwrap_err().contains("edited"), "{from}");
        }
        let (lines, _) = text.split_once("\n,{").unwrap();
        for other in ["", "{}", "{\"kind\":\"List\",\"items\":[]}", lines] {
            assert!(read(other, "u", soon).unwrap_err().contains("no saved plan"), "{other}");
        }
    }

    #[test]
    fn a_name_of_orphans_on_several_lines_counts_once() {
        let object = PlannedObject {
            bucket: "gs://b".parse().unwrap(),
            key: "argo/gone/1".into(),
            artifact_key: None,
            generation: "1".into(),
            size: 1,
            created: None,
            storage_class: "".into(),
            crc32c: "".into(),
            artifact: "".into(),
            node_id: "".into(),
            reason: "".into(),
            shared_with: None,
        };
        let line = PlannedWorkflow { delete: vec![object], orphans: true, ..workflow("gone") };
        let now = "2026-11-01T00:00:00Z".parse().unwrap();
        let mut draft = Draft::new(Head::new(now, None, "gcs".into(), Vec::new())).unwrap();
        draft.add(&line).unwrap();
        draft.add(&line).unwrap();
        let totals = draft.seal(Vec::new()).unwrap().tail.totals;
        assert_eq!((totals.workflows, totals.objects), (1, 2));
    }

    #[test]
    fn a_plan_is_one_json_document_and_comes_back_as_it_was() {
        let text = plan();
        let document: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(document["workflows"][1]["name"], "b");
        assert_eq!(document["totals"]["absent"], 2);
        let plan = read(&format!("{text}{{\"line\":\"begin\"}}\n"), "u", "2026-11-01T01:00:00Z").unwrap();
        let workflows: Vec<PlannedWorkflow> = plan.workflows().unwrap().map(Result::unwrap).collect();
        assert_eq!(workflows, [workflow("a"), workflow("b")]);
        // A change makes another plan with a checksum of its own.
        let changed = plan.map(|workflow| workflow.absent.clear()).unwrap();
        assert_eq!(changed.workflows().unwrap().count(), 0);
        assert_ne!(changed.hash, plan.hash);
    }

    #[test]
    fn shards_have_every_workflow_once() {
        let now = "2026-11-01T00:00:00Z".parse().unwrap();
        let mut draft = Draft::new(Head::new(now, None, "gcs".into(), Vec::new())).unwrap();
        let names: Vec<String> = (0..100).map(|at| format!("w{at:02}")).collect();
        names.iter().for_each(|name| draft.add(&workflow(name)).unwrap());
        let plan = draft.seal(Vec::new()).unwrap();
        let mut met = Vec::new();
        for which in 1..=7 {
            let shard = plan.shard(which, 7).unwrap();
            let part: Vec<String> =
                shard.workflows().unwrap().map(|workflow| workflow.unwrap().name).collect();
            assert!((5..25).contains(&part.len()), "{part:?}");
            assert_eq!(shard.tail.totals.absent, part.len() as u64);
            met.extend(part);
        }
        met.sort();
        assert_eq!(met, names);
    }
}
