//! The plan of a purge as tables: first what is deleted, then what is kept, and why.

use crate::error::Error;
use crate::output::age::age;
use crate::output::columns::Columns;
use crate::output::escape::{cell, escape};
use crate::output::prose::Prose;
use crate::output::protections::detail;
use crate::output::text::{common_path, plural, size, span};
use crate::purge::bucket_login::BucketLogin;
use crate::purge::plan_file::Plan;
use crate::purge::totals::QuarantineTotals;
use argo_gc_core::plan::planned::{KeptObject, PlannedObject, PlannedWorkflow};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::io::Write;

const LOCATION: &str = "LOCATION";
const DETAIL: &str = "DETAIL";

/// How a plan is shown.
#[derive(Clone, Copy)]
struct View {
    /// A row for each object, rather than for each workflow.
    wide: bool,
    /// Whether the plan releases finalizers, which then have a column.
    releases: bool,
    now: Timestamp,
}

/// Writes both tables.
///
/// # Errors
/// Writing failed, or the plan can't be read.
pub(crate) fn write(
    out: &mut dyn Write,
    width: Option<usize>,
    plan: &Plan,
    wide: bool,
    now: Timestamp,
) -> Result<(), Error> {
    let out = &mut Prose::new(out, width);
    // Rows are made twice, to be measured and to be written. Keeping those of a large plan would need much memory.
    let view = View { wide, releases: plan.tail.totals.finalizers > 0, now };
    let names = view.columns();
    let mut deleted = Columns::new(&names);
    let marking = View { releases: false, ..view };
    let mut marked = Columns::new(&marking.columns());
    let mut kept = Columns::new(match wide {
        true => &["NAMESPACE", "WORKFLOW", "ARTIFACT", "PROTECTION", LOCATION, DETAIL],
        false => &["NAMESPACE", "WORKFLOW", "KEPT", "PROTECTION", LOCATION, DETAIL],
    });
    let mut orphans = false;
    let mut fees: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    let mut protections: BTreeMap<&str, u64> = BTreeMap::new();
    for workflow in plan.workflows()? {
        let workflow = workflow?;
        orphans |= workflow.orphans;
        for keep in &workflow.keep {
            *protections.entry(keep.protection.code()).or_default() += 1;
        }
        view.rows(&workflow, &workflow.delete).iter().for_each(|row| deleted.measure(row));
        view.kept(&workflow).iter().for_each(|row| kept.measure(row));
        marking.rows(&workflow, &workflow.mark).iter().for_each(|row| marked.measure(row));
        for object in &workflow.delete {
            if is_early(&object.storage_class, object.created, now) {
                let fee = fees.entry(object.storage_class.to_string()).or_default();
                *fee = (fee.0 + 1, fee.1 + object.size);
            }
        }
    }
    // Where something is, and why it is kept, is what a reader decides by: it stands below where there is no room beside.
    let below = !wide && !kept.fits(width);
    if below {
        kept.hide(LOCATION);
        kept.hide(DETAIL);
    }
    let elastic: &[&str] = if wide { &[] } else { &[LOCATION, "AGE"] };
    let (deleted, kept) = (deleted.fit(width, elastic), kept.fit(width, &[]));
    let marked = marked.fit(width, elastic);
    writeln!(out, "{}", headline(plan, &protections, orphans))?;
    if deleted.rows > 0 {
        writeln!(out)?;
        deleted.header(out)?;
        for workflow in plan.workflows()? {
            let workflow = workflow?;
            view.rows(&workflow, &workflow.delete).iter().try_for_each(|row| deleted.row(out, row))?;
        }
    }
    early(out, fees)?;
    marking.marks(out, plan, &marked)?;
    if kept.rows > 0 {
        writeln!(out, "\nTo keep:\n")?;
        kept.header(out)?;
        for workflow in plan.workflows()? {
            for row in view.kept(&workflow?) {
                kept.row(out, &row)?;
                if let Some(why) = why_kept(&row).filter(|_| below) {
                    writeln!(out, "    {why}")?;
                }
            }
        }
    }
    for (at, BucketLogin { bucket, login }) in plan.head.identities.iter().enumerate() {
        let before = if at == 0 { "\n" } else { "" };
        writeln!(out, "{before}{}", escape(&format!("{bucket} is opened with {login}")))?;
    }
    Ok(())
}

