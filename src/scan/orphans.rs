//! Looks through buckets for orphans: by listings, or by a report that the storage itself made.

use crate::disk_queue::DiskQueue;
use crate::disk_queue::sort::{DiskSort, Values};
use crate::error::Error;
use crate::progress::{Doing, Progress};
use argo_gc_core::model::bucket::Bucket;
use argo_gc_core::plan::orphans::{Cause, Found, Judged, Judgement, Orphans, Search};
use argo_gc_core::plan::planned::PlannedWorkflow;
use argo_gc_store::inventory::Inventory;
use argo_gc_store::inventory::types::{Listed, Wanted};
use argo_gc_store::store::{MANY, Store};
use argo_gc_store::types::{Depth, Place, Reach, StoreError};
use futures::StreamExt;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Orphans of a report that are looked at together. They are in key order, so that listings find most of them.
const TOGETHER: usize = 16_000;

/// Names of workflows that are gone whose sums are kept in memory.
const NAMES: usize = 20_000;

/// A place that is searched. The sums of many names wait on disk.
pub(crate) struct Searched<'a> {
    pub search: Search<'a>,
    sums: DiskSort<Sum>,
}

/// What was found at a place.
pub(crate) struct FoundAt {
    pub place: String,
    /// The counts. Its list of orphans is empty.
    pub found: Found,
    pub has_orphans: bool,
    /// The orphans by cause and name.
    pub orphans: Values<Orphans>,
}

/// The orphans that share a name, or some of them.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Sum {
    cause: Cause,
    namespace: Option<String>,
    name: String,
    objects: u64,
    bytes: u64,
    newest: Option<Timestamp>,
}

impl<'a> Searched<'a> {
    pub fn new(search: Search<'a>) -> Self {
        Self { search, sums: DiskSort::default() }
    }

    fn spill(&mut self, names: usize) -> Result<(), Error> {
        if self.search.groups() < names {
            return Ok(());
        }
        for Orphans { name, namespace, bucket: _, cause, objects, bytes, newest } in self.search.take_groups()
        {
            let text = name.len() + namespace.as_ref().map_or(0, String::len);
            self.sums.push(Sum { cause, namespace, name, objects, bytes, newest }, text)?;
        }
        Ok(())
    }

    /// Ends the search.
    ///
    /// # Errors
    /// There is no room for temporary files.
    pub fn finish(mut self) -> Result<FoundAt, Error> {
        self.spill(0)?;
        let (bucket, place) = (self.search.bucket.clone(), self.search.bucket.uri(&self.search.prefix));
        let has_orphans = !self.sums.is_empty();
        let orphans = Box::new(summed(self.sums.into_sorted()?, bucket));
        Ok(FoundAt { place, found: self.search.finish(), has_orphans, orphans })
    }
}

/// Adds up what is of one name.
fn summed(sums: Values<Sum>, bucket: Bucket) -> impl Iterator<Item = Result<Orphans, Error>> + Send {
    let mut sums = sums.peekable();
    std::iter::from_fn(move || {
        let mut sum = match sums.next()? {
            Ok(sum) => sum,
            Err(error) => return Some(Err(error)),
        };
        let same = |sum: &Sum, next: &Result<Sum, Error>| {
            let is_same = |next: &Sum| {
                (sum.cause, &sum.namespace, &sum.name) == (next.cause, &next.namespace, &next.name)
            };
            next.as_ref().map_or(true, is_same)
        };
        while let Some(next) = sums.next_if(|next| same(&sum, next)) {
            match next {
                Ok(next) => {
                    sum.objects += next.objects;
                    sum.bytes += next.bytes;
                    sum.newest = sum.newest.max(next.newest);
                }
                Err(error) => return Some(Err(error)),
            }
        }
        let Sum { cause, namespace, name, objects, bytes, newest } = sum;
        Some(Ok(Orphans { name, namespace, bucket: bucket.clone(), cause, objects, bytes, newest }))
    })
}

/// The orphans to delete, and what is needed that would be orphans, by the workflows that their keys name.
pub(crate) type Planned = DiskQueue<PlannedWorkflow>;

