//! `shards` is the last step of the Workflow that `purge --engine argo` prints. It needs nothing but what it is told.

use crate::cli::purge::arguments::MAX_SHARDS;
use crate::cli::purge::summary_flag::SummaryFlag;
use crate::cli::streams::Streams;
use crate::error::{Error, exit};
use crate::output::escape::escape;
use crate::output::shards::Sum;
use clap::Args;
use std::io::Write;

/// Says what the shards of a plan did, for the Workflow of purge --engine argo
///
/// Exit status: 0 every shard succeeded and all objects are gone; 1 error; 2 wrong usage; 4 anything else.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// How many shards there are.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=MAX_SHARDS), value_name = "N")]
    shards: u32,
    /// How many objects the plan has.
    #[arg(long, value_name = "N")]
    objects: u64,
    /// What Argo knows of the shards: a JSON list of objects with `shard`, `status` and `line`.
    #[arg(value_name = "JSON")]
    told: String,
    #[command(flatten)]
    summary: SummaryFlag,
}

impl Arguments {
    pub fn run(self, streams: &mut Streams) -> Result<u8, Error> {
        let summary = self.summary.open()?;
        let sum = Sum::of(self.shards, self.objects, &self.told)?;
        for line in &sum.lines {
            writeln!(streams.out, "{}", escape(line))?;
        }
        let words = sum.words();
        writeln!(streams.out, "{words}")?;
        summary.write(&words, streams);
        Ok(if sum.is_whole() { exit::DONE } else { exit::PARTIAL })
    }
}
