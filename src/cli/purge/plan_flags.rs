//! The flags that say what a purge deletes, from where, and how carefully. `explain` takes them too.

use crate::cli::kube_flags::KubeFlags;
use crate::cli::scope::Where;
use crate::cli::select::{ReasonFlags, SelectFlags};
use crate::cli::shared_flags::{AlsoFlags, ControllerFlags, FileFlags, ScopeFlags, VersionFlags};
use crate::cli::streams::Streams;
use crate::cli::values;
use crate::cli::values::{AcceptedParser, bucket_name, not_blank, phase, repository};
use crate::cluster::client::Cluster;
use crate::cluster::unread::{Accepted, Unread};
use crate::duration;
use crate::duration::signed;
use crate::error::Error;
use crate::files::policy;
use crate::scan::request::ClusterRequest;
use crate::scan::selection::{Name, Selection};
use argo_gc_core::model::bucket::Bucket;
use argo_gc_core::plan::guarded::Guarded;
use argo_gc_core::plan::located::Asked;
use argo_gc_core::plan::retention::Retention;
use argo_gc_core::plan::rules::{Allowed, Rules};
use argo_gc_core::verdict::{Class, Verdict};
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// What a purge deletes, from where, and how carefully.
#[derive(Debug, Args)]
pub(crate) struct PlanFlags {
    #[command(flatten)]
    pub scope: ScopeFlags,
    #[command(flatten)]
    pub from: FileFlags,
    #[command(flatten)]
    pub controller: VersionFlags,
    #[command(flatten)]
    pub controllers: ControllerFlags,

    /// Also workflows that are in the archive only, read through the Argo server (--argo-server). Nothing is recorded
    /// in an archive.
    #[arg(long, conflicts_with = "files", help_heading = "Selection")]
    pub archived: bool,
    /// Only workflows with these labels, such as app=etl,stage!=test.
    #[arg(short = 'l', long, value_parser = not_blank, value_name = "LABELS", conflicts_with = "files",
          help_heading = "Selection")]
    pub selector: Option<String>,
    /// Only workflows with these fields; the API server knows metadata.name and metadata.namespace.
    #[arg(long, value_parser = not_blank, value_name = "FIELDS", conflicts_with = "files", help_heading = "Selection")]
    pub field_selector: Option<String>,
    /// Only workflows in these phases, such as Failed,Error; without it failed ones are kept unless named.
    #[arg(long, value_delimiter = ',', value_parser = phase, value_name = "PHASE", help_heading = "Selection")]
    pub status: Vec<String>,
    /// Only workflows whose names start with TEXT.
    #[arg(long, value_parser = not_blank, value_name = "TEXT", help_heading = "Selection")]
    pub prefix: Option<String>,
    #[command(flatten)]
    pub select: SelectFlags,
    #[command(flatten)]
    pub reasons: ReasonFlags,
    /// Only artifacts with these verdicts: uncovered, failing, kept.
    #[arg(long, value_delimiter = ',', value_parser = verdict, default_value = "uncovered,failing",
          value_name = "VERDICT", help_heading = "Selection")]
    pub verdict: Vec<Verdict>,
    /// Only archived logs, or only other artifacts.
    #[arg(long, value_enum, value_name = "CLASS", help_heading = "Selection")]
    pub only: Option<Only>,
    /// Only artifacts of these names, such as model,main-logs.
    #[arg(long, value_delimiter = ',', value_parser = not_blank, value_name = "NAME", help_heading = "Selection")]
    pub artifact: Vec<String>,
    /// Only objects in these buckets, such as ml-artifacts or gs://ml-artifacts.
    #[arg(long, value_delimiter = ',', value_parser = bucket_name, value_name = "BUCKET", help_heading = "Selection")]
    pub bucket: Vec<String>,
    /// Retention policy that says what to keep (docs/policy.md), as YAML; - is standard input.
    #[arg(long, value_name = "FILE", help_heading = "Selection")]
    pub policy: Option<PathBuf>,

    /// Keeps the newest N finished runs of each series: of one cron workflow, template or generateName. Without it the last
    /// run of a series is deleted like any other.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..), value_name = "N", conflicts_with = "policy",
          help_heading = "Selection")]
    pub keep_last: Option<u32>,

    /// Another place where deleting is allowed, in addition to the repositories of controllers and of the namespace of -n: gs://BUCKET/PREFIX, s3://BUCKET/PREFIX, s3://BUCKET@HOST/PREFIX or an
    /// Azure container's URL; without a prefix the whole bucket.
    #[arg(long, value_parser = repository, value_name = "URL", help_heading = "Safety")]
    pub repository: Vec<(Bucket, String)>,
    /// Proceeds even if SOURCE can't be read, although it may refer to what is deleted; nodes:NAMESPACE/NAME accepts one
    /// object only.
    #[arg(long, value_delimiter = ',', value_parser = AcceptedParser, value_name = "SOURCE",
          help_heading = "Safety")]
    pub accept_unread: Vec<Accepted>,
    #[command(flatten)]
    pub also: AlsoFlags,
    /// How long a workflow is kept after its end.
    #[arg(long, value_parser = duration::parse, default_value = "1h", value_name = "DURATION",
          help_heading = "Safety")]
    pub grace: Duration,
    /// How far an object's time may be outside its workflow's run, and how far clocks may differ.
    #[arg(long, value_parser = duration::parse, default_value = "10m", value_name = "DURATION",
          help_heading = "Safety")]
    pub margin: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Only {
    Logs,
    Artifacts,
}

