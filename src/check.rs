//! `inspect --check`: looks in storage for the artifacts of an assessment, with as few requests as will do.

use crate::gc::location::{Bucket, own_folder};
use crate::gc::plan::{ObjectFacts, uncertainty};
use crate::gc::{ArtifactReport, Assessment, Gap, Location, Reason};
use crate::store::{Store, StoreError};
use futures::stream::{self, StreamExt};
use std::collections::BTreeMap;

/// Up to so many artifacts are looked for one by one; for more, a listing of their folder is cheaper.
const FEW: usize = 3;
/// Lookups of one workflow at a time.
const LOOKUPS: usize = 16;

/// Confirms every artifact whose place is certain; says which buckets could not be read.
pub async fn check(assessment: &mut Assessment, store: &Store) -> Vec<Gap> {
    let mut by_bucket: BTreeMap<Bucket, Vec<usize>> = BTreeMap::new();
    for (at, artifact) in assessment.artifacts.iter().enumerate() {
        let certain = |_: &&Location| uncertainty(artifact).is_none();
        let location = artifact.location.as_ref().filter(certain);
        if let Some(bucket) = location.and_then(Location::bucket) {
            by_bucket.entry(bucket).or_default().push(at);
        }
    }
    let mut gaps = Vec::new();
    for (bucket, places) in by_bucket {
        let artifacts = &assessment.artifacts;
        let keys = places.iter().map(|at| key(&artifacts[*at]));
        let folder = own_folder(keys, &assessment.name, &assessment.uid).filter(|_| places.len() > FEW);
        let found: Result<Vec<(usize, Vec<ObjectFacts>)>, StoreError> = match &folder {
            Some(folder) => {
                store.list(&bucket, folder).await.map(|objects| split(&places, artifacts, objects))
            }
            None => {
                let lookups = places.iter().map(|at| {
                    let (artifact, bucket) = (&artifacts[*at], &bucket);
                    async move {
                        let (key, is_directory) = (key(artifact), artifact.unarchived);
                        let is_at_risk = artifact.notes.iter().any(|note| note.reason == Reason::AzurePrefix);
                        let objects = match is_at_risk {
                            // Argo's driver deletes by the bare name, so what lies beside counts too.
                            true => store.list(bucket, key).await,
                            false => store.objects(bucket, key, is_directory).await,
                        };
                        objects.map(|objects| (*at, objects))
                    }
                });
                let lookups = lookups.collect::<Vec<_>>();
                stream::iter(lookups).buffered(LOOKUPS).collect::<Vec<_>>().await.into_iter().collect()
            }
        };
        match found {
            Ok(found) => {
                let finished = assessment.finished_at;
                for (at, objects) in found {
                    assessment.artifacts[at].confirm(&objects, finished);
                }
                let prefix = folder.unwrap_or_default();
                if let Err(error) = copies(assessment, &places, store, &bucket, &prefix).await {
                    gaps.push(Gap {
                        what: format!("deleted copies in {bucket}"),
                        why: error.to_string(),
                        effect: "what is billed for them is not known".to_owned(),
                    });
                }
            }
            Err(error) => gaps.push(Gap {
                what: bucket.to_string(),
                why: error.to_string(),
                effect: "what of its artifacts is there, and how large they are, is not known".to_owned(),
            }),
        }
    }
    gaps
}

/// Adds what a bucket keeps of deleted and overwritten objects: one listing of the folder, else one for each key.
async fn copies(
    assessment: &mut Assessment,
    places: &[usize],
    store: &Store,
    bucket: &Bucket,
    folder: &str,
) -> Result<(), StoreError> {
    if !folder.is_empty() {
        let Some(copies) = store.copies(bucket, folder).await? else { return Ok(()) };
        for at in places {
            assessment.artifacts[*at].confirm_copies(&copies);
        }
        return Ok(());
    }
    for at in places {
        let prefix = key(&assessment.artifacts[*at]).to_owned();
        let Some(copies) = store.copies(bucket, &prefix).await? else { return Ok(()) };
        assessment.artifacts[*at].confirm_copies(&copies);
    }
    Ok(())
}

fn key(artifact: &ArtifactReport) -> &str {
    artifact.location.as_ref().map(|location| location.key.as_str()).unwrap_or_default()
}

/// Gives each artifact the objects of a sorted listing that lie at its key or, for one that may be a directory,
/// below: what lies below an archive's key is another artifact's.
fn split(
    places: &[usize],
    artifacts: &[ArtifactReport],
    objects: Vec<ObjectFacts>,
) -> Vec<(usize, Vec<ObjectFacts>)> {
    places
        .iter()
        .map(|at| {
            let (key, whole) = (key(&artifacts[*at]), !artifacts[*at].unarchived);
            // All that begin with the key stand together; `confirm` tells neighbours apart.
            let start = objects.partition_point(|object| object.key.as_str() < key);
            let mine = objects[start..].iter().take_while(|object| object.key.starts_with(key));
            (*at, mine.filter(|object| !whole || object.key == key).cloned().collect())
        })
        .collect()
}
