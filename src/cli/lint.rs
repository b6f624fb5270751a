//! `lint` predicts from manifests which artifacts will not be collected.

pub mod gather;
pub mod reading;
pub mod skipped;

use crate::cli::kube_flags::KubeFlags;
use crate::cli::lint::gather::{Gathered, Inputs};
use crate::cli::shared_flags::{ControllerFlags, FileFlags, ScopeFlags, VersionFlags};
use crate::cli::streams::Streams;
use crate::cli::warnings::warn_of_gaps;
use crate::cli::words;
use crate::error::{Error, exit};
use crate::files::lint_report;
use crate::output::columns::Layout;
use crate::output::escape::escape;
use crate::output::lint::{LintFormat, write};
use crate::output::text::plural;
use crate::syntax::diagnostics::{Finding, Report};
use argo_gc_core::diff::lint::{LintFinding, added};
use argo_gc_core::lint::lint;
use argo_gc_core::lint::types::Severity;
use argo_gc_core::model::gap::Gap;
use argo_gc_core::reason::Reason;
use clap::Args;
use std::path::PathBuf;

/// Predicts from manifests which artifacts will not be collected, and why
///
/// Looks at Workflows, WorkflowTemplates, ClusterWorkflowTemplates and CronWorkflows before they run, and at
/// the templates that they refer to. With -f only the files given are read, unless --connected; without it the
/// templates and cron workflows of a cluster. Never writes anywhere. For workflows that have run there is
/// `inspect`.
///
/// Severities: uncovered (nobody will delete it), failing (Argo will try, and can't), unknown (a template was
/// not given), note (a hazard).
#[derive(Debug, Args)]
#[command(mut_arg("all_namespaces", |arg| arg.conflicts_with("files")))]
#[command(mut_arg("files", |arg| arg.help("Files, directories or - (standard input): YAML or JSON")))]
#[command(mut_arg("argo_version", |arg| arg.help("Version of the controller [default: the cluster's where connected, \
    else the newest known]")))]
#[command(after_help = "Examples:
  kubectl argo-gc lint -f workflow.yaml
  kubectl argo-gc lint -f manifests/ -R --fail-on uncovered,failing
  kubectl argo-gc lint -f manifests/ -o github    annotations on GitHub
  kubectl argo-gc lint -f . -R --skip-foreign     a whole repository
  kubectl argo-gc lint -f manifests/ -R -o json > known.json
  kubectl argo-gc lint -f manifests/ -R --baseline known.json --fail-on failing
  helm template chart | kubectl argo-gc lint -f - --argo-version v3.6.4
  kubectl argo-gc lint -A                         the cluster's templates

Next:
  kubectl argo-gc fix -f workflow.yaml            how to fix it, as a diff

Exit status: 0 done, findings or not; 1 error; 2 wrong usage; 3 --fail-on found something; 4 some files or objects \
could not be read; 130 interrupted.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    from: FileFlags,
    /// With -f: reads the controller's version and templates that the files refer to from the cluster.
    #[arg(long, requires = "files")]
    connected: bool,
    /// With -f: skips files that are no manifests or can't be read, with a note; what names Argo's API has to be right.
    #[arg(long, requires = "files")]
    skip_foreign: bool,
    #[command(flatten)]
    scope: ScopeFlags,
    /// Output format.
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value = "table")]
    output: LintFormat,
    /// Leaves out headers and headline.
    #[arg(long)]
    no_headers: bool,
    /// Exits with 3 if there is a finding of one of these severities or codes.
    #[arg(long, value_delimiter = ',', value_parser = wanted, value_name = "SEVERITY|CODE")]
    fail_on: Vec<Wanted>,
    /// Shows only findings of these severities or codes.
    #[arg(long, value_delimiter = ',', value_parser = wanted, value_name = "SEVERITY|CODE")]
    only: Vec<Wanted>,
    /// Leaves out what this earlier report (-o json) has already, for what is shown and for --fail-on.
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    #[command(flatten)]
    controller: VersionFlags,
    #[command(flatten)]
    controllers: ControllerFlags,
    #[command(flatten)]
    pub(crate) kube: KubeFlags,
}

