//! Artifacts that look collected or covered and are not.

use crate::reason::entry::{AGC, BASE, Entry, Group, Link, S3, ToldFrom};
use crate::verdict::Verdict;

const LOOKS: Entry =
    Entry { group: Group::LooksCovered, verdicts: &[Verdict::Uncovered], link: Link::Finalizer, ..BASE };

const DOUBT: Entry = Entry { verdicts: &[], link: Link::Record, ..LOOKS };

pub(crate) static FINALIZER_STRIPPED: Entry = Entry {
    code: "finalizer-stripped",
    title: "The finalizer was removed before the artifacts were",
    why: "A strategy is set and the controller did not set `notSpecified`, so the finalizer was there once. \
          It is gone now, and the artifacts are not recorded as deleted: someone removed it, by `argo delete \
          --force` or a patch. Without it the controller does not look at the completed workflow again.",
    evidence: &[
        "metadata.finalizers without workflows.argoproj.io/artifact-gc",
        "status.artifactGCStatus without notSpecified",
        "status.nodes[*].outputs.artifacts[*] without deleted",
    ],
    remedy: "`kubectl argo-gc purge` deletes the objects. Don't use `argo delete --force` on \
             workflows with artifacts.",
    upstream: &["argo-workflows#9315", "argo-workflows#9321", AGC],
    ..LOOKS
};

pub(crate) static FORCE_EARLY: Entry = Entry {
    code: "force-early",
    title: "forceFinalizerRemoval ends the wait after the first GC pod",
    why: "With `forceFinalizerRemoval: true` the finalizer is removed as soon as one GC pod has been seen to \
          end. With artifacts under both strategies, or several service accounts, the others are then never \
          deleted. On a covered artifact this is a warning of what will happen.",
    versions: "v3.5.0 to v4.1.2 (every release read)",
    evidence: &["spec.artifactGC.forceFinalizerRemoval", "status.artifactGCStatus.podsRecouped"],
    remedy: "Use one strategy and one service account per workflow, or drop forceFinalizerRemoval. \
             `kubectl argo-gc purge` deletes the objects of past runs.",
    upstream: &["argo-workflows#14372 (open)", AGC],
    ..LOOKS
};

pub(crate) static S3_FALSE_DELETED: Entry = Entry {
    code: "s3-false-deleted",
    title: "Recorded deleted, but a directory may remain on S3",
    why: "AWS and MinIO report success for deleting a missing object. If the artifact is a directory, Argo \
          deleted nothing, and recorded `deleted: true`. Only the bucket shows it.",
    evidence: &["status.nodes[*].outputs.artifacts[*] with s3, archive.none and deleted"],
    remedy: "List the bucket below `key/`, with the slash, and delete what is there by hand.",
    upstream: &["argo-workflows#14387 (open)", S3],
    false_positives: "The artifact may be a single file, which was deleted correctly.",
    ..DOUBT
};

pub(crate) static WRONG_BUCKET_DELETED: Entry = Entry {
    code: "wrong-bucket-deleted",
    title: "Recorded deleted, perhaps in another bucket",
    why: "GC may have completed the key from a same-named template's `archiveLocation`, and S3 reports \
          success for deleting a missing object. Read from the source, not seen reported.",
    evidence: &[
        "templates of one name with different archiveLocation",
        "outputs.artifacts[*].deleted with s3",
    ],
    remedy: "Look for the object at the location shown; delete it by hand if it is there.",
    upstream: &[AGC, S3],
    false_positives: "Among stored templates the choice is random: GC may have used the right one.",
    ..DOUBT
};

pub(crate) static TTL_VANISHED: Entry = Entry {
    code: "ttl-vanished",
    title: "The workflow's TTL will remove the only record of it",
    why: "`ttlStrategy` deletes the Workflow object when its time is up. Objects that nothing collects are \
          left behind, and after that only the bucket, or the workflow archive, has a record of them.",
    evidence: &["spec.ttlStrategy", "an uncovered artifact"],
    remedy: "Delete the objects while the workflow still exists and shows where they are.",
    upstream: &["workflow/gccontroller/gc_controller.go@v4.1.2"],
    ..DOUBT
};

pub(crate) static ARCHIVED_STALE: Entry = Entry {
    code: "archived-stale",
    verdicts: &[Verdict::Unknown],
    title: "An archived record does not say what GC did later",
    why: "The archive's row is written once, at completion, so before or during GC. That an artifact is not marked \
          deleted there says nothing.",
    evidence: &["metadata.labels[workflows.argoproj.io/workflow-archiving-status]: Persisted"],
    remedy: "Check the live Workflow if it still exists, otherwise the bucket. `kubectl argo-gc purge \
             --archived` deletes what is still there of workflows that are in the archive only.",
    upstream: &["argo-workflows#9968", "workflow/controller/controller.go@v4.1.2"],
    ..DOUBT
};

pub(crate) static VERSIONED_BUCKET: Entry = Entry {
    code: "versioned-bucket",
    link: Link::None,
    title: "A versioned bucket keeps what was deleted",
    why: "No driver deletes by version. In a bucket with versioning or soft delete the data remains, and is billed, \
          until the bucket's own rules remove it.",
    evidence: &["the bucket's versioning and soft-delete settings"],
    remedy: "Give the bucket a lifecycle rule for noncurrent versions, or shorten its soft-delete window.",
    upstream: &["workflow/artifacts/gcs/gcs.go@v4.1.2"],
    told_from: ToldFrom::Bucket,
    ..DOUBT
};

pub(crate) static DELETED_BUT_PRESENT: Entry = Entry {
    code: "deleted-but-present",
    title: "Recorded deleted, but it still exists",
    why: "The controller marked the artifact `deleted: true`, and storage holds objects at its key or below. \
          Argo will not look at it again. The cause is a directory that the driver could not delete, a \
          delete in another bucket, or an object that was written again after it was deleted.",
    evidence: &["status.nodes[*].outputs.artifacts[*].deleted", "the object, in storage"],
    remedy: "Check when the object was written: if later than the run, something else uses the key. `kubectl \
             argo-gc purge --reason deleted-but-present` deletes what was written within the run; without \
             the flag a purge relies on the record.",
    upstream: &["argo-workflows#14387 (open)", AGC],
    false_positives: "A key that several runs share: the object may be a later run's.",
    told_from: ToldFrom::Bucket,
    link: Link::Record,
    ..LOOKS
};

pub(crate) static RECORDED_BUT_MISSING: Entry = Entry {
    code: "recorded-but-missing",
    title: "Recorded as saved, but nothing is there",
    why: "The workflow's status names the artifact and does not say it was deleted, and storage holds \
          nothing at its key or below: a lifecycle rule, a person, or another workflow with the same key \
          deleted it. On GCS Argo's own delete then fails, because the driver treats a missing object as an \
          error.",
    evidence: &["status.nodes[*].outputs.artifacts[*]", "no object, in storage"],
    remedy: "There is nothing to delete. `kubectl argo-gc purge NAME --release-finalizer --accept-absent` releases a \
             finalizer that waits for it.",
    upstream: &[AGC],
    false_positives: "An artifact that was listed before it was uploaded, or never (see `unsaved-in-outputs`).",
    told_from: ToldFrom::Bucket,
    ..DOUBT
};
