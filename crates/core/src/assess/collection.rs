//! Judges artifacts of a workflow with the finalizer: whether the collection will succeed, or how it failed
//! (`docs/argo-gc.md#readiness`, `#processing`, `#recouping`).

use crate::argo::artifact::Strategy;
use crate::argo::names;
use crate::argo::related::{GcTask, Pod};
use crate::argo::version::Version;
use crate::assess::case::{Case, Judgement, pod_infix};
use crate::assess::chain::{S3_DIRECTORIES, is_attempt_of_same};
use crate::assess::records::{Record, Records};
use crate::model::account::Account;
use crate::model::context::RelatedKind;
use crate::model::engine::StorageEngine;
use crate::model::location;
use crate::model::location::LocationError;
use crate::reason::Reason;
use crate::verdict::When;
use jiff::{SignedDuration, Timestamp};

/// The time after which a GC pod that has not started, or has not ended after its work, is not merely slow.
const PENDING: SignedDuration = SignedDuration::from_mins(10);

/// The time after which a ready strategy is not merely queued; the controller looks again every 20 minutes.
const OVERDUE: SignedDuration = SignedDuration::from_hours(1);

/// The size in bytes above which the API refuses an object; the one task of a GC pod holds all its artifacts.
const TASK_LIMIT: usize = 1_500_000;

