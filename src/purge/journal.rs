//! The journal: the plan's document, and after it what was to be done and what was, as JSON lines that survive a
//! killed process.

use crate::error::{Error, Hint};
use crate::purge::outcome::{ObjectOutcome, fate};
use crate::purge::plan_file::Plan;
use argo_gc_core::model::bucket::Bucket;
use argo_gc_core::model::protection::Protection;
use argo_gc_core::plan::planned::PlannedObject;
use argo_gc_store::types::Outcome;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::borrow::Borrow;
use std::collections::{HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// One line after the plan.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "line")]
pub enum Line {
    /// The first of each part of a run: who carries the plan out.
    Begin {
        time: Timestamp,
        /// The account in storage.
        identity: String,
        /// The name that the API server has for the user; empty if there is no cluster or it doesn't say.
        #[serde(default)]
        user: String,
    },
    /// A delete is about to be sent.
    #[serde(rename_all = "camelCase")]
    Intent {
        time: Timestamp,
        bucket: Bucket,
        key: Box<str>,
        generation: Box<str>,
        size: u64,
        crc32c: Box<str>,
    },
    /// What became of it.
    #[serde(rename_all = "camelCase")]
    Result {
        time: Timestamp,
        bucket: Bucket,
        key: Box<str>,
        generation: Box<str>,
        #[serde(flatten)]
        outcome: Outcome,
    },
    /// What was done to a workflow after its objects.
    #[serde(rename_all = "camelCase")]
    Workflow { namespace: String, name: String, uid: String, recorded: u64, finalizer_released: bool },
    /// A mark is about to be set.
    Marking { time: Timestamp, bucket: Bucket, key: Box<str>, generation: Box<str> },
    /// It is set.
    Marked { bucket: Bucket, key: Box<str>, generation: Box<str> },
    /// It was lifted.
    Lifted { bucket: Bucket, key: Box<str>, generation: Box<str> },
    /// A deleted object was brought back.
    #[serde(rename_all = "camelCase")]
    Restored { bucket: Bucket, key: Box<str>, generation: Box<str> },
    /// This part of the run ended by itself.
    End { time: Timestamp },
}

/// Who carries a plan out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Who {
    /// The account in storage.
    pub identity: String,
    /// The user of the API server, or an empty text.
    pub user: String,
}

/// An open journal.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: Mutex<File>,
}

impl Journal {
    /// Begins a new journal; an existing file is never written over.
    ///
    /// # Errors
    /// The file exists or can't be made.
    pub fn begin(path: &Path, who: &Who, plan: &Plan) -> Result<Self, Error> {
        let failed = |error: std::io::Error| Error::new(format!("the journal {}: {error}", path.display()));
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let mut file = OpenOptions::new().append(true).create_new(true).open(path).map_err(failed)?;
        std::io::copy(&mut plan.text()?, &mut file).map_err(failed)?;
        let journal = Self { path: path.to_owned(), file: Mutex::new(file) };
        journal.open_part(who)?;
        // Without the plan on disk there must be no delete.
        journal.sync()?;
        Ok(journal)
    }

    /// Goes on with a journal: another part of its run begins.
    ///
    /// # Errors
    /// As [`Self::reopen`].
    pub fn go_on(path: &Path, who: &Who) -> Result<Self, Error> {
        let journal = Self::reopen(path)?;
        journal.open_part(who)?;
        Ok(journal)
    }

    fn open_part(&self, Who { identity, user }: &Who) -> Result<(), Error> {
        self.write(&Line::Begin { time: Timestamp::now(), identity: identity.clone(), user: user.clone() })
    }

