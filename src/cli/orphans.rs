//! `orphans` finds objects in a bucket that no record refers to.

use crate::cli::follow_up::FollowUp;
use crate::cli::inventory::{InventoryFlags, report};
use crate::cli::kube_flags::{ArgoFlags, KubeFlags};
use crate::cli::purge::apply::save;
use crate::cli::records::{Read, Sources};
use crate::cli::shared_flags::{AlsoFlags, ControllerFlags, FileFlags};
use crate::cli::storage::StorageFlags;
use crate::cli::streams::Streams;
use crate::cli::values::{key_format, repository};
use crate::cli::warnings::{warn_of_gaps, warn_of_readers};
use crate::cluster::unread::Unread;
use crate::duration;
use crate::duration::signed;
use crate::error::{Error, exit};
use crate::output::escape::escape;
use crate::output::orphans as show;
use crate::output::orphans::OrphansFormat;
use crate::output::text::plural;
use crate::purge::explain::ORPHAN_AGE;
use crate::purge::keep::Since;
use crate::purge::plan_file::{Draft, Head};
use crate::purge::resolve;
use crate::scan::orphans::{FoundAt, Planned, Searched, by_inventory, by_listing};
use crate::scan::records::Records;
use argo_gc_core::model::bucket::Bucket;
use argo_gc_core::model::gap::Gap;
use argo_gc_core::plan::key_shape::KeyFormat;
use argo_gc_core::plan::orphans::{Known, Search, below};
use argo_gc_core::plan::rules::Allowed;
use argo_gc_store::inventory::Inventory;
use argo_gc_store::inventory::types::Wanted;
use argo_gc_store::store::Store;
use clap::Args;
use jiff::Timestamp;
use std::path::PathBuf;
use std::time::Duration;

/// Finds objects in a bucket that no record refers to
///
/// Lists what is stored below a repository's prefix, leaves out everything that a workflow, template, cache, cron workflow
/// or sensor refers to and what was written lately, and shows what is left of workflows that are gone. It deletes
/// nothing itself.
///
/// Only keys with the shape of a key format are orphans: Argo's default below the prefix, the formats of the controllers'
/// repositories, those of --key-format, and uploads of Argo's UI. The key must name its workflow, and no workflow of that
/// name or UID may exist. Everything else is foreign: it is counted, and never offered. Whether a workflow kept its
/// objects on purpose (strategy Never, a pin) is unknown once it is gone.
///
/// Argo's default key holds neither cluster nor namespace, so objects of another cluster look like orphans here.
/// Nothing is offered for deletion unless every source of references was read and --exclusive says that no cluster but
/// this one and those of --also uses the prefix.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kubectl argo-gc orphans --repository gs://ml-artifacts/argo
  kubectl argo-gc orphans --repository s3://b@minio/argo --older 30d -o json
  kubectl argo-gc orphans --repository gs://b/argo -o wide
  kubectl argo-gc orphans --repository gs://b --key-format '{{workflow.uid}}'
  kubectl argo-gc orphans --repository gs://shared --also other.json
  kubectl argo-gc orphans --repository s3://b --inventory s3://c/b/manifest.json

To delete them:
  kubectl argo-gc orphans --repository gs://b/argo --exclusive --plan-out p.json
  kubectl argo-gc purge --plan p.json

Exit status: 0 done; 1 error; 2 wrong usage; 5 a plan was refused; 130 interrupted.")]
pub(crate) struct Arguments {
    /// Where to look: gs://BUCKET/PREFIX, s3://BUCKET/PREFIX, s3://BUCKET@HOST/PREFIX or an Azure container's URL.
    #[arg(long, required = true, value_parser = repository, value_name = "URL")]
    repository: Vec<(Bucket, String)>,
    /// Another key format of the repository, from the bucket's root, such as
    /// argo/{{workflow.namespace}}/{{workflow.name}}/{{pod.name}}.
    #[arg(long, value_parser = key_format, value_name = "FORMAT")]
    key_format: Vec<KeyFormat>,
    #[command(flatten)]
    from: FileFlags,
    /// Only objects written longer ago than this, such as 12h, 7d or 2w.
    #[arg(long, alias = "older-than", value_parser = duration::parse, default_value = ORPHAN_AGE, value_name = "DURATION")]
    older: Duration,
    /// Says that nobody uses the prefixes but this cluster and those of --also: no other cluster, no other tool, neither
    /// to write nor to read.
    #[arg(long)]
    exclusive: bool,
    #[command(flatten)]
    also: AlsoFlags,
    /// Saves a plan that deletes them, for `purge --plan`; requires --exclusive.
    #[arg(long, value_name = "FILE", requires = "exclusive")]
    plan_out: Option<PathBuf>,
    /// Output format.
    #[arg(short, long, value_enum, default_value = "table", value_name = "FORMAT")]
    output: OrphansFormat,