/// Judges what a listing shows. What a plan has goes into `planned`, if that is asked.
///
/// # Errors
/// Storage can't be read, or there is no room for temporary files.
pub(crate) async fn by_listing(
    store: &Store,
    searched: &mut Searched<'_>,
    planned: &mut Option<Planned>,
    progress: &Progress,
) -> Result<(), Error> {
    let (bucket, prefix) = (searched.search.bucket.clone(), searched.search.prefix.clone());
    let stage = progress.begin(Doing::Listing(bucket.uri(&prefix)), None);
    let mut pages = store.pages(&bucket, &prefix);
    while let Some(page) = pages.next().await {
        let page = page?;
        stage.add(page.len() as u64);
        let judged = page.into_iter().filter_map(|object| searched.search.judge(object)).collect();
        plan(judged, planned)?;
        searched.spill(NAMES)?;
    }
    Ok(())
}

/// Judges what an inventory has at the places of the searches. To be planned, an orphan is looked at as it is now, and judged
/// again; else the sums are as of the inventory's time.
///
/// # Errors
/// As [`by_listing`], or the inventory is of another bucket, or not whole.
pub(crate) async fn by_inventory(
    inventory: &Inventory,
    store: &Store,
    searches: &mut [Searched<'_>],
    planned: &mut Option<Planned>,
    progress: &Progress,
) -> Result<(), Error> {
    let reading = progress.begin(Doing::ReadingInventory, None);
    let wanted = |Searched { search, .. }: &Searched<'_>| Wanted {
        bucket: search.bucket.clone(),
        prefix: search.prefix.clone(),
    };
    let wanted: Vec<Wanted> = searches.iter().map(wanted).collect();
    let mut rows = inventory.rows(&wanted);
    let mut orphans: DiskSort<(usize, String)> = DiskSort::default();
    while let Some(part) = rows.next().await {
        let part = part?;
        reading.add(part.len() as u64);
        for Listed { place, facts } in part {
            if planned.is_none() {
                searches[place].search.judge(facts);
                searches[place].spill(NAMES)?;
            } else if let Some(orphan) = searches[place].search.sift(facts) {
                let length = orphan.key.len();
                orphans.push((place, orphan.key), length)?;
            }
        }
    }
    // A report may have a key twice.
    let mut before = None;
    let orphans = orphans.into_sorted()?.filter(move |next| match next {
        Ok(key) => before.replace(key.clone()).as_ref() != Some(key),
        Err(_) => true,
    });
    let mut orphans = orphans.peekable();
    while let Some(first) = orphans.next() {
        let (place, first) = first?;
        let mut keys = vec![first];
        while keys.len() < TOGETHER
            && let Some(next) = orphans.next_if(|next| next.as_ref().map_or(true, |(of, _)| *of == place))
        {
            keys.push(next?.1);
        }
        look_again(store, &mut searches[place].search, &keys, planned).await?;
        searches[place].spill(NAMES)?;
    }
    Ok(())
}

/// Judges orphans of a report as they are now.
async fn look_again(
    store: &Store,
    search: &mut Search<'_>,
    keys: &[String],
    planned: &mut Option<Planned>,
) -> Result<(), Error> {
    let places: Vec<Place> = keys.iter().map(|key| Place { key, reach: Reach::Key }).collect();
    let found = store.objects_at(&search.bucket, &places, Depth::Listed, MANY).await;
    let mut judged = Vec::new();
    for found in found {
        match found {
            Ok(mut found) => match found.pop() {
                Some(now) => judged.extend(search.judge(now)),
                None => search.count_gone(),
            },
            Err(StoreError::BadKey(_)) => search.count_unclear(),
            Err(error) => return Err(error.into()),
        }
    }
    plan(judged, planned)
}

/// Plans what was judged, by the workflows that the keys name.
fn plan(judged: Vec<Judged>, planned: &mut Option<Planned>) -> Result<(), Error> {
    let Some(planned) = planned else { return Ok(()) };
    let mut groups: BTreeMap<String, PlannedWorkflow> = BTreeMap::new();
    for Judged { workflow, what } in judged {
        let group = groups.entry(workflow.clone()).or_insert_with(|| PlannedWorkflow {
            name: workflow,
            orphans: true,
            ..PlannedWorkflow::default()
        });
        match what {
            Judgement::Orphan(object) => group.delete.push(object),
            Judgement::Needed(place) => group.needed.push(place),
        }
    }
    groups.values().try_for_each(|group| planned.push(group))
}
