//! The flags of `purge`.

use crate::cli::kube_flags::{ArgoFlags, KubeFlags};
use crate::cli::select::{ReasonFlags, SelectFlags};
use crate::cli::shared_flags::{AlsoFlags, ControllerFlags, FileFlags, ScopeFlags, VersionFlags};
use crate::cli::storage::{StateFlags, StorageFlags};
use crate::cli::streams::Streams;
use crate::cli::values;
use crate::cli::values::{AcceptedParser, bytes, not_blank, phase, repository};
use crate::cluster::client::Cluster;
use crate::cluster::unread::{Accepted, Unread};
use crate::duration;
use crate::duration::signed;
use crate::error::Error;
use crate::files::policy;
use crate::output::purge::PurgeFormat;
use crate::scan::request::ClusterRequest;
use crate::scan::selection::Selection;
use argo_gc_core::model::bucket::Bucket;
use argo_gc_core::plan::guarded::Guarded;
use argo_gc_core::plan::retention::Retention;
use argo_gc_core::plan::rules::{Allowed, Rules};
use argo_gc_core::verdict::{Class, Verdict};
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// More objects than this are a mistake until the user says otherwise.
pub(crate) const MAX_OBJECTS: u64 = 10_000;

/// Deletes the objects of artifacts that Argo left behind
///
/// Shows which objects of which workflows are deleted, which are kept and why, asks, deletes exactly those, verifies
/// that they are gone, and says how much was freed. Nothing that anything visible still refers to is deleted, nothing
/// of a workflow that has not finished, nothing outside the repositories of the controllers that count, and no
/// object that was overwritten since it was shown. --dry-run only shows the plan.
#[derive(Debug, Args)]
#[command(mut_arg("all_namespaces", |arg| arg.conflicts_with("names")))]
#[command(mut_arg("files", |arg| arg.help("Files, directories or - (standard input) to read instead of a cluster: \
    JSON or YAML. For real buckets only a plan is made then")))]
#[command(after_help = "Examples:
  kubectl argo-gc purge -n ml --older 7d --dry-run      what would be deleted, what is kept and why
  kubectl argo-gc purge -n ml --older 7d                shows it, asks, deletes it, verifies it
  kubectl argo-gc purge train-x7k2p                     one workflow
  kubectl argo-gc purge -A --older 30d --only logs      archived logs only
  kubectl argo-gc purge -A --policy policy.yaml         what a policy does not keep
  kubectl argo-gc purge -A --reason inline-poison --release-finalizer
  kubectl argo-gc purge -A --reason deleted-but-present
  kubectl argo-gc purge -A --older 7d --plan-out plan.json
  kubectl argo-gc purge --plan plan.json --yes          what was saved, without asking
  kubectl argo-gc purge -A --all --also other.json      keeps what another cluster needs
  kubectl argo-gc purge --resume JOURNAL                finishes an interrupted run
  kubectl argo-gc undo JOURNAL                          brings back what the bucket still holds
  kubectl argo-gc purge -f workflows.yaml --store-root buckets --all

Exit status: 0 done; 1 error; 2 wrong usage; 4 something of the plan is still there; 5 refused or not confirmed; 130 \
interrupted, after what was in flight.")]
pub(crate) struct Arguments {
    /// Workflows by name, failed ones too.
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    #[command(flatten)]
    pub scope: ScopeFlags,
    #[command(flatten)]
    pub from: FileFlags,
    /// Output format of the plan, or of the result where it is carried out.
    #[arg(short, long, value_enum, default_value = "table", value_name = "FORMAT")]
    pub output: PurgeFormat,
    #[command(flatten)]
    pub controller: VersionFlags,
    #[command(flatten)]
    pub controllers: ControllerFlags,

