//! The plan of a purge and its outcome, as tables and documents. Only this file knows the formats.

use crate::error::Error;
use crate::output::document;
use crate::output::escape::escape;
use crate::output::plan_table;
use crate::output::protections::{clause, detail};
use crate::output::text::{common_path, plural, size, span};
use crate::purge::outcome::{ObjectOutcome, Settled, Tally, WorkflowTally};
use crate::purge::plan_file::Plan;
use crate::purge::totals::QuarantineTotals;
use argo_gc_core::model::API_VERSION;
use argo_gc_core::model::bucket::Bucket;
use argo_gc_core::model::engine::StorageEngine;
use argo_gc_core::plan::planned::PlannedWorkflow;
use argo_gc_core::plan::rules::Unwanted;
use argo_gc_core::verdict::Verdict;
use argo_gc_store::types::BucketFacts;
use jiff::Timestamp;
use serde_json::json;
use std::collections::BTreeMap;
use std::io;
use std::io::Write;

/// An output format of `purge`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum PurgeFormat {
    Table,
    Wide,
    Json,
    Yaml,
}

impl PurgeFormat {
    /// Whether programs read it. Standard output then holds nothing but one document.
    pub fn is_document(self) -> bool {
        matches!(self, Self::Json | Self::Yaml)
    }
}

/// Shows a plan.
///
/// # Errors
/// Writing failed, or the plan can't be read.
pub fn plan(
    out: &mut dyn Write,
    width: Option<usize>,
    plan: &Plan,
    format: PurgeFormat,
    now: Timestamp,
) -> Result<(), Error> {
    if !format.is_document() {
        return plan_table::write(out, width, plan, format == PurgeFormat::Wide, now);
    }
    let mut head = serde_json::to_value(&plan.head).map_err(Error::new)?;
    let tail = serde_json::to_value(&plan.tail).map_err(Error::new)?;
    if let (Some(head), serde_json::Value::Object(tail)) = (head.as_object_mut(), tail) {
        head.extend(tail);
        head.insert("hash".to_owned(), plan.hash.as_str().into());
    }
    let worded = |workflow: Result<PlannedWorkflow, Error>| {
        let mut workflow = workflow?;
        workflow.keep.iter_mut().for_each(|kept| kept.detail = detail(kept));
        Ok(workflow)
    };
    document::write(out, format == PurgeFormat::Yaml, &head, "workflows", plan.workflows()?.map(worded))
}

/// Says in one sentence why artifacts of the selected workflows are not in the plan; none if all were asked for.
pub fn not_asked_for(unwanted: &BTreeMap<Unwanted, u64>) -> Option<String> {
    let all: u64 = unwanted.values().sum();
    let parts: Vec<String> = unwanted
        .iter()
        .map(|(why, count)| match why {
            Unwanted::Verdict(Verdict::Collected) => format!("{count} recorded as deleted"),
            Unwanted::Doubtful => {
                format!("{count} recorded as deleted, in doubt (--reason deleted-but-present checks)")
            }
            Unwanted::Verdict(Verdict::Covered) => format!("{count} that Argo has yet to collect"),
            Unwanted::Verdict(Verdict::Kept) => format!("{count} kept on purpose"),
            Unwanted::Verdict(verdict) => format!("{count} {}", verdict.as_str()),
            Unwanted::Reason => format!("{count} with other reasons"),
            Unwanted::Name => format!("{count} of other names"),
            Unwanted::Bucket => format!("{count} in other buckets"),
            Unwanted::Class => format!("{count} that --only leaves out"),
            Unwanted::Policy => format!("{count} that the policy keeps"),
        })
        .collect();
    let is = if all == 1 { "is" } else { "are" };
    (all > 0).then(|| format!("{} {is} not selected: {}", plural(all, "artifact"), parts.join(", ")))
}

