//! Looks up the objects of many artifacts: bucket by bucket, with as few requests as will do.

use argo_gc_core::model::assessment::ArtifactReport;
use argo_gc_core::model::bucket::Bucket;
use argo_gc_core::model::location::Location;
use argo_gc_core::model::object::ObjectFacts;
use argo_gc_core::plan::planned::PlannedObject;
use argo_gc_core::plan::select::uncertainty;
use argo_gc_store::store::{MANY, Store};
use argo_gc_store::types::{Depth, Place, Reach, StoreError};
use futures::stream;
use futures::stream::StreamExt;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Buckets at a time.
const BUCKETS: usize = 8;

/// The objects at a place, or why they could not be read.
pub(crate) type Objects = Result<Vec<ObjectFacts>, StoreError>;

/// A place to look at.
pub(crate) struct Spot<'a> {
    pub bucket: Cow<'a, Bucket>,
    pub place: Place<'a>,
}

/// What is asked about each place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question {
    pub depth: Depth,
    /// Objects that a place may have; more are an error.
    pub most: usize,
    /// Also asks for deleted and overwritten objects that the bucket still keeps.
    pub copies: bool,
}

/// The answers for one bucket.
pub(crate) struct InBucket {
    pub bucket: Bucket,
    /// The places of this bucket, as numbers of what was asked.
    pub numbers: Vec<usize>,
    /// The objects at each of these places.
    pub objects: Vec<Objects>,
    /// The copies at each of these places; none if they were not asked for or the engine can't answer that.
    pub copies: Result<Option<Vec<Vec<ObjectFacts>>>, StoreError>,
}

/// Says how far an artifact reaches from its key. One that was saved without archiving may be a directory; what is
/// below the key of an archive belongs to another artifact.
pub(crate) fn reach(unarchived: bool) -> Reach {
    if unarchived { Reach::Directory } else { Reach::Key }
}

impl<'a> Spot<'a> {
    /// The place of a planned object alone, and nothing below its key.
    pub fn planned(object: &'a PlannedObject) -> Self {
        let place = Place { key: &object.key, reach: Reach::Key };
        Self { bucket: Cow::Borrowed(&object.bucket), place }
    }

    /// The place of an artifact. It has none in another engine's storage, and at an uncertain location nothing that
    /// is found, or not found, would prove anything.
    pub fn of(artifact: &'a ArtifactReport) -> Option<Self> {
        let location = artifact.location.as_ref().filter(|_| uncertainty(artifact).is_none())?;
        let bucket = Location::bucket(location)?;
        let place = Place { key: &location.key, reach: reach(artifact.unarchived) };
        Some(Self { bucket: Cow::Owned(bucket), place })
    }
}

/// Asks all buckets about their places, several buckets at a time; the answers are in the order of the buckets.
pub(crate) async fn by_bucket(store: &Store, spots: &[Spot<'_>], question: Question) -> Vec<InBucket> {
    let mut numbers_of: BTreeMap<&Bucket, Vec<usize>> = BTreeMap::new();
    for (number, spot) in spots.iter().enumerate() {
        numbers_of.entry(&spot.bucket).or_default().push(number);
    }
    let looks = numbers_of.into_iter().map(|(bucket, numbers)| async move {
        let places: Vec<Place> = numbers.iter().map(|number| spots[*number].place).collect();
        let objects = store.objects_at(bucket, &places, question.depth, question.most).await;
        // Copies of what can't be read can't be read either.
        let copies = if question.copies && objects.iter().any(Result::is_ok) {
            let keys: Vec<&str> = places.iter().map(|place| place.key).collect();
            store.copies_at(bucket, &keys).await
        } else {
            Ok(None)
        };
        InBucket { bucket: bucket.clone(), numbers, objects, copies }
    });
    stream::iter(looks.collect::<Vec<_>>()).buffered(BUCKETS).collect().await
}

/// Returns the objects at each place, in the order of the places.
pub(crate) async fn objects(store: &Store, spots: &[Spot<'_>], depth: Depth) -> Vec<Objects> {
    objects_up_to(store, spots, depth, MANY).await
}

/// As [`objects`]; a place of more than `most` objects is an error.
pub(crate) async fn objects_up_to(
    store: &Store,
    spots: &[Spot<'_>],
    depth: Depth,
    most: usize,
) -> Vec<Objects> {
    let found = by_bucket(store, spots, Question { depth, most, copies: false }).await;
    let mut all: Vec<(usize, Objects)> =
        found.into_iter().flat_map(|found| found.numbers.into_iter().zip(found.objects)).collect();
    all.sort_by_key(|(number, _)| *number);
    all.into_iter().map(|(_, objects)| objects).collect()
}
