//! `inspect` shows which artifacts lack coverage, and why.

pub mod arguments;
pub mod from_cluster;
pub mod from_files;
pub mod run;
pub mod watch;

use crate::cli::inspect::arguments::Arguments;
use crate::cli::push_flags::Mode;
use crate::cli::streams::Streams;
use crate::cli::webhook_flags::Outcome;
use crate::error::Error;
use crate::output::beside::Kept;
use jiff::Timestamp;

impl Arguments {
    pub async fn run(self, streams: &mut Streams, now: Timestamp) -> Result<u8, Error> {
        if self.watch {
            match watch::run(&self, streams, now).await? {}
        }
        let hook = self.webhook.open()?;
        let kept = Kept::default();
        let ended = match self.from.files.is_empty() {
            true => from_cluster::run(&self, &kept, streams, now).await,
            false => from_files::run(&self, &kept, streams, now).await,
        };
        let unpushed = match &ended {
            Ok(_) => self.push.hand_over(Mode::Inspect, &kept.text()).await,
            // It has no metrics.
            Err(_) => None,
        };
        let outcome = Outcome { mode: Mode::Inspect, began: now, answer: kept.answer() };
        let untold = self.webhook.tell(hook, outcome, &ended, unpushed.as_ref()).await;
        streams.after_all([unpushed, untold], ended)
    }
}
