//! References that came after a plan was made. They grow while they are asked.

use crate::plan::references::referrer::Entry;
use crate::plan::references::{References, ReferencesBuilder, Referrer, ReferrerId};
use std::collections::{HashMap, HashSet};

/// References of objects that appeared or changed since a plan was made.
///
/// An object that changes again and again takes room once: its references are compared with what is known of it.
#[derive(Debug, Default)]
pub struct LaterReferences {
    references: References,
    /// The referrers by name and UID.
    known: HashMap<(String, String), ReferrerId>,
}

impl LaterReferences {
    /// Adds what was gathered from one object or more.
    pub fn add(&mut self, later: ReferencesBuilder) {
        let ReferencesBuilder { referrers, uses, readers, mentions, anything: _, told: _ } = later;
        let ids: Vec<ReferrerId> = referrers.into_iter().map(|referrer| self.id(referrer)).collect();
        let mine = &mut self.references.gathered;
        for (known, later) in
            [(&mut mine.uses, uses), (&mut mine.readers, readers), (&mut mine.mentions, mentions)]
        {
            let later = later.into_iter().filter_map(|entry| {
                let entry = Entry { by: *ids.get(entry.by.0 as usize)?, ..entry };
                known.binary_search(&entry).is_err().then_some(entry)
            });
            let later: Vec<Entry> = later.collect();
            if !later.is_empty() {
                known.extend(later);
                // This sort is fast if most of it is sorted.
                known.sort();
                known.dedup();
            }
        }
    }

    fn id(&mut self, referrer: Referrer) -> ReferrerId {
        let identity = (referrer.name.clone(), referrer.uid.clone());
        let gathered = &mut self.references.gathered;
        *self.known.entry(identity).or_insert_with(|| gathered.referrer(referrer.name, referrer.uid))
    }

    /// Returns the number of uses.
    pub fn len(&self) -> usize {
        self.references.len()
    }

    /// Returns true if there are no uses.
    pub fn is_empty(&self) -> bool {
        self.references.is_empty()
    }

    /// Returns the first referrer to an object of a workflow, other than this workflow itself. An address in some text
    /// counts from the folder that names the workflow downward.
    pub fn holder(&self, bucket: &str, key: &str, (name, uid): (&str, &str)) -> Option<&Referrer> {
        if self.is_empty() {
            return None;
        }
        let own = |entry: &Entry| {
            let referrer = self.references.gathered.referrers.get(entry.by.0 as usize);
            !uid.is_empty() && referrer.is_some_and(|referrer| referrer.uid == uid)
        };
        let from = telling(key, name, uid);
        self.references.find(bucket, key, from, &HashSet::new(), &mut |entry, _| !own(entry))
    }
}

/// Returns the length of the beginning of a key that names a workflow, or of the whole key if no folder does.
fn telling(key: &str, name: &str, uid: &str) -> usize {
    let is_it = |part: &str| !part.is_empty() && (part == name || part == uid);
    let mut end = 0;
    for part in key.split('/') {
        end += part.len();
        if is_it(part) {
            return end;
        }
        end += 1;
    }
    key.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::argo::uses::Use;
    use crate::plan::references::Buckets;

    fn reader(name: &str, uid: &str, key: &str, mentioned: bool) -> ReferencesBuilder {
        let mut builder = ReferencesBuilder::default();
        let by = builder.workflow("ml", name, uid);
        let found = Use { bucket: "b".into(), key: key.into(), read: true, mentioned };
        builder.add(by, &found, &Buckets::default(), true);
        builder
    }

    fn holder<'l>(later: &'l LaterReferences, key: &str) -> Option<&'l str> {
        later.holder("b", key, ("train", "own")).map(|referrer| referrer.name.as_str())
    }

    #[test]
    fn what_comes_later_holds_and_is_kept_once() {
        let mut later = LaterReferences::default();
        assert_eq!(holder(&later, "train/a"), None);
        for _ in 0..3 {
            later.add(reader("x", "1", "train/a", false));
            later.add(reader("y", "2", "train/b", false));
            later.add(reader("z", "3", "train/c", false));
        }
        assert_eq!(later.len(), 3);
        assert_eq!(holder(&later, "train/a"), Some("workflow ml/x"));
        assert_eq!(holder(&later, "train/b"), Some("workflow ml/y"));
        assert_eq!(holder(&later, "train/c"), Some("workflow ml/z"));
        assert_eq!(holder(&later, "train/d"), None);
    }

    #[test]
    fn a_workflow_does_not_hold_its_own_objects() {
        let mut later = LaterReferences::default();
        later.add(reader("train", "own", "train/a", false));
        assert_eq!(holder(&later, "train/a"), None);
        later.add(reader("other", "1", "train/a", false));
        assert_eq!(holder(&later, "train/a"), Some("workflow ml/other"));
    }

    #[test]
    fn an_address_of_a_folder_holds_if_the_folder_names_the_workflow() {
        let mut later = LaterReferences::default();
        later.add(reader("x", "1", "argo", true));
        assert_eq!(holder(&later, "argo/train/dir/a"), None);
        later.add(reader("x", "1", "argo/train", true));
        assert_eq!(holder(&later, "argo/train/dir/a"), Some("workflow ml/x"));
        assert_eq!(holder(&later, "argo/other/dir/a"), None);
        assert_eq!(telling("a/own/b", "train", "own"), 5);
        assert_eq!(telling("a/b", "", ""), 3);
    }
}
