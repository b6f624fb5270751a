//! `inspect --check` by a report that the storage itself made: what it can't tell is looked up.

use crate::error::Error;
use crate::scan::check::{check_some, spot};
use argo_gc_core::assess::storage::Found;
use argo_gc_core::model::assessment::Assessment;
use argo_gc_core::model::bucket::Bucket;
use argo_gc_core::model::gap::Gap;
use argo_gc_core::model::object::ObjectFacts;
use argo_gc_store::inventory::Inventory;
use argo_gc_store::inventory::types::{Listed, Wanted};
use argo_gc_store::store::Store;
use argo_gc_store::types::Reach;
use futures::StreamExt;
use jiff::SignedDuration;
use std::collections::{HashMap, HashSet};

/// Workflows looked up in storage at a time.
const TOGETHER: usize = 100;

/// A run that ended so long before the report was begun has written all its objects by then: a report may be late with what
/// was written last ("Amazon S3 Inventory consistency", Amazon S3 User Guide).
const LATE: SignedDuration = SignedDuration::from_hours(1);

/// An artifact of which a report may tell.
struct Told {
    /// The numbers of its assessment and of its own.
    of: (usize, usize),
    place: usize,
    reach: Reach,
    found: Found,
}

/// Artifacts by their keys. Memory grows with them, and not with the report.
#[derive(Default)]
struct Index {
    told: Vec<Told>,
    /// By key, for each place.
    by_key: Vec<HashMap<String, Vec<usize>>>,
    /// The lengths of the keys of those that all keys beginning so belong to.
    beginnings: HashSet<usize>,
    places: Vec<Wanted>,
    of_bucket: HashMap<Bucket, usize>,
}

impl Index {
    fn new(inventory: &Inventory, assessments: &[Assessment]) -> Self {
        let mut index = Self::default();
        for (of, assessment) in assessments.iter().enumerate() {
            let ended = assessment.finished_at.is_some_and(|end| end + LATE < inventory.as_of());
            for (at, artifact) in assessment.artifacts.iter().enumerate() {
                let spot = spot(artifact).filter(|spot| ended && inventory.is_of(&spot.bucket));
                if let Some(spot) = spot {
                    let place = index.place(&spot.bucket);
                    index.add((of, at), place, spot.place.key, spot.place.reach);
                }
            }
        }
        index
    }

    fn place(&mut self, bucket: &Bucket) -> usize {
        let next = self.places.len();
        let place = *self.of_bucket.entry(bucket.clone()).or_insert(next);
        if place == next {
            self.places.push(Wanted { bucket: bucket.clone(), prefix: String::new() });
            self.by_key.push(HashMap::new());
        }
        place
    }

    fn add(&mut self, of: (usize, usize), place: usize, key: &str, reach: Reach) {
        let key = match reach {
            Reach::Directory => key.trim_end_matches('/'),
            Reach::Key | Reach::Listed | Reach::Beginning => key,
        };
        if reach == Reach::Beginning {
            self.beginnings.insert(key.len());
        }
        self.by_key[place].entry(key.to_owned()).or_default().push(self.told.len());
        self.told.push(Told { of, place, reach, found: Found::default() });
    }

    /// The artifacts that an object belongs to.
    fn of(&self, place: usize, key: &str) -> Vec<usize> {
        let at = |end: usize| self.by_key[place].get(key.get(..end)?);
        let has = |told: &usize, wanted: fn(Reach) -> bool| wanted(self.told[*told].reach);
        let mut all: Vec<usize> = at(key.len()).into_iter().flatten().copied().collect();
        let folders = key.match_indices('/').filter_map(|(end, _)| at(end)).flatten();
        all.extend(folders.filter(|told| has(told, |reach| reach == Reach::Directory)));
        let shorter = self.beginnings.iter().filter(|end| **end < key.len()).filter_map(|end| at(*end));
        all.extend(shorter.flatten().filter(|told| has(told, |reach| reach == Reach::Beginning)));
        all.sort_unstable();
        all.dedup();
        all
    }

    fn take(&mut self, assessments: &[Assessment], place: usize, object: &ObjectFacts) {
        for told in self.of(place, &object.key) {
            let Told { of: (of, at), found, .. } = &mut self.told[told];
            let assessment = &assessments[*of];
            let location = assessment.artifacts[*at].location.as_ref();
            let key = location.map(|location| location.key.as_str()).unwrap_or_default();
            found.add(object, key, assessment.finished_at);
        }
    }
}

/// Confirms every artifact whose place is certain: by the inventory where the run ended before it and the verdict does not
/// change, and else by looking it up. Says what could not be read.
///
/// # Errors
/// The inventory is not whole.
pub(crate) async fn check_by_report(
    assessments: &mut [Assessment],
    inventory: &Inventory,
    store: &Store,
) -> Result<Vec<Gap>, Error> {
    let mut index = Index::new(inventory, assessments);
    if !index.told.is_empty() {
        let mut rows = inventory.rows(&index.places);
        while let Some(part) = rows.next().await {
            for Listed { place, facts } in part? {
                index.take(assessments, place, &facts);
            }
        }
    }
    let mut gaps = Vec::new();
    let mut settled = HashSet::new();
    let mut buckets = HashSet::new();
    for Told { of: (of, at), found, place, .. } in index.told {
        let artifact = &mut assessments[of].artifacts[at];
        if artifact.takes_report(&found) {
            artifact.settle(found);
            settled.insert((of, at));
            buckets.insert(place);
        }
    }
    for place in index.places.iter().enumerate().filter(|(place, _)| buckets.contains(place)) {
        gaps.push(Gap {
            what: format!("deleted copies in {}", place.1.bucket),
            why: "the inventory lists only live objects".to_owned(),
            effect: "what is billed for them is not known, except where an artifact was looked up".to_owned(),
        });
    }
    for (part, some) in assessments.chunks_mut(TOGETHER).enumerate() {
        let mut some: Vec<&mut Assessment> = some.iter_mut().collect();
        let is_open = |of: usize, at: usize| !settled.contains(&(part * TOGETHER + of, at));
        gaps.extend(check_some(&mut some, store, is_open).await);
    }
    Ok(gaps)
}
