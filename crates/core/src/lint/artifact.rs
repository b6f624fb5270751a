//! Predicts the outcome of the storage driver's delete call for an artifact (`docs/argo-gc.md#locations`,
//! `#drivers`).

use crate::argo::artifact::{Artifact, ArtifactLocation};
use crate::argo::version::Version;
use crate::lint::keys::{Again, Fields, base, field, key_field, written_key};
use crate::lint::model::Body;
use crate::lint::settings::Local;
use crate::lint::types::Severity;
use crate::model::engine::StorageEngine;
use crate::model::location::clean;
use crate::reason::Reason;

/// The first release whose OSS driver deletes.
const OSS_DELETES: Version = Version(3, 6, 0);

/// The first release whose Azure driver takes a missing blob for deleted.
const AZURE_FORGIVES: Version = Version(3, 4, 8);

/// A finding at one place in a manifest.
pub(crate) struct Place {
    pub severity: Severity,
    pub reason: Reason,
    pub detail: String,
}

impl Place {
    pub fn uncovered(reason: Reason, detail: String) -> Self {
        Self { severity: Severity::Uncovered, reason, detail }
    }

    pub fn failing(reason: Reason, detail: String) -> Self {
        Self { severity: Severity::Failing, reason, detail }
    }

    fn note(reason: Reason, detail: impl Into<String>) -> Self {
        Self { severity: Severity::Note, reason, detail: detail.into() }
    }
}

/// Returns everything the storage driver will do wrong, each with the field below the artifact that shows it.
pub(crate) fn storage(
    local: &Local<'_>,
    body: &Body,
    artifact: &Artifact,
    again: Again,
) -> Vec<(Fields, Place)> {
    let mut found = Vec::new();
    let own = &artifact.location;
    let own_engine = own.kind();
    let base = base(local, body);
    // A location that is not complete gets its type from the location that completes it.
    let engine =
        if own.is_full() { own_engine } else { base.and_then(ArtifactLocation::kind).or(own_engine) };
    let version = local.version;
    if let Some(engine) = engine.filter(|engine| !deletes(*engine, version)) {
        let detail = format!("the {} driver of {version} has no delete", engine.as_str());
        found.push((field(own_engine), Place::failing(Reason::UnsupportedDriver, detail)));
        return found;
    }
    if !own.is_full()
        && let Some(location) = &body.archive_location
        && let Some(bucket) = location.bucket().filter(|bucket| bucket.contains("{{"))
    {
        let detail = format!("GC uses the archiveLocation's bucket as it is written: {bucket}");
        found.push((&[], Place::failing(Reason::ParamArchiveLocation, detail)));
    }
    let key = own.key().unwrap_or_default();
    if engine == Some(StorageEngine::Gcs) && is_unclean(key) && version >= Version(3, 4, 4) {
        let cleaned = clean(key);
        let detail = format!("it is saved as {cleaned:?} and deleted as {key:?}, which is no object");
        found.push((key_field(own_engine), Place::failing(Reason::GcsUncleanKey, detail)));
    } else if artifact.is_unarchived() {
        found.extend(unarchived(engine, key, version).map(|place| (UNARCHIVED, place)));
    }
    if body.memoizes {
        let detail =
            "a cache hands out the object of an earlier run, and the collection of either run deletes it";
        found.push((&[], Place::note(Reason::Endangered, detail)));
    }
    let key = written_key(local, body, artifact).unwrap_or_default();
    let fields = if own.key().is_some() { key_field(own_engine) } else { &[] };
    found.extend(repeated(engine, version, &key, again).into_iter().map(|place| (fields, place)));
    found
}

