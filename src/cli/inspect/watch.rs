//! `inspect --watch`: inspects again and again, and shows what changed.
//!
//! All is read each time: a verdict also changes by what happens to GC pods and tasks, and by the mere passing of time, which no
//! watch of workflows shows.

use crate::cli::hints;
use crate::cli::inspect::arguments::Arguments;
use crate::cli::inspect::from_cluster;
use crate::cli::streams::Streams;
use crate::error::Error;
use crate::output::watch::{Remembered, Watched};
use argo_gc_core::model::gap::Gap;
use jiff::Timestamp;
use std::convert::Infallible;
use std::io::Write;
use std::time::Instant;

/// Goes on until the user interrupts it, or nobody reads any more. `begun` is now.
///
/// # Errors
/// The first inspection fails, or the output can't be written. A later inspection that fails is made again.
pub(crate) async fn run(
    arguments: &Arguments,
    streams: &mut Streams,
    begun: Timestamp,
) -> Result<Infallible, Error> {
    let clock = Instant::now();
    let remembered = Remembered::default();
    let mut gaps: Option<Vec<Gap>> = None;
    loop {
        let now = begun.checked_add(clock.elapsed()).unwrap_or(begun);
        let format = Watched::next(&remembered, || arguments.format().writer(None));
        match from_cluster::inspect(arguments, Box::new(format), streams, now).await {
            Ok(inspected) => {
                if gaps.as_ref() != Some(&inspected.inspection.gaps) {
                    inspected.report(streams);
                    gaps = Some(inspected.inspection.gaps);
                }
            }
            Err(error) if gaps.is_none() || error.kind == crate::error::ErrorKind::ClosedPipe => {
                return Err(error);
            }
            Err(error) => streams.say(hints::shown(&error)),
        }
        streams.out.flush()?;
        tokio::time::sleep(arguments.interval).await;
    }
}