#[derive(Debug, Clone, Copy)]
enum Wanted {
    Severity(Severity),
    Code(Reason),
}

impl Wanted {
    fn takes(self, finding: &Finding) -> bool {
        match self {
            Self::Severity(severity) => finding.severity == severity,
            Self::Code(reason) => finding.code == reason.code(),
        }
    }
}

fn wanted(text: &str) -> Result<Wanted, String> {
    if let Some(severity) = Severity::ALL.into_iter().find(|severity| severity.as_str() == text) {
        return Ok(Wanted::Severity(severity));
    }
    let words = Severity::ALL.map(Severity::as_str).join(", ");
    words::reason(text)
        .map(Wanted::Code)
        .map_err(|_| format!("use one of {words}, or a code that `kubectl argo-gc explain --list` shows"))
}

impl Arguments {
    pub async fn run(self, streams: &mut Streams) -> Result<u8, Error> {
        let inputs = Inputs {
            from: &self.from,
            connected: self.connected,
            skip_foreign: self.skip_foreign,
            scope: &self.scope,
            controller: &self.controller,
            controllers: &self.controllers,
            kube: &self.kube,
        };
        let gathered = Gathered::of(&inputs, &mut *streams.input).await?;
        let Gathered { manifests, origins, sources, settings, gaps, problems, notes, source, .. } = gathered;
        for problem in &problems {
            streams.say(Error::new(problem));
        }
        for Gap { what, why, effect } in &notes {
            streams.say(escape(&format!("Note: {what}: {why}; {effect}")));
        }
        let predictions = lint(&manifests, &settings);
        let all = predictions
            .into_iter()
            .map(|prediction| Finding::new(prediction, &manifests, &origins, &sources));
        let mut findings: Vec<Finding> = all.collect();
        // Findings are in the order of the files. Those of a cluster have no place and keep their order.
        findings.sort_by(|a, b| a.at.cmp(&b.at));
        let known = self.beyond(&mut findings, streams)?;
        let found = findings.iter().any(|finding| self.fail_on.iter().any(|wanted| wanted.takes(finding)));
        if !self.only.is_empty() {
            findings.retain(|finding| self.only.iter().any(|wanted| wanted.takes(finding)));
        }
        let looked_at = manifests.iter().filter(|manifest| !manifest.beside).count();
        let report = Report {
            argo_version: settings.version.to_string(),
            source,
            manifests: looked_at,
            findings,
            gaps: gaps.iter().chain(&notes).cloned().collect(),
        };
        let layout = Layout { width: streams.width, headers: !self.no_headers };
        write(&mut *streams.out, self.output, layout, &report)?;
        streams.out.flush()?;
        warn_of_gaps(&gaps, streams);
        if let Some(text) = known {
            streams.say(text);
        }
        if looked_at == 0 && manifests.is_empty() {
            streams.say("No workflow manifests found.");
        } else if report.findings.is_empty() && looked_at > 0 {
            let no = if self.baseline.is_some() { "No new" } else { "No" };
            let manifests = plural(looked_at as u64, "manifest");
            streams.say(format!("{no} findings in {manifests} for Argo {}.", report.argo_version));
        }
        Ok(match (found, problems.is_empty()) {
            (true, _) => exit::FOUND,
            (false, true) => exit::DONE,
            (false, false) => exit::PARTIAL,
        })
    }

    /// Leaves out the findings of the baseline, and returns a sentence with their number.
    fn beyond(&self, findings: &mut Vec<Finding>, streams: &mut Streams) -> Result<Option<String>, Error> {
        let Some(baseline) = &self.baseline else { return Ok(None) };
        let told: Vec<LintFinding> = findings.iter().map(Finding::told).collect();
        let earlier = lint_report::read(baseline, &mut *streams.input)?;
        let mut added = added(&earlier.findings, &told).into_iter();
        let all = findings.len();
        findings.retain(|_| added.next() == Some(true));
        let known = plural((all - findings.len()) as u64, "finding");
        Ok(Some(format!("Left out {known} that {} has already.", baseline.display())))
    }
}
