//! A purge's plan and its outcome, as tables.

use super::{age, escape, headline::plural};
use crate::gc::PlannedWorkflow;
use crate::purge::execute::{Fate, Tally};
use crate::purge::{Plan, settle::Settlement};
use crate::store::BucketFacts;
use jiff::Timestamp;
use serde_json::json;
use std::collections::BTreeMap;
use std::io::{self, Write};
use tabled::builder::Builder;
use tabled::settings::{Padding, Style as Borders};

/// Bytes for people: binary units, one decimal below ten.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes}B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1023.5 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if value < 9.95 { format!("{value:.1}{}", UNITS[unit]) } else { format!("{value:.0}{}", UNITS[unit]) }
}

/// How long, in the largest unit that fits.
fn span(seconds: u64) -> String {
    match seconds {
        0..7200 => plural(seconds.div_ceil(60), "minute"),
        7200..172_800 => plural(seconds / 3600, "hour"),
        _ => plural(seconds / 86_400, "day"),
    }
}

/// Shows a plan: what goes, a row per workflow or object; then what stays, and why.
///
/// # Errors
/// Writing failed.
pub fn plan(out: &mut dyn Write, plan: &Plan, wide: bool, now: Timestamp) -> io::Result<()> {
    let totals = &plan.totals;
    let workflows = plan.workflows.iter().filter(|workflow| !workflow.delete.is_empty()).count() as u64;
    match totals.objects {
        0 => writeln!(out, "Nothing to delete")?,
        objects => writeln!(
            out,
            "To delete: {} ({}) of {}",
            plural(objects, "object"),
            size(totals.bytes),
            plural(workflows, "workflow")
        )?,
    }
    let rows: Vec<Vec<String>> = plan
        .workflows
        .iter()
        .filter(|workflow| !workflow.delete.is_empty() || workflow.release_finalizer)
        .flat_map(|workflow| if wide { objects(workflow, now) } else { vec![row(workflow, now)] })
        .collect();
    let columns: &[&str] = match wide {
        true => &["NAMESPACE", "WORKFLOW", "ARTIFACT", "REASON", "SIZE", "OBJECT", "GENERATION", "AGE"],
        false => &["NAMESPACE", "WORKFLOW", "OBJECTS", "SIZE", "REASON", "LOCATION", "AGE"],
    };
    table(out, columns, rows)?;
    let mut kept: BTreeMap<(&str, &str, &str), (u64, &str, &str)> = BTreeMap::new();
    for workflow in &plan.workflows {
        for keep in &workflow.keep {
            let key = (workflow.namespace.as_str(), workflow.name.as_str(), keep.protection.code());
            let entry = kept.entry(key).or_insert((0, keep.location.as_str(), keep.detail.as_str()));
            entry.0 += 1;
        }
    }
    if !kept.is_empty() {
        writeln!(out, "\nTo keep:")?;
        let rows = kept.iter().map(|((namespace, name, code), (count, location, detail))| {
            let cells = [namespace, name, count.to_string().as_str(), code, location, detail].map(none);
            cells.to_vec()
        });
        table(out, &["NAMESPACE", "WORKFLOW", "KEPT", "PROTECTION", "LOCATION", "DETAIL"], rows.collect())?;
    }
    Ok(())
}

fn none(text: &str) -> String {
    if text.is_empty() { "<none>".to_owned() } else { escape(text).into_owned() }
}

fn row(workflow: &PlannedWorkflow, now: Timestamp) -> Vec<String> {
    let mut reasons: Vec<&str> = workflow.delete.iter().map(|object| &*object.reason).collect();
    reasons.sort_unstable();
    reasons.dedup();
    let places: Vec<String> =
        workflow.delete.iter().map(|object| format!("gs://{}/{}", object.bucket, object.key)).collect();
    let mut cells = vec![
        none(&workflow.namespace),
        none(&workflow.name),
        workflow.delete.len().to_string(),
        size(workflow.bytes()),
        none(&reasons.join(",")),
        escape(&super::table::common_path(&places)).into_owned(),
        age(workflow.finished_at, now),
    ];
    cells.extend(workflow.release_finalizer.then(|| "then releases the finalizer".to_owned()));
    cells
}

