//! `explain` prints entries of the catalogue of reasons, what other words of tables mean, and what a place in storage is.

pub mod location;

use crate::cli::explain::location::LocationFlags;
use crate::cli::streams::Streams;
use crate::cli::words::meanings;
use crate::error::{Error, exit};
use crate::output::explain::{explain, explain_list};
use crate::output::words::{Word, explain_word};
use argo_gc_core::reason::Reason;
use clap::Args;
use jiff::Timestamp;

/// Explains a word of a table, or what an object in storage is
///
/// A word is a reason code, a verdict, a protection or a cause of orphans: why that happens, in which versions, and what
/// mends it.
///
/// Of a location it says which artifacts of which workflows it is, their verdicts, who refers to it and whether that
/// protects it, and what a purge with the same flags would do with it: delete it, keep it and why, or leave it out and why.
/// It reads what a purge reads, decides as a purge does, and deletes nothing. Without flags that select, it answers for a
/// purge of all workflows of all namespaces. The reasons that stop a whole plan (--max-objects) are not looked at.
#[derive(Debug, Args)]
#[command(mut_arg("files", |arg| arg.help("Files, directories or - (standard input) to read instead of a cluster: \
    JSON or YAML")))]
#[command(mut_arg("namespace", |arg| arg.help("Namespace of the workflows that the purge selects [default: all, and the \
    context's with --workflow]")))]
#[command(after_help = "Examples:
  kubectl argo-gc explain inline-only
  kubectl argo-gc explain --list
  kubectl argo-gc explain gs://ml-artifacts/train-x7k2p/model.tgz
  kubectl argo-gc explain gs://ml-artifacts/latest/model.tgz -n ml --older 7d
  kubectl argo-gc explain s3://b@minio:9000/latest -f workflows.yaml -o json
  kubectl argo-gc explain --plan plan.json gs://ml-artifacts/latest/model.tgz

Exit status: 0 done; 1 error; 2 there is no such word, or wrong usage.")]
pub(crate) struct Arguments {
    /// Words as tables show them; or one location, such as gs://BUCKET/KEY, s3://BUCKET/KEY, s3://BUCKET@HOST/KEY or the URL
    /// of an Azure blob.
    #[arg(value_name = "WORD|LOCATION", required_unless_present = "list")]
    words: Vec<String>,
    /// Lists all words with their meanings.
    #[arg(long, conflicts_with = "words")]
    list: bool,
    #[command(flatten)]
    pub(crate) location: LocationFlags,
}

impl Arguments {
    pub async fn run(self, streams: &mut Streams, now: Timestamp) -> Result<u8, Error> {
        if self.list {
            explain_list(&mut streams.out, streams.width)?;
            return Ok(exit::DONE);
        }
        if let Some(place) = self.words.iter().find(|word| word.contains("://")) {
            if self.words.len() > 1 {
                return Err(Error::usage("explain takes one location at a time, without other words"));
            }
            return self.location.run(place, streams, now).await;
        }
        if self.location.plan.is_some() {
            return Err(Error::usage("--plan explains a location")
                .hint("kubectl argo-gc explain --plan FILE gs://BUCKET/KEY"));
        }
        let meanings: Vec<(Option<Reason>, Vec<Word>)> =
            self.words.iter().map(|word| meanings(word)).collect::<Result<_, _>>()?;
        let mut first = true;
        let mut apart = |streams: &mut Streams| match std::mem::take(&mut first) {
            true => Ok(()),
            false => writeln!(streams.out, "\n"),
        };
        for (reason, words) in meanings {
            if let Some(reason) = reason {
                apart(streams)?;
                explain(&mut streams.out, streams.width, reason)?;
            }
            for word in words {
                apart(streams)?;
                explain_word(&mut streams.out, word)?;
            }
        }
        Ok(exit::DONE)
    }
}
