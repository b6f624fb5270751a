//! What is known of a place in storage, and what a purge makes of it.

use crate::model::protection::Protection;
use crate::plan::choice::{Choice, Unselected};
use crate::plan::located::Located;
use crate::plan::named::Mention;
use crate::plan::references::{ReferrerName, Role, Standing};
use crate::plan::rules::Unwanted;
use jiff::Timestamp;
use serde::Serialize;

/// One place: an artifact's, or the one that was asked about.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlaceReport {
    pub location: String,
    /// The artifacts that are there, of any workflow.
    pub artifacts: Vec<Located>,
    pub referrers: Vec<ReferrerReport>,
    pub objects: Vec<ObjectReport>,
    /// Why storage could not be asked; empty if it was.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub storage_problem: String,
    pub conclusion: Conclusion,
}

/// One referrer to the place, in one role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReferrerReport {
    pub kind: String,
    /// Empty for what is in no namespace.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    pub name: String,
    /// Another cluster that told of it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cluster: String,
    pub role: Role,
    /// False if it gives the place up, because the purge takes its own share too.
    pub protects: bool,
    /// The path that its text names.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// One object at the place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectReport {
    pub location: String,
    pub generation: String,
    pub size: u64,
    pub created: Option<Timestamp>,
    pub fate: Fate,
    /// When it was marked for a later purge; none if it is not, or that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub marked: Option<Timestamp>,
}

/// What a purge does with an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "outcome")]
pub enum Fate {
    /// It is deleted, as an artifact of this workflow.
    Deleted {
        namespace: String,
        workflow: String,
        artifact: String,
        reason: String,
        /// Other workflows that refer to it, and give it up.
        #[serde(rename = "sharedWith", skip_serializing_if = "Vec::is_empty")]
        shared_with: Vec<String>,
    },
    Kept {
        protection: Protection,
        #[serde(skip_serializing_if = "String::is_empty")]
        detail: String,
    },
    /// The purge does not look at it.
    Untouched {
        /// What `orphans` would make of it, if no record names it.
        #[serde(skip_serializing_if = "Option::is_none")]
        orphans: Option<&'static str>,
    },
}

/// What a purge does with the place as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "outcome")]
pub enum Conclusion {
    /// It deletes so many objects, and keeps so many.
    Deletes {
        objects: u64,
        bytes: u64,
        kept: u64,
    },
    Kept {
        protection: Protection,
        #[serde(skip_serializing_if = "String::is_empty")]
        detail: String,
    },
    NotAskedFor {
        why: Unwanted,
    },
    NotSelected {
        why: Unselected,
    },
    /// It would delete what is there, and nothing is there.
    Absent,
    /// Storage could not be asked.
    Unknown,
    /// No record that was read has it as an artifact.
    NoRecord,
    /// The saved plan has no object there.
    NotInPlan,
}

impl Conclusion {
    /// Sums up what happens to the artifacts and the objects of a place.
    pub fn of(artifacts: &[Located], objects: &[ObjectReport], storage_problem: &str) -> Self {
        let candidate = artifacts.iter().any(|located| located.purge == Choice::Candidate);
        if candidate {
            return Self::of_objects(objects, storage_problem);
        }
        // The nearest to a delete says what is missing to one.
        let kept = artifacts.iter().find_map(|located| match &located.purge {
            Choice::Kept { protection, detail } => {
                Some(Self::Kept { protection: *protection, detail: detail.clone() })
            }
            _ => None,
        });
        let unwanted = || {
            artifacts.iter().find_map(|located| match located.purge {
                Choice::NotAskedFor { why } => Some(Self::NotAskedFor { why }),
                _ => None,
            })
        };
        let unselected = || {
            artifacts.iter().find_map(|located| match located.purge {
                Choice::NotSelected { why } => Some(Self::NotSelected { why }),
                _ => None,
            })
        };
        kept.or_else(unwanted).or_else(unselected).unwrap_or(Self::NoRecord)
    }

