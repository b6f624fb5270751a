//! `inspect --check`: looks in storage for the artifacts of many assessments, with as few requests as will do.

use crate::error::storage_error;
use argo_gc_core::model::assessment::{ArtifactReport, Assessment};
use argo_gc_core::model::bucket::Bucket;
use argo_gc_core::model::gap::Gap;
use argo_gc_core::model::location::Location;
use argo_gc_core::plan::select::uncertainty;
use argo_gc_core::reason::Reason;
use argo_gc_store::store::Store;
use argo_gc_store::types::{Depth, Place, Reach, StoreError};
use futures::stream;
use futures::stream::StreamExt;
use std::collections::BTreeMap;

/// Buckets at a time.
const BUCKETS: usize = 8;

/// Confirms every artifact whose place is certain; says which buckets could not be read.
///
/// Workflows that stand together are best looked up together: their objects lie together, too.
pub async fn check(assessments: &mut [&mut Assessment], store: &Store) -> Vec<Gap> {
    let mut by_bucket: BTreeMap<Bucket, Vec<(usize, usize)>> = BTreeMap::new();
    for (of, assessment) in assessments.iter().enumerate() {
        for (at, artifact) in assessment.artifacts.iter().enumerate() {
            let certain = |_: &&Location| uncertainty(artifact).is_none();
            let location = artifact.location.as_ref().filter(certain);
            if let Some(bucket) = location.and_then(Location::bucket) {
                by_bucket.entry(bucket).or_default().push((of, at));
            }
        }
    }
    let shared = &*assessments;
    let looks = by_bucket.into_iter().map(|(bucket, at)| async move {
        let artifacts: Vec<&ArtifactReport> = at.iter().map(|(of, at)| &shared[*of].artifacts[*at]).collect();
        let places: Vec<Place> = artifacts.iter().map(|artifact| place(artifact)).collect();
        let objects = store.objects_at(&bucket, &places, Depth::Listed).await;
        // Copies of what can't be read can't be read either.
        let keys: Vec<&str> = places.iter().map(|place| place.key).collect();
        let copies = match objects.iter().any(Result::is_ok) {
            true => store.copies_at(&bucket, &keys).await,
            false => Ok(None),
        };
        (bucket, at, objects, copies)
    });
    let found: Vec<_> = stream::iter(looks.collect::<Vec<_>>()).buffered(BUCKETS).collect().await;
    let mut gaps = Vec::new();
    for (bucket, at, objects, copies) in found {
        let mut failed: Option<StoreError> = None;
        for ((of, at), objects) in at.iter().zip(objects) {
            let finished = assessments[*of].finished_at;
            match objects {
                Ok(objects) => assessments[*of].artifacts[*at].confirm(&objects, finished),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        if let Some(error) = failed {
            gaps.push(Gap {
                what: bucket.to_string(),
                why: storage_error(&error),
                effect: "what of its artifacts is there, and how large they are, is not known".to_owned(),
            });
        }
        match copies {
            Ok(Some(copies)) => {
                for ((of, at), copies) in at.iter().zip(copies) {
                    assessments[*of].artifacts[*at].confirm_copies(&copies);
                }
            }
            Ok(None) => {}
            Err(error) => gaps.push(Gap {
                what: format!("deleted copies in {bucket}"),
                why: storage_error(&error),
                effect: "what is billed for them is not known".to_owned(),
            }),
        }
    }
    gaps
}

fn place(artifact: &ArtifactReport) -> Place<'_> {
    let key = artifact.location.as_ref().map(|location| location.key.as_str()).unwrap_or_default();
    let reach = if artifact.notes.iter().any(|note| note.reason == Reason::AzurePrefix) {
        // Argo's driver deletes by the bare name, so what lies beside counts too.
        Reach::Beginning
    } else if artifact.unarchived {
        Reach::Directory
    } else {
        // What lies below an archive's key is another artifact's.
        Reach::Key
    };
    Place { key, reach }
}
