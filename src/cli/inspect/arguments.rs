//! The flags of `inspect`.

use crate::cli::follow_up::FollowUp;
use crate::cli::inventory::InventoryFlags;
use crate::cli::kube_flags::{ArgoFlags, KubeFlags, NAMESPACES};
use crate::cli::scope::Where;
use crate::cli::select::{ReasonFlags, SelectFlags};
use crate::cli::shared_flags::{ControllerFlags, FileFlags, ScopeFlags, VersionFlags};
use crate::cli::storage::{Opened, SecretsFlag, StorageFlags};
use crate::cli::streams::Streams;
use crate::cli::values::interval;
use crate::cli::values::{
    GroupByParser, Verdicts, bytes, dollars, namespaces, not_blank, phase, verdict, verdicts, workflow_name,
};
use crate::cluster::client::Cluster;
use crate::error::Error;
use crate::files::inspection;
use crate::output::Format;
use crate::output::html::since::Since;
use crate::output::prices::Prices;
use crate::output::view::{GroupBy, SortKey, View};
use crate::scan::identities::WorkflowIdentities;
use crate::scan::request::ClusterRequest;
use crate::scan::selection::{Name, Selection};
use argo_gc_core::diff::Comparison;
use argo_gc_core::model::scope::Scope;
use argo_gc_core::verdict::Verdict;
use argo_gc_store::inventory::Inventory;
use argo_gc_store::store::Store;
use clap::builder::{EnumValueParser, PossibleValue, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Arg, Args, Command, ValueEnum};
use jiff::Timestamp;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Lists workflows and shows which artifacts lack garbage collection, and why
///
/// For every output artifact, archived logs included: whether Argo will delete it, has deleted it, never
/// will, or tried and failed; where the chain broke; and how to fix it. Never writes anywhere.
///
/// Verdicts: uncovered (nobody will delete it), failing (Argo tried or will try, and can't), unknown (too little can
/// be seen), kept (someone set the strategy Never), covered (Argo will delete it), collected (Argo has deleted it).
///
/// Tables and pages show problems only (uncovered, failing, unknown); json, yaml, prometheus and trees show
/// everything. Use --verdict to choose.
#[derive(Debug, Args)]
#[command(mut_arg("all_namespaces", |arg| arg.conflicts_with("names")))]
#[command(mut_arg("namespace", |arg| arg.value_parser(namespaces).help(NAMESPACES)))]
#[command(mut_arg("inventory", |arg| arg.requires("check")))]
#[command(mut_arg("use_workflow_secrets", |arg| arg.requires("check")))]
#[command(after_help = "Examples:
  kubectl argo-gc inspect                  the context's namespace
  kubectl argo-gc inspect -A               the whole cluster
  kubectl argo-gc inspect train-x7k2p      one workflow, as a tree
  kubectl argo-gc inspect -A --check       with sizes and costs, from storage
  kubectl argo-gc inspect -A -o wide --reason inline-only,inline-poison
  kubectl argo-gc inspect -l app=etl --status Failed,Error --older 7d
  kubectl get wf -A -o json | kubectl argo-gc inspect -f -
  kubectl argo-gc inspect -f workflows.yaml --fail-on uncovered,failing
  kubectl argo-gc inspect -A --check -o html --since old.json > report.html
  kubectl argo-gc inspect -A -o prometheus > gc.tmp && mv gc.tmp gc.prom

Next:
  kubectl argo-gc explain inline-only      why that happens, and how to fix it
  kubectl argo-gc doctor -A                what collection is stuck or fails at
  kubectl argo-gc purge -A --dry-run       what of it could be deleted

Exit status: 0 done, findings or not; 1 error; 2 wrong usage; 3 --fail-on found something; 4 some objects could not \
be read; 130 interrupted.")]
pub(crate) struct Arguments {
    /// Workflows by name [default: all].
    #[arg(value_name = "NAME", value_parser = workflow_name)]
    pub names: Vec<Name>,
    #[command(flatten)]
    pub scope: ScopeFlags,
    #[command(flatten)]
    pub from: FileFlags,
    /// Output format [default: table, tree for named workflows].
    #[arg(short, long, value_parser = FormatParser, value_name = "FORMAT")]
    pub output: Option<Format>,
    /// Leaves out headers and headline.
    #[arg(long)]
    pub no_headers: bool,
    /// What to order rows by [default: as they were read].
    #[arg(long, value_enum, value_name = "KEY")]
    pub sort_by: Option<SortKey>,
    /// When to colour.
    #[arg(long, value_enum, default_value = "auto", value_name = "WHEN")]
    pub color: Color,
    /// Exits with 3 if an artifact has one of these verdicts, such as uncovered,failing.
    #[arg(long, value_delimiter = ',', value_parser = verdict, value_name = "VERDICT")]
    pub fail_on: Vec<Verdict>,
    /// With -o html: shows what changed since an earlier inspection (-o json); - is standard input.
    #[arg(long, value_name = "OLD.json")]
    pub since: Option<PathBuf>,
    #[command(flatten)]
    pub controller: VersionFlags,
    #[command(flatten)]
    pub controllers: ControllerFlags,

