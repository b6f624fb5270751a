//! A plan as a job of Google's Storage batch operations: for more objects than one machine should delete.
//!
//! Google deletes what the manifest names, generation by generation; what this plugin looks at between plan and
//! delete, it does not (docs/batch.md).

use crate::error::{Error, Hint};
use crate::purge::plan_file::Plan;
use argo_gc_core::model::bucket::Bucket;
use argo_gc_core::model::engine::StorageEngine;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// The files of one bucket.
#[derive(Debug)]
pub struct Job {
    pub bucket: Bucket,
    pub manifest: PathBuf,
    pub request: PathBuf,
    pub objects: u64,
}

/// Writes a manifest and a request for each bucket into a folder that must not exist yet.
///
/// # Errors
/// The folder exists or can't be written, or the plan has objects elsewhere than in GCS.
pub fn write(plan: &Plan, folder: &Path) -> Result<Vec<Job>, Error> {
    let elsewhere = |bucket: &&Bucket| bucket.engine() != StorageEngine::Gcs;
    if let Some(bucket) = plan.tail.buckets.iter().map(|facts| &facts.bucket).find(elsewhere) {
        return Err(Error::refused(format!("{bucket} is not in GCS, and only Google has such jobs"))
            .hint(Hint::ChooseBuckets));
    }
    let failed = |error: std::io::Error| Error::new(format!("{}: {error}", folder.display()));
    std::fs::create_dir(folder).map_err(failed)?;
    let mut manifests: BTreeMap<Bucket, (PathBuf, BufWriter<File>, u64)> = BTreeMap::new();
    for workflow in plan.workflows()? {
        for object in workflow?.delete {
            if !manifests.contains_key(&object.bucket) {
                let path = folder.join(format!("{}.csv", object.bucket.name()));
                let mut file = BufWriter::new(File::create_new(&path).map_err(failed)?);
                writeln!(file, "bucket,name,generation").map_err(failed)?;
                manifests.insert(object.bucket.clone(), (path, file, 0));
            }
            if let Some((_, file, objects)) = manifests.get_mut(&object.bucket) {
                let (name, key) = (field(object.bucket.name()), field(&object.key));
                writeln!(file, "{name},{key},{}", object.generation).map_err(failed)?;
                *objects += 1;
            }
        }
    }
    let mut jobs = Vec::new();
    for (bucket, (manifest, file, objects)) in manifests {
        file.into_inner().map_err(|error| failed(error.into_error()))?.sync_all().map_err(failed)?;
        let path = folder.join(format!("{}.json", bucket.name()));
        let text = serde_json::to_string_pretty(&request(plan, &bucket, objects)).map_err(Error::new)?;
        std::fs::write(&path, text + "\n").map_err(failed)?;
        jobs.push(Job { bucket, manifest, request: path, objects });
    }
    Ok(jobs)
}

/// The body of storagebatchoperations.googleapis.com `jobs.create`. Objects go as a delete does: into soft delete and
/// versions, where the bucket has them.
fn request(plan: &Plan, bucket: &Bucket, objects: u64) -> Value {
    let hash = plan.hash.get(..8).unwrap_or_default();
    json!({
        "description": format!("kubectl argo-gc plan {hash}: {objects} objects"),
        "bucketList": { "buckets": [{
            "bucket": bucket.name(),
            "manifest": { "manifestLocation": format!("gs://MANIFEST_BUCKET/{}.csv", bucket.name()) },
        }]},
        "deleteObject": { "permanentObjectDeletionEnabled": false },
        "loggingConfig": { "logActions": ["TRANSFORM"], "logActionStates": ["SUCCEEDED", "FAILED"] },
    })
}

/// A field of a CSV line (RFC 4180).
fn field(text: &str) -> String {
    match text.contains(['"', ',', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_one_field() {
        assert_eq!(field("a/b c.tgz"), "a/b c.tgz");
        assert_eq!(field("a,\"b\"\nc"), "\"a,\"\"b\"\"\nc\"");
    }
}