/// The first release in which GC waits for the workflow's end.
const GATED: Version = Version(3, 5, 2);

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
        if let Some(unsaved) = all.unsaved_beside(record) {
            return Judgement::failing(Reason::BatchAbort).because(
                format!("artifact {} of node {}", unsaved.artifact.name, unsaved.node.id),
                "never saved",
            );
        }
        if all.task_size(record) > TASK_LIMIT {
            let limit = format!("more than {TASK_LIMIT} bytes");
            return Judgement::failing(Reason::TaskTooLarge).because("WorkflowArtifactGCTask size", limit);
        }
        if self.is_processed(&record.strategy) { self.processed(record) } else { self.awaited(record) }
            .pipe(|judgement| self.warn(judgement, record, all))
    }

    /// Returns a verdict if the whole strategy fails for every artifact, because of the version or of one
    /// inline node.
    fn doomed(&self, record: &Record<'a>, all: &Records<'a>) -> Option<Judgement> {
        let whole = self.workflow.spec.workflow_template_ref.is_some();
        let referenced = record.node.template_ref.is_some();
        let unresolved = match self.version {
            Some(version) if version < Version(3, 4, 4) => whole || referenced,
            Some(Version(3, 4, 4)) => whole && referenced,
            _ => false,
        };
        if unresolved {
            return Some(
                Judgement::failing(Reason::Wftref34).because("controller version", self.version_text()),
            );
        }
        let pod = format!("{}{}4294967295", self.workflow.metadata.name, pod_infix(&record.strategy));
        if self.version == Some(Version(3, 4, 0)) && pod.len() > 63 {
            return Some(
                Judgement::failing(Reason::LongNames).because("GC pod name length", pod.len().to_string()),
            );
        }
        let poison = all.poison(&record.strategy)?;
        let state = if self.is_processed(&record.strategy) { "true: it has happened" } else { "not yet" };
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
        let field = format!("WorkflowArtifactGCTask/{} status", task.metadata.name);
        if result.success {
            return Some(Judgement::collected().because(field, "success"));
        }
        let reason =
            if is_missing(&result.error) { self.why_missing(record, all) } else { Reason::DeleteError };
        // Whatever storage answered, it was asked for the wrong bucket.
        let judgement = match record.raw_text {
            Some(text) => Judgement::failing(Reason::ParamArchiveLocation).because("archiveLocation", text),
            None => Judgement::failing(reason),
        };
        Some(judgement.because(field, &result.error))
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
            StorageEngine::Oss => self.known_before(&[Version(3, 6, 0)]),
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

    fn with_pod(&self, pod: &'a Pod, record: &Record<'a>) -> Judgement {
        let name = format!("Pod/{}", pod.metadata.name);
        let status = &pod.status;
        let unlabelled = pod.metadata.labels.contains_key(names::WRONG_INSTANCE_LABEL)
            && !pod.metadata.labels.contains_key(names::INSTANCE_ID);
        match status.phase.as_str() {
            _ if unlabelled => Judgement::failing(Reason::InstanceId)
                .because(format!("{name} labels[{}]", names::WRONG_INSTANCE_LABEL), "set"),
            "Failed" if terminated(pod).any(|reason| reason == "OOMKilled") => {
                Judgement::failing(Reason::GcOom).because(name, "OOMKilled")
            }
            "Failed" => {
                let account = Account::new(&self.workflow.metadata.namespace, pod.account());
                let standing = self.context.related.standing(&account);
                match standing.and_then(|standing| standing.refusal(&account)) {
                    Some(denied) => Judgement::failing(Reason::GcRbac).because(denied.field, denied.value),
                    None => Judgement::failing(Reason::GcPodFailed).because(name, describe(pod)),
                }
            }
            "Pending" if self.is_past(pod.metadata.creation_timestamp, PENDING) => {
                Judgement::failing(Reason::GcPodPending).because(name, describe(pod))
            }
            "Running" if self.is_held(pod) => self.held(pod),
            "Succeeded" if self.recouped_pod(record).is_some() => self.after_recoup(record),
            _ => Judgement::covered(When::Now).because(name, &status.phase),
        }
    }

    /// Returns true if the pod's work is done but another container keeps the pod running.
    pub(crate) fn is_held(&self, pod: &Pod) -> bool {
        let done = pod.main_ended().and_then(|end| end.finished_at);
        pod.status.phase == "Running" && pod.holder().is_some() && self.is_past(done, PENDING)
    }

    fn held(&self, pod: &Pod) -> Judgement {
        let holder = pod.holder().map_or("", |container| &container.name);
        Judgement::failing(Reason::GcPodHeld)
            .because(format!("Pod/{}", pod.metadata.name), format!("main has ended, {holder} has not"))
    }

    /// Judges an artifact that is not marked as deleted although the GC pod ended and the controller processed
    /// its results.
    fn after_recoup(&self, record: &Record<'a>) -> Judgement {
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
            None => Judgement::failing(Reason::NotRecouped),
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
        let earlier = status.nodes.values().find(|node| {
            let collected = node.is_pod() && node.outputs.artifacts.iter().any(|artifact| artifact.deleted);
            collected && node.finished_at.is_some() && node.finished_at < started
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
        let pods_read = related.is_read(RelatedKind::GcPods, namespace);
        if let Some(task) = self.task_of(record)
            && pods_read
        {
            let field = format!("WorkflowArtifactGCTask/{}", task.metadata.name);
            return Judgement::failing(Reason::GcPodLost).because(field, "left over, its pod is gone");
        }
        if pods_read && related.is_read(RelatedKind::GcTasks, namespace) {
            return Judgement::failing(Reason::ProcessedWithError)
                .because("WorkflowArtifactGCTasks and GC pods of the workflow", "none");
        }
        let unread = "GC tasks and pods of the workflow";
        if self.is_past(self.ready_since(&record.strategy), OVERDUE) {
            return Judgement::failing(Reason::NotRecouped).because(unread, "not read");
        }
        Judgement::unknown(Reason::GcObjectsUnread).because(unread, "not read")
    }

    /// Judges an artifact whose strategy has not been processed yet.
    fn awaited(&self, record: &Record<'a>) -> Judgement {
        let strategy = &record.strategy;
        if let Some((node, _)) = self.incomplete_result()
            && self.workflow.is_terminal()
        {
            let field = format!("status.taskResultsCompletionStatus[{node}]");
            return Judgement::failing(Reason::TaskresultNeverComplete).because(field, "false");
        }
        let Some(since) = self.ready_since(strategy) else {
            let completion = *strategy == Strategy::OnWorkflowCompletion;
            return Judgement::covered(if completion { When::OnCompletion } else { When::OnDeletion });
        };
        if self.is_past(Some(since), OVERDUE) {
            let field = format!("status.artifactGCStatus.strategiesProcessed[{strategy}]");
            return Judgement::failing(Reason::Overdue)
                .because(field, "not yet")
                .because("ready since", since.to_string());
        }
        Judgement::covered(When::Now)
    }

    /// Returns a task result that never completed, if the version waits for it after the phase is final.
    fn incomplete_result(&self) -> Option<(&'a String, &'a bool)> {
        let waits = self.version.is_none_or(|version| version >= GATED && version < Version(3, 5, 6));
        let results = &self.workflow.status.task_results_completion_status;
        results.iter().find(|(_, complete)| waits && !**complete)
    }

    /// Returns the time since which the controller should have processed the strategy
    /// (`docs/argo-gc.md#readiness`); none if the strategy is not ready.
    pub(crate) fn ready_since(&self, strategy: &Strategy) -> Option<Timestamp> {
        let meta = &self.workflow.metadata;
        let gated = self.version.is_none_or(|version| version >= GATED);
        if gated && !self.workflow.is_terminal() {
            return None;
        }
        let completed = (*strategy == Strategy::OnWorkflowCompletion
            && meta.label(names::COMPLETED) == "true")
            .then_some(self.workflow.ended())
            .flatten();
        match (completed, meta.deletion_timestamp) {
            (Some(completed), _) => Some(completed),
            (None, Some(deleted)) if gated => {
                Some(self.workflow.ended().map_or(deleted, |end| end.max(deleted)))
            }
            (None, deleted) => deleted,
        }
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
        let both = all.is_open(&Strategy::OnWorkflowCompletion);
        let early = self.policy.force() && both && record.strategy == Strategy::OnWorkflowDeletion;
        judgement
            .note_if(unarchived && engine == Some(StorageEngine::Gcs), Reason::GcsDirectory)
            .note_if(doubtful_s3, Reason::S3Directory)
            .note_if(unarchived && engine == Some(StorageEngine::Azure), Reason::AzurePrefix)
            .note_if(self.has_other_attempt(record, all), Reason::RetryAttempts)
            .note_if(early, Reason::ForceEarly)
    }

    pub(crate) fn has_other_attempt(&self, record: &Record<'a>, all: &Records<'a>) -> bool {
        all.twins(record).any(|other| is_attempt_of_same(&other.node.name, &record.node.name))
    }

    /// Returns the leftover task that lists the artifact.
    fn task_of(&self, record: &Record<'a>) -> Option<&'a GcTask> {
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

    fn recouped_pod(&self, record: &Record<'a>) -> Option<&'a str> {
        let name = self.pod_name(record);
        self.recouped(&record.strategy).find(|pod| name.is_none_or(|name| *pod == name))
    }

    /// Returns the GC pod's name, which is the task's name without its running number.
    fn pod_name(&self, record: &Record<'a>) -> Option<&'a str> {
        self.task_of(record).and_then(|task| task.metadata.name.rsplit_once('-')).map(|(pod, _)| pod)
    }

    fn is_past(&self, since: Option<Timestamp>, margin: SignedDuration) -> bool {
        since.is_some_and(|since| self.context.now.duration_since(since) > margin)
    }

    /// Returns true if a collection has waited longer than the controller's interval explains.
    pub(crate) fn is_overdue(&self, since: Option<Timestamp>) -> bool {
        self.is_past(since, OVERDUE)
    }
}

impl Judgement {
    fn pipe(self, step: impl FnOnce(Self) -> Self) -> Self {
        step(self)
    }
}

/// Returns true if a driver's error means that the object does not exist (`docs/argo-gc.md#drivers`).
fn is_missing(error: &str) -> bool {
    let error = error.to_ascii_lowercase();
    ["doesn't exist", "does not exist", "nosuchkey", "not found", "404"]
        .iter()
        .any(|sign| error.contains(sign))
}

fn terminated(pod: &Pod) -> impl Iterator<Item = &str> {
    let states = pod.status.container_statuses.iter().flat_map(|status| [&status.state, &status.last_state]);
    states.filter_map(|state| state.terminated.as_ref()).map(|end| end.reason.as_str())
}

/// Returns a pod's phase with its most specific reason and message.
fn describe(pod: &Pod) -> String {
    let status = &pod.status;
    let waiting = status.container_statuses.iter().find_map(|container| container.state.waiting.as_ref());
    let ended = status.container_statuses.iter().find_map(|container| container.state.terminated.as_ref());
    let refused = status
        .conditions
        .iter()
        .find(|condition| condition.status == "False" && !condition.message.is_empty());
    let detail = match (waiting, ended, refused) {
        (Some(waiting), _, _) => format!("{} {}", waiting.reason, waiting.message),
        (None, Some(end), _) => format!("exit code {} {} {}", end.exit_code, end.reason, end.message),
        (None, None, Some(condition)) => format!("{} {}", condition.reason, condition.message),
        _ => format!("{} {}", status.reason, status.message),
    };
    format!("{} {}", status.phase, detail.trim()).trim().to_owned()
}

fn stamp(time: Option<Timestamp>) -> String {
    time.map_or_else(|| "<none>".to_owned(), |time| time.to_string())
}
