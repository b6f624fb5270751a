//! Prints assessments one by one, in the format that was asked for.

use crate::output::escape::escape;
use crate::output::html::Since;
use crate::output::totals::Groups;
use crate::output::view::{Format, View};
use crate::output::{document, headline, html, markdown, prometheus, table, tree};
use argo_gc_core::inspection::Inspection;
use argo_gc_core::model::assessment::Assessment;
use argo_gc_core::reason::Reason;
use argo_gc_core::verdict::Verdict;
use std::io;
use std::io::Write;

/// Prints an inspection while it runs.
pub struct Printer<W> {
    pub(crate) out: W,
    pub(crate) view: View,
    /// What the page shows.
    pub(crate) page: html::Page,
    pub(crate) metrics: prometheus::Metrics,
    /// Rows of a table, or nothing.
    pub(crate) rows: Vec<table::Row>,
    pub(crate) groups: Groups,
    /// Reasons met, for what comes after the rows.
    pub(crate) reasons: Vec<Reason>,
    pub(crate) written: usize,
}

impl<W: Write> Printer<W> {
    /// Begins the output; only the page shows what changed since an earlier inspection.
    pub fn new(out: W, view: View, since: Option<Since>) -> Self {
        Self {
            out,
            view,
            page: html::Page::new(since),
            metrics: prometheus::Metrics::default(),
            rows: Vec::new(),
            groups: Groups::default(),
            reasons: Vec::new(),
            written: 0,
        }
    }

    /// Shows one assessment, as far as the view wants it.
    ///
    /// # Errors
    /// Writing failed; a closed pipe comes back as it is.
    pub fn assessment(&mut self, assessment: Assessment) -> io::Result<()> {
        match self.view.format {
            Format::Prometheus => self.metrics.add(&assessment, &self.view),
            Format::Html => self.page.compare(&assessment),
            _ => {}
        }
        let Some(assessment) = self.view.cut(assessment) else { return Ok(()) };
        match self.view.format {
            Format::Table | Format::Wide if self.view.group_by.is_some() => {
                if let Some(by) = self.view.group_by {
                    self.groups.add(by, &assessment, &self.view.prices);
                }
            }
            Format::Table | Format::Markdown => self.rows.extend(table::groups(&assessment)),
            Format::Wide => self.rows.extend(table::artifacts(&assessment)),
            Format::Json => document::json_item(&mut self.out, &self.view, self.written, &assessment)?,
            Format::Yaml => document::yaml_item(&mut self.out, &self.view, self.written, &assessment)?,
            Format::Name => writeln!(self.out, "workflow.argoproj.io/{}", escape(&assessment.name))?,
            Format::Tree => tree::workflow(&mut self.out, &self.view, self.written, &assessment)?,
            Format::Html => self.page.add(&assessment),
            Format::Prometheus => {}
        }
        let found = assessment.artifacts.iter().filter_map(|artifact| artifact.reason);
        for reason in found.chain(assessment.findings.iter().map(|finding| finding.reason)) {
            if !self.reasons.contains(&reason) {
                self.reasons.push(reason);
            }
        }
        self.written += 1;
        Ok(())
    }

    /// Ends the output with what is known only now.
    ///
    /// # Errors
    /// As [`Self::assessment`].
    pub fn finish(mut self, inspection: &Inspection) -> io::Result<()> {
        let view = &self.view;
        let out = &mut self.out;
        table::sort(&mut self.rows, view.sort_by);
        match view.format {
            Format::Json => document::json_end(out, view, self.written, inspection)?,
            Format::Yaml => document::yaml_end(out, view, self.written, inspection)?,
            Format::Name => {}
            Format::Markdown => markdown::write(out, view, &self.rows, &self.reasons, inspection)?,
            Format::Html => self.page.write(out, view, &self.reasons, inspection)?,
            Format::Prometheus => self.metrics.write(out, view, inspection)?,
            Format::Tree => {
                if self.written > 1 && !view.no_headers {
                    writeln!(out, "\n{}", headline::headline(inspection, &view.prices))?;
                }
                next(out, view, &self.rows, &self.reasons)?;
            }
            Format::Table | Format::Wide => {
                if !view.no_headers && inspection.summary.workflows > 0 {
                    writeln!(out, "{}", headline::headline(inspection, &view.prices))?;
                    if !self.rows.is_empty() {
                        writeln!(out)?;
                    }
                }
                match view.group_by {
                    Some(by) => self.groups.write(out, by, view.checked)?,
                    None => table::write(out, view, &self.rows)?,
                }
                next(out, view, &self.rows, &self.reasons)?;
            }
        }
        out.flush()
    }
}

/// Says what to type next; only to a person.
pub(crate) fn next(
    out: &mut impl Write,
    view: &View,
    rows: &[table::Row],
    reasons: &[Reason],
) -> io::Result<()> {
    let Some(reason) = reasons.first().filter(|_| view.interactive) else { return Ok(()) };
    write!(out, "\nNext: kubectl argo-gc explain {}", reason.code())?;
    if let Some(row) = rows.first() {
        let files: String = view.origin.files.iter().map(|file| format!(" -f {file}")).collect();
        write!(
            out,
            " · kubectl argo-gc inspect{files} -n {} {}",
            escape(&row.namespace),
            escape(&row.workflow)
        )?;
        if files.is_empty() && row.verdict <= Verdict::Failing {
            let (namespace, name) = (escape(&row.namespace), escape(&row.workflow));
            write!(out, " · kubectl argo-gc purge -n {namespace} {name} --dry-run")?;
        }
        if let Some(failing) = rows.iter().find(|row| row.verdict == Verdict::Failing) {
            write!(out, " · kubectl argo-gc doctor{files} -n {}", escape(&failing.namespace))?;
        }
    }
    writeln!(out)
}
