//! Prometheus' text exposition format, for the textfile collector of node_exporter and for a Pushgateway.
//!
//! Labels are namespaces, verdicts and reasons, never workflows: series must not come and go with each run.

use crate::output::escape::escape;
use crate::output::view::View;
use crate::output::writer::{End, FormatWriter};
use argo_gc_core::inspection::SeenObjects;
use argo_gc_core::model::assessment::Assessment;
use argo_gc_core::verdict::{Finalizer, Verdict};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::io;
use std::io::Write;

/// The largest number of namespaces that have series of their own.
const NAMESPACES: usize = 1000;

/// The label of the sum of all other namespaces; it is no valid name of a namespace.
const OTHERS: &str = "_others";

#[derive(Debug, Default)]
struct Found {
    artifacts: u64,
    objects: u64,
    bytes: u64,
}

#[derive(Debug, Default)]
struct Namespace {
    workflows: u64,
    leaking: u64,
    stuck: u64,
    hanging: u64,
    /// When the first of those that hang was deleted.
    hanging_since: Option<Timestamp>,
    found: BTreeMap<(Verdict, &'static str), Found>,
    /// Findings about the workflows themselves.
    findings: BTreeMap<(Verdict, &'static str), u64>,
}

impl Namespace {
    fn add(&mut self, other: Self) {
        self.workflows += other.workflows;
        self.leaking += other.leaking;
        self.stuck += other.stuck;
        self.hanging += other.hanging;
        self.hang_since(other.hanging_since);
        for (key, found) in other.found {
            let sum = self.found.entry(key).or_default();
            sum.artifacts += found.artifacts;
            sum.objects += found.objects;
            sum.bytes += found.bytes;
        }
        for (key, count) in other.findings {
            *self.findings.entry(key).or_default() += count;
        }
    }

    fn hang_since(&mut self, since: Option<Timestamp>) {
        self.hanging_since = self.hanging_since.into_iter().chain(since).min();
    }

    fn problems(&self) -> u64 {
        let problems = self.found.iter().filter(|((verdict, _), _)| verdict.is_problem());
        problems.map(|(_, found)| found.artifacts).sum()
    }
}

/// Sums by namespace.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    namespaces: BTreeMap<String, Namespace>,
    /// Objects of several workflows that are counted already.
    seen: SeenObjects,
}

impl Metrics {
    /// Counts a workflow, and those of its artifacts that the view shows.
    fn add(&mut self, assessment: &Assessment, view: &View) {
        let sums = self.namespaces.entry(assessment.namespace.clone()).or_default();
        let leaking = |verdict: Verdict| verdict <= Verdict::Failing;
        sums.workflows += 1;
        sums.leaking += u64::from(
            assessment.verdicts().any(leaking)
                || assessment.findings.iter().any(|finding| leaking(finding.verdict)),
        );
        let stuck = assessment.finalizer == Finalizer::Stuck;
        sums.stuck += u64::from(stuck);
        let deleted = assessment.deletion_timestamp.filter(|_| stuck);
        sums.hanging += u64::from(deleted.is_some());
        sums.hang_since(deleted);
        let shown = assessment.artifacts.iter().filter(|artifact| view.shows(artifact));
        for (artifact, stored) in self.seen.first(shown) {
            let reason = artifact.reason.map_or("", argo_gc_core::reason::Reason::code);
            let found = sums.found.entry((artifact.verdict, reason)).or_default();
            found.artifacts += 1;
            if let Some(stored) = stored {
                found.objects += stored.objects;
                found.bytes += stored.bytes;
            }
        }
        for finding in &assessment.findings {
            if view.shows_verdict(finding.verdict) && view.shows_reason(Some(finding.reason)) {
                *sums.findings.entry((finding.verdict, finding.reason.code())).or_default() += 1;
            }
        }
    }

    /// Returns the namespaces with most problems, and the sum of the others.
    fn bounded(self) -> BTreeMap<String, Namespace> {
        if self.namespaces.len() <= NAMESPACES {
            return self.namespaces;
        }
        let mut ranked: Vec<(String, Namespace)> = self.namespaces.into_iter().collect();
        ranked.sort_by_key(|(_, sums)| std::cmp::Reverse((sums.problems(), sums.workflows)));
        let mut others = Namespace::default();
        ranked.split_off(NAMESPACES).into_iter().for_each(|(_, sums)| others.add(sums));
        ranked.push((OTHERS.to_owned(), others));
        ranked.into_iter().collect()
    }
}

impl FormatWriter for Metrics {
    fn unfiltered(&mut self, view: &View, assessment: &Assessment) {
        self.add(assessment, view);
    }

