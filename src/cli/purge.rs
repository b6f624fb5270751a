//! `purge` deletes the objects of artifacts that Argo left behind.

pub mod apply;
pub mod arguments;
pub mod confirm;
pub mod engine;
pub mod from_cluster;
pub mod from_files;
pub mod heeded;
pub(crate) mod left;
pub mod plan_flags;
pub mod summary_flag;

use crate::cli::purge::arguments::{Arguments, DryRun, Shard};
use crate::cli::push_flags::Mode;
use crate::cli::streams::Streams;
use crate::cli::webhook_flags::Outcome;
use crate::error::Error;
use crate::output::beside::Answer;
use crate::output::purge_metrics;
use crate::output::summary::{Ended, line};
use jiff::Timestamp;
use serde_json::{Value, json};

impl Arguments {
    pub async fn run(self, streams: &mut Streams, now: Timestamp) -> Result<u8, Error> {
        let (summary, hook) = (self.summary.open()?, self.webhook.open()?);
        let ended = self.purge(streams, now).await;
        let shard = self.shard.map(|Shard { number, of }| (number, of));
        summary.write(&line(shard, &ended), streams);
        let metrics = purge_metrics::text(&ended, now)?;
        let mode = if self.dry_run == DryRun::None { Mode::Purge } else { Mode::Report };
        let answer = Answer {
            sentence: line(shard, &ended),
            most: Vec::new(),
            sums: ended.as_ref().map_or(
                Value::Null,
                |Ended { planned, left, quarantined, .. }| {
                    json!({ "planned": planned, "left": left, "quarantined": quarantined })
                },
            ),
        };
        let ended = ended.map(|ended| ended.code);
        let unpushed = self.push.hand_over(mode, &metrics).await;
        let outcome = Outcome { mode, began: now, answer };
        let untold = self.webhook.tell(hook, outcome, &ended, unpushed.as_ref()).await;
        streams.after_all([unpushed, untold], ended)
    }

    async fn purge(&self, streams: &mut Streams, now: Timestamp) -> Result<Ended, Error> {
        if let Some(journal) = &self.resume {
            return apply::resume(self, journal, streams, now).await;
        }
        // clap does not enforce `requires` if the required flag conflicts with one that is given.
        engine::check(self)?;
        if let Some(plan) = &self.plan {
            return apply::saved(self, plan, streams, now).await;
        }
        if !self.selects_anything() {
            let all = match self.kube.namespaces().as_slice() {
                [] => {
                    "--all takes every workflow of the context's namespace, -A of all namespaces".to_owned()
                }
                [one] => format!("--all takes every workflow of the namespace {one}"),
                several => format!("--all takes every workflow of the namespaces {}", several.join(", ")),
            };
            return Err(Error::usage("nothing is selected")
                .hint("name workflows, or select with -l, --older, --status, --reason or --prefix")
                .hint(all));
        }
        let retention = self.what.retention(streams)?;
        let ended = match self.what.from.files.is_empty() {
            true => from_cluster::run(self, retention, streams, now).await,
            false => from_files::run(self, retention, streams, now).await,
        };
        // kubectl's flag takes its value in this way only, so that a word after it is a name.
        let stray = self.names.iter().find(|name| matches!(name.name.as_str(), "client" | "server" | "none"));
        match (stray, self.dry_run) {
            (Some(word), DryRun::Client) => ended.map_err(|error| {
                error.hint(format!("\"{word}\" was taken for a workflow's name; write --dry-run={word}"))
            }),
            _ => ended,
        }
    }
}