    /// Writes down that a delete is about to be sent.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn intend<'a>(&self, objects: impl Iterator<Item = &'a PlannedObject>) -> Result<(), Error> {
        self.write_all(objects.map(|object| Line::Intent {
            time: Timestamp::now(),
            bucket: object.bucket.clone(),
            key: object.key.clone(),
            generation: object.generation.clone(),
            size: object.size,
            crc32c: object.crc32c.clone(),
        }))
    }

    /// Writes down what became of an object.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn settle<'a>(
        &self,
        outcomes: impl Iterator<Item = (&'a PlannedObject, Outcome)>,
    ) -> Result<(), Error> {
        self.write_all(outcomes.map(|(object, outcome)| Line::Result {
            time: Timestamp::now(),
            bucket: object.bucket.clone(),
            key: object.key.clone(),
            generation: object.generation.clone(),
            outcome,
        }))
    }

    /// Writes down that this part of the run ended by itself, and brings everything to the disk.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn end(&self) -> Result<(), Error> {
        self.write(&Line::End { time: Timestamp::now() })?;
        self.sync()
    }

    /// Opens a journal to write more.
    ///
    /// # Errors
    /// It can't be opened for writing.
    pub fn reopen(path: &Path) -> Result<Self, Error> {
        let failed = |error: std::io::Error| Error::new(format!("the journal {}: {error}", path.display()));
        let mut file = OpenOptions::new().append(true).open(path).map_err(failed)?;
        // A killed process may have left half a line.
        file.write_all(b"\n").map_err(failed)?;
        Ok(Self { path: path.to_owned(), file: Mutex::new(file) })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends a line. One write, so that a killed process leaves at most one torn line.
    ///
    /// # Errors
    /// The disk is full, or the like: nothing more may be deleted.
    pub fn write(&self, line: &Line) -> Result<(), Error> {
        self.write_all(std::iter::once(line))
    }

    /// Writes lines, all by one call.
    fn write_all<L: Borrow<Line>>(&self, lines: impl Iterator<Item = L>) -> Result<(), Error> {
        let failed = |error: std::io::Error| {
            Error::new(format!("writing the journal {}: {error}", self.path.display()))
        };
        let mut text = Vec::new();
        for line in lines {
            serde_json::to_writer(&mut text, line.borrow()).map_err(|error| failed(error.into()))?;
            text.push(b'\n');
        }
        self.file.lock().unwrap_or_else(PoisonError::into_inner).write_all(&text).map_err(failed)
    }

    /// Brings what was written to the disk.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn sync(&self) -> Result<(), Error> {
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.sync_data()
            .map_err(|error| Error::new(format!("writing the journal {}: {error}", self.path.display())))
    }
}

/// An object to be brought back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    pub bucket: Bucket,
    pub key: Box<str>,
    pub generation: Box<str>,
    /// The journal says that it was deleted, not only that it was to be.
    pub certain: bool,
}

/// A journal read back. Objects are held as hashes.
#[derive(Debug)]
pub struct JournalReplay {
    pub plan: Plan,
    path: PathBuf,
    gone: HashSet<u64>,
    /// What was left alone for a reason that will not pass.
    kept: HashMap<u64, ObjectOutcome>,
    /// A delete was sent, and what became of it was never written down: the process was killed, or no answer came.
    open: HashSet<u64>,
    /// Found gone after such a delete.
    gone_after: HashSet<u64>,
    restored: HashSet<u64>,
    /// Objects whose marks are set.
    marked: HashSet<u64>,
    /// Those, and objects whose marks may be set: the process was killed before that was written down.
    may_be_marked: HashSet<u64>,
    /// The last part of the run ended by itself: its workflows are settled too.
    pub ended: bool,
    random: RandomState,
}