    /// Only workflows with these labels, such as app=etl,stage!=test.
    #[arg(short = 'l', long, value_name = "LABELS", conflicts_with = "files", help_heading = "Selection")]
    pub selector: Option<String>,
    /// Only workflows with these fields; the server knows metadata.name and metadata.namespace.
    #[arg(long, value_name = "FIELDS", conflicts_with = "files", help_heading = "Selection")]
    pub field_selector: Option<String>,
    /// Only workflows in these phases, such as Failed,Error.
    #[arg(long, value_delimiter = ',', value_parser = phase, value_name = "PHASE", help_heading = "Selection")]
    pub status: Vec<String>,
    /// Only workflows whose names start with TEXT.
    #[arg(long, value_name = "TEXT", help_heading = "Selection")]
    pub prefix: Option<String>,
    #[command(flatten)]
    pub select: SelectFlags,
    #[command(flatten)]
    pub reasons: ReasonFlags,
    /// Only artifacts with these verdicts: uncovered, failing, unknown, kept, covered, collected, or all.
    #[arg(long, value_delimiter = ',', value_parser = verdicts, value_name = "VERDICT",
          help_heading = "Selection")]
    pub verdict: Vec<Verdicts>,

    /// Looks for what Argo's own collection will delete although something needs it. Everything is read once more for
    /// that: workflows of all namespaces, templates, cron workflows, sensors and caches. --verdict and --fail-on
    /// endangered do the same.
    #[arg(long)]
    pub endangered: bool,
    /// Asks the buckets what is still there, how large it is and what it costs.
    #[arg(long, help_heading = "Storage")]
    pub check: bool,
    /// Shows a table of totals by this, instead of workflows.
    #[arg(long, value_parser = GroupByParser, value_name = "KEY")]
    pub group_by: Option<GroupBy>,
    /// Only artifacts of these names, such as model,main-logs.
    #[arg(long, value_delimiter = ',', value_parser = not_blank, value_name = "NAME", help_heading = "Selection")]
    pub artifact: Vec<String>,
    /// Only artifacts with at least so many bytes in storage, such as 1GiB.
    #[arg(long, value_parser = bytes, value_name = "SIZE", requires = "check", help_heading = "Selection")]
    pub min_size: Option<u64>,
    /// Goes on to inspect, and shows what becomes new, changes or is gone, until it is interrupted.
    #[arg(short = 'w', long, conflicts_with_all = ["files", "output", "fail_on", "since", "group_by", "inventory"])]
    pub watch: bool,
    /// How long to wait from one inspection to the next.
    #[arg(long, value_parser = interval, default_value = "1m", value_name = "DURATION", requires = "watch")]
    pub interval: Duration,
    /// Shows the labels of workflows as the last column of tables.
    #[arg(long)]
    pub show_labels: bool,
    /// Dollars for a GiB and month, whatever the storage class [default: Google's list prices, of S3 and Azure too].
    #[arg(long, value_parser = dollars, value_name = "DOLLARS", requires = "check", help_heading = "Storage")]
    pub price: Option<f64>,
    #[command(flatten)]
    pub inventory: InventoryFlags,
    #[command(flatten)]
    pub storage: StorageFlags,
    #[command(flatten)]
    pub secrets: SecretsFlag,
    #[command(flatten)]
    pub kube: KubeFlags,
    #[command(flatten)]
    pub argo: ArgoFlags,
}

/// By what --check tells what is stored.
pub(crate) struct Looks {
    pub store: Store,
    pub inventory: Option<Inventory>,
    /// The accounts that workflows name for their buckets, if these are to be used.
    pub identities: Option<Arc<WorkflowIdentities>>,
}

/// Parses a format, and says what there is instead of kubectl's templates.
#[derive(Debug, Clone)]
struct FormatParser;

impl TypedValueParser for FormatParser {
    type Value = Format;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<Format, clap::Error> {
        let text = value.to_string_lossy();
        let kind = text.split('=').next().unwrap_or_default();
        if ["jsonpath", "jsonpath-as-json", "go-template", "custom-columns"].contains(&kind) {
            let words = format!("-o {kind} is not supported: take -o csv, or pipe -o json into jq\n");
            return Err(clap::Error::raw(ErrorKind::InvalidValue, words).with_cmd(command));
        }
        EnumValueParser::<Format>::new().parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(Format::value_variants().iter().filter_map(ValueEnum::to_possible_value)))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

impl Arguments {
    /// Whether endangered artifacts are looked for.
    pub fn looks_for_endangered(&self) -> bool {
        let asked = |verdict: &Verdicts| matches!(verdict, Verdicts::One(Verdict::Endangered));
        self.endangered || self.fail_on.contains(&Verdict::Endangered) || self.verdict.iter().any(asked)
    }