fn verdict(text: &str) -> Result<Verdict, String> {
    match values::verdict(text)? {
        verdict @ (Verdict::Uncovered | Verdict::Failing | Verdict::Kept) => Ok(verdict),
        Verdict::Covered | Verdict::Endangered => Err("Argo will delete those".to_owned()),
        Verdict::Collected => Err("Argo has deleted those".to_owned()),
        Verdict::Unknown => Err("what can't be seen is never deleted".to_owned()),
    }
}

impl PlanFlags {
    /// Makes or reads the policy, before the cluster or storage is asked for anything.
    pub fn retention(&self, streams: &mut Streams) -> Result<Option<Arc<Retention>>, Error> {
        if let Some(last) = self.keep_last {
            return Ok(Some(Arc::new(Retention::keeping(last))));
        }
        let Some(path) = &self.policy else { return Ok(None) };
        let stdin = Path::new("-");
        if path == stdin && self.from.files.iter().any(|file| file == stdin) {
            return Err(Error::usage("standard input can't be both the policy and the workflows"));
        }
        policy::read(path, &mut *streams.input).map(|policy| Some(Arc::new(policy)))
    }

    /// Refuses to go on if a source of references is unread and not accepted. Returns the accepted ones.
    pub fn check_unread(&self, unread: &[Unread]) -> Result<Vec<Unread>, Error> {
        let (fine, missing): (Vec<&Unread>, Vec<&Unread>) = unread
            .iter()
            .partition(|unread| self.accept_unread.iter().any(|accepted| accepted.takes(unread)));
        let Some(first) = missing.first() else {
            return Ok(fine.into_iter().cloned().collect());
        };
        let more = match missing.len() {
            1 => String::new(),
            count => format!(" (and {} more)", count - 1),
        };
        let way = match missing.iter().all(|unread| unread.is_of_argo()) {
            true => "read it through the Argo server (--argo-server HOST:PORT)",
            false => "get permission to read it",
        };
        // The next object that can't be read is not accepted with these.
        let accept = Accepted::exactly(&missing);
        Err(Error::refused(format!("it is unknown what else refers to these artifacts: {first}{more}"))
            .hint(format!("{way}, or take the risk with --accept-unread {accept}")))
    }
}

/// A purge as far as its plan: the flags, the workflows that are named, and where to look.
pub(crate) struct Planning<'a> {
    pub what: &'a PlanFlags,
    pub names: &'a [Name],
    pub kube: &'a KubeFlags,
    pub all_namespaces: bool,
    pub release_finalizer: bool,
    pub names_needed: bool,
    /// Whether the accounts are gathered that the selected workflows name for their buckets.
    pub logins: bool,
    /// A place to find the artifacts of, whether they are selected or not.
    pub asked: Option<Asked>,
}

impl Planning<'_> {
    /// Returns which workflows of a cluster to read and which of them to select.
    pub fn request(&self, cluster: &Cluster, now: Timestamp) -> ClusterRequest {
        let place = Where::of(self.kube, self.all_namespaces, self.names, Some(cluster.namespace()));
        ClusterRequest {
            namespace: place.reads,
            label_selector: self.what.selector.clone(),
            field_selector: self.what.field_selector.clone(),
            chunk_size: self.kube.chunk_size,
            selection: self.selection(place.namespaces, now),
            argo_version: self.what.controller.argo_version,
            controller_namespace: self.what.controllers.controller_namespace.clone(),
            ..ClusterRequest::default()
        }
    }

    pub fn selection(&self, namespaces: Vec<String>, now: Timestamp) -> Selection {
        let selection = self.what.select.selection(self.names.to_vec(), self.what.status.clone(), now);
        Selection { namespaces, prefix: self.what.prefix.clone(), ..selection }
    }

    pub fn rules(&self, mut allowed: Allowed, now: Timestamp) -> Rules {
        for (bucket, prefix) in &self.what.repository {
            allowed.add(bucket.clone(), prefix);
        }
        let failed =
            |phase: &String| phase.eq_ignore_ascii_case("failed") || phase.eq_ignore_ascii_case("error");
        Rules {
            now,
            grace: signed(self.what.grace),
            margin: signed(self.what.margin),
            failed_too: self.what.status.iter().any(failed),
            verdicts: self.what.verdict.clone(),
            reasons: self.what.reasons.reason.clone(),
            only: self.what.only.map(|only| match only {
                Only::Logs => Class::Logs,
                Only::Artifacts => Class::Artifacts,
            }),
            artifacts: self.what.artifact.clone(),
            release_finalizer: self.release_finalizer,
            names_needed: self.names_needed,
            archived: self.what.archived,
            buckets: self.what.bucket.clone(),
            allowed,
            retention: None,
            elsewhere: Guarded::default(),
        }
    }
}
