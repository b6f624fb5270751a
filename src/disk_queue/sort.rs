//! Values in order, however many there are: sorted runs in temporary files, merged.

use crate::disk_queue::{DiskQueue, until_error};
use crate::error::Error;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Bytes of values that are sorted in memory. What takes less goes into no file.
const MEMORY: usize = 8 << 20;

/// Runs that are merged together. Each has a buffer.
const FAN: usize = 32;

/// What can be sorted on disk.
pub(crate) trait Sortable: Ord + Serialize + DeserializeOwned + Send + 'static {}

impl<T: Ord + Serialize + DeserializeOwned + Send + 'static> Sortable for T {}

/// Values in no order.
pub(crate) struct DiskSort<T> {
    buffer: Vec<T>,
    bytes: usize,
    /// Sorted runs. Those of a level are merged from [`FAN`] of the level before.
    levels: Vec<Vec<DiskQueue<T>>>,
}

impl<T> Default for DiskSort<T> {
    fn default() -> Self {
        Self { buffer: Vec::new(), bytes: 0, levels: Vec::new() }
    }
}

impl<T: Sortable> DiskSort<T> {
    /// Adds a value, which has so many bytes of text.
    ///
    /// # Errors
    /// There is no room for temporary files.
    pub fn push(&mut self, value: T, text: usize) -> Result<(), Error> {
        self.bytes += text + size_of::<T>();
        self.buffer.push(value);
        if self.bytes < MEMORY {
            return Ok(());
        }
        self.bytes = 0;
        let mut values = std::mem::take(&mut self.buffer);
        values.sort_unstable();
        let mut run = written(values.into_iter().map(Ok))?;
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            self.levels[level].push(run);
            if self.levels[level].len() < FAN {
                break;
            }
            let runs = std::mem::take(&mut self.levels[level]);
            run = written(merged(runs, Vec::new())?)?;
        }
        Ok(())
    }

    /// Returns true if nothing was added.
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty() && self.levels.is_empty()
    }

    /// All values in order. It ends with the first error.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn into_sorted(mut self) -> Result<Values<T>, Error> {
        self.buffer.sort_unstable();
        Ok(Box::new(until_error(merged(self.levels.into_iter().flatten().collect(), self.buffer)?)))
    }
}

/// Values, up to the first error.
pub(crate) type Values<T> = Box<dyn Iterator<Item = Result<T, Error>> + Send>;

/// Merges runs, and what is in memory.
fn merged<T: Sortable>(
    runs: Vec<DiskQueue<T>>,
    last: Vec<T>,
) -> Result<impl Iterator<Item = Result<T, Error>> + Send, Error> {
    let mut runs = runs
        .into_iter()
        .map(|run| Ok(Box::new(run.into_values()?) as Values<T>))
        .collect::<Result<Vec<_>, Error>>()?;
    runs.push(Box::new(last.into_iter().map(Ok)));
    let mut heads = BinaryHeap::new();
    for (number, run) in runs.iter_mut().enumerate() {
        if let Some(head) = run.next() {
            heads.push(Reverse((head?, number)));
        }
    }
    Ok(std::iter::from_fn(move || {
        let Reverse((value, number)) = heads.pop()?;
        match runs[number].next() {
            Some(Ok(next)) => heads.push(Reverse((next, number))),
            Some(Err(error)) => return Some(Err(error)),
            None => {}
        }
        Some(Ok(value))
    }))
}

fn written<T: Sortable>(values: impl Iterator<Item = Result<T, Error>>) -> Result<DiskQueue<T>, Error> {
    let mut run = DiskQueue::default();
    for value in values {
        run.push(&value?)?;
    }
    Ok(run)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn values_come_back_in_order_from_memory_and_from_disk() {
        for count in [0, 10, 300_000] {
            let mut sort = DiskSort::default();
            // A number that no power of two divides walks through all of them, out of order.
            let at = |n: u64| format!("argo/train-{:020}/a\nb.tgz", n * 7919 % count.max(1));
            for n in 0..count {
                sort.push((n % 2, at(n)), at(n).len()).unwrap();
            }
            assert_eq!((sort.is_empty(), sort.levels.is_empty()), (count == 0, count <= 10));
            let sorted: Vec<(u64, String)> = sort.into_sorted().unwrap().map(Result::unwrap).collect();
            assert_eq!(sorted.len() as u64, count);
            assert!(sorted.is_sorted_by(|one, other| one < other));
        }
    }

    #[test]
    fn runs_of_many_levels_are_merged_and_nothing_is_lost_that_comes_twice() {
        let mut sort = DiskSort::default();
        let values = 40 * MEMORY as u64 / (8 + 50_000);
        (0..values).for_each(|n| sort.push(n * 7919 % values / 2, 50_000).unwrap());
        assert!(sort.levels.len() == 2 && !sort.levels[1].is_empty());
        let sorted: Vec<u64> = sort.into_sorted().unwrap().map(Result::unwrap).collect();
        assert_eq!(sorted, (0..values).map(|n| n / 2).collect::<Vec<_>>());
    }

    #[test]
    fn a_run_that_can_not_be_read_ends_with_an_error() {
        let mut broken = DiskQueue::<String>::default();
        broken.push(&"a".to_owned()).unwrap();
        broken.spoil().unwrap();
        let sort = DiskSort { buffer: vec!["b".to_owned()], bytes: 0, levels: vec![vec![broken]] };
        let values: Vec<Result<String, Error>> = sort.into_sorted().unwrap().collect();
        assert!(values.last().unwrap().is_err());
        assert!(values.iter().filter(|value| value.is_ok()).count() < 2);
    }
}