    /// Opens the storage for --check, and the inventory.
    pub async fn looks(&self, streams: &mut Streams) -> Result<Option<Looks>, Error> {
        if self.sort_by == Some(SortKey::Size) && !self.check {
            return Err(Error::usage("sizes are only known with --check"));
        }
        if !self.check {
            return Ok(None);
        }
        let Opened { store, identities } = self.storage.open_with(&self.secrets)?;
        let inventory = self.inventory.open(&store, streams).await?;
        Ok(Some(Looks { store, inventory, identities }))
    }

    /// Reads the earlier inspection of --since.
    pub fn since(&self, streams: &mut Streams) -> Result<Option<Since>, Error> {
        let Some(path) = &self.since else { return Ok(None) };
        if self.output != Some(Format::Html) {
            let error = Error::usage("--since needs -o html");
            return Err(error.hint("kubectl argo-gc diff OLD.json NEW.json compares in text and JSON"));
        }
        let stdin = std::path::Path::new("-");
        if path == stdin && self.from.files.iter().any(|file| file == stdin) {
            return Err(Error::usage("standard input can't be both objects and an earlier inspection"));
        }
        let mut comparison = Comparison::default();
        let head = inspection::read(path, &mut streams.input, &mut |told| comparison.take_old(told))?;
        Ok(Some(Since { name: path.display().to_string(), head, comparison }))
    }

    /// Returns which workflows of a cluster to read. A cluster is asked by name, so names are not selected again.
    pub fn request(&self, cluster: &Cluster, now: Timestamp) -> Result<ClusterRequest, Error> {
        let selection = self.select.selection(Vec::new(), self.status.clone(), now);
        let place = Where::of(&self.kube, self.scope.all_namespaces, &self.names, Some(cluster.namespace()));
        let (names, namespaces) = place.asked(&self.names)?;
        Ok(ClusterRequest {
            namespace: place.reads,
            names,
            label_selector: self.selector.clone(),
            field_selector: self.field_selector.clone(),
            chunk_size: self.kube.chunk_size,
            selection: Selection { namespaces, prefix: self.prefix.clone(), ..selection },
            argo_version: self.controller.argo_version,
            controller_namespace: self.controllers.controller_namespace.clone(),
        })
    }

    /// Returns the selection to apply to the workflows of files.
    pub fn selection(&self, now: Timestamp) -> Selection {
        Selection {
            namespaces: self.kube.namespaces(),
            prefix: self.prefix.clone(),
            ..self.select.selection(self.names.clone(), self.status.clone(), now)
        }
    }

    /// Whether a flag leaves out workflows of the namespace, cluster or files.
    pub fn is_filtered(&self) -> bool {
        !self.names.is_empty()
            || self.selector.is_some()
            || self.field_selector.is_some()
            || !self.status.is_empty()
            || self.prefix.is_some()
            || self.select.is_filter()
    }

    pub fn format(&self) -> Format {
        let default = if self.names.is_empty() { Format::Table } else { Format::Tree };
        self.output.unwrap_or(default)
    }

    pub fn view(&self, streams: &Streams, now: Timestamp, origin: Scope) -> Result<View, Error> {
        let all = self.verdict.iter().any(|verdict| matches!(verdict, Verdicts::All));
        let chosen = self.verdict.iter().filter_map(|verdict| match verdict {
            Verdicts::One(verdict) => Some(*verdict),
            Verdicts::All => None,
        });
        let verdicts = if all { Verdict::ALL.to_vec() } else { chosen.collect() };
        let argo = self.from.files.is_empty().then_some(&self.argo);
        let counted = [self.controllers.same(), self.controller.same()].into_iter().flatten();
        Ok(View {
            same: FollowUp::of(&self.kube, argo, None)?.and(counted).flags(),
            unread: Vec::new(),
            allowed: None,
            same_storage: FollowUp::of_storage(&self.storage).flags(),
            shows_all: self.format().shows_all(),
            verdicts: (!verdicts.is_empty()).then_some(verdicts),
            reasons: self.reasons.reason.clone(),
            artifacts: self.artifact.clone(),
            min_size: self.min_size,
            labels: self.show_labels,
            all_namespaces: origin.namespace.is_none(),
            no_headers: self.no_headers,
            sort_by: self.sort_by,
            group_by: self.group_by.clone(),
            checked: self.check,
            compares: self.since.is_some() || self.watch,
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
        })
    }
}