impl JournalReplay {
    /// Reads a journal; a torn line is what a killed process leaves, and no error.
    ///
    /// # Errors
    /// The file can't be read, or is no journal.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let failed = |what: &str| Error::new(format!("the journal {}: {what}", path.display()));
        let file = File::open(path).map_err(|error| failed(&error.to_string()))?;
        let plan = Plan::open(file).map_err(|error| failed(error.brief()))?;
        let mut begun = false;
        let mut record = Self {
            plan,
            path: path.to_owned(),
            gone: HashSet::new(),
            kept: HashMap::new(),
            open: HashSet::new(),
            gone_after: HashSet::new(),
            restored: HashSet::new(),
            marked: HashSet::new(),
            may_be_marked: HashSet::new(),
            ended: false,
            random: RandomState::new(),
        };
        let (mut gone, mut kept, mut restored) = (HashSet::new(), HashMap::new(), HashSet::new());
        let (mut sent, mut open, mut gone_after) = (HashSet::new(), HashSet::new(), HashSet::new());
        for line in record.lines()? {
            match line? {
                Line::Begin { .. } => {
                    begun = true;
                    record.ended = false;
                }
                Line::End { .. } => record.ended = true,
                Line::Intent { bucket, key, generation, .. } => {
                    let hash = record.hash(&bucket, &key, &generation);
                    if !sent.insert(hash) {
                        open.insert(hash);
                    }
                }
                Line::Result { bucket, key, generation, outcome, .. } => {
                    let hash = record.hash(&bucket, &key, &generation);
                    let fate = fate(outcome);
                    if !matches!(fate, ObjectOutcome::Failed(_)) {
                        sent.remove(&hash);
                        if open.remove(&hash) && fate == ObjectOutcome::Gone {
                            gone_after.insert(hash);
                        }
                    }
                    match fate {
                        ObjectOutcome::Deleted | ObjectOutcome::Gone => {
                            gone.insert(hash);
                        }
                        // A missing permission may be granted, and what failed may go well: both are tried again.
                        ObjectOutcome::Kept(Protection::Denied, _) => {}
                        fate @ ObjectOutcome::Kept(..) => {
                            kept.insert(hash, fate);
                        }
                        // Written after a deletion when it could not be verified.
                        _ => {
                            gone.remove(&hash);
                        }
                    }
                }
                Line::Restored { bucket, key, generation } => {
                    restored.insert(record.hash(&bucket, &key, &generation));
                }
                _ => {}
            }
        }
        if !begun {
            return Err(Error::refused(format!(
                "{} is a saved plan, not a journal of a run",
                path.display()
            ))
            .hint(Hint::IsPlan));
        }
        (record.gone, record.kept, record.restored) = (gone, kept, restored);
        open.extend(sent);
        (record.open, record.gone_after) = (open, gone_after);
        (record.marked, record.may_be_marked) = record.read_marks()?;
        Ok(record)
    }

    /// The objects whose marks are set, and those whose marks may be.
    fn read_marks(&self) -> Result<(HashSet<u64>, HashSet<u64>), Error> {
        let (mut marked, mut may_be) = (HashSet::new(), HashSet::new());
        if self.plan.head.quarantine_seconds.is_none() {
            return Ok((marked, may_be));
        }
        for line in self.lines()? {
            match line? {
                Line::Marking { bucket, key, generation, .. } => {
                    may_be.insert(self.hash(&bucket, &key, &generation));
                }
                Line::Marked { bucket, key, generation } => {
                    marked.insert(self.hash(&bucket, &key, &generation));
                }
                Line::Lifted { bucket, key, generation } => {
                    let hash = self.hash(&bucket, &key, &generation);
                    marked.remove(&hash);
                    may_be.remove(&hash);
                }
                _ => {}
            }
        }
        Ok((marked, may_be))
    }

    /// The lines after the plan, without torn ones.
    pub(crate) fn lines(&self) -> Result<impl Iterator<Item = Result<Line, Error>> + use<>, Error> {
        let path = self.path.clone();
        let failed =
            move |error: std::io::Error| Error::new(format!("the journal {}: {error}", path.display()));
        let mut file = File::open(&self.path).map_err(&failed)?;
        file.seek(SeekFrom::Start(self.plan.length())).map_err(&failed)?;
        // A line may be torn within a character.
        let lines = BufReader::with_capacity(1 << 16, file).split(b'\n');
        Ok(lines.filter_map(move |line| match line {
            Ok(line) => serde_json::from_slice(&line).ok().map(Ok),
            Err(error) => Some(Err(failed(error))),
        }))
    }

    /// What earlier undos brought back.
    ///
    /// # Errors
    /// The file can't be read any more.
    pub fn restored(&self) -> Result<impl Iterator<Item = Result<Lost, Error>> + '_, Error> {
        Ok(self.lines()?.filter_map(|line| match line {
            Ok(Line::Restored { bucket, key, generation }) => {
                Some(Ok(Lost { bucket, key, generation, certain: true }))
            }
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        }))
    }

    fn hash(&self, bucket: &Bucket, key: &str, generation: &str) -> u64 {
        self.random.hash_one((bucket, key, generation))
    }

    /// What became of the object, if it is settled: deleted, or kept for a reason that will not pass.
    pub fn settled(&self, object: &PlannedObject) -> Option<ObjectOutcome> {
        let hash = self.hash(&object.bucket, &object.key, &object.generation);
        match self.gone.contains(&hash) {
            true => Some(ObjectOutcome::DeletedBefore),
            false => self.kept.get(&hash).cloned(),
        }
    }

    /// Whether the run marked the object.
    pub fn is_marked(&self, object: &PlannedObject) -> bool {
        self.marked.contains(&self.hash(&object.bucket, &object.key, &object.generation))
    }

    /// The number of objects that were marked, or may have been, and whose mark was not lifted.
    pub fn count_marked(&self) -> u64 {
        self.may_be_marked.len() as u64
    }

    /// What was marked, or may have been, and whose mark was not lifted.
    ///
    /// # Errors
    /// The file can't be read any more.
    pub fn marked(&self) -> Result<impl Iterator<Item = Result<Lost, Error>> + '_, Error> {
        let mut met = HashSet::new();
        let lines = (!self.may_be_marked.is_empty()).then(|| self.lines()).transpose()?;
        Ok(lines.into_iter().flatten().filter_map(move |line| match line {
            Ok(Line::Marking { bucket, key, generation, .. }) => {
                let hash = self.hash(&bucket, &key, &generation);
                let new = self.may_be_marked.contains(&hash) && met.insert(hash);
                let certain = self.marked.contains(&hash);
                new.then_some(Ok(Lost { bucket, key, generation, certain }))
            }
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        }))
    }

    /// Whether a delete of the object was sent whose outcome was never written down.
    pub fn was_sent(&self, object: &PlannedObject) -> bool {
        self.open.contains(&self.hash(&object.bucket, &object.key, &object.generation))
    }

    /// Settles an object whose delete was sent and which is gone.
    pub fn found_gone(&mut self, object: &PlannedObject) {
        self.gone.insert(self.hash(&object.bucket, &object.key, &object.generation));
    }

    /// What was deleted and isn't back, and what may have been.
    ///
    /// # Errors
    /// The file can't be read any more.
    pub fn deleted(&self) -> Result<impl Iterator<Item = Result<Lost, Error>> + '_, Error> {
        let mut met = HashSet::new();
        Ok(self.lines()?.filter_map(move |line| {
            let (bucket, key, generation, outcome) = match line {
                Ok(Line::Result { bucket, key, generation, outcome, .. }) => {
                    (bucket, key, generation, Some(outcome))
                }
                Ok(Line::Intent { bucket, key, generation, .. }) => (bucket, key, generation, None),
                Ok(_) => return None,
                Err(error) => return Some(Err(error)),
            };
            let hash = self.hash(&bucket, &key, &generation);
            let certain = match outcome {
                Some(Outcome::Deleted) => true,
                Some(Outcome::Gone) if self.gone_after.contains(&hash) => true,
                None if self.open.contains(&hash) => false,
                _ => return None,
            };
            let new = !self.restored.contains(&hash) && met.insert(hash);
            new.then_some(Ok(Lost { bucket, key, generation, certain }))
        }))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::purge::plan_file::{Draft, Head};
    use argo_gc_core::model::bucket::Bucket;
    use argo_gc_core::plan::planned::PlannedObject;
    use argo_gc_store::types::Outcome;
    use jiff::Timestamp;
    use std::fs::OpenOptions;

    #[test]
    fn a_line_torn_within_a_character_costs_itself_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let head = Head::new(Timestamp::UNIX_EPOCH, None, "gcs".into(), Vec::new());
        let plan = Draft::new(head).unwrap().seal(Vec::new()).unwrap();
        let journal = Journal::begin(&path, &Who::default(), &plan).unwrap();
        let deleted = |key: &str| Line::Result {
            time: Timestamp::UNIX_EPOCH,
            bucket: "gs://b".parse().unwrap(),
            key: key.into(),
            generation: "1".into(),
            outcome: Outcome::Deleted,
        };
        journal.write(&deleted("one")).unwrap();
        let torn = serde_json::to_vec(&deleted("ü")).unwrap();
        let within = torn.iter().position(|byte| !byte.is_ascii()).unwrap();
        OpenOptions::new().append(true).open(&path).unwrap().write_all(&torn[..=within]).unwrap();
        Journal::reopen(&path).unwrap().write(&deleted("two")).unwrap();
        let record = JournalReplay::read(&path).unwrap();
        let keys: Vec<_> = record.deleted().unwrap().map(|one| one.unwrap().key).collect();
        assert_eq!(keys, ["one".into(), "two".into()] as [Box<str>; 2]);
    }

    #[test]
    fn a_delete_without_an_answer_may_have_happened() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let head = Head::new(Timestamp::UNIX_EPOCH, None, "gcs".into(), Vec::new());
        let plan = Draft::new(head).unwrap().seal(Vec::new()).unwrap();
        let journal = Journal::begin(&path, &Who::default(), &plan).unwrap();
        let (bucket, generation): (Bucket, Box<str>) = ("gs://b".parse().unwrap(), "1".into());
        let intent = |key: &str| {
            let (bucket, generation) = (bucket.clone(), generation.clone());
            let (key, time, crc32c) = (key.into(), Timestamp::UNIX_EPOCH, Default::default());
            let line = Line::Intent { time, bucket, key, generation, size: 1, crc32c };
            journal.write(&line).unwrap();
        };
        let result = |key: &str, outcome| {
            let (bucket, generation) = (bucket.clone(), generation.clone());
            journal
                .write(&Line::Result {
                    time: Timestamp::UNIX_EPOCH,
                    bucket,
                    key: key.into(),
                    generation,
                    outcome,
                })
                .unwrap();
        };
        ["killed", "resumed", "others", "done", "failed"].into_iter().for_each(intent);
        result("others", Outcome::Gone);
        result("done", Outcome::Deleted);
        result("failed", Outcome::Failed("no answer".into()));
        intent("resumed");
        result("resumed", Outcome::Gone);
        let record = JournalReplay::read(&path).unwrap();
        let mut lost: Vec<_> = record.deleted().unwrap().map(Result::unwrap).collect();
        lost.sort_by(|a, b| a.key.cmp(&b.key));
        let lost: Vec<_> = lost.iter().map(|lost| (&*lost.key, lost.certain)).collect();
        assert_eq!(lost, [("done", true), ("failed", false), ("killed", false), ("resumed", true)]);
    }

    #[test]
    fn what_was_deleted_but_not_verified_is_not_settled() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let head = Head::new(Timestamp::UNIX_EPOCH, None, "gcs".into(), Vec::new());
        let plan = Draft::new(head).unwrap().seal(Vec::new()).unwrap();
        let journal = Journal::begin(&path, &Who::default(), &plan).unwrap();
        let object: PlannedObject = serde_json::from_value(serde_json::json!({
            "bucket": "gs://b", "key": "k", "generation": "1", "size": 1, "created": null, "artifact": "a", "nodeId": "n",
        }))
        .unwrap();
        let result = |outcome| Line::Result {
            time: Timestamp::UNIX_EPOCH,
            bucket: "gs://b".parse().unwrap(),
            key: "k".into(),
            generation: "1".into(),
            outcome,
        };
        journal.write(&result(Outcome::Deleted)).unwrap();
        assert!(JournalReplay::read(&path).unwrap().settled(&object).is_some());
        journal.write(&result(Outcome::Failed("deleted, but it is still there".into()))).unwrap();
        assert!(JournalReplay::read(&path).unwrap().settled(&object).is_none());
    }

    #[test]
    fn a_plan_is_no_journal_and_the_part_that_ended_last_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.json");
        let head = Head::new(Timestamp::UNIX_EPOCH, None, "gcs".into(), Vec::new());
        let plan = Draft::new(head).unwrap().seal(Vec::new()).unwrap();
        std::io::copy(&mut plan.text().unwrap(), &mut File::create(&path).unwrap()).unwrap();
        let refused = JournalReplay::read(&path).unwrap_err();
        assert!(refused.to_string().contains("is a saved plan, not a journal"), "{refused}");
        assert!(refused.hints().contains(&Hint::IsPlan));
        let journal = Journal::go_on(&path, &Who::default()).unwrap();
        let ended = || JournalReplay::read(&path).unwrap().ended;
        assert!(!ended());
        journal.end().unwrap();
        assert!(ended());
        Journal::go_on(&path, &Who::default()).unwrap();
        assert!(!ended(), "the part that goes on has not ended");
    }
}
