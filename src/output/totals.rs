//! Totals by a property of workflows or artifacts.

use crate::output::columns::table;
use crate::output::escape::escape;
use crate::output::prices::{Prices, dollars};
use crate::output::text::{or_none, size};
use crate::output::view::GroupBy;
use argo_gc_core::inspection::SeenObjects;
use argo_gc_core::model::assessment::{ArtifactReport, Assessment};
use std::collections::BTreeMap;
use std::io;
use std::io::Write;

/// One line of totals.
#[derive(Debug, Default)]
struct Total {
    workflows: u64,
    artifacts: u64,
    objects: u64,
    bytes: u64,
    /// Bytes of deleted copies.
    copies: u64,
    month: f64,
}

/// The totals so far.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    groups: BTreeMap<String, Total>,
    /// Objects of several artifacts that are counted already, in this group or another: the groups add up to the
    /// headline.
    seen: SeenObjects,
}

impl Totals {
    /// Counts the shown artifacts of a workflow.
    pub fn add(&mut self, by: &GroupBy, assessment: &Assessment, prices: &Prices) {
        let mut met: Vec<String> = Vec::new();
        for (artifact, stored) in self.seen.first(assessment.artifacts.iter()) {
            let name = name(by, assessment, artifact);
            let total = self.groups.entry(name.clone()).or_default();
            total.artifacts += 1;
            if let Some(stored) = stored {
                total.objects += stored.objects;
                total.bytes += stored.bytes;
                total.month += prices.month(&stored.classes);
                if let Some(copies) = &stored.copies {
                    total.copies += copies.bytes;
                    total.month += prices.month(&copies.classes);
                }
            }
            if !met.contains(&name) {
                total.workflows += 1;
                met.push(name);
            }
        }
    }

    /// Writes the totals: most bytes first, then most artifacts. Returns the name of the first.
    pub fn write(
        self,
        out: &mut dyn Write,
        width: Option<usize>,
        by: &GroupBy,
        checked: bool,
    ) -> io::Result<Option<String>> {
        let mut totals: Vec<(String, Total)> = self.groups.into_iter().collect();
        totals.sort_by_key(|(_, total)| std::cmp::Reverse((total.bytes, total.artifacts)));
        let first = totals.first().map(|(name, _)| name.clone());
        let mut columns = vec![by.header(), "WORKFLOWS", "ARTIFACTS"];
        let has_copies = totals.iter().any(|(_, total)| total.copies > 0);
        if checked {
            columns.extend(["OBJECTS", "SIZE"]);
            columns.extend(has_copies.then_some("COPIES"));
            columns.push("COST/MONTH");
        }
        let rows: Vec<Vec<String>> = totals
            .into_iter()
            .map(|(name, total)| {
                let mut row = vec![
                    escape(&name).into_owned(),
                    total.workflows.to_string(),
                    total.artifacts.to_string(),
                ];
                if checked {
                    row.extend([total.objects.to_string(), size(total.bytes)]);
                    row.extend(has_copies.then(|| size(total.copies)));
                    row.push(dollars(total.month));
                }
                row
            })
            .collect();
        table(out, width, &columns, &[], &rows)?;
        Ok(first)
    }
}

fn name(by: &GroupBy, assessment: &Assessment, artifact: &ArtifactReport) -> String {
    let workflow;
    let text = match by {
        GroupBy::Workflow => {
            workflow = format!("{}/{}", assessment.namespace, assessment.name);
            &workflow
        }
        GroupBy::Namespace => assessment.namespace.as_str(),
        GroupBy::Template if artifact.template.is_empty() => "<inline>",
        GroupBy::Template => &artifact.template,
        GroupBy::WorkflowTemplate => &assessment.workflow_template,
        GroupBy::CronWorkflow => &assessment.cron_workflow,
        GroupBy::Label(key) => assessment.labels.get(key).map_or("", String::as_str),
        GroupBy::Reason => artifact.reason.map_or("", argo_gc_core::reason::Reason::code),
        GroupBy::Bucket => {
            artifact.location.as_ref().map_or("<unknown>", |location| location.bucket.as_str())
        }
    };
    or_none(text).to_owned()
}
