//! Judges artifacts of a workflow with the finalizer: whether the collection will succeed, or how it failed
//! (`docs/argo-gc.md#readiness`, `#processing`, `#recouping`).

use crate::argo::artifact::Strategy;
use crate::argo::names;
use crate::argo::related::{GcTask, Pod};
use crate::argo::version::Version;
use crate::assess::case::{Case, Judgement, pod_infix};
use crate::assess::chain::{S3_DIRECTORIES, is_attempt_of_same};
use crate::assess::missing::is_missing;
use crate::assess::records::{Record, Records};
use crate::assess::waiting::{GATED, OVERDUE};
use crate::model::assessment::{Evidence, Note};
use crate::model::context::RelatedKind;
use crate::model::engine::StorageEngine;
use crate::model::location;
use crate::model::location::LocationError;
use crate::reason::Reason;
use crate::verdict::{Verdict, When};
use jiff::{SignedDuration, Timestamp};

/// The size in bytes above which the API refuses an object; the one task of a GC pod holds all its artifacts.
const TASK_LIMIT: usize = 1_500_000;

/// The tolerated difference between the clocks of the controller and the API server. Nobody retries a workflow so soon after
/// its collection.
const SKEW: SignedDuration = SignedDuration::from_mins(1);

/// The part of the limit from which a task may be too large: the API server adds the names of all fields once more, in
/// `managedFields`, and the GC pod its results.
const LARGE_TASK: usize = TASK_LIMIT / 3;

/// The first release whose driver for OSS has a delete (#12907).
const OSS_DELETES: &[Version] = &[Version(3, 6, 0)];

impl<'a> Case<'a> {
    /// Returns the verdict if a strategy asks for collection and the finalizer is present.
    pub(crate) fn under_finalizer(&self, record: &Record<'a>, all: &Records<'a>) -> Judgement {
        if let Some(judgement) = self.doomed(record, all) {
            return judgement;
        }
        if let Some(judgement) = self.task_result(record, all) {
            return judgement;
        }
        if let Some(judgement) = self.undeletable(record) {
            return judgement;
        }
        let judgement = match self.pod_wide(record, all) {
            // What is still to come may be needed until it is due.
            Some(failing) if self.is_processed(&record.strategy) => return failing,
            Some(failing) => return Judgement { when: self.awaited(record).when, ..failing },
            None if self.is_processed(&record.strategy) => self.processed(record),
            None => self.awaited(record),
        };
        self.warn(judgement, record, all)
    }

    /// Returns a verdict if another artifact of the same GC pod, or all of them together, make it fail.
    fn pod_wide(&self, record: &Record<'a>, all: &Records<'a>) -> Option<Judgement> {
        if let Some(unsaved) = all.unsaved_beside(record) {
            let field = format!("artifact {} of node {}", unsaved.artifact.name, unsaved.node.id);
            return Some(Judgement::failing(Reason::BatchAbort).because(field, "never saved"));
        }
        // Where the task was made, the limit is a higher one.
        let refused = all.task_size(record) > TASK_LIMIT && self.task_of(record).is_none();
        refused.then(|| {
            let limit = format!("more than {TASK_LIMIT} bytes");
            Judgement::failing(Reason::TaskTooLarge).because("WorkflowArtifactGCTask size", limit)
        })
    }

    /// Returns a verdict if the whole strategy fails for every artifact, because of the version or of one
    /// inline node.
    fn doomed(&self, record: &Record<'a>, all: &Records<'a>) -> Option<Judgement> {
        let whole = self.workflow.spec.workflow_template_ref.is_some();
        // One node whose template is not found ends the attempt for all artifacts of the strategy.
        let reference = all.referenced(&record.strategy);
        let referenced = reference.is_some();
        let unresolved = match self.version {
            Some(version) if version < Version(3, 4, 4) => whole || referenced,
            Some(Version(3, 4, 4)) => whole && referenced,
            _ => false,
        };
        if unresolved {
            let judgement =
                Judgement::failing(Reason::Wftref34).because("controller version", self.version_text());
            return Some(match reference.filter(|other| !other.is(record)) {
                Some(other) => judgement.because(format!("node {} templateRef", other.node.id), "set"),
                None => judgement,
            });
        }
        let pod = format!("{}{}4294967295", self.workflow.metadata.name, pod_infix(&record.strategy));
        if self.version == Some(Version(3, 4, 0)) && pod.len() > 63 {
            return Some(
                Judgement::failing(Reason::LongNames).because("GC pod name length", pod.len().to_string()),
            );
        }
        let poison = all.poison(&record.strategy)?;
        let state = match (self.is_processed(&record.strategy), self.tries_again()) {
            (true, _) => "true: it has happened",
            (false, false) => "not yet",
            (false, true) => "never: each attempt fails",
        };
        let judgement = Judgement::failing(Reason::InlinePoison)
            .because(format!("node {} templateName, templateRef", poison.node.id), "<none>")
            .because(format!("status.artifactGCStatus.strategiesProcessed[{}]", record.strategy), state);
        Some(judgement)
    }

