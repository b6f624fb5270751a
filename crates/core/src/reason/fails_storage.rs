//! Artifacts whose GC pod runs, but whose delete call fails or can't hit the object.

use crate::reason::entry::{AGC, DELETE, Entry, GCS, Link, S3, TYPES};
use crate::reason::fails::FAILS;

const STORAGE: Entry = Entry { link: Link::Driver, ..FAILS };

pub(crate) static DELETE_ERROR: Entry = Entry {
    code: "delete-error",
    title: "The storage refused the delete call",
    why: "The GC pod deletes artifact by artifact and notes each failure in its task; the pod itself still ends as \
          Succeeded. The controller copies the last failure into the condition `ArtifactGCError`, and up to v4.1.2 and \
          v4.0.10 does not try again. The releases after them repeat an attempt that made no task or pod; whether they \
          repeat a delete that failed is not known.",
    evidence: &[
        "WorkflowArtifactGCTask status.artifactResultsByNode[*].artifactResults[*].error",
        "status.conditions of type ArtifactGCError",
        "Event with reason ArtifactGCFailed",
    ],
    remedy: "Read the error: the usual causes are permissions on the bucket, a wrong secret or a retention \
             policy. Fix that for future runs. For the leftovers, `kubectl argo-gc purge NAME \
             --release-finalizer` deletes the objects, then the finalizer.",
    upstream: &["argo-workflows#16897 (merged after v4.1.2)", DELETE, AGC],
    ..STORAGE
};

pub(crate) static BATCH_ABORT: Entry = Entry {
    code: "batch-abort",
    title: "One artifact without a location ends the GC pod midway",
    why: "The GC pod ends with an error at the first artifact whose location can't be completed or whose driver can't \
          be set up, and writes no result at all. What it deleted before, in no particular order, is recorded \
          nowhere. Artifacts share a GC pod if strategy, service account and `podMetadata` are the same.",
    evidence: &[
        "an artifact of the same strategy in status.nodes[*].outputs.artifacts without a location",
        "GC pod *-artgc-* in phase Failed",
    ],
    remedy: "Upgrade to v3.5.12, v3.6.0 or newer, where unsaved artifacts are no longer recorded. For the leftovers, \
             `kubectl argo-gc purge NAME --release-finalizer` deletes what is still there, then the finalizer.",
    upstream: &["argo-workflows#13161 (closed)", "argo-workflows#13583 (closed)", DELETE],
    false_positives: "Some of the objects may be gone already: the pod deletes them in no particular order.",
    ..STORAGE
};

pub(crate) static UNSAVED_IN_OUTPUTS: Entry = Entry {
    code: "unsaved-in-outputs",
    title: "An artifact that was never saved is recorded",
    why: "The node's outputs list an artifact without any storage location: the step failed, or the output was \
          optional and not written. There is no object to delete, but the GC pod ends with an error when it meets \
          the entry, and the other artifacts of the pod fail with it.",
    versions: "v3.4.0 to v3.4.18, v3.5.0 to v3.5.7; optional outputs up to v3.5.11",
    evidence: &[
        "status.nodes[*].outputs.artifacts[*] without a location",
        "GC pod *-artgc-* in phase Failed",
    ],
    remedy: "Upgrade to v3.5.12, v3.6.0 or newer. There is nothing to delete for this artifact; see batch-abort for \
             its neighbours, then remove only the finalizer.",
    upstream: &["argo-workflows#13066 (v3.5.8)", "argo-workflows#13678 (v3.5.12, v3.6.0)"],
    ..STORAGE
};

