//! Asking storage what an artifact's objects are, and deciding about each.

use super::Draft;
use super::spill::Spill;
use crate::error::Error;
use crate::gc::location::names_workflow;
use crate::gc::plan::{ObjectFacts, Rules, Selected};
use crate::gc::reference::{References, Released};
use crate::gc::{Kept, PlannedWorkflow, Protection};
use crate::store::{BucketFacts, Store, StoreError};
use futures::stream::{self, StreamExt};
use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

/// Workflows looked up at a time, and lookups of each; the throttle bounds the requests.
const WORKFLOWS: usize = 8;
const LOOKUPS: usize = 32;

/// Looks up every candidate, decides, and adds to the plan. The order of workflows stays; each object is planned
/// once.
///
/// # Errors
/// Storage can't be asked: a plan with holes would look whole.
pub async fn resolve(
    selected: Spill<Selected>,
    released: &Released,
    references: &References,
    rules: &Rules,
    store: &Store,
    draft: &mut Draft,
) -> Result<(), Error> {
    let mut workflows = stream::iter(selected.into_values()?.map(|selected| async move {
        let mut selected = selected?;
        let lookups = selected
            .candidates
            .iter()
            .map(|candidate| store.objects(&candidate.bucket, &candidate.key, candidate.unarchived));
        let found: Vec<Result<Vec<ObjectFacts>, StoreError>> =
            stream::iter(lookups).buffered(LOOKUPS).collect().await;
        for (at, objects) in found.into_iter().enumerate() {
            match objects {
                Ok(objects) => selected.decide(at, objects, references, released, rules),
                Err(error @ (StoreError::NoBucket(_) | StoreError::BadKey(_) | StoreError::Untrusted(_))) => {
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
    // As hashes: two that collide cost a delete, never make one. A key that names its workflow is planned for
    // no other, and need not be remembered.
    let mut planned: HashSet<u64> = HashSet::new();
    let hash = RandomState::new();
    while let Some(plan) = workflows.next().await {
        let mut plan = plan?;
        let mut own: HashSet<u64> = HashSet::new();
        let PlannedWorkflow { name, uid, delete, .. } = &mut plan;
        delete.retain(|object| {
            let names_it = names_workflow(&object.key, name, uid);
            let known = if names_it { &mut own } else { &mut planned };
            known.insert(hash.hash_one((&object.bucket, &object.key)))
        });
        draft.add(&plan)?;
    }
    Ok(())
}

/// The settings of all buckets that objects are to be deleted from.
///
/// # Errors
/// A bucket is gone, or storage can't be asked.
pub async fn buckets(draft: &Draft, store: &Store) -> Result<Vec<BucketFacts>, Error> {
    let mut buckets = Vec::new();
    for bucket in draft.buckets() {
        buckets.push(store.bucket(bucket).await.map_err(Error::new)?);
    }
    Ok(buckets)
}
