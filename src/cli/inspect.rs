//! `inspect`: which artifacts lack coverage, and why.

mod archive;
mod from_cluster;
pub(super) mod from_files;

use super::select::{SelectFlags, Selection};
use super::storage::StorageFlags;
use super::{
    Streams,
    kube_flags::{ArgoFlags, KubeFlags, phase},
};
use crate::argo::Version;
use crate::error::{Error, exit};
use crate::files::inspection;
use crate::gc::diff::Comparison;
use crate::gc::{Assessment, Gap, Inspection, Verdict};
use crate::output::{Format, GroupBy, Origin, Prices, Printer, Since, SortKey, View};
use crate::store::Store;
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use std::io::Write;
use std::path::PathBuf;

/// Lists workflows and shows which artifacts lack garbage collection, and why
///
/// For every output artifact, archived logs included: whether Argo will delete it, has deleted it, never
/// will, or tried and failed; where the chain broke; and what mends it. Never writes anywhere.
///
/// Verdicts: uncovered (nobody will delete it), failing (Argo tried or will try, and can't), unknown (too little can
/// be seen), kept (someone set the strategy Never), covered (Argo will delete it), collected (Argo has deleted it).
///
/// Tables and pages show problems only (uncovered, failing, unknown); json, yaml, prometheus and trees show
/// everything. Use --verdict to choose.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kubectl argo-gc inspect                      the context's namespace
  kubectl argo-gc inspect -A                   the whole cluster
  kubectl argo-gc inspect train-x7k2p          one workflow, as a tree
  kubectl argo-gc inspect -A --check           with sizes and costs, as the buckets tell
  kubectl argo-gc inspect -A -o wide --reason inline-only,inline-poison
  kubectl argo-gc inspect -l app=etl --status Failed,Error --older 7d
  kubectl get wf -A -o json | kubectl argo-gc inspect -f -
  kubectl argo-gc inspect -f workflows.yaml --fail-on uncovered,failing
  kubectl argo-gc inspect -A --check -o html --since last-week.json > report.html
  kubectl argo-gc inspect -A -o prometheus > argo_gc.tmp && mv argo_gc.tmp argo_gc.prom

Next:
  kubectl argo-gc explain inline-only          why that happens, and what mends it
  kubectl argo-gc doctor -A                    what collection is stuck or fails at
  kubectl argo-gc purge -A --dry-run           what of it could be deleted

Exit status: 0 done, findings or not; 1 error; 2 wrong usage; 3 --fail-on found something; 4 some objects could not \
be read; 130 interrupted.")]
pub(super) struct Arguments {
    /// Workflows by name [default: all].
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// All namespaces.
    #[arg(short = 'A', long, conflicts_with_all = ["namespace", "names"])]
    all_namespaces: bool,
    /// Files, directories or - (standard input) to read instead of a cluster: JSON or YAML.
    #[arg(short, long = "filename", value_name = "PATH")]
    files: Vec<PathBuf>,
    /// Descends into directories given with -f.
    #[arg(short = 'R', long, requires = "files")]
    recursive: bool,
    /// Output format [default: table, tree for named workflows].
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    output: Option<Format>,
    /// Leaves out headers and headline.
    #[arg(long)]
    no_headers: bool,
    /// What to order rows by [default: as they were read].
    #[arg(long, value_enum, value_name = "KEY")]
    sort_by: Option<SortKey>,
    /// When to colour.
    #[arg(long, value_enum, default_value = "auto", value_name = "WHEN")]
    color: Color,
    /// Exits with 3 if an artifact has one of these verdicts, such as uncovered,failing.
    #[arg(long, value_delimiter = ',', value_parser = verdict, value_name = "VERDICT")]
    fail_on: Vec<Verdict>,
    /// With -o html: shows what changed since an earlier inspection (-o json); - is standard input.
    #[arg(long, value_name = "OLD.json")]
    since: Option<PathBuf>,
    /// Version of the controller that ran the workflows [default: read from its Deployment].
    #[arg(long, value_parser = version, value_name = "VERSION")]
    argo_version: Option<Version>,