    /// Sums up the objects of a candidate.
    pub fn of_objects(objects: &[ObjectReport], storage_problem: &str) -> Self {
        if !storage_problem.is_empty() {
            return Self::Unknown;
        }
        let deleted = objects.iter().filter(|object| matches!(object.fate, Fate::Deleted { .. }));
        let (count, bytes) = deleted.fold((0, 0), |(count, bytes), object| (count + 1, bytes + object.size));
        let kept = objects.iter().find_map(|object| match &object.fate {
            Fate::Kept { protection, detail } => {
                Some(Self::Kept { protection: *protection, detail: detail.clone() })
            }
            _ => None,
        });
        match kept {
            _ if count > 0 => Self::Deletes { objects: count, bytes, kept: objects.len() as u64 - count },
            Some(kept) => kept,
            None => Self::Absent,
        }
    }
}

impl ReferrerReport {
    fn named(name: &str, role: Role, protects: bool, detail: String) -> Self {
        let ReferrerName { kind, namespace, name, cluster } = ReferrerName::parse(name);
        let (kind, namespace) = (kind.to_owned(), namespace.to_owned());
        Self { kind, namespace, name: name.to_owned(), cluster: cluster.to_owned(), role, protects, detail }
    }
}

impl From<Standing<'_>> for ReferrerReport {
    fn from(standing: Standing<'_>) -> Self {
        let Standing { referrer, role, released, .. } = standing;
        Self::named(&referrer.name, role, !released, String::new())
    }
}

impl From<Mention<'_>> for ReferrerReport {
    fn from(mention: Mention<'_>) -> Self {
        Self::named(mention.by, Role::Text, true, mention.naming.to_string())
    }
}

/// Adds a referrer, unless it is known in this role. What it needs in one way it needs.
pub fn add_referrer(referrers: &mut Vec<ReferrerReport>, found: ReferrerReport) {
    let is_same = |known: &&mut ReferrerReport| {
        let same = |one: &ReferrerReport| {
            (one.kind.clone(), one.namespace.clone(), one.name.clone(), one.cluster.clone(), one.role)
        };
        same(known) == same(&found)
    };
    match referrers.iter_mut().find(is_same) {
        Some(known) => known.protects |= found.protects,
        None => referrers.push(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::references::{Extent, Referrer};

    fn object(fate: Fate) -> ObjectReport {
        let (location, generation) = ("gs://b/k".to_owned(), "1".to_owned());
        ObjectReport { location, generation, size: 10, created: None, fate, marked: None }
    }

    fn deleted() -> ObjectReport {
        let text = String::new;
        object(Fate::Deleted {
            namespace: text(),
            workflow: text(),
            artifact: text(),
            reason: text(),
            shared_with: Vec::new(),
        })
    }

    #[test]
    fn one_conclusion_for_all_objects() {
        let kept = || object(Fate::Kept { protection: Protection::Held, detail: String::new() });
        let of = |objects: &[ObjectReport]| Conclusion::of_objects(objects, "");
        assert_eq!(of(&[]), Conclusion::Absent);
        assert_eq!(of(&[deleted(), kept()]), Conclusion::Deletes { objects: 1, bytes: 10, kept: 1 });
        assert!(matches!(of(&[kept()]), Conclusion::Kept { protection: Protection::Held, .. }));
        assert_eq!(Conclusion::of_objects(&[deleted()], "denied"), Conclusion::Unknown);
        assert_eq!(Conclusion::of(&[], &[], ""), Conclusion::NoRecord);
    }

    #[test]
    fn what_a_referrer_gives_up_it_does_not_protect() {
        let referrer = Referrer { name: "workflow ml/a".to_owned(), uid: "u".to_owned() };
        for released in [true, false] {
            let standing =
                Standing { referrer: &referrer, role: Role::Output, released, extent: Extent::Whole };
            let told = ReferrerReport::from(standing);
            assert_eq!((told.protects, &*told.namespace, &*told.name), (!released, "ml", "a"));
        }
    }

    #[test]
    fn a_referrer_is_told_once_in_each_role() {
        let referrer = |role, protects| ReferrerReport::named("workflow ml/a", role, protects, String::new());
        let mut referrers = Vec::new();
        for (role, protects) in [(Role::Input, false), (Role::Input, true), (Role::Output, false)] {
            add_referrer(&mut referrers, referrer(role, protects));
        }
        assert_eq!(referrers, [referrer(Role::Input, true), referrer(Role::Output, false)]);
    }
}