    /// Returns the verdict according to a leftover task, if one lists the artifact.
    fn task_result(&self, record: &Record<'a>, all: &Records<'a>) -> Option<Judgement> {
        let task = self.task_of(record)?;
        let results = task.status.artifact_results_by_node.get(&record.node.id)?;
        let result = results.artifact_results.get(&record.artifact.name)?;
        if let Some(judgement) = self.written_after(task, record) {
            return Some(judgement);
        }
        let field = format!("WorkflowArtifactGCTask/{} status", task.metadata.name);
        if result.success {
            return Some(Judgement::collected().because(field, "success"));
        }
        let reason = match &record.resolved {
            // A driver without a delete says so, and nothing about the object.
            Ok(resolved) if self.is_unsupported(resolved.location.engine) => Reason::UnsupportedDriver,
            _ if is_missing(&result.error) => self.why_missing(record, all),
            _ => Reason::DeleteError,
        };
        // Whatever storage answered, it was asked for the wrong bucket.
        let judgement = match record.raw_text {
            Some(text) => Judgement::failing(Reason::ParamArchiveLocation).because("archiveLocation", text),
            None => Judgement::failing(reason),
        };
        Some(judgement.because(field, &result.error))
    }

    /// Returns a verdict if the task was made before the node began: it is of an earlier round, and a retry of the
    /// workflow, which removes no task, wrote the artifact again.
    fn written_after(&self, task: &GcTask, record: &Record<'a>) -> Option<Judgement> {
        let (made, began) = (task.metadata.creation_timestamp?, record.node.started_at?);
        (began.duration_since(made) > SKEW).then(|| {
            Judgement::failing(Reason::RetryAfterGc).because("node startedAt", began.to_string()).because(
                format!("WorkflowArtifactGCTask/{} creationTimestamp", task.metadata.name),
                made.to_string(),
            )
        })
    }

    /// Returns the reason why the driver found no object.
    fn why_missing(&self, record: &Record<'a>, all: &Records<'a>) -> Reason {
        let Ok(resolved) = &record.resolved else { return Reason::DeleteError };
        let engine = resolved.location.engine;
        if resolved.raw_key != resolved.location.key {
            return Reason::GcsUncleanKey;
        }
        if self.has_other_attempt(record, all) {
            return Reason::RetryAttempts;
        }
        match (engine, record.artifact.is_unarchived()) {
            (StorageEngine::Gcs, true) => Reason::GcsDirectory,
            (StorageEngine::S3, true) => Reason::S3Directory,
            (StorageEngine::Gcs, false) => Reason::GcsMissing,
            // Releases that delete a directory's blobs one by one find nothing below its name either.
            (StorageEngine::Azure, _) => Reason::AzureMissing,
            _ => Reason::DeleteError,
        }
    }

