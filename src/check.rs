//! `inspect --check`: looks in storage for the artifacts of an assessment, with as few requests as will do.

use crate::gc::location::{Bucket, own_folder};
use crate::gc::plan::{ObjectFacts, uncertainty};
use crate::gc::{ArtifactReport, Assessment, Gap, Location};
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
        let found: Result<Vec<(usize, Vec<ObjectFacts>)>, StoreError> = match folder {
            Some(folder) => {
                store.list(&bucket, &folder).await.map(|objects| split(&places, artifacts, objects))
            }
            None => {
                let lookups = places.iter().map(|at| {
                    let (artifact, bucket) = (&artifacts[*at], &bucket);
                    async move {
                        let objects = store.objects(bucket, key(artifact), artifact.unarchived).await;
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
