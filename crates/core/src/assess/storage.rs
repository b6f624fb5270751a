//! Adds an artifact's objects in storage to its report, and corrects the verdict accordingly.

use crate::model::assessment::{ArtifactReport, Evidence, Note};
use crate::model::engine::StorageEngine;
use crate::model::object::{ObjectFacts, is_within};
use crate::model::stored::{Copies, Stored, class};
use crate::reason::Reason;
use crate::verdict::{Verdict, When};
use jiff::{SignedDuration, Timestamp};

/// The time after a run's end in which its objects may still be written, given that clocks differ.
const LATE: SignedDuration = SignedDuration::from_mins(10);

/// Returns true if an object belongs to the artifact with this key. The key of an S3 directory may end with a
/// slash.
fn is_part(object: &str, key: &str) -> bool {
    match key.strip_suffix('/') {
        Some(folder) => object.len() > folder.len() && is_within(object, folder),
        None => is_within(object, key),
    }
}

/// `1 copy`, `2 copies`.
fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// The sums of what was found at an artifact's location so far.
#[derive(Debug, Clone, Default)]
pub struct Found {
    stored: Stored,
    /// Objects that were written before the run had finished.
    own: u64,
    /// Objects whose keys begin with the artifact's and don't belong to it, and one of them.
    beside: u64,
    first: String,
    /// The object of the very key is among them.
    exact: bool,
}

impl Found {
    /// Adds an object. `key` is the artifact's, and `finished` when its run was.
    pub fn add(&mut self, object: &ObjectFacts, key: &str, finished: Option<Timestamp>) {
        let later = |created: Timestamp| finished.is_some_and(|end| created.duration_since(end) > LATE);
        self.exact |= object.key == key;
        if !is_part(&object.key, key) {
            // Argo's driver for Azure treats it as a part of the directory.
            if object.key.starts_with(key) {
                self.beside += 1;
                if self.first.is_empty() {
                    self.first.clone_from(&object.key);
                }
            }
            return;
        }
        self.own += u64::from(!object.created.is_some_and(later));
        self.stored.objects += 1;
        self.stored.bytes += object.size;
        self.stored.newest = self.stored.newest.max(object.created);
        *self.stored.classes.entry(class(object)).or_default() += object.size;
    }
}

impl ArtifactReport {
    /// Adds the deleted and overwritten copies that the bucket keeps at the location and below.
    pub fn confirm_copies<'o>(&mut self, objects: impl IntoIterator<Item = &'o ObjectFacts>) {
        let key = self.location.as_ref().map(|location| location.key.as_str()).unwrap_or_default();
        let mut copies = Copies::default();
        for object in objects.into_iter().filter(|object| is_part(&object.key, key)) {
            copies.objects += 1;
            copies.bytes += object.size;
            *copies.classes.entry(class(object)).or_default() += object.size;
        }
        if copies.objects > 0 {
            let detail = format!("{}, {} bytes", counted(copies.objects, "copy", "copies"), copies.bytes);
            self.notes.push(Note { reason: Reason::VersionedBucket, detail });
        }
        self.stored.get_or_insert_default().copies = Some(copies);
    }

    /// Adds the objects found at the artifact's location: the exact key, and all below it. Objects written
    /// after the run had `finished` belong to another run, so they do not contradict a deletion that is
    /// recorded here.
    pub fn confirm<'o>(
        &mut self,
        objects: impl IntoIterator<Item = &'o ObjectFacts>,
        finished: Option<Timestamp>,
    ) {
        let mut found = Found::default();
        let key = self.location.as_ref().map(|location| location.key.as_str()).unwrap_or_default();
        objects.into_iter().for_each(|object| found.add(object, key, finished));
        self.settle(found);
    }

    /// Returns whether a report of what was stored, at a time after the run's end, changes nothing of the verdict. Else the
    /// storage itself has to be asked: what is missing in a report may have been written since, and what is in it may be
    /// gone.
    pub fn takes_report(&self, found: &Found) -> bool {
        match self.verdict {
            Verdict::Collected => false,
            Verdict::Covered if self.is_deleted_by_its_key() => found.exact,
            _ => found.stored.objects > 0,
        }
    }

    /// Returns true if Argo's driver deletes the object of the key alone, and nothing below it.
    fn is_deleted_by_its_key(&self) -> bool {
        self.location.as_ref().is_some_and(|at| match at.engine {
            StorageEngine::Gcs => true,
            // It deletes what is below a key that says so itself.
            StorageEngine::S3 => !at.key.ends_with('/'),
            _ => false,
        })
    }

    /// Corrects the verdict on a collection that storage shows will fail.
    fn fails(&mut self, reason: Reason, found: String) {
        (self.verdict, self.reason) = (Verdict::Failing, Some(reason));
        self.evidence.push(Evidence::new("storage", found));
        self.notes.retain(|note| note.reason != reason);
    }

    /// As [`Self::confirm`], for objects that were met one by one.
    pub fn settle(&mut self, found: Found) {
        let Found { stored, own, beside, first, exact } = found;
        let engine = self.location.as_ref().map(|location| location.engine);
        if let Some(note) = self.notes.iter_mut().find(|note| note.reason == Reason::AzurePrefix) {
            note.detail = match beside {
                0 => "no other object begins with its name now".to_owned(),
                1 => format!("{first} would be deleted with it"),
                _ => format!("{beside} other objects would be deleted with it, such as {first}"),
            };
        }
        let present = stored.objects > 0;
        let objects = counted(stored.objects, "object", "objects");
        match self.verdict {
            // Argo has recorded the artifact as deleted, so nobody will delete the objects that still exist.
            Verdict::Collected if own > 0 => {
                self.verdict = Verdict::Uncovered;
                self.reason = Some(Reason::DeletedButPresent);
                let found = format!("{objects}, {} bytes", stored.bytes);
                self.evidence.push(Evidence::new("storage", found));
            }
            Verdict::Collected if present => {
                let found = format!("{objects}, written after this run");
                self.evidence.push(Evidence::new("storage", found));
            }
            Verdict::Collected => {}
            // The one object that Argo's driver deletes is not there, and the others stay.
            Verdict::Covered if present && !exact && self.is_deleted_by_its_key() => {
                let is_gcs = engine == Some(StorageEngine::Gcs);
                let reason = if is_gcs { Reason::GcsDirectory } else { Reason::S3Directory };
                self.fails(reason, format!("{objects} below the key, none of that name"));
            }
            // While a GC pod is at work, what it has deleted is not recorded yet.
            Verdict::Covered
                if !present && engine == Some(StorageEngine::Gcs) && self.when != Some(When::Now) =>
            {
                self.fails(Reason::GcsMissing, "no object".to_owned());
            }
            Verdict::Uncovered if !present => {
                // It needs nobody to delete it: after a purge that could not be recorded, this is what tells.
                self.verdict = Verdict::Collected;
                self.reason = None;
                self.notes.push(Note { reason: Reason::RecordedButMissing, detail: String::new() });
            }
            _ if !present => {
                self.notes.push(Note { reason: Reason::RecordedButMissing, detail: String::new() })
            }
            _ => {}
        }
        self.stored = Some(stored);
    }
}

