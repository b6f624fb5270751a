//! Collects the newest runs of each series over all pages, and holds only as many of a series as a rule may
//! keep.

use crate::plan::retention::series::Series;
use jiff::Timestamp;
use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

/// The finish times of the newest runs of each series.
#[derive(Debug, Default)]
pub struct Newest {
    series: HashMap<Series, Group>,
    most: usize,
}

#[derive(Debug, Default)]
struct Group {
    /// Finish times, each with a hash of the run. Two runs whose hashes collide count as one, so that one more
    /// run is kept.
    times: BTreeSet<(Timestamp, u64)>,
    /// The finish time by run, because a list that is restarted shows a run twice.
    known: HashMap<u64, Timestamp>,
}

impl Newest {
    /// Holds at most `most` runs of each series.
    pub fn new(most: u32) -> Self {
        Self { series: HashMap::new(), most: usize::try_from(most).unwrap_or(usize::MAX) }
    }

    /// Counts a finished run. A run that is counted again counts once, with its last time.
    pub fn count(&mut self, series: Series, finished: Timestamp, identity: impl Hash) {
        if self.most == 0 {
            return;
        }
        let mut hasher = DefaultHasher::new();
        identity.hash(&mut hasher);
        let run = hasher.finish();
        let group = self.series.entry(series).or_default();
        if let Some(before) = group.known.insert(run, finished) {
            group.times.remove(&(before, run));
        }
        group.times.insert((finished, run));
        if group.times.len() > self.most
            && let Some((_, oldest)) = group.times.pop_first()
        {
            group.known.remove(&oldest);
        }
    }

    /// Returns true if a run of the series that finished at this time is one of the newest `last`. Ties count
    /// as well, because it is unknown which run is newer.
    pub fn holds(&self, series: &Series, finished: Timestamp, last: u32) -> bool {
        let newer = self.series.get(series).map_or(0, |group| {
            group.times.iter().rev().take_while(|(time, _)| *time > finished).take(last as usize).count()
        });
        newer < last as usize
    }

    /// Returns the number of runs held.
    #[cfg(test)]
    pub fn held(&self) -> usize {
        let groups = self.series.values();
        groups.map(|group| group.times.len().max(group.known.len())).sum()
    }
}
