//! What of a saved plan is kept after all, because of what is so by now.

use crate::error::Error;
use crate::purge::plan_file::Plan;
use argo_gc_core::hashes::Names;
use argo_gc_core::model::protection::Protection;
use argo_gc_core::plan::guarded::Guarded;
use argo_gc_core::plan::named::Named;
use argo_gc_core::plan::orphans::{folder_of, referrer};
use argo_gc_core::plan::planned::{KeptObject, PlannedObject, PlannedWorkflow};
use argo_gc_core::plan::references::{References, Released};
use argo_gc_core::plan::rules::Allowed;
use std::collections::{HashMap, HashSet};

impl Plan {
    /// Keeps what is outside the places where deletes are allowed (`docs/dangers.md`, danger 29); gives the number of
    /// such objects too.
    ///
    /// # Errors
    /// As [`Self::map`].
    pub fn keep_outside(&self, allowed: &Allowed) -> Result<(Self, u64), Error> {
        let mut kept = 0;
        let plan = self.map(|PlannedWorkflow { delete, mark, keep, .. }| {
            let mut stays = |object: &PlannedObject| {
                let inside = allowed.covers(&object.bucket, &object.key);
                if !inside {
                    kept += 1;
                    keep.push(kept_object(object, Protection::ForeignLocation, object.bucket.to_string()));
                }
                inside
            };
            delete.retain(&mut stays);
            mark.retain(&mut stays);
        })?;
        Ok((plan, kept))
    }

    /// Keeps what something refers to by now, or what is pinned; gives the number of such objects too.
    ///
    /// # Errors
    /// As [`Self::map`].
    pub fn keep_needed(
        &self,
        references: &References,
        named: &Named,
        since: &Since,
    ) -> Result<(Self, usize), Error> {
        let mut released = Released::default();
        for uid in self.uids()?.iter().filter(|uid| !since.altered.contains(*uid)) {
            released.whole(uid);
        }
        let mut kept = 0;
        let plan = self.map(
            |PlannedWorkflow { uid, name, orphans, delete, mark, keep, release_finalizer, .. }| {
                let pinned = since.pinned.get(uid);
                // What runs again refers to its own objects; that it does is found out, and told, at the delete.
                let altered = pinned.is_none() && since.altered.contains(uid);
                let mut stays = |object: &PlannedObject| {
                    let (bucket, key) = (object.bucket.name(), &object.key);
                    let holder = match orphans {
                        true => referrer(references, bucket, key, folder_of(key, name)),
                        false => references.holder(bucket, key, &released),
                    };
                    let guard =
                        since.guarded.holder(key).filter(|_| *orphans).or(since.elsewhere.holder(key));
                    let (protection, detail) = match (pinned, holder, guard) {
                        (None, None, None) if *orphans && since.workflows.contains(name) => {
                            (Protection::Changed, "a workflow of this name exists now".to_owned())
                        }
                        (None, None, Some(guard)) => {
                            (Protection::Pinned, format!("{guard} is pinned, or not finished"))
                        }
                        (Some(place), ..) => (Protection::Pinned, format!("on the {place}")),
                        (None, Some(holder), _) if !altered || holder.uid != *uid => {
                            (Protection::Referenced, format!("by {}", holder.name))
                        }
                        _ => match named.mention(&object.planned_key(name, uid)) {
                            Some(mention) => (Protection::Referenced, mention.detail()),
                            None => return true,
                        },
                    };
                    kept += 1;
                    keep.push(kept_object(object, protection, detail));
                    false
                };
                delete.retain(&mut stays);
                mark.retain(&mut stays);
                *release_finalizer &= pinned.is_none();
            },
        )?;
        Ok((plan, kept))
    }
}

/// What became of a plan's workflows since it was made, by UID.
#[derive(Debug, Default)]
pub struct Since {
    /// They are no longer as they were: what they refer to counts again.
    pub altered: HashSet<String>,
    /// A pin keeps all of them: where.
    pub pinned: HashMap<String, &'static str>,
    /// Names and UIDs of all workflows that exist.
    pub workflows: Names,
    /// Where nothing is an orphan.
    pub guarded: Guarded,
    /// Folders of workflows of other clusters that are unfinished or pinned.
    pub elsewhere: Guarded,
}

/// A planned object that is kept after all.
pub(crate) fn kept_object(object: &PlannedObject, protection: Protection, detail: String) -> KeptObject {
    let location = object.bucket.uri(&object.key);
    KeptObject { location, artifact: object.artifact.to_string(), protection, detail }
}
