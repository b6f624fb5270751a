//! Asking storage what an artifact's objects are, and deciding about each.

use crate::disk_queue::DiskQueue;
use crate::error::{Error, Hint, storage_error};
use crate::progress::Stage;
use crate::purge::plan_file::Draft;
use crate::scan::lookup;
use crate::scan::lookup::{Spot, reach};
use argo_gc_core::model::bucket::Bucket;
use argo_gc_core::model::protection::Protection;
use argo_gc_core::plan::decide::Selected;
use argo_gc_core::plan::named::Needs;
use argo_gc_core::plan::planned::{KeptObject, PlannedWorkflow};
use argo_gc_core::plan::rules::Rules;
use argo_gc_core::plan::sharing::SharingBuilder;
use argo_gc_store::store::Store;
use argo_gc_store::types::{BucketFacts, Depth, Place, StoreError};
use futures::stream;
use futures::stream::StreamExt;
use jiff::Timestamp;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};

/// Artifacts looked up together, and so many times that at a time; the throttle bounds the requests.
const TOGETHER: usize = 1000;

const AT_A_TIME: usize = 8;

/// Looks up every candidate, decides, and adds to the plan. The order of workflows stays; each object is planned
/// once. The stage sees every workflow.
///
/// # Errors
/// Storage can't be asked: a plan with holes would look whole. Or a directory has more than `most` objects.
pub async fn resolve(
    selected: DiskQueue<Selected>,
    needs: Needs<'_>,
    rules: &Rules,
    (store, most): (&Store, usize),
    (draft, stage): (&mut Draft, &Stage),
) -> Result<(), Error> {
    let mut batches = stream::iter(Batches(selected.into_values()?))
        .map(|batch| async { decided(batch?, needs, rules, (store, most)).await })
        .buffered(AT_A_TIME);
    // As hashes: two that collide cost a delete, never make one.
    let mut planned: HashSet<u64> = HashSet::new();
    let hash = RandomState::new();
    let mut sharing = SharingBuilder::default();
    let mut ended: HashMap<u64, Timestamp> = HashMap::new();
    while let Some(plans) = batches.next().await {
        let plans = plans?;
        stage.add(plans.len() as u64);
        for mut plan in plans {
            let PlannedWorkflow { uid, delete, finished_at, .. } = &mut plan;
            ended.extend(finished_at.map(|end| (hash.hash_one(uid.as_str()), end)));
            delete.retain(|object| planned.insert(hash.hash_one((&object.bucket, &object.key))));
            for object in delete {
                let others = needs.references.others(object.bucket.name(), &object.key, uid);
                object.shared_with = sharing.number(others);
            }
            draft.add(&plan)?;
        }
    }
    draft.share(sharing.finish(|uid| ended.get(&hash.hash_one(uid)).copied()));
    Ok(())
}

/// Workflows in parts, each with artifacts enough to look up together.
struct Batches<I>(I);

impl<I: Iterator<Item = Result<Selected, Error>>> Iterator for Batches<I> {
    type Item = Result<Vec<Selected>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let (mut batch, mut size) = (Vec::new(), 0);
        while size < TOGETHER {
            match self.0.next() {
                Some(Ok(selected)) => {
                    size += selected.candidates.len().max(1);
                    batch.push(selected);
                }
                Some(Err(error)) => return Some(Err(error)),
                None => break,
            }
        }
        (!batch.is_empty()).then_some(Ok(batch))
    }
}

/// The plans of a part, in its order.
async fn decided(
    mut batch: Vec<Selected>,
    needs: Needs<'_>,
    rules: &Rules,
    (store, most): (&Store, usize),
) -> Result<Vec<PlannedWorkflow>, Error> {
    let numbered = |(of, selected): (usize, &Selected)| {
        (0..selected.candidates.len()).map(move |at| (of, at)).collect::<Vec<_>>()
    };
    let numbers: Vec<(usize, usize)> = batch.iter().enumerate().flat_map(numbered).collect();
    let candidates = batch.iter().flat_map(|selected| &selected.candidates);
    let spots = candidates.map(|candidate| Spot {
        bucket: Cow::Borrowed(&candidate.bucket),
        place: Place { key: &candidate.key, reach: reach(candidate.unarchived) },
    });
    let found = lookup::objects_up_to(store, &spots.collect::<Vec<_>>(), Depth::Whole, most).await;
    // Of each workflow in the order of its artifacts, whatever bucket they are in.
    for ((of, at), objects) in numbers.into_iter().zip(found) {
        let selected = &mut batch[of];
        match objects {
            Ok(objects) => selected.decide(at, objects, needs, rules),
            Err(error) if error.is_of_place() => {
                let candidate = &selected.candidates[at];
                selected.plan.keep.push(KeptObject {
                    location: candidate.uri(),
                    artifact: candidate.name.to_string(),
                    protection: Protection::NoCertainLocation,
                    detail: storage_error(&error),
                });
            }
            Err(error @ StoreError::TooMany { .. }) => {
                return Err(Error::refused(error).hint(Hint::MoreObjects));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(batch.into_iter().map(|selected| selected.plan).collect())
}

/// The settings of all buckets that objects are to be deleted from.
///
/// # Errors
/// A bucket is gone, or storage can't be asked.
pub async fn buckets(draft: &Draft, store: &Store) -> Result<Vec<BucketFacts>, Error> {
    settings(draft.buckets(), store).await
}

/// The settings of these buckets as they are now.
///
/// # Errors
/// As [`buckets`].
pub async fn settings(
    buckets: impl Iterator<Item = &Bucket>,
    store: &Store,
) -> Result<Vec<BucketFacts>, Error> {
    let mut settings = Vec::new();
    for bucket in buckets {
        settings.push(store.bucket(bucket).await?);
    }
    Ok(settings)
}
