//! Sets of hashes that take five to six bytes for each, however many there are.

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
    /// Sorted. There is no shelf as long as all wait.
    shelves: Vec<Vec<Rest>>,
    shelved: usize,
    waiting: HashSet<u64>,
}

impl Hashes {
    /// Adds a hash, and returns true if it is new.
    pub fn insert(&mut self, hash: u64) -> bool {
        let hash = hash >> 8;
        if self.is_shelved(hash) || !self.waiting.insert(hash) {
            return false;
        }
        if self.waiting.len() > WAITING.max(self.shelved / 16) {
            self.shelve();
        }
        true
    }

    /// Returns true if a hash with the same first bytes was added.
    pub fn contains(&self, hash: u64) -> bool {
        let hash = hash >> 8;
        self.waiting.contains(&hash) || self.is_shelved(hash)
    }

    /// Returns the number of hashes.
    pub fn len(&self) -> usize {
        self.shelved + self.waiting.len()
    }

    /// Returns true if there are no hashes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn is_shelved(&self, hash: u64) -> bool {
        self.shelves.get(shelf(hash)).is_some_and(|shelf| shelf.binary_search(&rest(hash)).is_ok())
    }

    fn shelve(&mut self) {
        self.shelves.resize_with(SHELVES, Vec::new);
        self.shelved += self.waiting.len();
        let mut waiting: Vec<u64> = std::mem::take(&mut self.waiting).into_iter().collect();
        waiting.sort_unstable();
        for some in waiting.chunk_by(|one, other| shelf(*one) == shelf(*other)) {
            let shelf = &mut self.shelves[shelf(some[0])];
            shelf.reserve_exact(some.len());
            shelf.extend(some.iter().copied().map(rest));
            // This sort is fast where most is sorted.
            shelf.sort();
        }
    }
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
            prop_assert!(!hashes.shelves.is_empty());
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