/// Says what releasing a workflow's finalizer takes with it, and how to copy its objects before, if they are in the cloud.
pub fn released(workflow: &PlannedWorkflow, in_cloud: bool) -> String {
    let places: Vec<String> = workflow.delete.iter().map(|object| object.bucket.uri(&object.key)).collect();
    let first = workflow.delete.first().filter(|_| in_cloud);
    let copies = first.and_then(|first| copying(&first.bucket, &common_path(&places)));
    let how = copies.map(|command| format!(", such as with: {command}")).unwrap_or_default();
    format!(
        "Note: a workflow that is being deleted is gone once its finalizer is released, and nothing else would delete its \
         objects, so they are deleted first. Copy what you need before you agree{how}"
    )
}

/// The command that copies all below a place; none if the place can't be part of a command.
fn copying(bucket: &Bucket, place: &str) -> Option<String> {
    if !place.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:@".contains(c)) {
        return None;
    }
    match bucket.engine() {
        StorageEngine::Gcs => Some(format!("gcloud storage cp --recursive {place} .")),
        StorageEngine::S3 if bucket.endpoint().is_empty() => Some(format!("aws s3 cp --recursive {place} .")),
        StorageEngine::Azure => Some(format!("azcopy copy {place} . --recursive")),
        _ => None,
    }
}

/// Where the workflows of a plan are.
pub fn place(plan: &Plan) -> String {
    match &plan.head.cluster {
        Some(cluster) => format!("cluster {}", cluster.context.as_deref().unwrap_or(&cluster.server)),
        None => "files".to_owned(),
    }
}

/// Says in one sentence what a delete does to the bytes in a bucket, and whether it can be undone.
pub fn bucket(facts: &BucketFacts) -> String {
    let BucketFacts {
        bucket,
        soft_delete_seconds,
        versioning,
        retention_seconds,
        lifecycle_rules,
        looked_at,
        unread,
    } = facts;
    let name = escape(&bucket.to_string()).into_owned();
    let mut text = match (unread, soft_delete_seconds, versioning) {
        (Some(why), ..) => {
            format!(
                "{name}: its settings can't be read ({}), so deletes can perhaps not be undone",
                escape(why)
            )
        }
        (None, 0, false) => {
            format!("{name}: no soft delete and no versioning, so what is deleted can't be brought back")
        }
        (None, 0, true) => format!(
            "{name}: versioning is on, so deleted objects stay as noncurrent versions, and are billed, until a \
             lifecycle rule removes them"
        ),
        (None, seconds, versioning) => {
            let versions = if *versioning { ", and as noncurrent versions" } else { "" };
            format!("{name}: deleted objects are kept, and billed, for {}{versions}", span(*seconds))
        }
    };
    if *looked_at {
        text += "; its server is not known to check pins, so each object is queried just before its delete";
    }
    if *retention_seconds > 0 {
        text += &format!("; objects are retained for {} after they were written", span(*retention_seconds));
    }
    if *lifecycle_rules > 0 {
        text += &format!("; it has {}", plural(*lifecycle_rules as u64, "lifecycle rule"));
    }
    text
}

/// Says what is different about a bucket since a plan was made: the settings that decide whether there is a way back,
/// and what may be deleted.
pub fn changed_settings(then: &BucketFacts, now: &BucketFacts) -> Vec<String> {
    let days = |seconds: u64| if seconds == 0 { "off".to_owned() } else { span(seconds) };
    let on = |versioning: bool| if versioning { "on" } else { "off" }.to_owned();
    let readable = |unread: &Option<String>| if unread.is_some() { "unread" } else { "readable" }.to_owned();
    let name = escape(&now.bucket.to_string()).into_owned();
    [
        ("its soft delete", days(then.soft_delete_seconds), days(now.soft_delete_seconds)),
        ("its versioning", on(then.versioning), on(now.versioning)),
        ("its retention", days(then.retention_seconds), days(now.retention_seconds)),
        ("its settings", readable(&then.unread), readable(&now.unread)),
    ]
    .into_iter()
    .filter(|(_, then, now)| then != now)
    .map(|(what, then, now)| format!("{name}: {what} was {then} when the plan was made, and is {now} now"))
    .collect()
}

