//! Keys in order and each once, however many there are: sorted runs on disk, merged.

use crate::disk_queue::{failed, until_error};
use crate::error::Error;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};

/// Bytes of keys that are sorted in memory.
const MEMORY: usize = 16 << 20;

/// Runs that are merged together. Each has a buffer.
const FAN: usize = 32;

/// The buffer of a run.
const BUFFER: usize = 16 << 10;

/// A key, with the number of the place that it is in.
pub(crate) type PlacedKey = (u32, String);

/// Keys in no order.
#[derive(Default)]
pub(crate) struct SortedKeys {
    buffer: Vec<PlacedKey>,
    bytes: usize,
    /// Sorted runs. Those of a level are merged from [`FAN`] of the level before.
    levels: Vec<Vec<File>>,
}

impl SortedKeys {
    /// Adds a key.
    ///
    /// # Errors
    /// There is no room for temporary files.
    pub fn push(&mut self, place: u32, key: String) -> Result<(), Error> {
        self.bytes += key.len() + size_of::<PlacedKey>();
        self.buffer.push((place, key));
        if self.bytes < MEMORY {
            return Ok(());
        }
        self.bytes = 0;
        let mut keys = std::mem::take(&mut self.buffer);
        keys.sort_unstable();
        let mut run = written(keys.into_iter().map(Ok))?;
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            self.levels[level].push(run);
            if self.levels[level].len() < FAN {
                break;
            }
            let runs = std::mem::take(&mut self.levels[level]);
            run = written(merged(runs.into_iter().map(read).collect())?)?;
        }
        Ok(())
    }

    /// All keys in order, each once. It ends with the first error.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn into_sorted(mut self) -> Result<impl Iterator<Item = Result<PlacedKey, Error>>, Error> {
        self.buffer.sort_unstable();
        let last: Run = Box::new(self.buffer.into_iter().map(Ok));
        let runs = self.levels.into_iter().flatten().map(read).chain(std::iter::once(last)).collect();
        Ok(until_error(merged(runs)?))
    }
}

type Run = Box<dyn Iterator<Item = Result<PlacedKey, Error>> + Send>;

/// Merges runs, and leaves out what came before.
fn merged(mut runs: Vec<Run>) -> Result<impl Iterator<Item = Result<PlacedKey, Error>>, Error> {
    let mut heads = BinaryHeap::new();
    for (number, run) in runs.iter_mut().enumerate() {
        if let Some(head) = run.next() {
            heads.push(Reverse((head?, number)));
        }
    }
    let mut before: Option<PlacedKey> = None;
    Ok(std::iter::from_fn(move || {
        loop {
            let Reverse((key, number)) = heads.pop()?;
            match runs[number].next() {
                Some(Ok(next)) => heads.push(Reverse((next, number))),
                Some(Err(error)) => return Some(Err(error)),
                None => {}
            }
            if before.as_ref() != Some(&key) {
                before = Some(key.clone());
                return Some(Ok(key));
            }
        }
    }))
}

fn written(keys: impl Iterator<Item = Result<PlacedKey, Error>>) -> Result<File, Error> {
    let mut writer = BufWriter::with_capacity(1 << 16, tempfile::tempfile().map_err(failed)?);
    for key in keys {
        let (place, key) = key?;
        let length = u32::try_from(key.len()).map_err(|_| Error::new("a key is too long"))?;
        let parts = [&place.to_le_bytes()[..], &length.to_le_bytes(), key.as_bytes()];
        parts.into_iter().try_for_each(|part| writer.write_all(part)).map_err(failed)?;
    }
    let mut file = writer.into_inner().map_err(|error| failed(error.into_error()))?;
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    Ok(file)
}

fn read(file: File) -> Run {
    let mut reader = BufReader::with_capacity(BUFFER, file);
    Box::new(std::iter::from_fn(move || next(&mut reader).map_err(failed).transpose()))
}

/// The next key; none at the end.
fn next(reader: &mut impl Read) -> io::Result<Option<PlacedKey>> {
    let (mut place, mut length) = ([0; 4], [0; 4]);
    if reader.read(&mut place[..1])? == 0 {
        return Ok(None);
    }
    reader.read_exact(&mut place[1..])?;
    reader.read_exact(&mut length)?;
    let mut key = vec![0; u32::from_le_bytes(length) as usize];
    reader.read_exact(&mut key)?;
    let key = String::from_utf8(key).map_err(io::Error::other)?;
    Ok(Some((u32::from_le_bytes(place), key)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn keys_come_back_in_order_and_once_from_memory_and_from_disk() {
        for count in [0, 10, 400_000] {
            let mut keys = SortedKeys::default();
            // A number that no power of two divides walks through all of them, out of order.
            let at = |n: u64| format!("argo/train-{:020}/a\nb.tgz", n * 7919 % count.max(1));
            for n in 0..count {
                keys.push((n % 2) as u32, at(n)).unwrap();
                keys.push((n % 2) as u32, at(n)).unwrap();
            }
            let on_disk = !keys.levels.is_empty();
            assert_eq!(on_disk, count > 10);
            let sorted: Vec<PlacedKey> = keys.into_sorted().unwrap().map(Result::unwrap).collect();
            assert_eq!(sorted.len() as u64, count);
            assert!(sorted.is_sorted_by(|one, other| one < other));
        }
    }

    #[test]
    fn runs_of_many_levels_are_merged() {
        let runs = |first: u32| -> Vec<Run> {
            (0..4)
                .map(|n| read(written((first..first + 3).map(|k| Ok((n % 2, k.to_string())))).unwrap()))
                .collect()
        };
        let once = written(merged(runs(10)).unwrap()).unwrap();
        let twice = merged(vec![read(once), read(written(merged(runs(11)).unwrap()).unwrap())]).unwrap();
        let keys: Vec<String> = twice.map(|key| key.unwrap()).map(|(n, key)| format!("{n}{key}")).collect();
        assert_eq!(keys, ["010", "011", "012", "013", "110", "111", "112", "113"]);
    }
}
