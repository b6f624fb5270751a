//! An Inspection as JSON, written workflow by workflow.

use crate::output::document::json;
use crate::output::view::View;
use crate::output::writer::{End, FormatWriter};
use argo_gc_core::model::API_VERSION;
use argo_gc_core::model::assessment::Assessment;
use std::io;
use std::io::Write;

/// The JSON document so far.
#[derive(Default)]
pub(crate) struct Json {
    has_workflows: bool,
}

impl FormatWriter for Json {
    fn workflow(&mut self, out: &mut dyn Write, view: &View, shown: &Assessment) -> io::Result<()> {
        let separator = if self.has_workflows { "," } else { "" };
        if !self.has_workflows {
            begin(out, view)?;
        }
        self.has_workflows = true;
        write!(out, "{separator}\n    {}", json(&view.prices.priced(shown, view.checked), "    ")?)
    }

    fn finish(self: Box<Self>, out: &mut dyn Write, view: &View, end: &End<'_>) -> io::Result<()> {
        if !self.has_workflows {
            begin(out, view)?;
        }
        let close = if self.has_workflows { "\n  " } else { "" };
        let (summary, gaps) = (json(&end.inspection.summary, "  ")?, json(&end.inspection.gaps, "  ")?);
        writeln!(out, "{close}],\n  \"summary\": {summary},\n  \"gaps\": {gaps}\n}}")
    }
}

fn begin(out: &mut dyn Write, view: &View) -> io::Result<()> {
    let origin = json(&view.origin, "  ")?;
    write!(
        out,
        "{{\n  \"apiVersion\": \"{API_VERSION}\",\n  \"kind\": \"Inspection\",\n  \"generatedAt\": \"{}\",\n  \
         \"source\": {origin},\n  \"workflows\": [",
        view.now
    )
}
