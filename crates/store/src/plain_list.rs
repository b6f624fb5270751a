//! Lists a prefix page by page, each by the token of the one before. Nothing leaps, so the order of the keys does not matter:
//! VersityGW and s3s list as they walk through folders.

use crate::api::Connection;
use crate::listing::Range;
use crate::types::StoreError;
use argo_gc_core::model::object::ObjectFacts;
use futures::TryStreamExt;
use futures::stream::{self, BoxStream, StreamExt};
use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

const ELSEWHERE: &str = "it lists nothing there, but may keep it under a key without the empty names";

/// Keys that are remembered of one listing.
const REMEMBERED: usize = 1_000_000;

/// Lists all live objects with a prefix, each of them once.
pub(crate) fn pages(
    connection: &Connection,
    prefix: &str,
) -> BoxStream<'static, Result<Vec<ObjectFacts>, StoreError>> {
    let what = connection.bucket().uri(prefix);
    let pages = connection.in_order(Range::of(prefix));
    // VersityGW drops empty names from a key, so what was written there is listed elsewhere.
    let may_be_elsewhere = prefix.starts_with('/') || prefix.contains("//");
    stream::try_unfold((pages, Once::remembering(REMEMBERED)), move |(mut pages, mut once)| {
        let what = what.clone();
        async move {
            let Some(page) = pages.try_next().await? else {
                return match may_be_elsewhere && once.last.is_none() {
                    true => Err(StoreError::unreadable(what, ELSEWHERE)),
                    false => Ok(None),
                };
            };
            let met = page.iter().try_for_each(|object| once.meet(&object.key));
            met.map_err(|why| StoreError::unreadable(what, why))?;
            Ok(Some((page, (pages, once))))
        }
    })
    .boxed()
}

/// Notices a key that comes twice. Where keys stand in an order none does; as long as there are not too many they are
/// remembered as well, because their order may turn out to be the server's own.
struct Once {
    last: Option<String>,
    is_in_byte_order: bool,
    is_in_walk_order: bool,
    /// Hashes of all keys so far; none once there are too many.
    met: Option<HashSet<u64>>,
    most: usize,
    random: RandomState,
}

impl Once {
    fn remembering(most: usize) -> Self {
        let met = Some(HashSet::new());
        Self {
            last: None,
            is_in_byte_order: true,
            is_in_walk_order: true,
            met,
            most,
            random: RandomState::new(),
        }
    }

    /// Takes the next key.
    ///
    /// # Errors
    /// It came before, or that is unknown.
    fn meet(&mut self, key: &str) -> Result<(), &'static str> {
        if let Some(last) = &self.last {
            self.is_in_byte_order &= last.as_str() < key;
            self.is_in_walk_order &= last.split('/').lt(key.split('/'));
        }
        self.last = Some(key.to_owned());
        if self.met.as_mut().is_some_and(|met| !met.insert(self.random.hash_one(key))) {
            return Err("it lists a key twice");
        }
        self.met.take_if(|met| met.len() >= self.most);
        match self.met.is_some() || self.is_in_byte_order || self.is_in_walk_order {
            true => Ok(()),
            false => Err("it lists so many keys in an order of its own that one may come twice"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key at which the listing is an error.
    fn stops_at<'a>(most: usize, keys: &[&'a str]) -> Option<&'a str> {
        let mut once = Once::remembering(most);
        keys.iter().copied().find(|key| once.meet(key).is_err())
    }

    #[test]
    fn no_key_comes_twice_in_any_order() {
        for most in [1, 3, 100] {
            assert_eq!(stops_at(most, &["a", "a-b", "a/", "a/x", "b"]), None, "in byte order");
            assert_eq!(
                stops_at(most, &["a", "a/", "a/x", "a/x/y", "a-b", "a.b/c", "b"]),
                None,
                "in a walk's order"
            );
            assert_eq!(stops_at(most, &["a", "b", "b"]), Some("b"));
            // Both begin alike, and what comes later is in one order only.
            assert_eq!(stops_at(most, &["a-b", "a/x", "a-b"]), Some("a-b"));
            assert_eq!(stops_at(most, &["a/x", "a-b", "a/x"]), Some("a/x"));
        }
        assert_eq!(stops_at(100, &["c", "a", "b"]), None, "few keys may stand in any order");
        assert_eq!(stops_at(100, &["c", "a", "b", "c"]), Some("c"));
        assert_eq!(stops_at(2, &["c", "a", "b"]), Some("a"), "of many the order must be known");
        assert_eq!(stops_at(3, &["a/x", "a-b", "a.b/x", "a.b/", "c"]), Some("a.b/"));
    }
}
