//! An inspection that is made again and again: the first in full, then what changed from one to the next.

use crate::output::columns::Layout;
use crate::output::diff::{self, DiffFormat};
use crate::output::doubts::doubts;
use crate::output::prose::Prose;
use crate::output::text::plural;
use crate::output::view::View;
use crate::output::writer::{End, FormatWriter};
use argo_gc_core::diff::document::{Head, ParsedInspection};
use argo_gc_core::diff::{Change, ChangeKind, Comparison, identity};
use argo_gc_core::model::assessment::Assessment;
use std::collections::HashSet;
use std::io;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

/// What is remembered of an inspection.
#[derive(Debug, Clone)]
pub struct Round {
    head: Head,
    workflows: Vec<ParsedInspection>,
}

/// Where a round is left for the next one.
pub type Remembered = Arc<Mutex<Option<Round>>>;

/// Writes a round, and remembers it.
pub struct Watched {
    how: How,
    workflows: Vec<ParsedInspection>,
    /// Hashes of namespace, name and UID of every workflow that there is.
    existing: HashSet<u128>,
    remembered: Remembered,
}

enum How {
    /// The first round, in a format of its own.
    InFull(Box<dyn FormatWriter>),
    /// A later one: what changed since another.
    Since(Box<(Head, Comparison)>),
}

impl Watched {
    /// The next round: it is compared with the one that is remembered, or written by `first` if there is none.
    pub fn next(remembered: &Remembered, first: impl FnOnce() -> Box<dyn FormatWriter>) -> Self {
        let last = remembered.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let how = match last {
            None => How::InFull(first()),
            Some(Round { head, workflows }) => {
                let mut comparison = Comparison::default();
                workflows.into_iter().for_each(|workflow| comparison.take_old(workflow));
                How::Since(Box::new((head, comparison)))
            }
        };
        let (workflows, existing) = (Vec::new(), HashSet::new());
        Self { how, workflows, existing, remembered: Arc::clone(remembered) }
    }
}

impl FormatWriter for Watched {
    fn unfiltered(&mut self, view: &View, assessment: &Assessment) {
        self.existing.insert(identity(&assessment.namespace, &assessment.name, &assessment.uid));
        if let How::InFull(format) = &mut self.how {
            format.unfiltered(view, assessment);
        }
    }

    fn workflow(&mut self, out: &mut dyn Write, view: &View, shown: &Assessment) -> io::Result<()> {
        let workflow = ParsedInspection::from(shown);
        self.workflows.push(workflow.clone());
        match &mut self.how {
            How::InFull(format) => format.workflow(out, view, shown),
            How::Since(since) => {
                since.1.take_new(workflow);
                Ok(())
            }
        }
    }

    fn finish(self: Box<Self>, out: &mut dyn Write, view: &View, end: &End<'_>) -> io::Result<()> {
        let Self { how, workflows, existing, remembered } = *self;
        let artifacts = &end.inspection.summary.artifacts;
        let mut listed = Head::default();
        workflows.iter().for_each(|workflow| listed.count(workflow));
        let head = Head {
            generated_at: view.now,
            source: view.origin.clone(),
            gaps: end.inspection.gaps.clone(),
            counted: artifacts.iter().map(|(verdict, count)| ((*verdict).to_owned(), *count)).collect(),
            ..listed
        };
        match how {
            How::InFull(format) => format.finish(out, view, end)?,
            How::Since(since) => {
                let (old, comparison) = *since;
                let diff = comparison.finish(&old.source, &head.source);
                if !diff.changes.is_empty() {
                    writeln!(out)?;
                    let layout = Layout { width: view.width, headers: !view.no_headers };
                    diff::write(out, DiffFormat::Table, layout, &diff, &old, &head)
                        .map_err(io::Error::other)?;
                    let out = &mut Prose::new(out, view.width);
                    let is_of_none = |change: &&Change| {
                        let Change { change: kind, namespace, workflow, uid, .. } = change;
                        *kind == ChangeKind::Gone && !existing.contains(&identity(namespace, workflow, uid))
                    };
                    let deleted = diff.changes.iter().filter(is_of_none).count() as u64;
                    if deleted > 0 {
                        let (findings, are) =
                            (plural(deleted, "finding"), if deleted == 1 { "is" } else { "are" });
                        writeln!(
                            out,
                            "Note: {findings} {are} gone because the workflow no longer exists; its objects may still be \
                             stored: kubectl argo-gc orphans shows them."
                        )?;
                    }
                    for doubt in doubts(&old, &head, ["the inspection before", "this one"]) {
                        writeln!(out, "Note: {doubt}.")?;
                    }
                }
            }
        }
        *remembered.lock().unwrap_or_else(PoisonError::into_inner) = Some(Round { head, workflows });
        Ok(())
    }
}