    /// Only workflows with these labels, such as app=etl,stage!=test.
    #[arg(short = 'l', long, value_name = "LABELS", conflicts_with = "files", help_heading = "Selection")]
    selector: Option<String>,
    /// Only workflows with these fields; the server knows metadata.name and metadata.namespace.
    #[arg(long, value_name = "FIELDS", conflicts_with = "files", help_heading = "Selection")]
    field_selector: Option<String>,
    /// Only workflows in these phases, such as Failed,Error.
    #[arg(long, value_delimiter = ',', value_parser = phase, value_name = "PHASE", help_heading = "Selection")]
    status: Vec<String>,
    /// Only workflows whose names begin so.
    #[arg(long, value_name = "TEXT", help_heading = "Selection")]
    prefix: Option<String>,
    #[command(flatten)]
    select: SelectFlags,
    /// Only artifacts with these verdicts: uncovered, failing, unknown, kept, covered, collected, or all.
    #[arg(long, value_delimiter = ',', value_parser = verdicts, value_name = "VERDICT",
          help_heading = "Selection")]
    verdict: Vec<Verdicts>,

    /// Asks the buckets what is still there, how large it is and what it costs.
    #[arg(long, help_heading = "Storage")]
    check: bool,
    /// Shows a table of totals by this, instead of workflows.
    #[arg(long, value_enum, value_name = "KEY")]
    group_by: Option<GroupBy>,
    /// Dollars for a GiB and month, whatever the storage class [default: Google's list prices, of S3 and Azure too].
    #[arg(long, value_name = "DOLLARS", requires = "check", help_heading = "Storage")]
    price: Option<f64>,
    #[command(flatten)]
    storage: StorageFlags,
    #[command(flatten)]
    kube: KubeFlags,
    #[command(flatten)]
    argo: ArgoFlags,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Clone, Copy)]
enum Verdicts {
    All,
    One(Verdict),
}

pub(super) fn verdict(text: &str) -> Result<Verdict, String> {
    Verdict::ALL.into_iter().find(|verdict| verdict.as_str() == text).ok_or_else(|| {
        let known: Vec<&str> = Verdict::ALL.iter().map(|verdict| verdict.as_str()).collect();
        format!("use one of {}", known.join(", "))
    })
}

/// Stands for every verdict.
pub(super) const ALL: &str = "all";

fn verdicts(text: &str) -> Result<Verdicts, String> {
    if text == ALL { Ok(Verdicts::All) } else { verdict(text).map(Verdicts::One) }
}

pub(super) fn version(text: &str) -> Result<Version, String> {
    Version::parse(text).ok_or_else(|| "use a release such as v3.6.4".to_owned())
}

impl Arguments {
    pub async fn run(self, streams: &mut Streams, now: Timestamp) -> Result<u8, Error> {
        if self.files.is_empty() {
            from_cluster::run(&self, streams, now).await
        } else {
            from_files::run(&self, streams, now).await
        }
    }

    /// The storage to check against; none without --check.
    fn store(&self) -> Result<Option<Store>, Error> {
        if self.sort_by == Some(SortKey::Size) && !self.check {
            return Err(Error::usage("sizes are only known with --check"));
        }
        self.check.then(|| self.storage.open()).transpose()
    }

    /// The earlier inspection to compare with.
    fn since(&self, streams: &mut Streams) -> Result<Option<Since>, Error> {
        let Some(path) = &self.since else { return Ok(None) };
        if self.output != Some(Format::Html) {
            let error = Error::usage("--since needs -o html");
            return Err(error.hint("kubectl argo-gc diff OLD.json NEW.json compares in text and JSON"));
        }
        let stdin = std::path::Path::new("-");
        if path == stdin && self.files.iter().any(|file| file == stdin) {
            return Err(Error::usage("standard input can't be both objects and an earlier inspection"));
        }
        let mut comparison = Comparison::default();
        let head = inspection::read(path, &mut streams.input, &mut |told| comparison.take_old(told))?;
        Ok(Some(Since { name: path.display().to_string(), head, comparison }))
    }

    /// What of the workflows read is wanted. Names on a cluster are asked for by name already.
    fn selection(&self, now: Timestamp) -> Selection {
        let names = if self.files.is_empty() { Vec::new() } else { self.names.clone() };
        Selection {
            namespace: self.kube.namespace.clone().filter(|_| !self.files.is_empty()),
            prefix: self.prefix.clone(),
            ..self.select.selection(names, self.status.clone(), now)
        }
    }