/// Shows the outcome of a plan. `items` are the workflows of a document, each made by [`result_item`]; `journal` is the
/// journal's path.
///
/// # Errors
/// Writing failed, or an item can't be read.
pub fn outcome(
    out: &mut dyn Write,
    plan: &Plan,
    format: PurgeFormat,
    carried_out: &Tally,
    items: impl Iterator<Item = Result<serde_json::Value, Error>>,
    journal: String,
) -> Result<(), Error> {
    if !format.is_document() {
        return Ok(tally(out, carried_out, plan)?);
    }
    let head = result(carried_out, &plan.hash, journal);
    document::write(out, format == PurgeFormat::Yaml, &head, "workflows", items)
}

fn tally(out: &mut dyn Write, tally: &Tally, plan: &Plan) -> io::Result<()> {
    writeln!(out)?;
    let totals = &plan.tail.totals;
    // Who marks objects only has nothing deleted.
    if totals.objects > 0 || totals.quarantine == QuarantineTotals::default() {
        deleted(out, tally, &plan.tail.buckets)?;
    }
    if tally.marked > 0 {
        let (objects, bytes) = (plural(tally.marked, "object"), size(tally.marked_bytes));
        let lasts = span(plan.head.quarantine_seconds.unwrap_or_default());
        let them = if tally.marked == 1 { "it" } else { "them" };
        writeln!(
            out,
            "Marked {objects} ({bytes}): the first purge with --quarantine after {lasts} deletes {them}, unless something \
             needs {them}"
        )?;
    }
    if tally.lifted > 0 {
        let they = if tally.lifted == 1 { "it is" } else { "they are" };
        writeln!(out, "Lifted the marks of {}: {they} needed again", plural(tally.lifted, "object"))?;
    }
    if tally.before > 0 {
        writeln!(
            out,
            "{} had been deleted before by this run; they are gone",
            plural(tally.before, "object")
        )?;
    }
    if tally.gone > 0 {
        writeln!(out, "{} had been deleted by someone else", plural(tally.gone, "object"))?;
    }
    if tally.stopped > 0 {
        let kept = plural(tally.stopped, "object");
        writeln!(out, "Kept {kept} because of what appeared or changed since the plan was made")?;
    }
    if tally.finalizers > 0 {
        writeln!(out, "Released {}", plural(tally.finalizers, "finalizer"))?;
    }
    if tally.recorded > 0 {
        let whose = if tally.recorded == 1 { "its workflow" } else { "their workflows" };
        writeln!(out, "Recorded {} as deleted in {whose}", plural(tally.recorded, "artifact"))?;
    }
    Ok(())
}

/// How much was deleted, and when its bytes are free.
fn deleted(out: &mut dyn Write, tally: &Tally, buckets: &[BucketFacts]) -> io::Result<()> {
    let holds = |name: &Bucket| {
        buckets.iter().any(|bucket| bucket.bucket == *name && (bucket.has_undo() || bucket.unread.is_some()))
    };
    let bytes: u64 = tally.bytes.values().sum();
    let later: u64 = tally.bytes.iter().filter(|(name, _)| holds(name)).map(|(_, bytes)| bytes).sum();
    let now = bytes - later;
    write!(out, "Deleted {} ({})", plural(tally.deleted, "object"), size(bytes))?;
    match (now, later) {
        (_, 0) => writeln!(out, ", verified")?,
        (0, _) => writeln!(out, ", verified; billed until the bucket removes them for good")?,
        _ => writeln!(
            out,
            ", verified; {} freed now, {} when the bucket removes them for good",
            size(now),
            size(later)
        )?,
    }
    Ok(())
}

