//! `fix --lifecycle` prints a lifecycle rule for a bucket, and shows what the rule would delete today.

use crate::cli::fix::Arguments;
use crate::cli::records::{Read, Sources};
use crate::cli::streams::Streams;
use crate::cli::warnings::warn_of_readers;
use crate::error::{Error, exit};
use crate::output::escape::escape;
use crate::output::text::{plural, size};
use argo_gc_core::model::bucket::Bucket;
use argo_gc_core::plan::lifecycle::{Effect, Needed, Rule};
use futures::StreamExt;
use jiff::Timestamp;
use std::io::Write;

impl Arguments {
    /// Applies a rule to the objects of the bucket, names those that are still needed, and prints the rule.
    pub(crate) async fn tried(
        &self,
        days: u32,
        (bucket, prefix): &(Bucket, String),
        streams: &mut Streams,
        now: Timestamp,
    ) -> Result<u8, Error> {
        let store = self.storage.open()?;
        let (kube, argo) = (&self.kube, &self.argo);
        let sources = Sources {
            from: &self.from,
            also: &self.also,
            controllers: &self.controllers,
            kube,
            argo,
            by_name: true,
        };
        let Read { records, .. } = sources.read(streams, now).await?;
        warn_of_readers(&records.references, streams);
        let slash = if prefix.is_empty() || prefix.ends_with('/') { "" } else { "/" };
        let prefix = format!("{prefix}{slash}");
        let (references, guarded) = (&records.references, &records.guarded);
        let rule = Rule { references, guarded, bucket, prefix: &prefix, days, now };
        let (Some(document), Some(command)) = (rule.document(), rule.command("rule.json")) else {
            return Err(Error::usage(format!("no lifecycle rule is known for {bucket}")));
        };
        let mut effect = Effect::default();
        let mut pages = store.pages(bucket, &prefix);
        while let Some(page) = pages.next().await {
            page?.iter().for_each(|object| rule.tries(&mut effect, object));
        }
        let Effect { objects, bytes, needed, named, left } = effect;
        streams.say(escape(&format!(
            "Today the rule would delete {} ({}) below {}, and leave {left} that are younger.",
            plural(objects, "object"),
            size(bytes),
            bucket.uri(&prefix)
        )));
        match needed {
            0 if !records.unread.is_empty() => {
                streams.say("Whether something still needs it is unknown, because not all could be read:");
            }
            0 => streams.say("Nothing of it is referred to, pinned or held, as far as the records show."),
            1 => streams.say("Warning: 1 of them is still needed:"),
            _ => streams.say(format!("Warning: {needed} of them are still needed:")),
        }
        for Needed { key, by } in &named {
            streams.say(escape(&format!("  {}: {by}", bucket.uri(key))));
        }
        if needed > named.len() as u64 {
            streams.say(format!("  and {} more", needed - named.len() as u64));
        }
        for unread in &records.unread {
            streams.say(escape(&format!("Warning: more may be needed: {unread}")));
        }
        let text = serde_json::to_string_pretty(&document).map_err(Error::new)?;
        writeln!(streams.out, "{text}")?;
        streams.out.flush()?;
        streams.say(escape(&format!("Set it, replacing the existing rules, with: {command}")));
        Ok(if records.unread.is_empty() { exit::DONE } else { exit::PARTIAL })
    }
}