    /// Selects all workflows of the namespace. Without it give names or a flag that selects.
    #[arg(long, help_heading = "Selection")]
    pub all: bool,
    /// Also workflows that are in the archive only, read through the Argo server (--argo-server). Nothing is recorded
    /// in an archive.
    #[arg(long, conflicts_with = "files", help_heading = "Selection")]
    pub archived: bool,
    /// Only workflows with these labels, such as app=etl,stage!=test.
    #[arg(short = 'l', long, value_parser = not_blank, value_name = "LABELS", conflicts_with = "files",
          help_heading = "Selection")]
    pub selector: Option<String>,
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
    /// Only objects in these buckets, by name alone, such as ml-artifacts.
    #[arg(long, value_delimiter = ',', value_name = "NAME", help_heading = "Selection")]
    pub bucket: Vec<String>,
    /// Retention policy that says what to keep (docs/policy.md), as YAML; - is standard input.
    #[arg(long, value_name = "FILE", help_heading = "Selection")]
    pub policy: Option<PathBuf>,

    /// Another place where deleting is allowed, besides the repositories of controllers and of the namespace of -n: gs://BUCKET/PREFIX, s3://BUCKET/PREFIX, s3://BUCKET@HOST/PREFIX or an
    /// Azure container's URL; without a prefix the whole bucket.
    #[arg(long, value_parser = repository, value_name = "URL", help_heading = "Safety")]
    pub repository: Vec<(Bucket, String)>,
    /// Proceeds even if SOURCE can't be read, although it may refer to what is deleted; nodes:NAMESPACE/NAME accepts one
    /// object only.
    #[arg(long, value_delimiter = ',', value_parser = AcceptedParser, value_name = "SOURCE",
          help_heading = "Safety")]
    pub accept_unread: Vec<Accepted>,
    /// Counts artifacts as deleted of which no object is in storage, although neither Argo nor a purge recorded that.
    #[arg(long, help_heading = "Safety")]
    pub accept_absent: bool,
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
    /// Refuses a plan of more objects than this.
    #[arg(long, default_value_t = MAX_OBJECTS, value_name = "N", help_heading = "Safety")]
    pub max_objects: u64,
    /// Refuses a plan of more bytes than this, such as 500GiB [default: no limit].
    #[arg(long, value_parser = bytes, value_name = "SIZE", help_heading = "Safety")]
    pub max_bytes: Option<u64>,

    /// Only shows the plan.
    #[arg(long, value_enum, num_args = 0..=1, require_equals = true, default_value = "none",
          default_missing_value = "client", value_name = "WHERE", help_heading = "Plan")]
    pub dry_run: DryRun,
    /// Saves the plan instead of carrying it out.
    #[arg(long, value_name = "FILE", help_heading = "Plan")]
    pub plan_out: Option<PathBuf>,
    /// Carries out a saved plan and nothing else. Its checksum shows damage and slips, not an edit on purpose: keep it
    /// where only you can write.
    #[arg(long, value_name = "FILE", help_heading = "Plan")]
    pub plan: Option<PathBuf>,
    /// How old the plan of --plan may be.
    #[arg(long, value_parser = duration::parse, default_value = "24h", value_name = "DURATION",
          help_heading = "Plan")]
    pub plan_max_age: Duration,
    /// Carries out only this shard of the saved plan, such as 3/8: whole workflows, each in just one shard.
    #[arg(long, value_parser = shard, value_name = "N/OF", requires = "plan", help_heading = "Plan")]
    pub shard: Option<Shard>,
    /// Who carries out the saved plan.
    #[arg(long, value_enum, default_value = "local", value_name = "ENGINE", help_heading = "Plan")]
    pub engine: Engine,
    /// With --engine gcs-batch: the folder to write to [default: gcs-batch].
    #[arg(long, value_name = "DIR", help_heading = "Plan")]
    pub engine_out: Option<PathBuf>,
    /// Required with --engine argo: where its pods find the plan, as gs://BUCKET/KEY.
    #[arg(long, value_parser = repository, value_name = "URL", help_heading = "Plan")]
    pub plan_location: Option<(Bucket, String)>,
    /// With --engine argo: into how many shards the plan is cut [default: 8].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000), value_name = "N", help_heading = "Plan")]
    pub shards: Option<u32>,
    /// Required with --engine argo: an image of this plugin (docs/in-cluster.md shows how to make it).
    #[arg(long, value_parser = crate::cli::values::image, value_name = "IMAGE", help_heading = "Plan")]
    pub image: Option<String>,
    /// Finishes the interrupted run that wrote this journal.
    #[arg(long, value_name = "JOURNAL", conflicts_with = "plan", help_heading = "Plan")]
    pub resume: Option<PathBuf>,

    /// Skips the confirmation; required if there is no terminal to ask on.
    #[arg(short, long, help_heading = "Deleting")]
    pub yes: bool,
    /// Removes Argo's artifact-gc finalizer from workflows stuck in deletion, once all their artifacts are gone.
    #[arg(long, help_heading = "Deleting")]
    pub release_finalizer: bool,
    /// Does not mark the artifacts as deleted in their workflows.
    #[arg(long, help_heading = "Deleting")]
    pub no_record: bool,

    #[command(flatten)]
    pub state: StateFlags,
    #[command(flatten)]
    pub storage: StorageFlags,
    #[command(flatten)]
    pub kube: KubeFlags,
    #[command(flatten)]
    pub argo: ArgoFlags,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DryRun {
    /// Carries the plan out.
    None,
    /// Only shows the plan; what --dry-run alone means.
    Client,
    /// Also checks the permissions to carry it out.
    Server,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Only {
    Logs,
    Artifacts,
}

/// Who deletes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Engine {
    /// This process.
    Local,
    /// An Argo Workflow of shards, printed as YAML.
    Argo,
    /// A job of Google's Storage batch operations, written as files.
    GcsBatch,
}

