//! The workflows that share objects of a plan, each named once.
//!
//! A thousand workflows may read each of a million objects. Objects that are shared by the same workflows name one
//! set of them, so that a plan grows with its objects and not with objects times workflows.

use crate::plan::references::{Referrer, ReferrerId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// The set of all sharers of the plan. It stands for every set that does not fit any more.
pub const EVERYONE: u32 = u32::MAX;

/// The most members that all sets have together.
const MOST_MEMBERS: usize = 1_000_000;

/// A workflow that shares an object with the one it is planned for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sharer {
    pub namespace: String,
    pub name: String,
    pub uid: String,
    /// The end of its run when the plan was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
}

/// The sharers of a plan, and the sets of them that share an object. None of a set may have run again by the time
/// its objects are deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Sharing {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sharers: Vec<Sharer>,
    /// Numbers of sharers, ascending.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sharer_sets: Vec<Vec<u32>>,
}

impl Sharing {
    /// Returns the members of a set; those of a number that is no set's are all sharers.
    pub fn members(&self, set: Option<u32>) -> Vec<&Sharer> {
        let Some(number) = set else { return Vec::new() };
        match self.sharer_sets.get(number as usize) {
            Some(set) => set.iter().filter_map(|at| self.sharers.get(*at as usize)).collect(),
            None => self.sharers.iter().collect(),
        }
    }

    /// Returns when the last run of the members of a set ended, if there are any.
    pub fn last_end(&self, set: Option<u32>) -> Option<Timestamp> {
        self.members(set).into_iter().filter_map(|sharer| sharer.finished_at).max()
    }
}

/// Gives each set of sharers a number.
#[derive(Debug, Default)]
pub struct SharingBuilder {
    sharing: Sharing,
    numbers: HashMap<ReferrerId, u32>,
    sets: HashMap<Vec<u32>, u32>,
    members: usize,
}

impl SharingBuilder {
    /// Returns the number of the set of these workflows, or none if there are none.
    pub fn number<'a>(
        &mut self,
        sharers: impl IntoIterator<Item = (ReferrerId, &'a Referrer)>,
    ) -> Option<u32> {
        let mut set: Vec<u32> =
            sharers.into_iter().filter_map(|(id, referrer)| self.sharer(id, referrer)).collect();
        if set.is_empty() {
            return None;
        }
        set.sort_unstable();
        if let Some(number) = self.sets.get(&set) {
            return Some(*number);
        }
        if self.members + set.len() > MOST_MEMBERS {
            return Some(EVERYONE);
        }
        self.members += set.len();
        let number = u32::try_from(self.sharing.sharer_sets.len()).unwrap_or(EVERYONE);
        self.sharing.sharer_sets.push(set.clone());
        self.sets.insert(set, number);
        Some(number)
    }

    fn sharer(&mut self, id: ReferrerId, referrer: &Referrer) -> Option<u32> {
        let (namespace, name) = referrer.workflow()?;
        let sharers = &mut self.sharing.sharers;
        Some(*self.numbers.entry(id).or_insert_with(|| {
            sharers.push(Sharer {
                namespace: namespace.to_owned(),
                name: name.to_owned(),
                uid: referrer.uid.clone(),
                finished_at: None,
            });
            u32::try_from(sharers.len() - 1).unwrap_or(EVERYONE)
        }))
    }

    /// Ends the numbering. `ended` says when the run of the workflow with a UID ended.
    pub fn finish(mut self, ended: impl Fn(&str) -> Option<Timestamp>) -> Sharing {
        self.sharing.sharers.iter_mut().for_each(|sharer| sharer.finished_at = ended(&sharer.uid));
        self.sharing
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used)]

    use super::*;
    use crate::argo::uses::Use;
    use crate::plan::references::{Buckets, References, ReferencesBuilder};

    /// So many workflows that each read all keys below `d/`.
    fn readers(count: usize) -> References {
        let mut gathering = ReferencesBuilder::default();
        for at in 0..count {
            let by = gathering.workflow("ml", &format!("reader-{at}"), &format!("uid-{at}"));
            let found = Use { bucket: "b".into(), key: "d/".into(), read: true, ..Use::default() };
            gathering.add(by, &found, &Buckets::default(), true);
        }
        gathering.finish()
    }

    #[test]
    fn objects_with_the_same_sharers_name_one_set() {
        let references = readers(1000);
        let mut builder = SharingBuilder::default();
        let numbers: Vec<Option<u32>> =
            (0..2000).map(|at| builder.number(references.others("b", &format!("d/{at}"), "own"))).collect();
        assert!(numbers.iter().all(|number| *number == Some(0)));
        let sharing = builder.finish(|_| None);
        assert_eq!((sharing.sharers.len(), sharing.sharer_sets.len()), (1000, 1));
        assert_eq!(sharing.members(Some(0)).len(), 1000);
        assert!(serde_json::to_string(&sharing).expect("JSON").len() < 100_000);
    }

    #[test]
    fn a_workflow_shares_nothing_with_itself_and_no_set_is_no_number() {
        let references = readers(2);
        let mut builder = SharingBuilder::default();
        let first = builder.number(references.others("b", "d/1", "uid-0"));
        assert_eq!(builder.number(references.others("b", "elsewhere", "uid-0")), None);
        let sharing = builder.finish(|_| None);
        let names: Vec<&str> = sharing.members(first).into_iter().map(|sharer| &*sharer.name).collect();
        assert_eq!(names, ["reader-1"]);
        assert!(sharing.members(None).is_empty());
    }

    #[test]
    fn all_sets_together_have_a_limit() {
        let references = readers(3);
        let mut builder = SharingBuilder { members: MOST_MEMBERS - 4, ..SharingBuilder::default() };
        let numbers =
            ["uid-0", "uid-1", "uid-2"].map(|own| builder.number(references.others("b", "d/1", own)));
        assert_eq!(numbers, [Some(0), Some(1), Some(EVERYONE)]);
    }

    #[test]
    fn a_set_that_is_not_listed_is_that_of_everyone() {
        let references = readers(3);
        let mut builder = SharingBuilder { members: MOST_MEMBERS - 2, ..SharingBuilder::default() };
        let first = builder.number(references.others("b", "d/1", "uid-0"));
        assert_eq!(first, Some(0));
        assert_eq!(builder.number(references.others("b", "d/1", "uid-1")), Some(EVERYONE));
        let sharing = builder.finish(|_| None);
        assert_eq!(sharing.members(Some(EVERYONE)).len(), 3);
        assert_eq!(sharing.members(Some(7)).len(), 3, "a number that is no set's protects more, not less");
    }
}
