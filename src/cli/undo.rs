//! `undo` restores the objects that a purge deleted, if the bucket still holds them.

use crate::cli::directories::Folders;
use crate::cli::kube_flags::KubeFlags;
use crate::cli::storage::{SecretsFlag, StorageFlags};
use crate::cli::streams::Streams;
use crate::cluster::client::Cluster;
use crate::cluster::controllers::ControllerQuery;
use crate::cluster::identity::ClusterIdentity;
use crate::error::{Error, Hint, exit};
use crate::output::escape::escape;
use crate::output::text::plural;
use crate::output::undo as show;
use crate::output::undo::JournalsFormat;
use crate::progress::Doing;
use crate::purge::journal::{Journal, JournalReplay};
use crate::purge::journal_list;
use crate::purge::plan_file::Plan;
use crate::purge::take_back::{Back, TakenBack, take_back};
use crate::purge::undo::{LiftedMarks, Undone, lift, undo};
use argo_gc_core::model::context::Context;
use argo_gc_core::plan::planned::PlannedWorkflow;
use argo_gc_store::types::{BucketFacts, Restored};
use clap::Args;
use futures::stream;
use futures::stream::StreamExt;
use jiff::Timestamp;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Workflows that are read and patched at a time.
const AT_A_TIME: usize = 16;

/// Brings back what a purge deleted, where the bucket still holds it
///
/// It comes back from the bucket's soft delete, or from noncurrent versions; where the bucket has neither, it is gone.
/// An object that has taken the name since is left alone, and only what was deleted comes back, never another version.
/// What is there again is no longer recorded as deleted in its workflow, so that Argo or a later purge can delete it.
/// Marks of --quarantine are lifted.
#[derive(Debug, Args)]
#[command(mut_arg("namespace", |arg| arg.hide(true)), mut_arg("chunk_size", |arg| arg.hide(true)))]
#[command(after_help = "Examples:
  kubectl argo-gc undo --list
  kubectl argo-gc undo ~/.local/state/argo-gc/purge-20261125T100000Z-1a2b.jsonl

Exit status: 0 all is back; 1 error; 2 wrong usage; 4 something could not be brought back; 5 refused, as the journal \
is of another cluster or storage; 130 interrupted.")]
pub(crate) struct Arguments {
    /// The journal that the purge named; --list lists them.
    #[arg(value_name = "JOURNAL", conflicts_with = "list")]
    journal: Option<PathBuf>,
    /// Lists the journals in the folder where purges write them, unless --journal named another file.
    #[arg(long)]
    list: bool,
    /// Output format of --list.
    #[arg(short, long, value_enum, default_value = "table", value_name = "FORMAT", requires = "list")]
    output: JournalsFormat,
    /// Leaves the workflows alone: what comes back stays recorded as deleted. No cluster is asked.
    #[arg(long)]
    no_record: bool,
    #[command(flatten)]
    storage: StorageFlags,
    #[command(flatten)]
    secrets: SecretsFlag,
    #[command(flatten)]
    pub(crate) kube: KubeFlags,
}

impl Arguments {
    pub async fn run(self, streams: &mut Streams, now: Timestamp) -> Result<u8, Error> {
        let path = match &self.journal {
            Some(path) => path,
            None if self.list => return self.list(streams),
            None => {
                return Err(Error::usage("name the journal of the purge to undo")
                    .hint("kubectl argo-gc undo --list lists the journals"));
            }
        };
        if self.kube.namespace.is_some() {
            return Err(Error::usage("the journal says which workflows it is about; leave -n out"));
        }
        let record = JournalReplay::read(path)?;
        let cluster = self.connect(&record.plan, now).await?;
        let opened = self.storage.open_with(&self.secrets)?;
        let secrets = self.secrets_of(&record.plan, cluster.as_ref().map(|(cluster, _)| cluster)).await?;
        let store = opened.for_plan(&record.plan.head, &self.storage, secrets.as_ref())?;
        let journal = Journal::reopen(path)?;
        let (out, err) = (&mut streams.out, &mut streams.err);
        let mut each = |object: &str, became: &Restored| match became {
            Restored::Restored => Ok(writeln!(out, "Brought back {}", escape(object))?),
            why => Ok(writeln!(err, "Warning: {}", show::not_back(object, why))?),
        };
        let undone = {
            let stage = streams.progress.begin(Doing::BringingBack, None);
            undo(&record, &store, &journal, (self.storage.concurrency(), &stage), &mut each).await?
        };
        let mut stuck = 0_u64;
        let mut stays = |object: &str, why: &str| {
            stuck += 1;
            Ok(writeln!(streams.err, "Warning: {}", escape(&format!("{object}: its mark stays: {why}")))?)
        };
        let LiftedMarks { lifted, unread } =
            lift(&record, &store, &journal, self.storage.concurrency(), &mut stays).await?;
        journal.sync()?;
        let Undone { objects, restored, taken, lost, failed, back } = undone;
        let out = &mut streams.out;
        // A run that only marked objects has nothing to bring back.
        if objects > 0 || lifted + stuck == 0 {
            writeln!(out, "Brought back {restored} of {}", plural(objects, "object"))?;
        }
        if lifted > 0 {
            writeln!(out, "Lifted {}", plural(lifted, "mark"))?;
        }
        if stuck > 0 {
            writeln!(out, "{} could not be lifted", plural(stuck, "mark"))?;
        }
        if taken > 0 {
            let (were, their) = if taken == 1 { ("was", "its") } else { ("were", "their") };
            writeln!(out, "{taken} {were} left alone: a newer object has {their} name")?;
        }
        if lost > 0 {
            let them = if lost == 1 { "it" } else { "them" };
            writeln!(out, "{lost} did not come back: the bucket shows no copy of {them}")?;
            let keeps_none = |facts: &&BucketFacts| !facts.has_undo() && facts.unread.is_none();
            for facts in record.plan.tail.buckets.iter().filter(keeps_none) {
                let bucket = escape(&facts.bucket.to_string()).into_owned();
                writeln!(out, "{bucket} had neither soft delete nor versioning when it was purged")?;
            }
        }
        if failed > 0 {
            writeln!(out, "{failed} could not be brought back")?;
        }
        tell_marks(&LiftedMarks { lifted, unread }, streams);
        let left = match &cluster {
            Some(cluster) if !back.is_empty() => taken_back(&record.plan, &back, cluster, streams).await?,
            _ => 0,
        };
        Ok(if restored == objects && left + stuck == 0 { exit::DONE } else { exit::PARTIAL })
    }

