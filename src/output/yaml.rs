//! An Inspection as YAML, written workflow by workflow.

use crate::output::document::yaml;
use crate::output::view::View;
use crate::output::writer::{End, FormatWriter};
use argo_gc_core::model::API_VERSION;
use argo_gc_core::model::assessment::Assessment;
use std::io;
use std::io::Write;

/// The YAML document so far.
#[derive(Default)]
pub(crate) struct Yaml {
    has_workflows: bool,
}

impl FormatWriter for Yaml {
    fn workflow(&mut self, out: &mut dyn Write, view: &View, shown: &Assessment) -> io::Result<()> {
        if !self.has_workflows {
            begin(out, view, "")?;
        }
        self.has_workflows = true;
        writeln!(out, "- {}", yaml(&view.prices.priced(shown, view.checked), "  ")?)
    }

    fn finish(self: Box<Self>, out: &mut dyn Write, view: &View, end: &End<'_>) -> io::Result<()> {
        if !self.has_workflows {
            begin(out, view, " []")?;
        }
        writeln!(out, "summary:\n  {}", yaml(&end.inspection.summary, "  ")?)?;
        if end.inspection.gaps.is_empty() {
            return writeln!(out, "gaps: []");
        }
        writeln!(out, "gaps:")?;
        end.inspection.gaps.iter().try_for_each(|gap| writeln!(out, "- {}", yaml(gap, "  ")?))
    }
}

fn begin(out: &mut dyn Write, view: &View, workflows: &str) -> io::Result<()> {
    let origin = yaml(&view.origin, "  ")?;
    write!(
        out,
        "apiVersion: {API_VERSION}\nkind: Inspection\ngeneratedAt: \"{}\"\nsource:\n  {origin}\nworkflows:{workflows}\n",
        view.now
    )
}