    /// Returns a verdict if the driver's delete can't find the object.
    fn undeletable(&self, record: &Record<'a>) -> Option<Judgement> {
        if let Some(text) = record.raw_text {
            return Some(Judgement::failing(Reason::ParamArchiveLocation).because("archiveLocation", text));
        }
        let resolved = match &record.resolved {
            Err(LocationError::NotSaved) => {
                return Some(
                    Judgement::failing(Reason::UnsavedInOutputs).because("artifact location", "<none>"),
                );
            }
            Err(LocationError::Unresolved(text)) => {
                return Some(
                    Judgement::failing(Reason::ParamArchiveLocation).because("archiveLocation", text),
                );
            }
            // Argo would fail in the same way, or delete another object; in both cases the object is unknown.
            Err(problem) => {
                let judgement = Judgement::failing(Reason::BatchAbort);
                return Some(judgement.because("artifact location", problem.to_string()));
            }
            Ok(resolved) => resolved,
        };
        let place = &resolved.location;
        if self.is_unsupported(place.engine) {
            return Some(
                Judgement::failing(Reason::UnsupportedDriver).because("artifact type", place.engine.as_str()),
            );
        }
        if self.takes_another_location(record) {
            let judgement = if self.is_left_to_defaults(record) {
                Judgement::failing(Reason::TemplateDefaults)
                    .because("spec.templateDefaults.archiveLocation", "set")
            } else {
                let field = format!("templates named {}", record.node.template());
                Judgement::failing(Reason::ArchiveLocationMixup).because(field, "differ in archiveLocation")
            };
            return Some(judgement);
        }
        if resolved.raw_key != place.key {
            return Some(Judgement::failing(Reason::GcsUncleanKey).because("key", &resolved.raw_key));
        }
        let directory = record.artifact.is_unarchived() && place.key.ends_with('/');
        if place.engine == StorageEngine::S3 && directory && self.known_before(S3_DIRECTORIES) {
            return Some(Judgement::failing(Reason::S3Directory).because("key", &place.key));
        }
        None
    }

    fn is_unsupported(&self, engine: StorageEngine) -> bool {
        match engine {
            StorageEngine::Oss => self.known_before(OSS_DELETES),
            StorageEngine::Gcs | StorageEngine::S3 | StorageEngine::Azure | StorageEngine::Plugin => false,
            _ => true,
        }
    }

    /// Returns true if Argo, which finds templates by name only, would complete the key from another archive
    /// location than the one under which the artifact was saved.
    pub(crate) fn takes_another_location(&self, record: &Record<'a>) -> bool {
        let Ok(resolved) = &record.resolved else { return false };
        if !resolved.relocated {
            return false;
        }
        let taken = self.candidates(record.node.template());
        taken.iter().any(|template| {
            let base = location::base(template.archive_location.as_ref(), self.repository);
            if base.map(std::ptr::from_ref) == record.base.map(std::ptr::from_ref) {
                return false;
            }
            let theirs = location::resolve(&record.artifact.location, base);
            theirs.map_or(true, |theirs| theirs.location != resolved.location)
        })
    }

    /// Returns true if the true location comes from `templateDefaults`, which GC never merges in.
    fn is_left_to_defaults(&self, record: &Record<'a>) -> bool {
        let own = self.template_of(record.node).and_then(|template| template.archive_location.as_ref());
        own.is_none() && self.archive_location(record.node).is_some()
    }

    /// Judges an artifact that is not deleted although its strategy was processed.
    fn processed(&self, record: &Record<'a>) -> Judgement {
        let field = format!("status.artifactGCStatus.strategiesProcessed[{}]", record.strategy);
        if let Some(pod) = self.pod_of(record) {
            return self.with_pod(pod, record).because(field, "true");
        }
        let judgement = match self.recouped_pod(record) {
            Some(pod) => self.after_recoup(record).because("status.artifactGCStatus.podsRecouped", pod),
            None => self.without_pod(record),
        };
        judgement.because(field, "true")
    }

    /// Judges an artifact that is not marked as deleted although the GC pod ended and the controller processed
    /// its results.
    pub(crate) fn after_recoup(&self, record: &Record<'a>) -> Judgement {
        if let Some(judgement) = self.came_later(record) {
            return judgement;
        }
        let condition = self.workflow.status.conditions.iter().find(|c| c.kind == names::CONDITION_GC_ERROR);
        let event = self.of.into_iter().flat_map(|of| &of.events).max_by_key(|event| event.last_timestamp);
        let told = condition
            .map(|condition| {
                (format!("status.conditions[{}]", names::CONDITION_GC_ERROR), &condition.message)
            })
            .or_else(|| event.map(|event| (format!("Event/{}", event.metadata.name), &event.message)));
        match told {
            Some((field, message)) if message.contains("non-zero exit code") => {
                Judgement::failing(Reason::GcPodFailed).because(field, message)
            }
            Some((field, message)) => Judgement::failing(Reason::DeleteError).because(field, message),
            None => Judgement::failing(Reason::RecoupedUndeleted),
        }
    }

