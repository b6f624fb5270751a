//! What Argo's own collection will take although something needs it.
//!
//! Argo asks nobody before it deletes an artifact. Another workflow may keep the same object, a cache may hand it out again,
//! and something that runs, or is yet to run, may read it. Places are kept as hashes, so that memory grows with sixteen
//! bytes for each of them.

use crate::argo::uses::Use;
use crate::model::assessment::{ArtifactReport, Assessment, Evidence};
use crate::model::engine::StorageEngine;
use crate::model::location::Location;
use crate::plan::references::{
    Buckets, Extent, References, ReferencesBuilder, ReferrerId, ReferrerName, Released, Role, Standing,
};
use crate::reason::Reason;
use crate::verdict::Verdict;

/// The number of those who need an artifact that the evidence names.
const NAMED: usize = 5;

/// Gathers who needs what, and what will be collected.
#[derive(Debug, Default)]
pub struct EndangeredBuilder {
    /// What workflows keep, by whole buckets.
    kept: ReferencesBuilder,
    /// What is read, and what caches hand out; these know buckets by name only.
    needed: ReferencesBuilder,
    /// What will be collected, by whole buckets.
    coming: ReferencesBuilder,
    /// Directories of S3 that will be collected with all that is in them.
    folders: ReferencesBuilder,
    /// Directories of Azure that will be collected: their names are beginnings of what goes.
    beginnings: ReferencesBuilder,
}

/// Who needs what, and what will be collected, ready to be asked.
#[derive(Debug, Default)]
pub struct Endangered {
    kept: References,
    needed: References,
    coming: References,
    folders: References,
    beginnings: References,
}

impl EndangeredBuilder {
    /// Adds the artifacts of a workflow: those that it keeps, and those that will be collected.
    pub fn assessed(&mut self, assessment: &Assessment) {
        let Assessment { namespace, name, uid, .. } = assessment;
        let add = |builder: &mut ReferencesBuilder, artifacts: &[(String, String)], read: bool| {
            if artifacts.is_empty() {
                return;
            }
            let by = builder.workflow(namespace, name, uid);
            for (bucket, key) in artifacts {
                let found = Use { bucket: bucket.clone(), key: key.clone(), read, mentioned: false };
                builder.add(by, &found, &Buckets::default(), true);
            }
        };
        let places = |wanted: &dyn Fn(&ArtifactReport) -> bool| -> Vec<(String, String)> {
            let wanted = assessment.artifacts.iter().filter(|artifact| wanted(artifact));
            wanted.filter_map(|artifact| artifact.location.as_ref().map(place)).collect()
        };
        add(&mut self.kept, &places(&|artifact| keeps(artifact) || is_hit(artifact)), false);
        add(&mut self.coming, &places(&is_coming), false);
        add(&mut self.folders, &places(&takes_a_folder), false);
        add(&mut self.beginnings, &places(&takes_namesakes), true);
    }

    /// Adds what a workflow that is not over reads. Keys without a bucket are in one of `buckets`.
    pub fn reads(&mut self, (namespace, name, uid): (&str, &str, &str), uses: &[Use], buckets: &Buckets) {
        let mut by: Option<ReferrerId> = None;
        for found in uses.iter().filter(|found| found.read) {
            let by = *by.get_or_insert_with(|| self.needed.workflow(namespace, name, uid));
            self.needed.add(by, found, buckets, true);
        }
    }

    /// Adds what templates, cron workflows, sensors and caches refer to.
    pub fn beside(&mut self, gathered: ReferencesBuilder) {
        self.needed.absorb(gathered);
    }

    /// Adds what was gathered elsewhere.
    pub fn absorb(&mut self, other: Self) {
        self.kept.absorb(other.kept);
        self.needed.absorb(other.needed);
        self.coming.absorb(other.coming);
        self.folders.absorb(other.folders);
        self.beginnings.absorb(other.beginnings);
    }

