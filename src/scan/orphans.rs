//! Looks through buckets for orphans: by listings, or by a report that the storage itself made.

use crate::disk_queue::DiskQueue;
use crate::error::Error;
use crate::progress::{Doing, Progress};
use crate::scan::sorted_keys::{PlacedKey, SortedKeys};
use argo_gc_core::plan::orphans::{Orphan, Search};
use argo_gc_core::plan::planned::PlannedWorkflow;
use argo_gc_store::inventory::Inventory;
use argo_gc_store::inventory::types::{Listed, Wanted};
use argo_gc_store::store::{MANY, Store};
use argo_gc_store::types::{Depth, Place, Reach, StoreError};
use futures::StreamExt;
use std::collections::BTreeMap;

/// Orphans of a report that are looked at together. They are in key order, so that listings find most of them.
const TOGETHER: usize = 16_000;

/// The orphans to delete, by the workflows that their keys name.
pub(crate) type Planned = DiskQueue<PlannedWorkflow>;

/// Judges what a listing shows. Orphans that may be deleted go into `planned`, if that is asked.
///
/// # Errors
/// Storage can't be read, or there is no room for temporary files.
pub(crate) async fn by_listing(
    store: &Store,
    search: &mut Search<'_>,
    planned: &mut Option<Planned>,
    progress: &Progress,
) -> Result<(), Error> {
    let stage = progress.begin(Doing::Listing(search.bucket.uri(&search.prefix)), None);
    let mut pages = store.pages(&search.bucket, &search.prefix);
    while let Some(page) = pages.next().await {
        let page = page?;
        stage.add(page.len() as u64);
        let judged = page.into_iter().filter_map(|object| search.judge(object)).collect();
        plan(judged, planned)?;
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
    searches: &mut [Search<'_>],
    planned: &mut Option<Planned>,
    progress: &Progress,
) -> Result<(), Error> {
    let reading = progress.begin(Doing::ReadingInventory, None);
    let wanted =
        |search: &Search<'_>| Wanted { bucket: search.bucket.clone(), prefix: search.prefix.clone() };
    let wanted: Vec<Wanted> = searches.iter().map(wanted).collect();
    let mut rows = inventory.rows(&wanted);
    let mut orphans = SortedKeys::default();
    while let Some(part) = rows.next().await {
        let part = part?;
        reading.add(part.len() as u64);
        for Listed { place, facts } in part {
            if planned.is_none() {
                searches[place].judge(facts);
            } else if let Some(orphan) = searches[place].sift(facts) {
                let place = u32::try_from(place).map_err(Error::new)?;
                orphans.push(place, orphan.key)?;
            }
        }
    }
    let mut orphans = orphans.into_sorted()?.peekable();
    while let Some(first) = orphans.next() {
        let first = first?;
        let is_beside = |next: &Result<PlacedKey, Error>| match next {
            Ok((place, _)) => *place == first.0,
            Err(_) => true,
        };
        let mut keys = vec![first.1.clone()];
        while keys.len() < TOGETHER
            && let Some(next) = orphans.next_if(is_beside)
        {
            keys.push(next?.1);
        }
        look_again(store, &mut searches[first.0 as usize], &keys, planned).await?;
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

/// Plans orphans, by the workflows that their keys name.
fn plan(judged: Vec<Orphan>, planned: &mut Option<Planned>) -> Result<(), Error> {
    let Some(planned) = planned else { return Ok(()) };
    let mut groups: BTreeMap<String, PlannedWorkflow> = BTreeMap::new();
    for Orphan { workflow, object } in judged {
        let group = groups.entry(workflow.clone()).or_insert_with(|| PlannedWorkflow {
            name: workflow,
            orphans: true,
            ..PlannedWorkflow::default()
        });
        group.delete.push(object);
    }
    groups.values().try_for_each(|group| planned.push(group))
}