pub(crate) static UNSUPPORTED_DRIVER: Entry = Entry {
    code: "unsupported-driver",
    title: "Argo has no delete for this kind of storage",
    why: "The drivers for http, artifactory, hdfs, git and raw answer every delete with an error, in all releases; \
          oss does so before v3.6.0. For oss this is a note while the controller's release is unknown.",
    evidence: &["the type of status.nodes[*].outputs.artifacts[*]", "metadata.finalizers"],
    remedy: "Set `artifactGC.strategy: Never` for such artifacts and clean up with the storage's own means, or store \
             them in gcs, s3, azure or oss. For hanging workflows remove only the finalizer.",
    remedy_yaml: Some(
        "\
outputs:
  artifacts:
    - name: report
      path: /tmp/report
      artifactGC:
        strategy: Never
",
    ),
    upstream: &["argo-workflows#9348 (open)", "argo-workflows#12907 (oss, v3.6.0)"],
    ..STORAGE
};

pub(crate) static GCS_MISSING: Entry = Entry {
    code: "gcs-missing",
    title: "For GCS, deleting a missing object is a failure",
    why: "The GCS driver treats a 404 as a failure. So if an object is already gone (deleted by hand, by a \
          lifecycle rule or for another node with the same key), the artifact is not marked as deleted, and \
          the finalizer remains.",
    evidence: &["WorkflowArtifactGCTask status: error that the object doesn't exist", "metadata.finalizers"],
    remedy: "Check that the object is gone, then remove only the finalizer.",
    upstream: &[GCS, DELETE],
    false_positives: "The object may exist under another name: see gcs-unclean-key and gcs-directory.",
    ..STORAGE
};

pub(crate) static AZURE_MISSING: Entry = Entry {
    code: "azure-missing",
    title: "Azure: deleting a missing blob was a failure up to v3.4.7",
    why: "The Azure driver treats the answer BlobNotFound as a failure. So if a blob is already gone \
          (deleted by hand, by a lifecycle rule or for another node with the same key), the artifact is not \
          marked as deleted, and the finalizer remains. From v3.4.8 and v3.5.0 on a missing blob counts as \
          deleted.",
    versions: "v3.4.0 to v3.4.7",
    evidence: &["WorkflowArtifactGCTask status: error BlobNotFound", "metadata.finalizers"],
    remedy: "Upgrade to v3.4.8, v3.5.0 or newer. There is nothing left to delete: check that the blob is gone, then remove \
             only the finalizer.",
    upstream: &["argo-workflows#11070 (v3.4.8)", "workflow/artifacts/azure/azure.go@v3.4.8", DELETE],
    false_positives: "The blob may be in another container than the one that GC asked.",
    ..STORAGE
};

pub(crate) static GCS_DIRECTORY: Entry = Entry {
    code: "gcs-directory",
    title: "A directory saved to GCS can't be deleted by its key",
    why: "With `archive: none` a directory becomes many objects below `key/`. The GCS driver deletes exactly \
          one object named `key`, which does not exist: a 404, and a failure. Files saved with `archive: \
          none` are deleted correctly; before the first attempt only the bucket shows which of the two it \
          is, so this is then a note.",
    evidence: &[
        "status.nodes[*].outputs.artifacts[*].archive.none with gcs",
        "WorkflowArtifactGCTask status: error that the object doesn't exist",
    ],
    remedy: "Let directories be archived (the default, tar), or give them the strategy `Never` and purge them \
             with `--verdict kept`. For the leftovers, `kubectl argo-gc purge NAME --release-finalizer` deletes \
             the objects, then the finalizer.",
    upstream: &["argo-workflows#12857 (closed, s3 only)", GCS],
    false_positives: "As a note: the artifact may be a single file, which is deleted correctly.",
    ..STORAGE
};

pub(crate) static GCS_UNCLEAN_KEY: Entry = Entry {
    code: "gcs-unclean-key",
    title: "GCS: saved under a cleaned key, deleted by the raw one",
    why: "When saving, the GCS driver cleans the key: `a//b`, `./a` and `a/` become `a/b`, `a` and `a`. When \
          deleting it does not clean it, so it asks for an object that does not exist.",
    versions: "v3.4.4 to v4.1.2 for files; all releases for directories",
    evidence: &["a key with //, ./ or a slash at its end in status.nodes[*].outputs.artifacts[*].gcs.key"],
    remedy: "Write keys and `keyFormat` without doubled or trailing slashes; often a parameter in them is empty. For \
             the leftovers, delete the object under its cleaned key, then remove only the finalizer.",
    upstream: &["argo-workflows#9959", GCS],
    ..STORAGE
};

