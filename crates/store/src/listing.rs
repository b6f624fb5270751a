//! What is asked of a listing, and what one page of it holds.

use argo_gc_core::model::object::ObjectFacts;
use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

/// A listing ends with an error after so many pages in a row that have nothing new.
const EMPTY_PAGES: usize = 1000;

/// What is wrong with a page that is not the last and has no token.
pub(crate) const NO_WAY_ON: &str = "there is more, and nothing leads to it";

/// Which objects of a bucket are listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum ListKind {
    /// The live objects.
    #[default]
    Live,
    /// Versions that were overwritten or deleted, where the bucket keeps versions.
    Noncurrent,
    /// Deleted objects that the bucket keeps for a while.
    SoftDeleted,
}

/// A range of a bucket's keys, in key order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Range {
    pub prefix: String,
    /// Only keys after this one are listed; GCS includes the key itself. The key has the prefix: older MinIO and
    /// SeaweedFS (#11321) answer a `start-after` that sorts before the prefix with an empty listing.
    pub after: Option<String>,
    /// Objects per page, where the engine's own page size is too large.
    pub most: Option<usize>,
    pub kind: ListKind,
}

impl Range {
    pub fn of(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned(), ..Self::default() }
    }

    /// No key before this one is listed.
    pub fn beginning(&self) -> &str {
        self.after.as_deref().unwrap_or(&self.prefix)
    }
}

/// One page of a listing.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub objects: Vec<ObjectFacts>,
    /// Tells the first entry of the page from all others, one that was not asked for too; empty if there is none.
    pub first: String,
    /// The token of the next page; a server may leave it out although there is one.
    pub token: Option<String>,
    /// There are more objects, although this page may be empty.
    pub more: bool,
    /// A key that the page leaves out does not exist. S3-compatible servers may order and encode keys in their own
    /// way (SeaweedFS, Storj, VersityGW #1283), so keys that they leave out have to be asked for one by one.
    pub is_sure: bool,
}

/// Notices a listing that does not go on: its tokens or its pages come round, or page after page is empty.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    met: HashSet<u64>,
    empty: usize,
    random: RandomState,
}

impl Trail {
    /// Follows the token of a page to the next page. `first` is what is new in the page; empty if nothing is.
    ///
    /// # Errors
    /// The listing would never end.
    pub fn follow(&mut self, token: Option<String>, first: &str) -> Result<Option<String>, &'static str> {
        let Some(token) = token else { return Ok(None) };
        self.empty = if first.is_empty() { self.empty + 1 } else { 0 };
        let is_new = self.met.insert(self.random.hash_one((0, &token)))
            && (first.is_empty() || self.met.insert(self.random.hash_one((1, first))));
        match is_new && self.empty <= EMPTY_PAGES {
            true => Ok(Some(token)),
            false => Err("the listing does not continue"),
        }
    }
}

/// Tells an entry of a listing from all others.
pub(crate) fn entry(key: &str, version: &str) -> String {
    format!("{key}\n{version}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_listing_that_comes_round_is_an_error() {
        let follow = |pages: &[(&str, &str)]| {
            let mut trail = Trail::default();
            pages.iter().all(|(token, first)| trail.follow(Some((*token).to_owned()), first).is_ok())
        };
        assert!(follow(&[("a", "1"), ("b", "2"), ("c", ""), ("d", "3")]));
        assert!(!follow(&[("a", "1"), ("b", "2"), ("a", "3")]), "tokens that come round");
        assert!(!follow(&[("a", "1"), ("b", "2"), ("c", "1")]), "pages that come round");
        let mut trail = Trail::default();
        let ends = (0..2000).position(|at| trail.follow(Some(at.to_string()), "").is_err());
        assert_eq!(ends, Some(EMPTY_PAGES), "empty pages without end");
        assert_eq!(trail.follow(None, "").unwrap(), None);
    }
}
