//! Who names the artifacts of a plan in a text: what is running, and what is yet to run.

use crate::plan::planned_keys::{Hits, Naming, PlannedKey, PlannedKeys};
use crate::plan::references::{References, Referrer, Released};
use std::collections::HashMap;
use std::sync::Arc;

/// The artifacts of a plan that texts name, and who has these texts.
#[derive(Debug, Default)]
pub struct Named {
    keys: Arc<PlannedKeys>,
    referrers: Vec<Referrer>,
    /// By hash, the first referrer and the first one of another workflow.
    by: HashMap<u64, (usize, Option<usize>)>,
}

/// A text that names an artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mention<'a> {
    /// What has the text.
    pub by: &'a str,
    /// The UID, if that is a workflow.
    pub uid: &'a str,
    pub naming: Naming,
}

impl Named {
    /// Begins a search for these keys.
    pub fn new(keys: Arc<PlannedKeys>) -> Self {
        Self { keys, ..Self::default() }
    }

    /// Searches a text of a referrer, for example the JSON of an object.
    pub fn search(&mut self, by: &Referrer, text: &str) {
        let hits = self.keys.named_in(text);
        self.add(by, hits);
    }

    /// Adds what a text of a referrer was found to name.
    pub fn add(&mut self, by: &Referrer, hits: Hits) {
        if hits.is_empty() {
            return;
        }
        let number = self.referrers.len();
        self.referrers.push(by.clone());
        for hash in hits {
            let (first, other) = self.by.entry(hash).or_insert((number, None));
            if other.is_none() && self.referrers.get(*first).is_some_and(|first| first.uid != by.uid) {
                *other = Some(number);
            }
        }
    }

    /// Returns the first text that names the artifact. A workflow's own text does not count.
    pub fn mention(&self, planned: &PlannedKey) -> Option<Mention<'_>> {
        if self.by.is_empty() {
            return None;
        }
        let (by, naming) = self.keys.find(planned, |hash| {
            let (first, other) = self.by.get(&hash)?;
            let referrers = [Some(*first), *other].into_iter().flatten();
            let mut referrers = referrers.filter_map(|number| self.referrers.get(number));
            referrers.find(|referrer| referrer.uid.is_empty() || referrer.uid != planned.uid)
        })?;
        Some(Mention { by: &by.name, uid: &by.uid, naming })
    }
}

impl Mention<'_> {
    /// Returns the detail of the protection.
    pub fn detail(&self) -> String {
        format!("by {}: {}", self.by, self.naming)
    }
}

/// Everything that says who still needs an object.
#[derive(Debug, Clone, Copy)]
pub struct Needs<'a> {
    pub references: &'a References,
    /// What the selected workflows give up.
    pub released: &'a Released,
    pub named: &'a Named,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::planned_keys::PlannedKeysBuilder;
    use crate::plan::rules::Allowed;

    const PLANNED: PlannedKey<'_> =
        PlannedKey { bucket: "b", key: "train/a.tgz", workflow: "train", uid: "u1" };

    fn named(texts: &[(&str, &str, &str)]) -> Named {
        let mut keys = PlannedKeysBuilder::new(&Allowed::default());
        keys.add(&PLANNED);
        let mut named = Named::new(Arc::new(keys.finish()));
        for (name, uid, text) in texts {
            named.search(&Referrer { name: (*name).to_owned(), uid: (*uid).to_owned() }, text);
        }
        named
    }

    #[test]
    fn a_workflows_own_text_keeps_nothing_of_it_and_anothers_does() {
        let own = ("running workflow ml/train", "u1", "train/a.tgz");
        let last = ("cron workflow c", "", "train/a.tgz");
        assert_eq!(named(&[own, own]).mention(&PLANNED), None);
        let (other, template) =
            (("running workflow ml/x", "u2", "train/a.tgz"), ("sensor s", "", "train/a.tgz"));
        assert_eq!(named(&[own]).mention(&PLANNED), None);
        let three = named(&[own, other, last]);
        assert_eq!(three.mention(&PLANNED).map(|mention| mention.uid), Some("u2"), "the first is told");
        for texts in [[own, other], [other, own], [own, template], [template, own]] {
            let named = named(&texts);
            assert_ne!(named.mention(&PLANNED).map(|mention| mention.uid), Some("u1"), "{texts:?}");
            assert!(named.mention(&PLANNED).is_some(), "{texts:?}");
            // Orphans have no UID, and nothing is their own.
            assert!(named.mention(&PlannedKey { uid: "", ..PLANNED }).is_some());
        }
    }

    #[test]
    fn the_detail_tells_who_names_what() {
        let detail =
            |text| named(&[("sensor x/s", "", text)]).mention(&PLANNED).map(|mention| mention.detail());
        let path = |path: &str| Some(format!("by sensor x/s: its text names {path}"));
        assert_eq!(detail("gs://b/train/a.tgz"), path("train/a.tgz"));
        assert_eq!(detail("gs://b/train/*"), path("b/train"));
        assert_eq!(detail("{{x}}/a.tgz"), path("a.tgz after a variable or wildcard"));
        assert_eq!(detail("nothing"), None);
    }
}