#[cfg(test)]
mod tests {
    use crate::argo::artifact::Strategy;
    use crate::model::assessment::{ArtifactReport, Note};
    use crate::model::engine::StorageEngine;
    use crate::model::location::Location;
    use crate::model::object::ObjectFacts;
    use crate::model::strategy::StrategySource;
    use crate::reason::Reason;
    use crate::verdict::{Verdict, When};

    fn artifact(verdict: Verdict) -> ArtifactReport {
        ArtifactReport {
            name: "out".into(),
            node: String::new(),
            node_id: String::new(),
            node_name: String::new(),
            node_type: "Pod".into(),
            template: String::new(),
            unarchived: true,
            logs: false,
            strategy: Strategy::Unset,
            strategy_source: StrategySource::Default,
            service_account: String::new(),
            verdict,
            reason: None,
            when: None,
            location: Some(Location {
                key: "a/b".into(),
                bucket: "b".into(),
                endpoint: String::new(),
                engine: StorageEngine::Gcs,
            }),
            login: None,
            location_problem: String::new(),
            evidence: Vec::new(),
            notes: Vec::new(),
            copies: Vec::new(),
            stored: None,
        }
    }

    fn object(key: &str, size: u64) -> ObjectFacts {
        ObjectFacts {
            key: key.into(),
            generation: "1".into(),
            size,
            created: None,
            storage_class: "".into(),
            crc32c: String::new(),
            held: None,
        }
    }

    #[test]
    fn what_was_recorded_deleted_and_is_there_is_uncovered() {
        let mut report = artifact(Verdict::Collected);
        report.confirm(&[object("a/b/1", 2), object("a/b/2", 3), object("a/bc", 100)], None);
        assert_eq!((report.verdict, report.reason), (Verdict::Uncovered, Some(Reason::DeletedButPresent)));
        assert_eq!(report.stored.as_ref().map(|stored| (stored.objects, stored.bytes)), Some((2, 5)));
        let mut report = artifact(Verdict::Collected);
        report.confirm(&[object("a/bc", 100)], None);
        assert_eq!((report.verdict, report.reason), (Verdict::Collected, None));
    }

