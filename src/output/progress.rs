//! Signs of life in words.

use crate::output::escape::escape;
use crate::output::text::size;
use crate::progress::{Doing, State};
use std::time::Duration;

/// Rates of less time than this say little.
const SETTLED: Duration = Duration::from_secs(3);

/// How far something is, as `Deleting: 120 of 400 objects, 1.2MiB of 4.0MiB, 40/s, 7 s left`.
pub(crate) fn text(state: &State) -> String {
    let (what, noun) = match &state.doing {
        Doing::ReadingWorkflows => ("Reading workflows".to_owned(), ""),
        Doing::ReadingArchive => ("Reading the archive".to_owned(), "workflow"),
        Doing::Looking => ("Looking into buckets".to_owned(), "workflow"),
        Doing::Listing(location) => (escape(&format!("Listing {location}")).into_owned(), "object"),
        Doing::ReadingInventory => ("Reading the inventory".to_owned(), "row"),
        Doing::Deleting => ("Deleting".to_owned(), "object"),
        Doing::ReadingMarks => ("Reading marks".to_owned(), "object"),
        Doing::Marking => ("Marking".to_owned(), "object"),
        Doing::BringingBack => ("Bringing back".to_owned(), "object"),
    };
    let count = match state.of {
        Some(of) => format!("{} of {of}", state.done),
        None => state.done.to_string(),
    };
    let nouns = match (noun, state.of.unwrap_or(state.done)) {
        ("", _) => String::new(),
        (noun, 1) => format!(" {noun}"),
        (noun, _) => format!(" {noun}s"),
    };
    let mut text = format!("{what}: {count}{nouns}");
    if let Some((done, all)) = state.bytes {
        text += &format!(", {} of {}", size(done), size(all));
    }
    let seconds = state.elapsed.as_secs_f64();
    if state.elapsed < SETTLED || state.done == 0 {
        return text;
    }
    let rate = state.done as f64 / seconds;
    if noun == "object" || noun == "row" {
        text += &format!(", {rate:.0}/s");
    }
    if let Some(of) = state.of.filter(|of| *of > state.done) {
        text += &format!(", {} left", short((of - state.done) as f64 / rate));
    }
    text
}

/// A time to wait, roughly.
fn short(seconds: f64) -> String {
    match seconds.ceil() as u64 {
        seconds @ 0..100 => format!("{seconds} s"),
        seconds @ 100..6000 => format!("{} min", seconds.div_ceil(60)),
        seconds => format!("{} h", seconds.div_ceil(3600)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(doing: Doing, done: u64, of: Option<u64>, seconds: u64) -> State {
        State { doing, done, of, bytes: None, elapsed: Duration::from_secs(seconds) }
    }

    #[test]
    fn each_stage_has_its_words() {
        for (state, words) in [
            (state(Doing::ReadingWorkflows, 500, None, 1), "Reading workflows: 500"),
            (state(Doing::ReadingWorkflows, 500, Some(1500), 5), "Reading workflows: 500 of 1500, 10 s left"),
            (state(Doing::ReadingArchive, 1, None, 9), "Reading the archive: 1 workflow"),
            (
                state(Doing::Looking, 1, Some(4000), 10),
                "Looking into buckets: 1 of 4000 workflows, 12 h left",
            ),
            (
                state(Doing::Listing("gs://b/a\u{1b}".to_owned()), 2000, None, 4),
                "Listing gs://b/a\\u{1b}: 2000 objects, 500/s",
            ),
            (state(Doing::ReadingInventory, 0, None, 9), "Reading the inventory: 0 rows"),
            (
                State { bytes: Some((3 << 20, 4 << 30)), ..state(Doing::Deleting, 100, Some(10_000), 10) },
                "Deleting: 100 of 10000 objects, 3.0MiB of 4.0GiB, 10/s, 17 min left",
            ),
            (state(Doing::Deleting, 4, Some(4), 10), "Deleting: 4 of 4 objects, 0/s"),
            (state(Doing::BringingBack, 1, Some(1), 0), "Bringing back: 1 of 1 object"),
        ] {
            assert_eq!(text(&state), words);
        }
    }
}
