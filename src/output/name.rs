//! The names of workflows, one a line, as kubectl takes them.

use crate::output::escape::escape;
use crate::output::view::View;
use crate::output::writer::{End, FormatWriter};
use argo_gc_core::model::assessment::Assessment;
use std::io;
use std::io::Write;

/// Writes names and nothing else.
pub(crate) struct Names;

impl FormatWriter for Names {
    fn workflow(&mut self, out: &mut dyn Write, view: &View, shown: &Assessment) -> io::Result<()> {
        let namespace =
            if view.all_namespaces { format!("{}/", escape(&shown.namespace)) } else { String::new() };
        writeln!(out, "workflow.argoproj.io/{namespace}{}", escape(&shown.name))
    }

    fn finish(self: Box<Self>, _: &mut dyn Write, _: &View, _: &End<'_>) -> io::Result<()> {
        Ok(())
    }
}
