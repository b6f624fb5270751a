//! The flags of `purge`.

use crate::cli::follow_up::FollowUp;
use crate::cli::kube_flags::{ArgoFlags, KubeFlags, NAMESPACES};
use crate::cli::purge::plan_flags::{PlanFlags, Planning};
use crate::cli::purge::summary_flag::SummaryFlag;
use crate::cli::push_flags::PushFlags;
use crate::cli::storage::{SecretsFlag, StateFlags, StorageFlags};
use crate::cli::values::{bytes, namespaces, repository, workflow_name};
use crate::cli::webhook_flags::WebhookFlags;
use crate::duration;
use crate::error::Error;
use crate::output::purge::PurgeFormat;
use crate::scan::selection::Name;
use argo_gc_core::model::bucket::Bucket;
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// More objects than this are a mistake until the user says otherwise.
pub(crate) const MAX_OBJECTS: u64 = 10_000;

/// Into more shards no plan is cut: what all of them say has to fit into one argument of a container, 128 KiB.
pub(crate) const MAX_SHARDS: i64 = 250;

/// Deletes the objects of artifacts that Argo left behind
///
/// Shows which objects of which workflows are deleted, which are kept and why, asks, deletes exactly those, verifies
/// that they are gone, and says how much was freed. Nothing that anything visible still refers to is deleted, nothing
/// of a workflow that has not finished, nothing outside the repositories of the controllers that count, and no
/// object that was overwritten since it was shown. --dry-run only shows the plan.
#[derive(Debug, Args)]
#[command(mut_arg("all_namespaces", |arg| arg.conflicts_with("names")))]
#[command(mut_arg("namespace", |arg| arg.value_parser(namespaces).help(NAMESPACES)))]
#[command(mut_arg("push", |arg| arg.conflicts_with_all(["plan_out", "shard"])))]
#[command(mut_arg("webhook", |arg| arg.conflicts_with_all(["plan_out", "shard"])))]
#[command(mut_arg("summary", |arg| arg.conflicts_with_all(["dry_run", "plan_out"])))]
#[command(mut_arg("files", |arg| arg.help("Files, directories or - (standard input) to read instead of a cluster: \
    JSON or YAML. For real buckets only a plan is made then")))]
#[command(after_help = "Examples:
  kubectl argo-gc purge -n ml --older 7d --dry-run    what would be deleted
  kubectl argo-gc purge -n ml --older 7d              shows it, asks, deletes it
  kubectl argo-gc purge train-x7k2p                   one workflow
  kubectl argo-gc purge -A --older 7d --only logs --keep-last 3
  kubectl argo-gc purge -A --policy policy.yaml       but what a policy keeps
  kubectl argo-gc purge -A --older 7d --plan-out plan.json
  kubectl argo-gc purge --plan plan.json --yes        carries that out, unasked
  kubectl argo-gc purge --resume JOURNAL              finishes a run
  kubectl argo-gc undo JOURNAL                        brings back what it can
  kubectl argo-gc purge -A --older 7d --quarantine 7d  marks, later deletes
  kubectl argo-gc purge -A --all --also other.json    with a second cluster
  kubectl argo-gc purge -A --reason inline-poison --release-finalizer
  kubectl argo-gc purge -A --reason deleted-but-present
  kubectl argo-gc purge -f workflows.yaml --store-root buckets --all

Exit status: 0 done; 1 error; 2 wrong usage; 4 something of the plan is still there; 5 refused or not confirmed; 130 \
interrupted, after what was in flight.")]
pub(crate) struct Arguments {
    /// Workflows by name or NAMESPACE/NAME, failed ones too.
    #[arg(value_name = "NAME", value_parser = workflow_name)]
    pub names: Vec<Name>,
    /// Selects all workflows of the namespace. Without it give names or a flag that selects.
    #[arg(long, help_heading = "Selection")]
    pub all: bool,
    #[command(flatten)]
    pub what: PlanFlags,
    /// Output format of the plan, or of the result where it is carried out.
    #[arg(short, long, value_enum, default_value = "table", value_name = "FORMAT")]
    pub output: PurgeFormat,

