//! Asking storage what an artifact's objects are, and deciding about each.

use crate::error::Error;
use crate::gc::plan::{ObjectFacts, Rules, Selected};
use crate::gc::reference::{References, Released};
use crate::gc::{Kept, PlannedWorkflow, Protection};
use crate::store::{BucketFacts, Store, StoreError};
use futures::stream::{self, StreamExt};
use std::collections::{BTreeSet, HashSet};
use std::hash::{BuildHasher, RandomState};

/// Workflows whose objects are looked up at a time; the throttle bounds the requests.
const WORKFLOWS: usize = 16;

/// Looks up every candidate and decides. The order of workflows stays; each object is planned once.
///
/// # Errors
/// Storage can't be asked: a plan with holes would look whole.
pub async fn resolve(
    selected: Vec<Selected>,
    references: &References,
    rules: &Rules,
    store: &Store,
) -> Result<Vec<PlannedWorkflow>, Error> {
    let mut released = Released::default();
    selected.iter().for_each(|selected| selected.release(&mut released));
    let released = &released;
    let mut workflows = stream::iter(selected.into_iter().map(|mut selected| async move {
        let lookups = selected
            .candidates
            .iter()
            .map(|candidate| store.objects(&candidate.bucket, &candidate.key, candidate.unarchived));
        let found: Vec<Result<Vec<ObjectFacts>, StoreError>> =
            stream::iter(lookups).buffered(WORKFLOWS).collect().await;
        for (at, objects) in found.into_iter().enumerate() {
            match objects {
                Ok(objects) => selected.decide(at, objects, references, released, rules),
                Err(error @ (StoreError::NoBucket(_) | StoreError::BadKey(_))) => {
                    let candidate = &selected.candidates[at];
                    selected.plan.keep.push(Kept {
                        location: candidate.uri(),
                        artifact: candidate.name.to_string(),
                        protection: Protection::NoCertainLocation,
                        detail: error.to_string(),
                    });
                }
                Err(error) => return Err(Error::new(error)),
            }
        }
        Ok(selected.plan)
    }))
    .buffered(WORKFLOWS);
    let mut plans = Vec::new();
    // As hashes: two that collide cost a delete, never make one.
    let mut planned: HashSet<u64> = HashSet::new();
    let hash = RandomState::new();
    while let Some(plan) = workflows.next().await {
        let mut plan = plan?;
        plan.delete.retain(|object| planned.insert(hash.hash_one((&object.bucket, &object.key))));
        if !plan.delete.is_empty()
            || !plan.keep.is_empty()
            || !plan.absent.is_empty()
            || plan.release_finalizer
        {
            plans.push(plan);
        }
    }
    Ok(plans)
}

/// The settings of all buckets that objects are to be deleted from.
///
/// # Errors
/// A bucket is gone, or storage can't be asked.
pub async fn buckets(workflows: &[PlannedWorkflow], store: &Store) -> Result<Vec<BucketFacts>, Error> {
    let names: BTreeSet<&str> =
        workflows.iter().flat_map(|workflow| &workflow.delete).map(|object| &*object.bucket).collect();
    let mut buckets = Vec::new();
    for name in names {
        buckets.push(store.bucket(name).await.map_err(Error::new)?);
    }
    Ok(buckets)
}
