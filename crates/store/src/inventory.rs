//! A list of a bucket's objects that the storage itself made: Amazon S3 Inventory, an inventory report of Google's Storage
//! Insights, or an Azure Storage blob inventory, all as CSV.
//!
//! It tells what was there when it was begun, in no order. What it does not list may have been written since; what it lists
//! may be gone, or be another object by now. So nobody may delete by it alone: its objects have no pin.

mod detect;
mod limits;
mod manifest;
mod of_azure;
mod of_gcs;
mod of_s3;
mod rows;
mod source;
pub mod types;

use crate::inventory::detect::read_manifest;
use crate::inventory::manifest::{Manifest, Of};
use crate::inventory::rows::{Job, read};
use crate::inventory::source::Source;
use crate::inventory::types::{Address, InventoryError, Listed, Wanted};
use crate::store::Store;
use argo_gc_core::model::bucket::Bucket;
use argo_gc_core::model::engine::StorageEngine;
use argo_gc_core::model::gap::Gap;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Files that are read at a time.
const FILES: usize = 4;

/// An inventory whose manifest was read and found complete.
#[derive(Debug, Clone)]
pub struct Inventory {
    name: String,
    source: Source,
    manifest: Arc<Manifest>,
}

impl Inventory {
    /// Reads the manifest, and the checksum beside it where its format has one.
    ///
    /// # Errors
    /// There is none, it is of no known format, or the inventory was not completed.
    pub async fn open(address: &Address, store: &Store) -> Result<Self, InventoryError> {
        let source = Source::new(address, store);
        let manifest = read_manifest(&source).await?;
        Ok(Self { name: address.to_string(), source, manifest: Arc::new(manifest) })
    }

    /// The time at which the storage began to look. What was written later may be missing, or be listed.
    pub fn as_of(&self) -> Timestamp {
        self.manifest.as_of
    }

    /// The address of the manifest.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it lists objects of this bucket. The manifest of another S3 server than AWS does not name its host.
    pub fn is_of(&self, bucket: &Bucket) -> bool {
        match &self.manifest.of {
            Of::S3(name) => bucket.engine() == StorageEngine::S3 && bucket.name() == name,
            Of::Gcs(name) => bucket.engine() == StorageEngine::Gcs && bucket.name() == name,
            Of::Azure { endpoint, .. } => {
                bucket.engine() == StorageEngine::Azure
                    && bucket.endpoint().trim_end_matches('/') == endpoint.trim_end_matches('/')
            }
        }
    }

    /// Says what it leaves out of a place.
    ///
    /// # Errors
    /// It is of another bucket, or leaves out the whole place.
    pub fn gaps(&self, wanted: &Wanted) -> Result<Vec<Gap>, InventoryError> {
        let asked = wanted.bucket.uri(&wanted.prefix);
        let of_other =
            |of: String| InventoryError::OfOther { name: self.name.clone(), of, asked: asked.clone() };
        if !self.is_of(&wanted.bucket) {
            return Err(of_other(self.manifest.of.to_string()));
        }
        let Of::Azure { limits, .. } = &self.manifest.of else { return Ok(Vec::new()) };
        let why = limits.of(&format!("{}/{}", wanted.bucket.name(), wanted.prefix)).map_err(of_other)?;
        let gap = |why: String| Gap {
            what: format!("all of {asked}"),
            why: format!("the inventory {} {why}", self.name),
            effect: "what it leaves out is not shown".to_owned(),
        };
        Ok(why.into_iter().map(gap).collect())
    }

    /// Its live objects at the places, of several files at a time and in no order. What comes before an error, or before the
    /// end, is no answer: only at its end are the checksums and numbers of rows known to be right.
    pub fn rows(&self, wanted: &[Wanted]) -> BoxStream<'static, Result<Vec<Listed>, InventoryError>> {
        let (count, name) = (Arc::new(AtomicU64::new(0)), self.name.clone());
        let (manifest, source, wanted) =
            (Arc::clone(&self.manifest), self.source.clone(), Arc::<[Wanted]>::from(wanted));
        let (told, counted) = (manifest.rows, Arc::clone(&count));
        let files = (0..manifest.files.len()).map(move |file| {
            read(Job {
                manifest: Arc::clone(&manifest),
                file,
                source: source.clone(),
                wanted: Arc::clone(&wanted),
                count: Arc::clone(&count),
            })
        });
        let complete = stream::once(async move {
            let counted = counted.load(Ordering::Relaxed);
            match told {
                Some(told) if told != counted => {
                    let why = format!("its manifest says {told} rows, and there are {counted}");
                    Err(InventoryError::Unusable { name, why })
                }
                _ => Ok(Vec::new()),
            }
        });
        stream::iter(files)
            .flatten_unordered(FILES)
            .chain(complete)
            .try_filter(|rows| {
                let some = !rows.is_empty();
                async move { some }
            })
            .boxed()
    }
}