    /// Counts artifacts as deleted of which no object is in storage, although neither Argo nor a purge recorded that.
    #[arg(long, help_heading = "Safety")]
    pub accept_absent: bool,
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
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=MAX_SHARDS), value_name = "N", help_heading = "Plan")]
    pub shards: Option<u32>,
    /// Required with --engine argo: an image of this plugin (docs/in-cluster.md shows how to make it).
    #[arg(long, value_parser = crate::cli::values::image, value_name = "IMAGE", help_heading = "Plan")]
    pub image: Option<String>,
    /// With --engine argo and --argo-server: the Secret from whose field `token` its pods take ARGO_TOKEN [default: they
    /// use their account's own token].
    #[arg(long, value_parser = crate::cli::values::secret, value_name = "NAME", help_heading = "Plan")]
    pub argo_token_secret: Option<String>,
    /// Finishes the interrupted run that wrote this journal.
    #[arg(long, value_name = "JOURNAL", conflicts_with = "plan", help_heading = "Plan")]
    pub resume: Option<PathBuf>,

    /// Skips the confirmation; required if there is no terminal to ask on.
    #[arg(short, long, help_heading = "Deleting")]
    pub yes: bool,
    /// Marks objects in their metadata or tags instead of deleting them, and deletes those that an earlier run marked so long
    /// ago, such as 7d, unless something needs them.
    #[arg(long, value_parser = duration::parse, value_name = "DURATION", conflicts_with = "plan_out",
          help_heading = "Deleting")]
    pub quarantine: Option<Duration>,
    /// Removes Argo's artifact-gc finalizer from workflows stuck in deletion, once all their artifacts are gone.
    #[arg(long, help_heading = "Deleting")]
    pub release_finalizer: bool,
    /// Does not mark the artifacts as deleted in their workflows.
    #[arg(long, help_heading = "Deleting")]
    pub no_record: bool,

    #[command(flatten)]
    pub state: StateFlags,
    #[command(flatten)]
    pub summary: SummaryFlag,
    #[command(flatten)]
    pub push: PushFlags,
    #[command(flatten)]
    pub webhook: WebhookFlags,
    #[command(flatten)]
    pub storage: StorageFlags,
    #[command(flatten)]
    pub secrets: SecretsFlag,
    #[command(flatten)]
    pub kube: KubeFlags,
    #[command(flatten)]
    pub argo: ArgoFlags,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DryRun {
    /// Carries the plan out.
    #[value(alias = "false")]
    None,
    /// Only shows the plan; what --dry-run alone means.
    #[value(alias = "true")]
    Client,
    /// Also checks the permissions to carry it out.
    Server,
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
    match number >= 1 && number <= of && i64::from(of) <= MAX_SHARDS {
        true => Ok(Shard { number, of }),
        false => Err(wrong()),
    }
}

impl Arguments {
    /// Whether any flag selects workflows. An empty selection must not mean everything (`docs/dangers.md`, danger 27).
    pub fn selects_anything(&self) -> bool {
        self.all
            || self.what.scope.all_namespaces
            || !self.names.is_empty()
            || self.what.selector.is_some()
            || self.what.field_selector.is_some()
            || !self.what.status.is_empty()
            || !self.what.reasons.reason.is_empty()
            || self.what.prefix.is_some()
            || self.what.select.is_filter()
    }

    /// Whether this run may delete something, rather than only show, save or hand over a plan.
    pub fn may_delete(&self) -> bool {
        self.dry_run == DryRun::None && self.plan_out.is_none() && self.engine == Engine::Local
    }

    /// The flags of commands that go on with this one's work.
    pub fn follow_up(&self) -> Result<FollowUp, Error> {
        FollowUp::of(&self.kube, Some(&self.argo), Some(&self.storage))
    }

    /// The same for commands that carry out a plan of this one: the same controllers and other clusters count for them.
    pub fn follow_up_plan(&self) -> Result<FollowUp, Error> {
        let what = &self.what;
        let of_cluster = [what.controllers.same(), what.controller.same()].into_iter().flatten();
        Ok(self.follow_up()?.and(of_cluster.chain(what.also.same())))
    }

    /// Returns what to plan.
    pub fn planning(&self) -> Planning<'_> {
        Planning {
            what: &self.what,
            names: &self.names,
            kube: &self.kube,
            all_namespaces: self.what.scope.all_namespaces,
            release_finalizer: self.release_finalizer,
            // Whoever carries a saved plan out may do so with --quarantine.
            names_needed: self.quarantine.is_some() || self.plan_out.is_some(),
            logins: self.secrets.use_workflow_secrets,
            asked: None,
        }
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
            ("s3://b@s3.eu-west-1.amazonaws.com/p/q", "s3://b", "p/q"),
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