    #[command(flatten)]
    inventory: InventoryFlags,
    #[command(flatten)]
    controllers: ControllerFlags,
    #[command(flatten)]
    storage: StorageFlags,
    #[command(flatten)]
    pub(crate) kube: KubeFlags,
    #[command(flatten)]
    argo: ArgoFlags,
}

impl Arguments {
    pub async fn run(self, streams: &mut Streams, now: Timestamp) -> Result<u8, Error> {
        self.ensure_apart()?;
        let store = self.storage.open()?;
        let inventory = self.inventory.open(&store, streams).await?;
        let gaps = self.gaps(inventory.as_ref())?;
        warn_of_gaps(&gaps, streams);
        let (kube, argo) = (&self.kube, &self.argo);
        let sources = Sources {
            from: &self.from,
            also: &self.also,
            controllers: &self.controllers,
            kube,
            argo,
            by_name: false,
        };
        let Read { records, cluster } = sources.read(streams, now).await?;
        warn_of_readers(&records.references, streams);
        let refusal = self.refusal(&records.unread);
        let planning = refusal.is_none() && self.plan_out.is_some();
        let keys_too = self.output == OrphansFormat::Wide;
        let mut planned = (planning || keys_too).then(Planned::default);
        let found = self.search(&records, (&store, inventory.as_ref()), &mut planned, streams).await?;
        let has_orphans = found.iter().any(|found| found.has_orphans);
        if has_orphans {
            streams.say(show::KEPT_ON_PURPOSE);
        }
        let listing = show::Listing {
            now,
            unread: &records.unread,
            offered: refusal.is_none(),
            inventory: inventory.as_ref().map(report),
            gaps: &gaps,
        };
        let place =
            |FoundAt { place: name, found, orphans, has_orphans: _ }| show::Place { name, found, orphans };
        let found = found.into_iter().map(place).collect();
        show::write(&mut streams.out, streams.width, self.output, &listing, found)?;
        let head = Head { also: records.also, ..Head::new(now, cluster, self.storage.name(), Vec::new()) };
        let mut draft = Draft::new(head.allowing(&self.repository))?;
        if keys_too && has_orphans {
            writeln!(streams.out, "\n{:>8}  {:>6}  OBJECT", "SIZE", "AGE")?;
        }
        let groups = planned.map(Planned::into_values).transpose()?;
        for group in groups.into_iter().flatten() {
            let group = group?;
            if keys_too {
                show::objects(&mut streams.out, &group, now)?;
            }
            if planning {
                draft.add(&group)?;
            }
        }
        streams.out.flush()?;
        if let Some(refusal) = refusal {
            streams.say(escape(&format!("Nothing is offered for deletion: {refusal}.")));
            return match &self.plan_out {
                Some(_) => Err(Error::refused("no plan was saved")),
                None => Ok(exit::DONE),
            };
        }
        let Some(path) = &self.plan_out else { return Ok(exit::DONE) };
        let buckets = resolve::buckets(&draft, &store).await?;
        let plan = draft.seal(buckets)?;
        let mut allowed = Allowed::default();
        self.repository.iter().for_each(|(bucket, prefix)| allowed.add(bucket.clone(), prefix));
        let named = records.texts.search(plan.keys(&allowed)?)?;
        let (plan, kept) = plan.keep_needed(&records.references, &named, &Since::default())?;
        if kept > 0 {
            let objects = plural(kept as u64, "object");
            streams.say(format!("Note: {objects} will be kept, because something yet to run may read them."));
        }
        let next = FollowUp::of(&self.kube, Some(&self.argo), Some(&self.storage))?;
        let next = next.and(self.controllers.same().into_iter().chain(self.also.same()));
        save(&plan, path, &next, streams)?;
        Ok(exit::DONE)
    }

