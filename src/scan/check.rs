//! `inspect --check`: looks in storage for the artifacts of many assessments.

use crate::error::storage_error;
use crate::scan::identities::WorkflowIdentities;
use crate::scan::lookup::{InBucket, Question, Spot, by_bucket};
use argo_gc_core::model::assessment::{ArtifactReport, Assessment};
use argo_gc_core::model::gap::Gap;
use argo_gc_core::model::login::Logins;
use argo_gc_core::reason::Reason;
use argo_gc_store::store::{MANY, Store};
use argo_gc_store::types::{Depth, Reach, StoreError};

/// Confirms every artifact whose place is certain, and says which buckets could not be read.
///
/// Workflows that were read together are best looked up together, because their objects are close to each other.
pub(crate) async fn check(
    assessments: &mut [&mut Assessment],
    store: &Store,
    identities: Option<&WorkflowIdentities>,
) -> Vec<Gap> {
    tell_logins(assessments.iter().map(|assessment| &**assessment), identities);
    check_some(assessments, store, |_, _| true).await
}

/// Tells which accounts the workflows name for their buckets, before these are asked.
pub(crate) fn tell_logins<'a>(
    assessments: impl Iterator<Item = &'a Assessment>,
    identities: Option<&WorkflowIdentities>,
) {
    if let Some(identities) = identities {
        let mut logins = Logins::default();
        assessments.for_each(|assessment| logins.assessed(assessment));
        identities.tell(logins);
    }
}

/// As [`check`], for the artifacts that are chosen by the numbers of their assessment and their own.
pub(crate) async fn check_some(
    assessments: &mut [&mut Assessment],
    store: &Store,
    is_chosen: impl Fn(usize, usize) -> bool,
) -> Vec<Gap> {
    let (mut artifacts, mut spots) = (Vec::new(), Vec::new());
    for (of, assessment) in assessments.iter().enumerate() {
        for (at, artifact) in assessment.artifacts.iter().enumerate() {
            if let Some(spot) = spot(artifact).filter(|_| is_chosen(of, at)) {
                artifacts.push((of, at));
                spots.push(spot);
            }
        }
    }
    let found = by_bucket(store, &spots, Question { depth: Depth::Listed, most: MANY, copies: true }).await;
    drop(spots);
    let mut gaps = Vec::new();
    for InBucket { bucket, numbers, objects, copies } in found {
        let mut failed: Option<StoreError> = None;
        for (number, objects) in numbers.iter().zip(objects) {
            let (of, at) = artifacts[*number];
            let finished = assessments[of].finished_at;
            match objects {
                Ok(objects) => assessments[of].artifacts[at].confirm(&objects, finished),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        if let Some(error) = failed {
            gaps.push(Gap {
                what: bucket.to_string(),
                why: storage_error(&error),
                effect: "whether its artifacts exist, and how large they are, is unknown".to_owned(),
            });
        }
        match copies {
            Ok(copies) => {
                for (number, copies) in numbers.iter().zip(copies.into_iter().flatten()) {
                    let (of, at) = artifacts[*number];
                    assessments[of].artifacts[at].confirm_copies(&copies);
                }
            }
            Err(error) => gaps.push(Gap {
                what: format!("deleted copies in {bucket}"),
                why: storage_error(&error),
                effect: "what is billed for them is not known".to_owned(),
            }),
        }
    }
    gaps
}

/// The place of an artifact. Argo's driver for Azure deletes a directory by its bare name, so that objects whose
/// names begin with it count too.
pub(crate) fn spot(artifact: &ArtifactReport) -> Option<Spot<'_>> {
    let mut spot = Spot::of(artifact)?;
    if artifact.notes.iter().any(|note| note.reason == Reason::AzurePrefix) {
        spot.place.reach = Reach::Beginning;
    }
    Some(spot)
}