/// Predicts what happens to a key that is written more than once.
fn repeated(engine: Option<StorageEngine>, version: Version, key: &str, again: Again) -> Vec<Place> {
    // Where deleting what is gone succeeds, only what was written last is lost.
    let fails = match engine {
        Some(StorageEngine::Azure) => version < AZURE_FORGIVES,
        other => other == Some(StorageEngine::Gcs),
    };
    let unknown = engine.is_none();
    let mut found = Vec::new();
    if again.nodes.perhaps_again() && (fails || unknown) {
        let surely = again.nodes.surely_again() && fails;
        let several = if again.nodes.surely_again() { "several nodes" } else { "perhaps several nodes" };
        let detail = format!(
            "{several} of one run write {key:?}; deleting it a second time fails{}",
            if unknown { " on GCS" } else { "" }
        );
        found.push(match surely {
            true => Place::failing(Reason::GcsMissing, detail),
            false => Place::note(Reason::GcsMissing, detail),
        });
    }
    if again.attempts {
        let detail = format!("all attempts of a run write {key:?}; deleting it a second time fails");
        found.push(match fails {
            true => Place::failing(Reason::RetryAttempts, detail),
            false => Place::note(Reason::RetryAttempts, format!("{detail} on GCS")),
        });
    }
    if is_fixed(key) {
        let detail =
            format!("every run writes {key:?}, and the collection of one deletes what a later one wrote");
        found.push(Place::note(Reason::SharedKey, detail));
    } else if again.nodes.surely_again() && !fails {
        let detail =
            format!("several nodes of one run write {key:?}, and only the last one's content is kept");
        found.push(Place::note(Reason::SharedKey, detail));
    }
    found
}

const UNARCHIVED: Fields = &["archive", "none"];

/// Predicts the outcome for an artifact that is saved without archiving, so it may be a directory.
fn unarchived(engine: Option<StorageEngine>, key: &str, version: Version) -> Option<Place> {
    let old = version < Version(3, 5, 9);
    Some(match engine? {
        StorageEngine::Gcs => Place::note(
            Reason::GcsDirectory,
            "a directory becomes objects below the key, and the GCS driver deletes none of them; a file is \
             deleted correctly",
        ),
        StorageEngine::S3 if key.ends_with('/') && old => {
            Place::failing(Reason::S3Directory, format!("{version} deletes no directories from S3"))
        }
        StorageEngine::S3 if key.ends_with('/') => return None,
        StorageEngine::S3 => Place::note(
            Reason::S3Directory,
            "a directory is deleted only by a key that ends in /; a file is deleted correctly",
        ),
        StorageEngine::Azure => Place::note(
            Reason::AzurePrefix,
            "deleting a directory also deletes every blob whose name begins like it",
        ),
        _ => return None,
    })
}

pub(crate) fn deletes(engine: StorageEngine, version: Version) -> bool {
    match engine {
        StorageEngine::Oss => version >= OSS_DELETES,
        StorageEngine::Gcs | StorageEngine::S3 | StorageEngine::Azure | StorageEngine::Plugin => true,
        _ => false,
    }
}

/// Returns true if the GCS driver saves under another key than it deletes. Variables count as clean parts.
pub(crate) fn is_unclean(key: &str) -> bool {
    !key.is_empty() && clean(key) != key
}

/// Returns true if every run writes the same key: it has no variable, or only those whose value is the same for
/// all runs.
pub fn is_fixed(key: &str) -> bool {
    const SAME: [&str; 4] =
        ["workflow.namespace", "workflow.serviceAccountName", "workflow.mainEntrypoint", "workflow.priority"];
    let mut rest = key;
    while let Some((_, after)) = rest.split_once("{{") {
        let Some((tag, after)) = after.split_once("}}") else { break };
        if !SAME.contains(&tag.trim()) {
            return false;
        }
        rest = after;
    }
    !key.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_keys_that_all_runs_share() {
        for key in ["model.tgz", "{{workflow.namespace}}/model.tgz"] {
            assert!(is_fixed(key), "{key}");
        }
        for key in ["", "{{workflow.uid}}/m", "{{inputs.parameters.day}}/m", "{{=workflow.name}}/m"] {
            assert!(!is_fixed(key), "{key}");
        }
        assert!(is_unclean("a//b") && is_unclean("a/") && is_unclean("./a"));
        assert!(!is_unclean("{{workflow.name}}/a") && !is_unclean(""));
    }
}