    /// Looks through all places, by listings or by the inventory.
    async fn search(
        &self,
        records: &Records,
        (store, inventory): (&Store, Option<&Inventory>),
        planned: &mut Option<Planned>,
        streams: &mut Streams,
    ) -> Result<Vec<FoundAt>, Error> {
        let shapes: Vec<Vec<KeyFormat>> = self
            .repository
            .iter()
            .map(|(bucket, prefix)| self.shapes(bucket, prefix, records, streams))
            .collect();
        let Records { references, names: workflows, guarded, .. } = records;
        // What was written after the inventory was begun may be in it or not.
        let as_of = inventory.map_or(records.as_of, |inventory| records.as_of.min(inventory.as_of()));
        let places = self.repository.iter().zip(&shapes);
        let mut searches: Vec<Searched<'_>> = places
            .map(|((bucket, prefix), shapes)| {
                let known = Known { references, workflows, guarded, shapes };
                Searched::new(Search::new(known, bucket, prefix, as_of, signed(self.older)))
            })
            .collect();
        match inventory {
            Some(inventory) => {
                by_inventory(inventory, store, &mut searches, planned, &streams.progress).await?
            }
            None => {
                for search in &mut searches {
                    by_listing(store, search, planned, &streams.progress).await?;
                }
            }
        }
        searches.into_iter().map(Searched::finish).collect()
    }

    /// Says what an inventory leaves out of the places.
    ///
    /// # Errors
    /// It is not of them.
    fn gaps(&self, inventory: Option<&Inventory>) -> Result<Vec<Gap>, Error> {
        let Some(inventory) = inventory else { return Ok(Vec::new()) };
        let mut gaps = Vec::new();
        for (bucket, prefix) in &self.repository {
            let wanted = Wanted { bucket: bucket.clone(), prefix: below(prefix) };
            gaps.extend(inventory.gaps(&wanted)?);
        }
        Ok(gaps)
    }

    /// Returns the key formats of a place, and tells of those by which no key can be judged.
    fn shapes(
        &self,
        bucket: &Bucket,
        prefix: &str,
        records: &Records,
        streams: &mut Streams,
    ) -> Vec<KeyFormat> {
        let default = KeyFormat::default_below(prefix);
        let here = records.key_formats.iter().filter(|(place, _)| place == bucket);
        let configured = here.map(|(_, format)| KeyFormat::parse(format));
        let mut shapes: Vec<KeyFormat> = std::iter::once(default).chain(self.key_format.clone()).collect();
        for format in configured.filter(|format| !shapes.contains(format)).collect::<Vec<_>>() {
            if format.tells_workflow() {
                shapes.push(format);
                continue;
            }
            streams.say(escape(&format!(
                "Note: no key of the format {:?} is offered: it has neither {{{{workflow.uid}}}} nor both \
                 {{{{workflow.name}}}} and {{{{pod.name}}}}, so other data may have its shape.",
                format.as_str()
            )));
        }
        shapes
    }

    /// Refuses prefixes that overlap: an object below two of them would be counted and planned twice.
    fn ensure_apart(&self) -> Result<(), Error> {
        let places: Vec<String> =
            self.repository.iter().map(|(bucket, prefix)| format!("{bucket}/{prefix}")).collect();
        let folder = |place: &str| format!("{}/", place.trim_end_matches('/'));
        for (at, place) in places.iter().enumerate() {
            let overlaps = |other: &&String| {
                let (one, other) = (folder(place), folder(other));
                one.starts_with(&other) || other.starts_with(&one)
            };
            if let Some(other) = places[at + 1..].iter().find(overlaps) {
                return Err(Error::usage(format!("{place} and {other} overlap")));
            }
        }
        Ok(())
    }

    /// Returns why nothing may be offered for deletion, if there is a reason (`docs/dangers.md`, dangers 15 and 16).
    fn refusal(&self, unread: &[Unread]) -> Option<String> {
        if let Some(first) = unread.first() {
            return Some(format!("it is unknown what refers to these objects: {first}"));
        }
        (!self.exclusive).then(|| {
            "other clusters or tools may write there; --exclusive says that none does but those of --also"
                .to_owned()
        })
    }
}