/// One workflow of `kind: PurgeResult`.
pub fn result_item(workflow: &WorkflowTally) -> serde_json::Value {
    let object = |settled: &Settled| {
        let (outcome, detail) = match &settled.fate {
            ObjectOutcome::Deleted => ("deleted", ""),
            ObjectOutcome::Gone => ("gone", ""),
            ObjectOutcome::DeletedBefore => ("deleted-before", ""),
            ObjectOutcome::Kept(protection, detail) => (protection.code(), detail.as_str()),
            ObjectOutcome::Failed(why) => ("failed", why.as_str()),
            ObjectOutcome::NotReached | ObjectOutcome::MarkNotReached => ("not-reached", ""),
            ObjectOutcome::StillThere => ("still-there", ""),
            ObjectOutcome::Marked => ("marked", ""),
            ObjectOutcome::NotMarked(why) => ("not-marked", why.as_str()),
        };
        let planned = &settled.object;
        json!({
            "bucket": planned.bucket, "key": planned.key, "generation": planned.generation, "size": planned.size,
            "outcome": outcome, "detail": detail,
        })
    };
    let plan = &workflow.plan;
    json!({
        "namespace": plan.namespace, "name": plan.name, "uid": plan.uid,
        "objects": workflow.objects.iter().map(object).collect::<Vec<_>>(),
        "recorded": workflow.settlement.recorded,
        "finalizerReleased": workflow.settlement.finalizer_released,
        "notes": workflow.settlement.notes,
    })
}

/// The outcome of a plan as a document of `kind: PurgeResult`, without its workflows.
fn result(tally: &Tally, plan: &str, journal: String) -> serde_json::Value {
    json!({
        "apiVersion": API_VERSION,
        "kind": "PurgeResult",
        "plan": plan,
        "complete": tally.is_complete(),
        "totals": {
            "deleted": tally.deleted, "gone": tally.gone, "deletedBefore": tally.before, "left": tally.left,
            "bytes": tally.bytes.values().sum::<u64>(),
            "marked": tally.marked, "notMarked": tally.unmarked, "marksLifted": tally.lifted, "marksNotLifted": tally.unlifted,
            "recorded": tally.recorded, "finalizersReleased": tally.finalizers,
        },
        "journal": journal,
    })
}

/// Says in one line why the object is still there; none if it is gone.
pub fn leftover(settled: &Settled) -> Option<String> {
    let place = settled.object.bucket.uri(&settled.object.key);
    let why = match &settled.fate {
        ObjectOutcome::Deleted
        | ObjectOutcome::Gone
        | ObjectOutcome::DeletedBefore
        | ObjectOutcome::Marked => return None,
        ObjectOutcome::Kept(protection, detail) if detail.is_empty() => clause(*protection).to_owned(),
        ObjectOutcome::Kept(protection, detail) => format!("{}: {detail}", clause(*protection)),
        ObjectOutcome::Failed(why) => format!("failed: {why}"),
        ObjectOutcome::NotReached | ObjectOutcome::MarkNotReached => "not reached".to_owned(),
        ObjectOutcome::StillThere => "deleted, but it is still there".to_owned(),
        ObjectOutcome::NotMarked(why) => format!("not marked: {why}"),
    };
    Some(escape(&format!("{place}: {why}")).into_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_released_workflow_says_how_to_copy_what_goes_with_it() {
        let workflow = |keys: &[&str]| {
            let object = |key: &&str| {
                json!({
                    "bucket": "gs://b", "key": key, "generation": "1", "size": 1, "created": null, "artifact": "a", "nodeId": "n",
                })
            };
            let delete = keys.iter().map(|key| serde_json::from_value(object(key)).unwrap()).collect();
            PlannedWorkflow { delete, release_finalizer: true, ..PlannedWorkflow::default() }
        };
        let two = released(&workflow(&["w/pod/a.tgz", "w/pod/b.tgz"]), true);
        assert!(two.ends_with(", such as with: gcloud storage cp --recursive gs://b/w/pod ."), "{two}");
        // No command is made of what a shell may take for something else, nor for folders.
        for plain in [released(&workflow(&["w/a b"]), true), released(&workflow(&["w/a"]), false)] {
            assert!(plain.ends_with("before you agree"), "{plain}");
        }
    }
}