    /// Ends the gathering.
    pub fn finish(self) -> Endangered {
        Endangered {
            kept: self.kept.finish(),
            needed: self.needed.finish(),
            coming: self.coming.finish(),
            folders: self.folders.finish(),
            beginnings: self.beginnings.finish(),
        }
    }
}

impl Endangered {
    /// Gives the artifacts of a workflow that are endangered their verdict.
    pub fn mark(&self, assessment: &mut Assessment) {
        let own = assessment.uid.clone();
        for artifact in &mut assessment.artifacts {
            let Some(location) = &artifact.location else { continue };
            let evidence = match () {
                () if is_coming(artifact) => self.needs(location, &own),
                () if keeps(artifact) => self.takers(location, &own),
                () => Vec::new(),
            };
            if evidence.is_empty() {
                continue;
            }
            artifact.verdict = Verdict::Endangered;
            artifact.reason = Some(Reason::Endangered);
            artifact.evidence.extend(evidence.into_iter().take(NAMED));
        }
    }

    /// Returns who needs what this artifact's collection takes.
    fn needs(&self, location: &Location, own: &str) -> Vec<Evidence> {
        let (bucket, key) = place(location);
        let none = Released::default();
        let kept = self.kept.all_within(&bucket, &key, &key, &none).into_iter();
        let kept = kept.filter(|standing| standing.extent == Extent::Whole && is_others(standing, own));
        let kept = kept.map(|standing| Evidence::new("kept by", standing.referrer.name.clone()));
        let needed = self.needed.all_within(&location.bucket, &key, &key, &none).into_iter();
        // A reader of `data/{{x}}` may read anything below `data`, and is no reader of this.
        let needed = needed.filter(|standing| standing.extent >= Extent::Folder && is_others(standing, own));
        let needed = needed.filter_map(|standing| {
            let name = &standing.referrer.name;
            let how = match (standing.role, ReferrerName::parse(name).kind) {
                (Role::Input, _) => "read by",
                (Role::Address, _) => "named by",
                (Role::Output, "cache") => "handed out by",
                // What a template or a task result writes there is not what is there now.
                (Role::Output | Role::Text, _) => return None,
            };
            Some(Evidence::new(how, name.clone()))
        });
        kept.chain(needed).collect()
    }

    /// Returns whose collection takes what this workflow keeps.
    fn takers(&self, location: &Location, own: &str) -> Vec<Evidence> {
        let (bucket, key) = place(location);
        let none = Released::default();
        let same = self.coming.all_within(&bucket, &key, &key, &none).into_iter();
        let same = same.filter(|standing| standing.extent == Extent::Whole && is_others(standing, own));
        let within = self.folders.all_within(&bucket, &key, &key, &none).into_iter();
        let within = within.filter(|standing| standing.extent == Extent::Folder);
        let taken = same
            .chain(within)
            .map(|standing| Evidence::new("collected with an artifact of", standing.referrer.name.clone()));
        let begun = self.beginnings.all_within(&bucket, &key, &key, &none).into_iter();
        let begun = begun.filter(|standing| standing.extent < Extent::Whole).map(|standing| {
            Evidence::new("its name begins like a directory of", standing.referrer.name.clone())
        });
        taken.chain(begun).collect()
    }
}

/// Returns the bucket with all that identifies it, and the key.
fn place(location: &Location) -> (String, String) {
    let bucket = match location.bucket() {
        Some(bucket) => bucket.to_string(),
        None => format!("{}://{}/{}", location.engine.as_str(), location.endpoint, location.bucket),
    };
    (bucket, location.key.trim_end_matches('/').to_owned())
}

fn is_others(standing: &Standing<'_>, own: &str) -> bool {
    standing.referrer.uid.is_empty() || standing.referrer.uid != own
}

/// Returns true if Argo will delete the artifact.
fn is_coming(artifact: &ArtifactReport) -> bool {
    artifact.verdict == Verdict::Covered && artifact.is_to_come()
}