/// One of several shards of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shard {
    /// The first one is 1.
    pub number: u32,
    pub of: u32,
}

/// Parses a shard and the number of shards, such as `3/8`.
fn shard(text: &str) -> Result<Shard, String> {
    let wrong = || format!("{text:?} is not of the form 3/8");
    let (number, of) = text.split_once('/').ok_or_else(wrong)?;
    let (number, of) = (number.parse().map_err(|_| wrong())?, of.parse().map_err(|_| wrong())?);
    // As many as --shards makes.
    match number >= 1 && number <= of && of <= 1000 {
        true => Ok(Shard { number, of }),
        false => Err(wrong()),
    }
}

fn verdict(text: &str) -> Result<Verdict, String> {
    match values::verdict(text)? {
        verdict @ (Verdict::Uncovered | Verdict::Failing | Verdict::Kept) => Ok(verdict),
        Verdict::Covered => Err("Argo will delete those".to_owned()),
        Verdict::Collected => Err("Argo has deleted those".to_owned()),
        Verdict::Unknown => Err("what can't be seen is never deleted".to_owned()),
    }
}

impl Arguments {
    /// Whether any flag selects workflows. An empty selection must not mean everything (`docs/dangers.md`, danger 27).
    pub fn selects_anything(&self) -> bool {
        self.all
            || self.scope.all_namespaces
            || !self.names.is_empty()
            || self.selector.is_some()
            || !self.status.is_empty()
            || !self.reasons.reason.is_empty()
            || self.prefix.is_some()
            || self.select.is_filter()
    }

    /// Whether this run may delete something, rather than only show, save or hand over a plan.
    pub fn may_delete(&self) -> bool {
        self.dry_run == DryRun::None && self.plan_out.is_none() && self.engine == Engine::Local
    }

    /// Reads the policy, before the cluster or storage is asked for anything.
    pub fn retention(&self, streams: &mut Streams) -> Result<Option<Arc<Retention>>, Error> {
        let Some(path) = &self.policy else { return Ok(None) };
        let stdin = Path::new("-");
        if path == stdin && self.from.files.iter().any(|file| file == stdin) {
            return Err(Error::usage("standard input can't be both the policy and the workflows"));
        }
        policy::read(path, &mut *streams.input).map(|policy| Some(Arc::new(policy)))
    }

    /// Returns which workflows of a cluster to read and which of them to select.
    pub fn request(&self, cluster: &Cluster, now: Timestamp) -> ClusterRequest {
        let namespace = (!self.scope.all_namespaces).then(|| cluster.namespace().to_owned());
        ClusterRequest {
            namespace: namespace.clone(),
            label_selector: self.selector.clone(),
            chunk_size: self.kube.chunk_size,
            selection: self.selection(namespace, now),
            argo_version: self.controller.argo_version,
            controller_namespace: self.controllers.controller_namespace.clone(),
            ..ClusterRequest::default()
        }
    }