    fn workflow(&mut self, _: &mut dyn Write, _: &View, _: &Assessment) -> io::Result<()> {
        Ok(())
    }

    /// Writes all samples of a metric together, as the format requires.
    fn finish(self: Box<Self>, out: &mut dyn Write, view: &View, end: &End<'_>) -> io::Result<()> {
        let namespaces = self.bounded();
        let per_namespace: [Metric<Namespace>; 4] = [
            ("argo_gc_workflows", "Workflows inspected.", |sums| sums.workflows),
            (
                "argo_gc_workflows_leaking",
                "Workflows that leave artifacts behind, or can't be released.",
                |sums| sums.leaking,
            ),
            (
                "argo_gc_workflows_hanging",
                "Workflows that were deleted and still exist, because nothing will remove their finalizer.",
                |sums| sums.hanging,
            ),
            (
                "argo_gc_finalizers_stuck",
                "Workflows whose artifact-gc finalizer nothing will remove, deleted or not.",
                |sums| sums.stuck,
            ),
        ];
        for (name, help, value) in per_namespace {
            gauge(out, name, help)?;
            for (namespace, sums) in &namespaces {
                writeln!(out, "{name}{{namespace=\"{}\"}} {}", label(namespace), value(sums))?;
            }
        }
        let name = "argo_gc_workflows_hanging_since_timestamp_seconds";
        gauge(out, name, "When the first of the workflows that hang was deleted, in seconds since 1970.")?;
        for (namespace, sums) in &namespaces {
            if let Some(since) = sums.hanging_since {
                writeln!(out, "{name}{{namespace=\"{}\"}} {}", label(namespace), since.as_second())?;
            }
        }
        let name = "argo_gc_workflow_findings";
        gauge(out, name, "What is wrong with workflows themselves rather than with one of their artifacts.")?;
        for (namespace, sums) in &namespaces {
            for (key, count) in &sums.findings {
                series(out, name, namespace, *key, *count)?;
            }
        }
        let per_reason: [Metric<Found>; 3] = [
            ("argo_gc_artifacts", "Artifacts by what becomes of them, and why.", |found| found.artifacts),
            ("argo_gc_objects", "Objects that storage holds of the artifacts.", |found| found.objects),
            ("argo_gc_bytes", "Bytes that storage holds of the artifacts.", |found| found.bytes),
        ];
        let known = if view.checked { per_reason.len() } else { 1 };
        for (name, help, value) in per_reason.into_iter().take(known) {
            gauge(out, name, help)?;
            for (namespace, sums) in &namespaces {
                for (key, found) in &sums.found {
                    series(out, name, namespace, *key, value(found))?;
                }
            }
        }
        let help = "What could not be read: the other numbers may be too small.";
        single(out, "argo_gc_gaps", help, end.inspection.gaps.len())?;
        let help = "When this was inspected, in seconds since 1970.";
        single(out, "argo_gc_inspection_timestamp_seconds", help, view.now.as_second())
    }
}

type Metric<T> = (&'static str, &'static str, fn(&T) -> u64);

fn gauge(out: &mut dyn Write, name: &str, help: &str) -> io::Result<()> {
    writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge")
}

fn series(
    out: &mut dyn Write,
    name: &str,
    namespace: &str,
    (verdict, reason): (Verdict, &str),
    value: u64,
) -> io::Result<()> {
    let (namespace, verdict) = (label(namespace), verdict.as_str());
    writeln!(out, "{name}{{namespace=\"{namespace}\",verdict=\"{verdict}\",reason=\"{reason}\"}} {value}")
}

/// Writes a metric of one sample, without labels.
pub(crate) fn single(
    out: &mut dyn Write,
    name: &str,
    help: &str,
    value: impl std::fmt::Display,
) -> io::Result<()> {
    gauge(out, name, help)?;
    writeln!(out, "{name} {value}")
}

/// Escapes a label as the format requires, after control characters were made visible.
fn label(text: &str) -> String {
    escape(text).replace('\\', "\\\\").replace('"', "\\\"")
}