    /// Connects to the cluster whose workflows are to be told; none if there is none.
    async fn connect(&self, plan: &Plan, now: Timestamp) -> Result<Option<(Cluster, Context)>, Error> {
        let storage = self.storage.name();
        let mut workflows = plan.workflows()?;
        let has_workflows = workflows.any(|workflow| workflow.is_ok_and(|workflow| is_told(&workflow)));
        if plan.head.cluster.is_none() || self.no_record || !has_workflows {
            plan.check_place(plan.head.cluster.as_ref(), &storage)?;
            return Ok(None);
        }
        let without = |error: Error| error.hint(Hint::UndoWithoutCluster);
        let cluster = Cluster::connect(&self.kube.access()).await.map_err(without)?;
        let identity = ClusterIdentity::of(&cluster).await;
        plan.check_place(Some(&identity), &storage).map_err(without)?;
        let (controllers, related, _) = cluster.related(None, ControllerQuery::default()).await;
        Ok(Some((cluster, Context { now, controllers, related })))
    }

    /// The cluster whose Secrets the plan was made with; none if they are not to be read. It is asked for that even where
    /// no workflow is to be told.
    async fn secrets_of(&self, plan: &Plan, cluster: Option<&Cluster>) -> Result<Option<Cluster>, Error> {
        if !self.secrets.use_workflow_secrets || plan.head.identities.is_empty() {
            return Ok(None);
        }
        if let Some(cluster) = cluster {
            return Ok(Some(cluster.clone()));
        }
        let cluster = Cluster::connect(&self.kube.access()).await?;
        plan.check_place(Some(&ClusterIdentity::of(&cluster).await), &self.storage.name())?;
        Ok(Some(cluster))
    }

    /// Lists the journals.
    fn list(&self, streams: &mut Streams) -> Result<u8, Error> {
        let folder = Folders::of_user().journals();
        let folder = folder.ok_or_else(|| Error::new("there is no home directory with journals"))?;
        let mut journals = Vec::new();
        for journal in journal_list::journals(&folder)? {
            match journal {
                Ok(journal) => journals.push(journal),
                Err(error) => streams.say(escape(&format!("Warning: {}", error.brief()))),
            }
        }
        if journals.is_empty() {
            streams.say(escape(&format!("No journals in {}.", Path::display(&folder))));
        }
        show::journals(&mut streams.out, streams.width, self.output, &journals)?;
        Ok(exit::DONE)
    }
}

/// Says what the marks mean for later runs.
fn tell_marks(&LiftedMarks { lifted, unread }: &LiftedMarks, streams: &mut Streams) {
    if lifted > 0 {
        streams.say(
            "Note: the next purge with --quarantine marks them again; the label argo-gc/keep=true keeps a workflow.",
        );
    }
    if unread > 0 {
        streams.say(format!(
            "Warning: the marks of {} that came back may not be read; one that an earlier purge with --quarantine set \
             still counts. Undo again as an account that may read and write tags (docs/quarantine.md).",
            plural(unread, "object")
        ));
    }
}

/// Whether a purge may have recorded in the workflow that its objects are deleted.
fn is_told(plan: &PlannedWorkflow) -> bool {
    !plan.orphans && (!plan.delete.is_empty() || !plan.absent.is_empty() || plan.release_finalizer)
}

/// Takes back in all workflows of the plan that their objects are deleted. Returns in how many that failed.
async fn taken_back(
    plan: &Plan,
    back: &Back,
    (cluster, context): &(Cluster, Context),
    streams: &mut Streams,
) -> Result<u64, Error> {
    let told = plan.workflows()?.filter(|plan| plan.as_ref().map_or(true, is_told));
    let told = told.map(|workflow| async move {
        let workflow = workflow?;
        let name = format!("{}/{}", workflow.namespace, workflow.name);
        Ok::<_, Error>((name, take_back(&workflow, back, cluster, context).await))
    });
    let mut told = stream::iter(told).buffered(AT_A_TIME);
    let (mut artifacts, mut left) = (0, 0);
    while let Some(one) = told.next().await {
        let (name, result) = one?;
        let why = match result {
            Ok(TakenBack::Artifacts(count)) => {
                artifacts += count;
                continue;
            }
            Ok(TakenBack::Gone) => {
                streams.say(escape(&format!("Note: {name} is gone, so nothing names what came back of it.")));
                continue;
            }
            Ok(TakenBack::Left(why)) => why,
            Err(error) => error.brief().to_owned(),
        };
        left += 1;
        streams.say(escape(&format!("Warning: {name}: what came back is still recorded as deleted: {why}")));
    }
    if artifacts > 0 {
        writeln!(streams.out, "{} no longer recorded as deleted", are(artifacts))?;
    }
    Ok(left)
}

/// `1 artifact is`, `2 artifacts are`.
fn are(artifacts: u64) -> String {
    format!("{} {}", plural(artifacts, "artifact"), if artifacts == 1 { "is" } else { "are" })
}
