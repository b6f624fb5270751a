//! What changed since an earlier inspection, as a section of the page.

use crate::output::diff::{Group, groups, headline, state};
use crate::output::doubts::doubts;
use crate::output::html::markup::{Number, ROWS, Text, begin_table, bytes, end_table, notice, number};
use crate::output::view::View;
use argo_gc_core::diff::document::Head;
use argo_gc_core::diff::{Comparison, Diff};
use argo_gc_core::inspection::Inspection;
use std::io;
use std::io::Write;

/// An earlier inspection to compare with.
pub struct Since {
    /// The name of its file.
    pub name: String,
    pub head: Head,
    pub comparison: Comparison,
}

/// The finished comparison.
pub(crate) struct Compared {
    name: String,
    old: Head,
    diff: Diff,
    doubts: Vec<String>,
}

impl Compared {
    pub fn new(since: Since, now: Head, view: &View, inspection: &Inspection) -> Self {
        let Since { name, head: old, comparison } = since;
        let artifacts = &inspection.summary.artifacts;
        let new = Head {
            generated_at: view.now,
            source: view.origin.clone(),
            gaps: inspection.gaps.clone(),
            counted: artifacts.iter().map(|(verdict, count)| ((*verdict).to_owned(), *count)).collect(),
            ..now
        };
        let doubts = doubts(&old, &new, [&name, "this inspection"]);
        let diff = comparison.finish(&old.source, &new.source);
        Self { name, old, diff, doubts }
    }

    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let headline = headline(&self.diff, &self.old);
        writeln!(out, "<section aria-labelledby=\"changes\"><h2 id=\"changes\">What changed</h2>")?;
        writeln!(out, "<p>{}. Compared with {}.</p>", Text(&headline), Text(&self.name))?;
        notice(out, "doubts", "The comparison says less than it seems", &self.doubts)?;
        let groups = groups(&self.diff.changes);
        if !groups.is_empty() {
            table(out, &groups)?;
        }
        writeln!(out, "</section>")
    }
}

/// A row for each workflow and kind of change.
fn table(out: &mut dyn Write, groups: &[Group<'_>]) -> io::Result<()> {
    let sizes = groups.iter().any(|group| group.bytes.is_some());
    let mut columns = vec![
        ("Change", false),
        ("Namespace", false),
        ("Workflow", false),
        ("Artifacts", true),
        ("Was", false),
        ("Now", false),
    ];
    columns.extend(sizes.then_some(("Size", true)));
    columns.push(("Location", false));
    let caption = match groups.len() {
        many if many > ROWS => {
            format!("The first {} of {} changes", Number(ROWS as u64), Number(many as u64))
        }
        _ => "Changes by workflow".to_owned(),
    };
    begin_table(out, "changed", &caption, &columns)?;
    for group in groups.iter().take(ROWS) {
        let kind = group.change.as_str();
        write!(
            out,
            "<tr><td><span class=\"tag {kind}\">{kind}</span></td><td>{}</td><th scope=\"row\">{}</th>",
            Text(group.namespace),
            Text(group.workflow)
        )?;
        number(out, Some(group.artifacts), &Number(group.artifacts))?;
        verdict(out, &state(group.was))?;
        verdict(out, &state(group.now))?;
        if sizes {
            bytes(out, group.bytes)?;
        }
        writeln!(out, "<td class=\"place\">{}</td></tr>", Text(&group.location))?;
    }
    end_table(out)
}

/// Writes a cell with a verdict and the reason behind it, which no line's end breaks at its hyphens.
fn verdict(out: &mut dyn Write, state: &str) -> io::Result<()> {
    match state.split_once(' ') {
        Some((verdict, reason)) => {
            write!(out, "<td>{} <span class=\"code\">{}</span></td>", Text(verdict), Text(reason))
        }
        None => write!(out, "<td>{}</td>", Text(state)),
    }
}