    pub fn selection(&self, namespace: Option<String>, now: Timestamp) -> Selection {
        let selection = self.select.selection(self.names.clone(), self.status.clone(), now);
        Selection { namespace, prefix: self.prefix.clone(), ..selection }
    }

    pub fn rules(&self, mut allowed: Allowed, now: Timestamp) -> Rules {
        for (bucket, prefix) in &self.repository {
            allowed.add(bucket.clone(), prefix);
        }
        let failed =
            |phase: &String| phase.eq_ignore_ascii_case("failed") || phase.eq_ignore_ascii_case("error");
        Rules {
            now,
            grace: signed(self.grace),
            margin: signed(self.margin),
            failed_too: self.status.iter().any(failed),
            verdicts: self.verdict.clone(),
            reasons: self.reasons.reason.clone(),
            only: self.only.map(|only| match only {
                Only::Logs => Class::Logs,
                Only::Artifacts => Class::Artifacts,
            }),
            release_finalizer: self.release_finalizer,
            archived: self.archived,
            buckets: self.bucket.clone(),
            allowed,
            retention: None,
            elsewhere: Guarded::default(),
        }
    }

    /// Refuses to go on if a source of references is unread and not accepted. Returns the accepted ones.
    pub fn check_unread(&self, unread: &[Unread]) -> Result<Vec<Unread>, Error> {
        /// How many objects are named one by one.
        const NAMED: usize = 8;
        let (fine, missing): (Vec<&Unread>, Vec<&Unread>) = unread
            .iter()
            .partition(|unread| self.accept_unread.iter().any(|accepted| accepted.takes(unread)));
        let Some(first) = missing.first() else {
            return Ok(fine.into_iter().cloned().collect());
        };
        // The next object that can't be read is not accepted with these.
        let mut exactly: Vec<String> =
            missing.iter().map(|unread| Accepted::exactly(unread).to_string()).collect();
        exactly.dedup();
        if exactly.len() > NAMED {
            exactly = missing.iter().map(|unread| unread.source.to_string()).collect();
            exactly.dedup();
        }
        let more = match missing.len() {
            1 => String::new(),
            count => format!(" (and {} more)", count - 1),
        };
        Err(Error::refused(format!("it is unknown what else refers to these artifacts: {first}{more}")).hint(
            format!("get permission to read it, or take the risk with --accept-unread {}", exactly.join(",")),
        ))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used)]

    use super::{Shard, shard};
    use crate::cli::values::{bytes, repository};

    #[test]
    fn sizes_and_repositories_are_read() {
        assert_eq!(bytes("1.5KiB"), Ok(1536));
        assert_eq!(bytes("2GB"), Ok(2_000_000_000));
        assert!(bytes("many").is_err() && bytes("1XB").is_err() && bytes("").is_err());
        for (text, bucket, prefix) in [
            ("gs://b/p/q", "gs://b", "p/q"),
            ("gs://b", "gs://b", ""),
            ("s3://b@minio:9000/p", "s3://b@minio:9000", "p"),
            ("https://a.blob.core.windows.net/c/p/q", "https://a.blob.core.windows.net/c", "p/q"),
            ("http://127.0.0.1:10000/account/c/p", "http://127.0.0.1:10000/account/c", "p"),
        ] {
            assert_eq!(repository(text), Ok((bucket.parse().expect("a bucket"), prefix.to_owned())));
        }
        for wrong in ["b/p", "gs://", "oss://b", "https://host", "gs:///p", "gs://b/{{x}}"] {
            assert!(repository(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_shard_is_one_of_so_many() {
        assert_eq!(shard("3/8"), Ok(Shard { number: 3, of: 8 }));
        for text in ["", "3", "0/8", "9/8", "1/0", "a/b", "1/2/3"] {
            assert!(shard(text).is_err(), "{text}");
        }
    }
}
