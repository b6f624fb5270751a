//! `explain LOCATION`: the flags of a purge, read and decided as by a purge, for one place.

use crate::cli::hints::shown;
use crate::cli::kube_flags::{ArgoFlags, KubeFlags};
use crate::cli::purge::plan_flags::{PlanFlags, Planning};
use crate::cli::purge::{from_cluster, from_files};
use crate::cli::storage::StorageFlags;
use crate::cli::streams::Streams;
use crate::cli::values::{repository, workflow_name};
use crate::cluster::client::Cluster;
use crate::cluster::unread::Unread;
use crate::error::{Error, exit};
use crate::output::escape::escape;
use crate::output::location as show;
use crate::output::location::ExplainFormat;
use crate::purge::explain::{Explanation, explain, explain_saved};
use crate::purge::plan_file::Plan;
use crate::scan::selection::Name;
use argo_gc_core::plan::located::Asked;
use clap::Args;
use jiff::Timestamp;
use std::path::PathBuf;

/// Flags of `explain LOCATION`.
#[derive(Debug, Args)]
pub(crate) struct LocationFlags {
    /// As if the purge named this workflow; may be given several times.
    #[arg(long = "workflow", value_parser = workflow_name, value_name = "NAME", help_heading = "Selection")]
    pub names: Vec<Name>,
    #[command(flatten)]
    pub what: PlanFlags,
    /// What a saved plan says of the location, and nothing else: no cluster and no storage is asked.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["files", "names", "namespace", "all_namespaces"])]
    pub plan: Option<PathBuf>,
    /// Output format.
    #[arg(short, long, value_enum, default_value = "table", value_name = "FORMAT")]
    pub output: ExplainFormat,

    #[command(flatten)]
    pub storage: StorageFlags,
    #[command(flatten)]
    pub kube: KubeFlags,
    #[command(flatten)]
    pub argo: ArgoFlags,
}

impl LocationFlags {
    /// Explains the place of this address.
    pub async fn run(&self, place: &str, streams: &mut Streams, now: Timestamp) -> Result<u8, Error> {
        let asked = asked(place)?;
        let explanation = match &self.plan {
            Some(path) => {
                let failed = |error: std::io::Error| Error::new(format!("{}: {error}", path.display()));
                explain_saved(&Plan::open(std::fs::File::open(path).map_err(failed)?)?, &asked)?
            }
            None => self.read(&asked, streams, now).await?,
        };
        for unread in &explanation.unread {
            streams.say(escape(&format!("Warning: not read, and may refer to it: {unread}")));
        }
        show::write(&mut streams.out, streams.width, self.output, &explanation, now)?;
        streams.out.flush()?;
        Ok(exit::DONE)
    }

    /// Reads what a purge reads, and decides as it does.
    async fn read(&self, asked: &Asked, streams: &mut Streams, now: Timestamp) -> Result<Explanation, Error> {
        let store = self.storage.open()?;
        let retention = self.what.retention(streams)?;
        let planning = Planning {
            what: &self.what,
            names: &self.names,
            kube: &self.kube,
            // Where the location's workflows are is what is asked.
            all_namespaces: self.what.scope.all_namespaces
                || self.kube.namespace.is_none() && self.names.is_empty(),
            release_finalizer: false,
            names_needed: false,
            logins: false,
            asked: Some(asked.clone()),
        };
        let (explanation, unread) = if self.what.from.files.is_empty() {
            let cluster = Cluster::connect(&self.argo.beside(&self.kube)?).await?.telling(&streams.progress);
            let (_, others) = from_cluster::begin(&planning, &cluster, streams, now).await?;
            let (scan, terms) =
                from_cluster::read(&planning, &cluster, others, retention, streams, now).await?;
            explain(scan, asked, &terms.rules, &store).await?
        } else {
            let others = self.what.also.read(None, now)?;
            let (scan, terms) = from_files::read(&planning, others, retention, streams, now)?;
            explain(scan, asked, &terms.rules, &store).await?
        };
        Ok(Explanation { refused: self.refusal(&unread), ..explanation })
    }

    /// Returns why the purge would refuse, if it would.
    fn refusal(&self, unread: &[Unread]) -> String {
        match self.what.check_unread(unread) {
            Ok(_) => String::new(),
            Err(error) => {
                let text = shown(&error).replace("\nhint: ", "; ");
                text.strip_prefix("error: ").unwrap_or(&text).to_owned()
            }
        }
    }
}

/// Reads an address. What is none of a bucket is an address of another engine.
fn asked(place: &str) -> Result<Asked, Error> {
    let scheme = place.split("://").next().unwrap_or_default();
    match (scheme, repository(place)) {
        (_, Ok((bucket, key))) => Ok(Asked::of(&bucket, &key)),
        ("gs" | "s3", Err(why)) => Err(Error::usage(format!("{place:?} is no location: {why}"))),
        (_, Err(_)) => Ok(Asked::other(place)),
    }
}