/// Says what an early delete costs, by class with its objects and bytes.
fn early(out: &mut dyn Write, fees: BTreeMap<String, (u64, u64)>) -> Result<(), Error> {
    for (class, (objects, bytes)) in fees {
        let (days, bytes) = (minimum_days(&class).unwrap_or_default(), size(bytes));
        let (are, their) = if objects == 1 { ("is", "it") } else { ("are", "they") };
        let objects = plural(objects, "object");
        let early = format!(
            "{objects} ({bytes}) of class {class} {are} younger than {days} days: deleting early is charged as if \
             {their} stayed"
        );
        writeln!(out, "\n{}", early)?;
    }
    Ok(())
}

/// What is deleted, or why nothing is.
fn headline(plan: &Plan, protections: &BTreeMap<&str, u64>, orphans: bool) -> String {
    let totals = &plan.tail.totals;
    if totals.objects > 0 {
        let (objects, workflows) = (plural(totals.objects, "object"), plural(totals.workflows, "workflow"));
        let (size, exist) = (size(totals.bytes), if totals.workflows == 1 { "exists" } else { "exist" });
        return match orphans {
            true => format!(
                "To delete: {objects} ({size}) below {}, of {workflows} that no longer {exist}",
                places(plan)
            ),
            false => format!("To delete: {objects} ({size}) of {workflows}"),
        };
    }
    if totals.quarantine.to_mark > 0 {
        return "Nothing to delete yet".to_owned();
    }
    let mut kept: Vec<(&str, u64)> = protections.iter().map(|(code, count)| (*code, *count)).collect();
    kept.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let counts: Vec<String> = kept.into_iter().map(|(code, count)| format!("{count} {code}")).collect();
    match counts.is_empty() {
        true => "Nothing to delete".to_owned(),
        false => format!("Nothing to delete: all that was found is kept ({})", counts.join(", ")),
    }
}

/// The locations that the user allowed, which are where orphans were looked for.
pub(crate) fn places(plan: &Plan) -> String {
    let places = plan.head.repositories.iter();
    places.map(|place| place.bucket.uri(&place.prefix)).collect::<Vec<_>>().join(", ")
}

impl View {
    /// The columns of what is deleted, or marked.
    fn columns(self) -> Vec<&'static str> {
        let mut names = match self.wide {
            true => vec!["NAMESPACE", "WORKFLOW", "ARTIFACT", "REASON", "SIZE", "OBJECT", "GENERATION"],
            false => vec!["NAMESPACE", "WORKFLOW", "OBJECTS", "SIZE", "REASON", LOCATION],
        };
        names.extend(self.releases.then_some("FINALIZER"));
        names.push("AGE");
        names
    }

    /// Writes what is marked, and from what a mark is lifted.
    fn marks(self, out: &mut dyn Write, plan: &Plan, marked: &Columns) -> Result<(), Error> {
        if marked.rows > 0 {
            let QuarantineTotals { to_mark, to_mark_bytes, .. } = plan.tail.totals.quarantine;
            let lasts = span(plan.head.quarantine_seconds.unwrap_or_default());
            writeln!(
                out,
                "\nTo mark: {} ({}); the first purge with --quarantine after {lasts} deletes what nothing needs by then\n",
                plural(to_mark, "object"),
                size(to_mark_bytes)
            )?;
            marked.header(out)?;
            for workflow in plan.workflows()? {
                let workflow = workflow?;
                self.rows(&workflow, &workflow.mark).iter().try_for_each(|row| marked.row(out, row))?;
            }
        }
        let lifts = plan.tail.totals.quarantine.to_lift;
        if lifts > 0 {
            let they = if lifts == 1 { "it is" } else { "they are" };
            writeln!(out, "\nTo lift the marks of {}: {they} needed again", plural(lifts, "object"))?;
        }
        Ok(())
    }

    /// The rows for objects of a workflow: one, or one for each object.
    fn rows(self, workflow: &PlannedWorkflow, objects: &[PlannedObject]) -> Vec<Vec<String>> {
        match (objects.is_empty(), self.releases && workflow.release_finalizer) {
            (true, false) => Vec::new(),
            (true, true) if self.wide => vec![self.finalizer_alone(workflow)],
            _ if self.wide => objects.iter().map(|object| self.object(workflow, object)).collect(),
            _ => vec![self.workflow(workflow, objects)],
        }
    }

    fn workflow(self, workflow: &PlannedWorkflow, objects: &[PlannedObject]) -> Vec<String> {
        let mut reasons: Vec<&str> = objects.iter().map(|object| &*object.reason).collect();
        reasons.sort_unstable();
        reasons.dedup();
        let places: Vec<String> = objects.iter().map(|object| object.bucket.uri(&object.key)).collect();
        let cells = vec![
            cell(&workflow.namespace),
            cell(&workflow.name),
            objects.len().to_string(),
            size(objects.iter().map(|object| object.size).sum()),
            cell(&reasons.join(",")),
            escape(&common_path(&places)).into_owned(),
        ];
        self.ended(cells, workflow, workflow.finished_at)
    }

    fn object(self, workflow: &PlannedWorkflow, object: &PlannedObject) -> Vec<String> {
        let cells = vec![
            cell(&workflow.namespace),
            cell(&workflow.name),
            cell(&object.artifact),
            cell(&object.reason),
            size(object.size),
            escape(&object.bucket.uri(&object.key)).into_owned(),
            cell(&object.generation),
        ];
        self.ended(cells, workflow, object.created)
    }

    /// The row of a workflow that has no object, among those of objects.
    fn finalizer_alone(self, workflow: &PlannedWorkflow) -> Vec<String> {
        let mut cells = vec![cell(&workflow.namespace), cell(&workflow.name)];
        cells.resize(self.columns().len() - 2, "<none>".to_owned());
        self.ended(cells, workflow, workflow.finished_at)
    }

    /// Adds the last columns.
    fn ended(
        self,
        mut cells: Vec<String>,
        workflow: &PlannedWorkflow,
        since: Option<Timestamp>,
    ) -> Vec<String> {
        // A kept object keeps the finalizer, unless the object turns out to be gone.
        let finalizer = match (workflow.release_finalizer, workflow.keep.is_empty()) {
            (false, _) => "<none>",
            (true, true) => "then released",
            (true, false) if self.wide => "then released, if nothing of it is left",
            (true, false) => "if nothing left",
        };
        cells.extend(self.releases.then(|| finalizer.to_owned()));
        cells.push(age(since, self.now));
        cells
    }

    /// A row per protection, or one for each thing that is kept.
    fn kept(self, workflow: &PlannedWorkflow) -> Vec<Vec<String>> {
        if self.wide {
            let row = |kept: &KeptObject| {
                let (code, detail) = (kept.protection.code(), detail(kept));
                [&workflow.namespace, &workflow.name, &kept.artifact, code, &kept.location, &detail]
                    .map(cell)
                    .to_vec()
            };
            return workflow.keep.iter().map(row).collect();
        }
        let mut kept: BTreeMap<&str, (u64, &KeptObject)> = BTreeMap::new();
        for keep in &workflow.keep {
            kept.entry(keep.protection.code()).or_insert((0, keep)).0 += 1;
        }
        let rows = kept.into_iter().map(|(code, (count, first))| {
            // What names no artifact keeps the workflow as a whole, however many it has.
            let whole = first.location.is_empty() && first.artifact.is_empty();
            let (count, detail) = (if whole { "all".to_owned() } else { count.to_string() }, detail(first));
            [&workflow.namespace, &workflow.name, &count, code, &first.location, &detail].map(cell).to_vec()
        });
        rows.collect()
    }
}