    /// Returns a verdict if the artifact was written after its strategy had been processed.
    fn came_later(&self, record: &Record<'a>) -> Option<Judgement> {
        let meta = &self.workflow.metadata;
        let status = &self.workflow.status;
        let running_again = record.strategy == Strategy::OnWorkflowCompletion
            && meta.deletion_timestamp.is_none()
            && !self.workflow.is_terminal();
        let started = record.node.started_at;
        // Nodes of one round may follow each other, too: a retry is told by the time at which the workflow began.
        let began = status
            .started_at
            .map_or(started, |began| started.filter(|started| *started >= began).and(Some(began)));
        let earlier = status.nodes.values().find(|node| {
            let collected = node.is_pod() && node.outputs.artifacts.iter().any(|artifact| artifact.deleted);
            collected && node.finished_at.is_some() && node.finished_at < began
        });
        // An old controller that sees a deletion processes both strategies at once.
        let both = [Strategy::OnWorkflowCompletion, Strategy::OnWorkflowDeletion].iter();
        let deleted_first = match (meta.deletion_timestamp, status.finished_at) {
            (Some(deleted), Some(finished)) => deleted < finished,
            (Some(_), None) => true,
            _ => false,
        };
        if deleted_first
            && self.maybe_before(&[GATED])
            && both.clone().all(|strategy| self.is_processed(strategy))
        {
            return Some(
                Judgement::failing(Reason::DeletedWhileRunning)
                    .because("metadata.deletionTimestamp", stamp(meta.deletion_timestamp))
                    .because("status.finishedAt", stamp(status.finished_at)),
            );
        }
        if running_again {
            return Some(Judgement::failing(Reason::RetryAfterGc).because("status.phase", &status.phase));
        }
        earlier.map(|node| {
            Judgement::failing(Reason::RetryAfterGc)
                .because("node startedAt", stamp(started))
                .because(format!("node {}, already collected, finishedAt", node.id), stamp(node.finished_at))
        })
    }

    /// Judges an artifact that has no GC pod, and whose strategy never had a pod that was recouped.
    fn without_pod(&self, record: &Record<'a>) -> Judgement {
        if let Some(judgement) = self.came_later(record) {
            return judgement;
        }
        let meta = &self.workflow.metadata;
        let namespace = &meta.namespace;
        let related = &self.context.related;
        if meta.finalizers.iter().any(|finalizer| finalizer == "foregroundDeletion") {
            return Judgement::failing(Reason::Foreground)
                .because("metadata.finalizers", "foregroundDeletion");
        }
        let ready = self.ready_since(&record.strategy);
        if ready.is_some_and(|since| since >= self.context.now) {
            // Tasks and pods were read before there could be any.
            return Judgement::covered(When::Now);
        }
        let pods_read = related.is_read(RelatedKind::GcPods, namespace);
        if let Some(task) = self.task_of(record)
            && pods_read
        {
            let field = format!("WorkflowArtifactGCTask/{}", task.metadata.name);
            let since =
                task.metadata.creation_timestamp.map(|since| format!(" since {}", self.lasted(since)));
            let told = format!("left over{}; its pod is gone", since.unwrap_or_default());
            return Judgement::failing(Reason::GcPodLost).because(field, told);
        }
        if pods_read && related.is_read(RelatedKind::GcTasks, namespace) {
            let judgement = Judgement::failing(Reason::ProcessedWithError)
                .because("WorkflowArtifactGCTasks and GC pods of the workflow", "none");
            if !self.tries_again() {
                return judgement;
            }
            let told = format!("{}: an older one recorded it, or both were removed", self.version_text());
            return judgement.because("controller version", told);
        }
        let unread = "GC tasks and pods of the workflow";
        if let Some(since) = ready.filter(|since| self.is_past(Some(*since), OVERDUE)) {
            return Judgement::failing(Reason::NotRecouped)
                .because(unread, "not read")
                .because("ready since", self.lasted(since));
        }
        Judgement::unknown(Reason::GcObjectsUnread).because(unread, "not read")
    }

