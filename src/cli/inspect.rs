//! `inspect` shows which artifacts lack coverage, and why.

pub mod arguments;
pub mod from_cluster;
pub mod from_files;
pub mod run;
pub mod watch;

use crate::cli::inspect::arguments::Arguments;
use crate::cli::push_flags::Mode;
use crate::cli::streams::Streams;
use crate::error::Error;
use crate::output::beside::Kept;
use jiff::Timestamp;

impl Arguments {
    pub async fn run(self, streams: &mut Streams, now: Timestamp) -> Result<u8, Error> {
        if self.watch {
            match watch::run(&self, streams, now).await? {}
        }
        let metrics = Kept::default();
        let code = if self.from.files.is_empty() {
            from_cluster::run(&self, &metrics, streams, now).await?
        } else {
            from_files::run(&self, &metrics, streams, now).await?
        };
        self.push.hand_over(Mode::Inspect, &metrics.text(), Ok(code), streams).await
    }
}