fn objects(workflow: &PlannedWorkflow, now: Timestamp) -> Vec<Vec<String>> {
    let row = |object: &crate::gc::PlannedObject| {
        vec![
            none(&workflow.namespace),
            none(&workflow.name),
            none(&object.artifact),
            none(&object.reason),
            size(object.size),
            escape(&format!("gs://{}/{}", object.bucket, object.key)).into_owned(),
            none(&object.generation),
            age(object.created, now),
        ]
    };
    workflow.delete.iter().map(row).collect()
}

fn table(out: &mut dyn Write, columns: &[&str], rows: Vec<Vec<String>>) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut builder = Builder::new();
    builder.push_record(columns.iter().copied());
    rows.into_iter().for_each(|row| builder.push_record(row));
    let mut table = builder.build();
    table.with(Borders::empty()).with(Padding::new(0, 3, 0, 0));
    writeln!(out)?;
    table.to_string().lines().try_for_each(|line| writeln!(out, "{}", line.trim_end()))
}

/// What becomes of the bytes in a bucket, and whether there is a way back: one sentence.
pub fn bucket(facts: &BucketFacts) -> String {
    let BucketFacts { name, soft_delete_seconds, versioning, retention_seconds, lifecycle_rules, unread } =
        facts;
    let name = escape(name);
    let mut text = match (unread, soft_delete_seconds, versioning) {
        (Some(why), ..) => {
            format!("gs://{name}: its settings can't be read ({}), so there may be no way back", escape(why))
        }
        (None, 0, false) => {
            format!("gs://{name}: no soft delete and no versioning, so what is deleted can't be brought back")
        }
        (None, 0, true) => format!(
            "gs://{name}: versioning is on, so deleted objects stay as noncurrent versions, and are billed, until a \
             lifecycle rule removes them"
        ),
        (None, seconds, versioning) => {
            let versions = if *versioning { ", and as noncurrent versions" } else { "" };
            format!("gs://{name}: deleted objects are kept, and billed, for {}{versions}", span(*seconds))
        }
    };
    if *retention_seconds > 0 {
        text += &format!("; objects are retained for {} after they were written", span(*retention_seconds));
    }
    if *lifecycle_rules > 0 {
        text += &format!("; it has {}", plural(*lifecycle_rules as u64, "lifecycle rule"));
    }
    text
}

/// Shows what became of a plan.
///
/// # Errors
/// Writing failed.
pub fn tally(
    out: &mut dyn Write,
    tally: &Tally,
    settlements: &[(String, Settlement)],
    buckets: &[BucketFacts],
) -> io::Result<()> {
    let deleted = tally.count(|fate| *fate == Fate::Deleted);
    let now: u64 = freed(tally, buckets, false);
    let later: u64 = freed(tally, buckets, true);
    write!(out, "\nDeleted {} ({})", plural(deleted, "object"), size(tally.bytes()))?;
    match (now, later) {
        (_, 0) => writeln!(out, ", verified")?,
        (0, _) => writeln!(out, ", verified; billed until the bucket lets go of them")?,
        _ => writeln!(
            out,
            ", verified; {} freed now, {} when the bucket lets go of them",
            size(now),
            size(later)
        )?,
    }
    let gone = tally.count(|fate| *fate == Fate::Gone);
    if gone > 0 {
        writeln!(out, "{} had been deleted by someone else", plural(gone, "object"))?;
    }
    let released = settlements.iter().filter(|(_, settlement)| settlement.finalizer_released).count() as u64;
    if released > 0 {
        writeln!(out, "Released {}", plural(released, "finalizer"))?;
    }
    let recorded: u64 = settlements.iter().map(|(_, settlement)| settlement.recorded).sum();
    if recorded > 0 {
        writeln!(out, "Recorded {} as deleted in their workflows", plural(recorded, "artifact"))?;
    }
    Ok(())
}