/// Returns true if the artifact is to stay: by the strategy Never, or because none is set.
fn keeps(artifact: &ArtifactReport) -> bool {
    artifact.verdict == Verdict::Kept
        || artifact.verdict == Verdict::Uncovered && artifact.reason == Some(Reason::NoStrategy)
}

/// Returns true if the artifact is another workflow's object, which a cache handed out.
fn is_hit(artifact: &ArtifactReport) -> bool {
    artifact.verdict != Verdict::Collected && artifact.notes.iter().any(|note| note.reason == Reason::MemoHit)
}

/// Returns true if S3's driver will delete the artifact with all that is below its key (`docs/argo-gc.md#s3`).
fn takes_a_folder(artifact: &ArtifactReport) -> bool {
    let is_folder = |location: &Location| location.engine == StorageEngine::S3 && location.key.ends_with('/');
    is_coming(artifact) && artifact.location.as_ref().is_some_and(is_folder)
}

/// Returns true if Azure's driver will delete the artifact by the beginning of its name (`docs/argo-gc.md#azure`).
fn takes_namesakes(artifact: &ArtifactReport) -> bool {
    is_coming(artifact)
        && artifact.unarchived
        && artifact.location.as_ref().is_some_and(|location| location.engine == StorageEngine::Azure)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::argo::workflow::Workflow;
    use crate::assess::assess;
    use crate::model::context::{Context, Controllers, Related};
    use serde_json::json;

    /// A finished workflow with one artifact in this location and with this strategy, as it is assessed.
    fn assessed(name: &str, strategy: &str, location: serde_json::Value, memo: bool) -> Assessment {
        let mut artifact = json!({ "name": "out", "path": "/out", "archive": { "none": {} } });
        artifact.as_object_mut().unwrap().extend(location.as_object().unwrap().clone());
        let mut workflow: Workflow = serde_json::from_value(json!({
            "metadata": {
                "name": name, "namespace": "ml", "uid": format!("uid-{name}"),
                "creationTimestamp": "2026-11-01T00:00:00Z",
                "finalizers": ["workflows.argoproj.io/artifact-gc"],
                "labels": { "workflows.argoproj.io/completed": "true" },
            },
            "spec": {
                "entrypoint": "main", "artifactGC": { "strategy": strategy },
                "templates": [{ "name": "main", "container": { "image": "x" },
                                "outputs": { "artifacts": [{ "name": "out", "path": "/out" }] } }],
            },
            "status": {
                "phase": "Succeeded", "finishedAt": "2026-11-01T01:00:00Z", "artifactGCStatus": {},
                "nodes": { name: {
                    "id": name, "name": name, "displayName": name, "type": "Pod", "templateName": "main",
                    "templateScope": format!("local/{name}"), "phase": "Succeeded",
                    "memoizationStatus": memo.then(|| json!({ "hit": true, "key": "k", "cacheName": "c" })),
                    "outputs": { "artifacts": [artifact] },
                } },
            },
        }))
        .unwrap();
        let now = "2026-11-02T00:00:00Z".parse().unwrap();
        let context = Context { now, controllers: Controllers::default(), related: Related::default() };
        assess(&mut workflow, &context)
    }

    fn gcs(key: &str) -> serde_json::Value {
        json!({ "gcs": { "bucket": "b", "key": key } })
    }

    fn azure(key: &str) -> serde_json::Value {
        json!({ "azure": { "endpoint": "https://a.blob.core.windows.net", "container": "c", "blob": key } })
    }

    fn s3(key: &str) -> serde_json::Value {
        json!({ "s3": { "endpoint": "minio:9000", "bucket": "b", "key": key } })
    }

    /// Marks both, and returns their verdicts.
    fn verdicts(mut both: [Assessment; 2]) -> [Verdict; 2] {
        let mut builder = EndangeredBuilder::default();
        both.iter().for_each(|one| builder.assessed(one));
        let endangered = builder.finish();
        both.iter_mut().for_each(|one| endangered.mark(one));
        both.map(|one| one.artifacts[0].verdict)
    }

    fn pair(one: (&str, serde_json::Value), other: (&str, serde_json::Value)) -> [Verdict; 2] {
        verdicts([assessed("one", one.0, one.1, false), assessed("other", other.0, other.1, false)])
    }

    const DELETION: &str = "OnWorkflowDeletion";

    #[test]
    fn a_shared_key_that_one_keeps_endangers_both() {
        use Verdict::{Covered, Endangered, Kept};
        assert_eq!(pair((DELETION, gcs("k")), ("Never", gcs("k"))), [Endangered, Endangered]);
        assert_eq!(pair((DELETION, gcs("k")), ("", gcs("k"))), [Endangered, Endangered]);
        assert_eq!(pair((DELETION, gcs("k")), (DELETION, gcs("k"))), [Covered, Covered]);
        assert_eq!(pair((DELETION, gcs("k")), ("Never", gcs("k2"))), [Covered, Kept]);
        // Below the key of one object is another, which its deletion does not delete.
        assert_eq!(
            pair((DELETION, gcs("d")), ("Never", gcs("d/x"))).map(|verdict| verdict == Endangered),
            [false; 2]
        );
        let elsewhere = json!({ "gcs": { "bucket": "b2", "key": "k" } });
        assert_eq!(pair((DELETION, gcs("k")), ("Never", elsewhere)), [Covered, Kept]);
    }

    #[test]
    fn azure_takes_whatever_begins_with_a_directorys_name_and_s3_what_is_in_it() {
        use Verdict::{Covered, Endangered, Kept};
        for (kept, verdict) in [("d", Endangered), ("d/x", Endangered), ("data", Endangered), ("e", Kept)] {
            assert_eq!(pair((DELETION, azure("d")), ("Never", azure(kept)))[1], verdict, "{kept}");
        }
        for (kept, verdict) in [("d/x", Endangered), ("data", Kept), ("e", Kept)] {
            assert_eq!(pair((DELETION, s3("d/")), ("Never", s3(kept)))[1], verdict, "{kept}");
        }
        assert_eq!(pair((DELETION, azure("d")), ("Never", azure("e"))), [Covered, Kept]);
    }

    #[test]
    fn a_memo_hit_points_to_what_its_producer_gives_up() {
        let [producer, hit] =
            verdicts([assessed("one", DELETION, gcs("k"), false), assessed("two", "Never", gcs("k"), true)]);
        assert_eq!((producer, hit == Verdict::Covered), (Verdict::Endangered, false));
    }

    #[test]
    fn what_is_yet_to_be_read_is_endangered_and_a_mere_beginning_is_not() {
        let read = |bucket: &str, key: &str, read| Use {
            bucket: bucket.into(),
            key: key.into(),
            read,
            mentioned: false,
        };
        for (found, who, verdict) in [
            (read("b", "data/k", true), "uid-reader", Verdict::Endangered),
            (read("", "data/k", true), "uid-reader", Verdict::Endangered),
            (read("b", "data", true), "uid-reader", Verdict::Endangered),
            (read("b", "data/{{x}}", true), "uid-reader", Verdict::Covered),
            (read("b", "da", true), "uid-reader", Verdict::Covered),
            (read("b", "data/k", false), "uid-reader", Verdict::Covered),
            (read("other", "data/k", true), "uid-reader", Verdict::Covered),
            // Its own input.
            (read("b", "data/k", true), "uid-one", Verdict::Covered),
        ] {
            let mut builder = EndangeredBuilder::default();
            builder.reads(("ml", "reader", who), std::slice::from_ref(&found), &Buckets::default());
            let mut one = assessed("one", DELETION, gcs("data/k"), false);
            builder.assessed(&one);
            builder.finish().mark(&mut one);
            assert_eq!(one.artifacts[0].verdict, verdict, "{found:?}");
        }
    }
}