pub(crate) static S3_DIRECTORY: Entry = Entry {
    code: "s3-directory",
    title: "A directory on S3 is deleted only by a key ending in /",
    why: "With `archive: none` a directory becomes many objects below `key/`. The S3 driver lists them only \
          when the key itself ends in `/`, and only since v3.5.9 and v3.6.0. Otherwise it deletes one object \
          named `key`: AWS and MinIO report success although nothing was there; other stores answer with an \
          error.",
    versions: "all without the slash; with it before v3.5.9 and v3.6.0, and all of v3.4",
    evidence: &["status.nodes[*].outputs.artifacts[*].archive.none with s3", "the key's last character"],
    remedy: "End the key of directory artifacts with `/` and run v3.5.9, v3.6.0 or newer, or let directories be \
             archived. For the leftovers, delete the objects below `key/` by hand, then remove only the finalizer.",
    upstream: &["argo-workflows#12857 (closed)", "argo-workflows#13091", "argo-workflows#14565 (open)", S3],
    false_positives: "As a note: the artifact may be a single file, which is deleted correctly.",
    ..STORAGE
};

pub(crate) static PARAM_ARCHIVE_LOCATION: Entry = Entry {
    code: "param-archive-location",
    title: "The archive location has a variable GC does not resolve",
    why: "A template's `archiveLocation` may hold `{{...}}`, resolved when the pod starts. The artifact then records \
          a key only, and GC completes it from the raw template text: bucket or endpoint are the unresolved words. \
          Seen with v4.1.2.",
    evidence: &[
        "spec.templates[*].archiveLocation with {{",
        "status.nodes[*].outputs.artifacts[*] with a key only",
    ],
    remedy: "Write the full location, bucket included, into the artifact itself; there variables are \
             resolved. For the leftovers, use `kubectl argo-gc purge NAME --release-finalizer` if the node's \
             inputs or the workflow's arguments name the bucket; otherwise find it in the run's manifest, \
             delete by hand, then remove only the finalizer.",
    upstream: &[AGC],
    ..STORAGE
};

pub(crate) static ARCHIVE_LOCATION_MIXUP: Entry = Entry {
    code: "archive-location-mixup",
    title: "A same-named template with another bucket may be used",
    why: "GC looks up a node's template by bare name: first in the Workflow, then in the stored spec, then among \
          `status.storedTemplates` in no particular order, whatever WorkflowTemplate the node came from. If such a \
          namesake has another `archiveLocation`, the key is looked for in the wrong place. Read from the source, \
          not seen reported.",
    evidence: &[
        "templates of one name with different archiveLocation",
        "outputs.artifacts[*] with a key only",
    ],
    remedy: "Give the templates different names, or the artifacts full locations. For the leftovers, delete the \
             objects at the location shown, then remove only the finalizer.",
    upstream: &[TYPES, AGC],
    false_positives: "Among stored templates the choice is random: GC may happen to use the right one.",
    ..STORAGE
};

pub(crate) static RETRY_ATTEMPTS: Entry = Entry {
    code: "retry-attempts",
    title: "Several attempts of one step share one key",
    why: "Each attempt of a step with `retryStrategy` records its own artifact. With a fixed key all of them name one \
          object: the first delete removes it, the next finds nothing, which GCS reports as a failure. The object \
          is gone, but the finalizer stays.",
    evidence: &["status.nodes[*] NAME(0), NAME(1) with the same key", "metadata.finalizers"],
    remedy: "Put `{{pod.name}}` or `{{retries}}` into the key. Check that the object is gone, then remove only the \
             finalizer.",
    upstream: &["argo-workflows#13161 (closed)", GCS],
    false_positives: "S3 on AWS and MinIO accepts the second delete.",
    ..STORAGE
};