/// `kind: PurgeResult`: what became of a plan, as a document.
pub fn result(tally: &Tally, settlements: &[(String, Settlement)], journal: String) -> serde_json::Value {
    let object = |settled: &crate::purge::execute::Settled| {
        let (outcome, detail) = match &settled.fate {
            Fate::Deleted => ("deleted", String::new()),
            Fate::Gone => ("gone", String::new()),
            Fate::Kept(protection, detail) => (protection.code(), detail.clone()),
            Fate::Failed(why) => ("failed", why.clone()),
            Fate::NotReached => ("not-reached", String::new()),
            Fate::StillThere => ("still-there", String::new()),
        };
        let planned = &settled.object;
        json!({
            "bucket": planned.bucket, "key": planned.key, "generation": planned.generation, "size": planned.size,
            "outcome": outcome, "detail": detail,
        })
    };
    let workflows = tally.workflows.iter().map(|workflow| {
        let plan = &workflow.plan;
        let name = format!("{}/{}", plan.namespace, plan.name);
        let settlement = settlements.iter().find(|(of, _)| *of == name).map(|(_, settlement)| settlement);
        json!({
            "namespace": plan.namespace, "name": plan.name, "uid": plan.uid,
            "objects": workflow.objects.iter().map(object).collect::<Vec<_>>(),
            "recorded": settlement.map_or(0, |settlement| settlement.recorded),
            "finalizerReleased": settlement.is_some_and(|settlement| settlement.finalizer_released),
        })
    });
    json!({
        "apiVersion": crate::purge::document::API_VERSION,
        "kind": "PurgeResult",
        "complete": tally.is_complete(),
        "totals": {
            "deleted": tally.count(|fate| *fate == Fate::Deleted),
            "gone": tally.count(|fate| *fate == Fate::Gone),
            "left": tally.count(|fate| !fate.is_gone()),
            "bytes": tally.bytes(),
        },
        "journal": journal,
        "workflows": workflows.collect::<Vec<_>>(),
    })
}

/// Bytes deleted from buckets that hold on to them, or from those that don't.
fn freed(tally: &Tally, buckets: &[BucketFacts], later: bool) -> u64 {
    let keeps = |name: &str| {
        buckets.iter().any(|bucket| bucket.name == name && (bucket.has_undo() || bucket.unread.is_some()))
    };
    let deleted = tally.settled().filter(|settled| settled.fate == Fate::Deleted);
    deleted.filter(|settled| keeps(&settled.object.bucket) == later).map(|settled| settled.object.size).sum()
}

/// One line for everything of the plan that is still there.
pub fn leftovers(tally: &Tally) -> Vec<String> {
    let line = |settled: &crate::purge::execute::Settled| {
        let place = format!("gs://{}/{}", settled.object.bucket, settled.object.key);
        let why = match &settled.fate {
            Fate::Deleted | Fate::Gone => return None,
            Fate::Kept(protection, detail) if detail.is_empty() => protection.text().to_owned(),
            Fate::Kept(protection, detail) => format!("{}: {detail}", protection.text()),
            Fate::Failed(why) => format!("failed: {why}"),
            Fate::NotReached => "not reached".to_owned(),
            Fate::StillThere => "deleted, but it is still there".to_owned(),
        };
        Some(escape(&format!("{place}: {why}")).into_owned())
    };
    tally.settled().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        for (bytes, want) in [
            (0, "0B"),
            (1023, "1023B"),
            (1024, "1.0KiB"),
            (10 << 10, "10KiB"),
            ((1 << 20) - 1, "1.0MiB"),
            (3 << 40, "3.0TiB"),
            (u64::MAX, "16384PiB"),
        ] {
            assert_eq!(size(bytes), want, "{bytes}");
        }
    }
}