/// Where the first of what a row keeps is, and why, in words; none if the row's code says all.
fn why_kept(row: &[String]) -> Option<String> {
    let [_, _, count, _, location, detail] = row else { return None };
    let said = |cell: &str| (cell != "<none>").then(|| cell.to_owned());
    let more = count.parse().ok().filter(|count: &u64| *count > 1);
    let place = said(location).map(|place| match more {
        Some(count) => format!("{place} and {} more", count - 1),
        None => place,
    });
    match (place, said(detail)) {
        (Some(place), Some(detail)) => Some(format!("{place}: {detail}")),
        (place, detail) => place.or(detail),
    }
}

/// Returns the minimum storage duration of a class, in days (cloud.google.com/storage/docs/storage-classes).
fn minimum_days(class: &str) -> Option<i64> {
    match class {
        "NEARLINE" => Some(30),
        "COLDLINE" => Some(90),
        "ARCHIVE" => Some(365),
        _ => None,
    }
}

/// Whether an object is younger than the minimum of its class.
fn is_early(class: &str, created: Option<Timestamp>, now: Timestamp) -> bool {
    let age = created.map(|created| now.duration_since(created).as_secs());
    minimum_days(class).zip(age).is_some_and(|(days, age)| age < days * 86_400)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    #[test]
    fn danger_21_an_object_is_early_until_the_minimum_of_its_class() {
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * 1000);
        for (class, days) in [("NEARLINE", 30), ("COLDLINE", 90), ("ARCHIVE", 365)] {
            let minimum = SignedDuration::from_hours(24 * days);
            assert!(is_early(class, Some(now - minimum + SignedDuration::from_secs(1)), now), "{class}");
            assert!(!is_early(class, Some(now - minimum), now), "{class}");
        }
        assert!(!is_early("STANDARD", Some(now), now) && !is_early("NEARLINE", None, now));
    }
}
