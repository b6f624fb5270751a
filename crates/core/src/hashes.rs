//! Sets of hashes that take little more than five bytes for each, however many there are.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hasher};

/// Two bytes of a hash choose the shelf that it is on.
const SHELVES: usize = 1 << 16;

/// What else is kept of a hash.
type Rest = [u8; 5];

/// Hashes that wait to be sorted in, at least.
const WAITING: usize = 1 << 12;

/// A set of hashes. Of each, the first seven bytes count.
#[derive(Debug, Clone, Default)]
pub struct Hashes {
    sorted: Sorted,
    waiting: HashSet<u64>,
}

impl Hashes {
    /// Adds a hash, and returns true if it is new.
    pub fn insert(&mut self, hash: u64) -> bool {
        let hash = hash >> 8;
        if self.sorted.contains(hash) || !self.waiting.insert(hash) {
            return false;
        }
        if self.waiting.len() > WAITING.max(self.sorted.len() / 64) {
            let mut waiting: Vec<u64> = std::mem::take(&mut self.waiting).into_iter().collect();
            waiting.sort_unstable();
            self.sorted.add(waiting);
        }
        true
    }

    /// Returns true if a hash with the same first bytes was added.
    pub fn contains(&self, hash: u64) -> bool {
        let hash = hash >> 8;
        self.waiting.contains(&hash) || self.sorted.contains(hash)
    }

    /// Returns the number of hashes.
    pub fn len(&self) -> usize {
        self.sorted.len() + self.waiting.len()
    }

    /// Returns true if there are no hashes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Hashes of a piece. All pieces are of one size, so that those that are read give room to those that are written.
const PIECE: usize = 1 << 12;

/// Sorted hashes of seven bytes, without their shelves' numbers, in pieces.
#[derive(Debug, Clone, Default)]
struct Sorted {
    pieces: Vec<Vec<Rest>>,
    /// Where each shelf ends. There is none as long as there are no hashes.
    ends: Vec<usize>,
}

impl Sorted {
    fn len(&self) -> usize {
        self.ends.last().copied().unwrap_or_default()
    }

    fn shelf(&self, shelf: usize) -> std::ops::Range<usize> {
        let end = |shelf: usize| self.ends.get(shelf).copied().unwrap_or_default();
        shelf.checked_sub(1).map_or(0, end)..end(shelf)
    }

    fn contains(&self, hash: u64) -> bool {
        let (mut among, rest) = (self.shelf(shelf(hash)), rest(hash));
        while !among.is_empty() {
            let middle = among.start + among.len() / 2;
            match self.pieces[middle / PIECE][middle % PIECE].cmp(&rest) {
                std::cmp::Ordering::Less => among.start = middle + 1,
                std::cmp::Ordering::Equal => return true,
                std::cmp::Ordering::Greater => among.end = middle,
            }
        }
        false
    }

    /// Adds sorted hashes that are not there yet.
    fn add(&mut self, hashes: Vec<u64>) {
        let before = std::mem::take(self);
        let shelves: Vec<usize> = (0..SHELVES).map(|shelf| before.shelf(shelf).len()).collect();
        let shelves = shelves.into_iter().enumerate();
        let shelves = shelves.flat_map(|(shelf, length)| std::iter::repeat_n(shelf, length));
        // A piece is given back when its last hash is taken.
        let mut before = shelves.zip(before.pieces.into_iter().flatten()).map(whole).peekable();
        let mut hashes = hashes.into_iter().peekable();
        self.ends = vec![0; SHELVES];
        while let Some(hash) = match (before.peek(), hashes.peek()) {
            (Some(old), Some(new)) if old < new => before.next(),
            (Some(_), None) => before.next(),
            _ => hashes.next(),
        } {
            self.push(hash);
        }
        let mut end = 0;
        for length in &mut self.ends {
            end += *length;
            *length = end;
        }
    }

    /// Until all are pushed, a shelf's end is its length.
    fn push(&mut self, hash: u64) {
        self.ends[shelf(hash)] += 1;
        match self.pieces.last_mut() {
            Some(piece) if piece.len() < PIECE => piece.push(rest(hash)),
            _ => {
                let mut piece = Vec::with_capacity(PIECE);
                piece.push(rest(hash));
                self.pieces.push(piece);
            }
        }
    }
}

/// The hash of a shelf's number and the rest.
fn whole((shelf, [a, b, c, d, e]): (usize, Rest)) -> u64 {
    (shelf as u64) << 40 | u64::from_be_bytes([0, 0, 0, a, b, c, d, e])
}

/// The shelf of a hash of seven bytes.
fn shelf(hash: u64) -> usize {
    (hash >> 40) as usize
}

fn rest(hash: u64) -> Rest {
    let [_, _, _, rest @ ..] = hash.to_be_bytes();
    rest
}

/// A set of names, of which only hashes are kept: now and then a name may be taken for another that was added.
#[derive(Debug, Clone, Default)]
pub struct Names(Hashes);

impl Names {
    /// Adds a name.
    pub fn insert(&mut self, name: &str) {
        self.0.insert(hash(name));
    }

    /// Returns true if the name was added, and hardly ever if it was not.
    pub fn contains(&self, name: &str) -> bool {
        self.0.contains(hash(name))
    }
}

impl<T: AsRef<str>> Extend<T> for Names {
    fn extend<I: IntoIterator<Item = T>>(&mut self, names: I) {
        names.into_iter().for_each(|name| self.insert(name.as_ref()));
    }
}

impl<T: AsRef<str>> FromIterator<T> for Names {
    fn from_iter<I: IntoIterator<Item = T>>(names: I) -> Self {
        let mut all = Self::default();
        all.extend(names);
        all
    }
}

fn hash(name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(name.as_bytes());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Few first bytes, so that shelves are full and hashes alike; more hashes than wait, so that there are shelves.
        #[test]
        fn the_set_is_that_of_the_first_seven_bytes(
            alike in proptest::collection::vec((0u64..3, 0u64..400, 0u64..2), 0..600),
            before in prop::bool::ANY,
        ) {
            let mut hashes = Hashes::default();
            let mut model = HashSet::new();
            let some: Vec<u64> = alike.iter().map(|(first, middle, last)| first << 60 | middle << 8 | last).collect();
            let many: Vec<u64> = (0..2 * WAITING as u64).map(|at| at.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
            let (one, two) = if before { (&many, &some) } else { (&some, &many) };
            for hash in one.iter().chain(two) {
                prop_assert_eq!(hashes.insert(*hash), model.insert(hash >> 8));
            }
            prop_assert!(hashes.sorted.pieces.len() > 1);
            prop_assert_eq!(hashes.len(), model.len());
            for hash in some.iter().chain(&many) {
                prop_assert!(hashes.contains(*hash) && hashes.contains(hash ^ 1));
                for other in [hash ^ 1 << 8, hash ^ 1 << 40, hash ^ 1 << 63] {
                    prop_assert_eq!(hashes.contains(other), model.contains(&(other >> 8)));
                }
            }
        }
    }

    #[test]
    fn names_are_told_from_others() {
        let mut names: Names = (0..20_000).map(|at| format!("train-{at}")).collect();
        names.extend(["b"]);
        assert!((0..20_000).all(|at| names.contains(&format!("train-{at}"))) && names.contains("b"));
        assert!((20_000..40_000).all(|at| !names.contains(&format!("train-{at}"))));
        assert!(!names.contains("") && !Names::default().contains("b"));
    }
}