    /// Adds notes about what may still go wrong with a covered artifact.
    fn warn(&self, judgement: Judgement, record: &Record<'a>, all: &Records<'a>) -> Judgement {
        if judgement.when.is_none() {
            return judgement;
        }
        let unarchived = record.artifact.is_unarchived();
        let engine = record.location().map(|place| place.engine);
        let slash = record.location().is_some_and(|place| place.key.ends_with('/'));
        let doubtful_s3 =
            unarchived && engine == Some(StorageEngine::S3) && (!slash || self.maybe_before(S3_DIRECTORIES));
        if let Some(Evidence { field, value }) = self.goes_early(record, all) {
            let judgement = judgement.because("spec.artifactGC.forceFinalizerRemoval", "true");
            let (verdict, reason) = (Verdict::Uncovered, Some(Reason::ForceEarly));
            return Judgement { verdict, reason, ..judgement }.because(field, value);
        }
        let several = self.forces() && all.of_other_pod(record);
        // OSS has a delete in releases since v3.6.0; which one runs may be unknown.
        let oss = engine == Some(StorageEngine::Oss) && self.maybe_before(OSS_DELETES);
        let mut judgement = judgement;
        let size = all.task_size(record);
        if size > LARGE_TASK && !self.is_processed(&record.strategy) {
            let detail = format!("at least {size} of {TASK_LIMIT} bytes");
            judgement.notes.push(Note { reason: Reason::TaskTooLarge, detail });
        }
        judgement
            .note_if(unarchived && engine == Some(StorageEngine::Gcs), Reason::GcsDirectory)
            .note_if(doubtful_s3, Reason::S3Directory)
            .note_if(unarchived && engine == Some(StorageEngine::Azure), Reason::AzurePrefix)
            .note_if(self.has_other_attempt(record, all), Reason::RetryAttempts)
            .note_if(oss, Reason::UnsupportedDriver)
            .note_if(several, Reason::ForceEarly)
    }

    /// Returns true if the first GC pod that was seen to end takes the finalizer along.
    pub(crate) fn forces(&self) -> bool {
        self.policy.force() && !self.known_before(&[Version(3, 5, 0)])
    }

    /// Returns what shows that the finalizer goes before the workflow is deleted, so that nothing is collected at its
    /// deletion: the pod of the other strategy ends first, or one of an earlier round has ended
    /// (workflow/controller/artifact_gc.go@v4.1.2:590).
    fn goes_early(&self, record: &Record<'a>, all: &Records<'a>) -> Option<Evidence> {
        let waits = record.strategy == Strategy::OnWorkflowDeletion
            && self.workflow.metadata.deletion_timestamp.is_none();
        if !waits || !self.forces() {
            return None;
        }
        let status = self.workflow.status.artifact_gc_status.as_ref();
        let recouped = status.and_then(|status| status.pods_recouped.keys().next());
        match recouped {
            Some(pod) => Some(Evidence::new("status.artifactGCStatus.podsRecouped", pod)),
            None if all.is_open(&Strategy::OnWorkflowCompletion) => {
                Some(Evidence::new("artifacts with the strategy OnWorkflowCompletion", "collected first"))
            }
            None => None,
        }
    }

    pub(crate) fn has_other_attempt(&self, record: &Record<'a>, all: &Records<'a>) -> bool {
        all.twins(record).any(|other| is_attempt_of_same(&other.node.name, &record.node.name))
    }

    /// Returns the leftover task that lists the artifact.
    pub(crate) fn task_of(&self, record: &Record<'a>) -> Option<&'a GcTask> {
        let lists = |task: &&GcTask| {
            let node = task.spec.artifacts_by_node.get(&record.node.id);
            node.is_some_and(|node| node.artifacts.contains_key(&record.artifact.name))
        };
        self.of?.tasks.iter().find(lists)
    }

    /// Returns the GC pod that must delete the artifact: its task's, else any of the strategy's.
    pub(crate) fn pod_of(&self, record: &Record<'a>) -> Option<&'a Pod> {
        let name = self.pod_name(record);
        self.of?.pods.iter().find(|pod| match name {
            Some(name) => pod.metadata.name == name,
            None => pod.metadata.name.contains(pod_infix(&record.strategy)),
        })
    }

    pub(crate) fn recouped_pod(&self, record: &Record<'a>) -> Option<&'a str> {
        let name = self.pod_name(record);
        self.recouped(&record.strategy).find(|pod| name.is_none_or(|name| *pod == name))
    }

    /// Returns the GC pod's name, which is the task's name without its running number.
    fn pod_name(&self, record: &Record<'a>) -> Option<&'a str> {
        self.task_of(record).and_then(|task| task.metadata.name.rsplit_once('-')).map(|(pod, _)| pod)
    }
}

fn stamp(time: Option<Timestamp>) -> String {
    time.map_or_else(|| "<none>".to_owned(), |time| time.to_string())
}