    /// Whether workflows are left out that stand in the same place.
    fn is_filtered(&self) -> bool {
        !self.names.is_empty()
            || self.selector.is_some()
            || self.field_selector.is_some()
            || !self.status.is_empty()
            || self.prefix.is_some()
            || self.select.is_filter()
    }

    fn view(&self, streams: &Streams, now: Timestamp, origin: Origin) -> View {
        let default = if self.names.is_empty() { Format::Table } else { Format::Tree };
        let all = self.verdict.iter().any(|verdict| matches!(verdict, Verdicts::All));
        let chosen = self.verdict.iter().filter_map(|verdict| match verdict {
            Verdicts::One(verdict) => Some(*verdict),
            Verdicts::All => None,
        });
        let verdicts = if all { Verdict::ALL.to_vec() } else { chosen.collect() };
        View {
            format: self.output.unwrap_or(default),
            verdicts: (!verdicts.is_empty()).then_some(verdicts),
            reasons: self.select.reason.clone(),
            all_namespaces: origin.namespace.is_none(),
            no_headers: self.no_headers,
            sort_by: self.sort_by,
            group_by: self.group_by,
            checked: self.check,
            compares: self.since.is_some(),
            prices: Prices::new(self.price),
            color: match self.color {
                Color::Always => true,
                Color::Never => false,
                Color::Auto => streams.out_is_terminal && !streams.no_color,
            },
            interactive: streams.out_is_terminal,
            width: streams.width,
            now,
            origin,
        }
    }
}

/// An inspection on its way to the output.
struct Run<'s> {
    printer: Printer<&'s mut dyn Write>,
    inspection: Inspection,
    fail_on: &'s [Verdict],
    found: bool,
    /// Objects that could not be read.
    malformed: usize,
    /// Waits for what storage tells, where that is asked after everything was read.
    held: Option<Vec<Assessment>>,
}

impl<'s> Run<'s> {
    fn new(out: &'s mut dyn Write, view: View, since: Option<Since>, fail_on: &'s [Verdict]) -> Self {
        let (inspection, printer) = (Inspection::default(), Printer::new(out, view, since));
        Self { printer, inspection, fail_on, found: false, malformed: 0, held: None }
    }

    fn take(&mut self, assessment: Assessment) -> Result<(), Error> {
        if let Some(held) = &mut self.held {
            held.push(assessment);
            return Ok(());
        }
        if let Some(assessment) = self.inspection.add(assessment) {
            self.print(assessment)?;
        }
        Ok(())
    }

    fn print(&mut self, assessment: Assessment) -> Result<(), Error> {
        let findings = assessment.findings.iter().map(|finding| finding.verdict);
        self.found |= assessment.verdicts().chain(findings).any(|verdict| self.fail_on.contains(&verdict));
        Ok(self.printer.assessment(assessment)?)
    }

    /// Takes gaps in, each once.
    fn gaps(&mut self, gaps: Vec<Gap>) {
        for gap in gaps {
            if !self.inspection.gaps.contains(&gap) {
                self.inspection.gaps.push(gap);
            }
        }
    }

    fn malformed(&mut self, what: String, why: String) {
        self.malformed += 1;
        self.inspection.gaps.push(Gap { what, why, effect: "it was left out".to_owned() });
    }

    /// Ends the output; the gaps and the exit code remain.
    fn finish(mut self) -> Result<(Inspection, u8), Error> {
        for assessment in self.inspection.finish() {
            self.print(assessment)?;
        }
        let code = match (self.found, self.malformed) {
            (true, _) => exit::FOUND,
            (false, 0) => exit::DONE,
            (false, _) => exit::PARTIAL,
        };
        self.printer.finish(&self.inspection)?;
        Ok((self.inspection, code))
    }
}

/// Says on standard error what could not be read, and that nothing was found.
pub(super) fn report(streams: &mut Streams, inspection: &Inspection, place: &str) {
    for Gap { what, why, effect } in &inspection.gaps {
        let text = format!("Warning: cannot read {what} ({why}); {effect}");
        streams.say(crate::output::escape(&text));
    }
    if inspection.summary.workflows == 0 {
        streams.say(format!("No workflows found in {place}."));
    }
}