    #[test]
    fn a_directory_named_with_its_slash_is_what_lies_below() {
        let slashed = |verdict| {
            let mut report = artifact(verdict);
            if let Some(location) = &mut report.location {
                location.key = "a/b/".into();
            }
            report
        };
        let mut report = slashed(Verdict::Collected);
        report.confirm(&[object("a/b/1", 2), object("a/b", 100), object("a/bc", 100)], None);
        assert_eq!((report.verdict, report.reason), (Verdict::Uncovered, Some(Reason::DeletedButPresent)));
        assert_eq!(report.stored.as_ref().map(|stored| (stored.objects, stored.bytes)), Some((1, 2)));
        let mut report = slashed(Verdict::Uncovered);
        report.confirm(&[object("a/b/1", 2)], None);
        assert!(report.notes.is_empty());
        report.confirm_copies(&[object("a/b/1", 2), object("a/b", 100)]);
        assert_eq!(report.stored.and_then(|stored| stored.copies).map(|copies| copies.objects), Some(1));
    }

    #[test]
    fn what_is_not_there_gets_a_note_and_needs_nobody_to_delete_it() {
        let mut failing = artifact(Verdict::Failing);
        failing.confirm([], None);
        assert_eq!(failing.verdict, Verdict::Failing, "Argo fails on what is missing, too");
        let mut report = artifact(Verdict::Uncovered);
        report.confirm([], None);
        assert_eq!((report.verdict, report.reason), (Verdict::Collected, None));
        assert!(report.notes.iter().any(|note| note.reason == Reason::RecordedButMissing));
    }

    #[test]
    fn a_directory_of_gcs_fails_before_argo_tries() {
        let found = |engine, objects: &[ObjectFacts]| {
            let mut report = artifact(Verdict::Covered);
            report.notes.push(Note { reason: Reason::GcsDirectory, detail: String::new() });
            if let Some(location) = &mut report.location {
                location.engine = engine;
            }
            report.confirm(objects, None);
            (report.verdict, report.reason, report.notes.len())
        };
        let failing = (Verdict::Failing, Some(Reason::GcsDirectory), 0);
        let covered = (Verdict::Covered, None, 1);
        let below = [object("a/b/1", 2), object("a/b/2", 3)];
        assert_eq!(found(StorageEngine::Gcs, &below), failing);
        assert_eq!(found(StorageEngine::Gcs, &[object("a/b", 2)]), covered);
        assert_eq!(found(StorageEngine::Gcs, &[object("a/b", 2), object("a/b/1", 3)]), covered);
        assert_eq!(found(StorageEngine::S3, &[object("a/b", 2)]), covered);
        assert_eq!(found(StorageEngine::S3, &below), (Verdict::Failing, Some(Reason::S3Directory), 1));
        // Others delete what is below.
        assert_eq!(found(StorageEngine::Azure, &below), covered);
        // What is beside it is another's.
        assert_eq!(found(StorageEngine::Azure, &[object("a/bc", 2)]), (Verdict::Covered, None, 2));
    }

    #[test]
    fn a_directory_of_s3_is_covered_if_its_key_says_that_it_is_one() {
        let mut report = artifact(Verdict::Covered);
        if let Some(location) = &mut report.location {
            (location.engine, location.key) = (StorageEngine::S3, "a/b/".into());
        }
        report.confirm(&[object("a/b/1", 2)], None);
        assert_eq!((report.verdict, report.reason), (Verdict::Covered, None));
    }

    #[test]
    fn a_delete_of_what_is_gone_will_fail_on_gcs() {
        let gone = |engine, when| {
            let mut report = ArtifactReport { when: Some(when), ..artifact(Verdict::Covered) };
            if let Some(location) = &mut report.location {
                location.engine = engine;
            }
            // What is beside it is another's.
            report.confirm(&[object("a/bc", 2)], None);
            (report.verdict, report.reason, report.notes.len())
        };
        let missing = (Verdict::Failing, Some(Reason::GcsMissing), 0);
        assert_eq!(gone(StorageEngine::Gcs, When::OnDeletion), missing);
        assert_eq!(gone(StorageEngine::Gcs, When::OnCompletion), missing);
        assert_eq!(gone(StorageEngine::S3, When::OnDeletion), (Verdict::Covered, None, 1));
        // A pod at work may just have deleted it.
        assert_eq!(gone(StorageEngine::Gcs, When::Now), (Verdict::Covered, None, 1));
    }

    #[test]
    fn what_argos_driver_would_delete_with_a_directory_of_azure_is_named() {
        for (beside, want) in [
            (vec![], "no other object begins with its name now"),
            (vec![object("a/bc", 1)], "a/bc would be deleted with it"),
            (
                vec![object("a/b.x", 1), object("a/bc", 1)],
                "2 other objects would be deleted with it, such as a/b.x",
            ),
        ] {
            let mut artifact = artifact(Verdict::Covered);
            artifact.notes.push(Note { reason: Reason::AzurePrefix, detail: String::new() });
            let mut objects = vec![object("a/b/1", 1)];
            objects.extend(beside);
            artifact.confirm(&objects, None);
            assert_eq!(artifact.notes[0].detail, want);
            assert_eq!(artifact.stored.map(|stored| stored.objects), Some(1));
        }
    }
}
