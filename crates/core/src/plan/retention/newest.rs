//! The newest runs of each series, over all pages: no more of a series is held than any rule keeps.

use crate::plan::retention::series::Series;
use jiff::Timestamp;
use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

/// When the newest runs of each series finished.
#[derive(Debug, Default)]
pub struct Newest {
    series: HashMap<Series, Group>,
    most: usize,
}

#[derive(Debug, Default)]
struct Group {
    /// With a hash of the run. Two that collide count once, and so keep one more.
    times: BTreeSet<(Timestamp, u64)>,
    /// A list that starts over shows a run twice.
    known: HashMap<u64, Timestamp>,
}

impl Newest {
    /// Holds so many of each.
    pub fn new(most: u32) -> Self {
        Self { series: HashMap::new(), most: usize::try_from(most).unwrap_or(usize::MAX) }
    }

    /// Counts a finished run; again, it counts with its last time.
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

    /// Whether a run of the series that ended then is one of the newest so many. Those that ended together with
    /// the last of them are, too: which of them is newer can't be told.
    pub fn holds(&self, series: &Series, finished: Timestamp, last: u32) -> bool {
        let newer = self.series.get(series).map_or(0, |group| {
            group.times.iter().rev().take_while(|(time, _)| *time > finished).take(last as usize).count()
        });
        newer < last as usize
    }

    /// Runs that are held.
    #[cfg(test)]
    pub fn held(&self) -> usize {
        let groups = self.series.values();
        groups.map(|group| group.times.len().max(group.known.len())).sum()
    }
}
