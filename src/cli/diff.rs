//! `diff` shows what changed between two inspections, or two lint reports.

use crate::cli::streams::Streams;
use crate::error::{Error, exit};
use crate::files::lint_report::ParsedReport;
use crate::files::{inspection, lint_report};
use crate::output::columns::Layout;
use crate::output::diff::{DiffFormat, write};
use crate::output::doubts::doubts;
use crate::output::lint_diff;
use argo_gc_core::diff::lint::compare;
use argo_gc_core::diff::{ChangeKind, Comparison};
use clap::{Args, ValueEnum};
use std::io::BufReader;
use std::path::PathBuf;

/// Shows what is new, changed or gone between two inspections or two lint reports
///
/// Both are documents of `inspect -o json`, or both of `lint -o json`; one may be - (standard input). A finding is an artifact that nobody
/// deletes, that Argo fails to delete or that can't be judged, or something wrong with a workflow itself. It is
/// new if it is a problem now and was none before; gone if it was deleted, is covered now, or its workflow is no
/// longer there.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kubectl argo-gc inspect -A -o json > monday.json
  kubectl argo-gc diff monday.json friday.json
  kubectl argo-gc diff monday.json friday.json --fail-on new
  kubectl argo-gc inspect -A -o json | kubectl argo-gc diff monday.json -

Exit status: 0 done, changes or not (unlike kubectl diff); 1 error; 2 wrong usage; 3 --fail-on found something; 130 \
interrupted.")]
pub(crate) struct Arguments {
    /// The earlier inspection.
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// The later one.
    #[arg(value_name = "NEW")]
    new: PathBuf,
    /// Output format.
    #[arg(short, long, value_enum, default_value = "table", value_name = "FORMAT")]
    output: DiffFormat,
    /// Leaves out the headline.
    #[arg(long)]
    no_headers: bool,
    /// Exits with 3 if a finding is one of these.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "CHANGE")]
    fail_on: Vec<FailOn>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// A problem now, and none before.
    New,
    /// A problem in both, with another verdict or reason.
    Changed,
    /// A problem before, and none now.
    Gone,
}

impl FailOn {
    fn kind(self) -> ChangeKind {
        match self {
            Self::New => ChangeKind::New,
            Self::Changed => ChangeKind::Changed,
            Self::Gone => ChangeKind::Gone,
        }
    }
}

impl Arguments {
    pub fn run(self, streams: &mut Streams) -> Result<u8, Error> {
        let names = [&self.old, &self.new].map(|path| path.display().to_string());
        if names[0] == "-" && names[1] == "-" {
            return Err(Error::usage("only one of the two can be standard input"));
        }
        let mut input = BufReader::with_capacity(1 << 16, &mut streams.input);
        let reports = [&self.old, &self.new].map(|path| match path.as_os_str() == "-" {
            true => lint_report::begins(&mut input),
            false => lint_report::is_report(path),
        });
        if reports != [false, false] {
            let old = lint_report::read(&self.old, &mut input)?;
            let new = lint_report::read(&self.new, &mut input)?;
            drop(input);
            return self.lint(&old, &new, streams);
        }
        let mut comparison = Comparison::default();
        let old = inspection::read(&self.old, &mut input, &mut |told| comparison.take_old(told))?;
        let new = inspection::read(&self.new, &mut input, &mut |told| comparison.take_new(told))?;
        drop(input);
        let diff = comparison.finish(&old.source, &new.source);
        for doubt in doubts(&old, &new, [&names[0], &names[1]]) {
            streams.say(format!("Warning: {doubt}"));
        }
        write(&mut streams.out, self.output, self.layout(streams.width), &diff, &old, &new)?;
        let found = self.fail_on.iter().any(|change| diff.has(change.kind()));
        Ok(if found { exit::FOUND } else { exit::DONE })
    }

    fn layout(&self, width: Option<usize>) -> Layout {
        Layout { width, headers: !self.no_headers }
    }

    /// Compares two lint reports.
    fn lint(&self, old: &ParsedReport, new: &ParsedReport, streams: &mut Streams) -> Result<u8, Error> {
        let diff = compare(&old.findings, &new.findings);
        if old.argo_version != new.argo_version {
            streams.say(format!(
                "Warning: one is for Argo {}, the other for {}",
                old.argo_version, new.argo_version
            ));
        }
        let layout = self.layout(streams.width);
        lint_diff::write(&mut streams.out, self.output, layout, &diff, [&old.source, &new.source])?;
        let found = self
            .fail_on
            .iter()
            .any(|wanted| diff.changes.iter().any(|change| change.change == wanted.kind()));
        Ok(if found { exit::FOUND } else { exit::DONE })
    }
}
