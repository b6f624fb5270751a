//! Workflows in groups: those whose objects are looked at, deleted and verified together, because their storage deletes
//! many objects by one request.

use crate::error::Error;
use crate::purge::outcome::{ObjectOutcome, Settled};
use argo_gc_core::model::bucket::Bucket;
use argo_gc_core::plan::planned::{PlannedObject, PlannedWorkflow};
use std::collections::HashMap;

/// After so many objects their workflow is looked at again.
const BATCH: usize = 500;

/// As [`BATCH`], where they are deleted by two requests rather than by 500.
const BATCH_TOGETHER: usize = 2000;

/// How many objects of a bucket are deleted together. A bucket that is not named has its objects deleted one by one.
#[derive(Debug, Default)]
pub struct Together(pub HashMap<Bucket, usize>);

impl Together {
    /// Objects of the bucket that are deleted together.
    pub fn of(&self, bucket: &Bucket) -> usize {
        self.0.get(bucket).copied().unwrap_or(1).max(1)
    }

    /// Objects of a group that begins with this workflow.
    fn room(&self, workflow: &PlannedWorkflow) -> usize {
        workflow.delete.first().map_or(1, |object| self.of(&object.bucket))
    }
}

/// What is known of a workflow since its last re-check.
#[derive(Default)]
pub struct Checked {
    /// The templates that it was made from.
    pub templates: Vec<(String, String)>,
    /// The workflows that keep what they share, by UID.
    pub rerun: HashMap<String, String>,
    /// Objects whose time in quarantine was over, and of which that can't be said any more.
    pub no_longer_over: HashMap<(Bucket, Box<str>), ObjectOutcome>,
}

/// A workflow under way.
pub struct Work {
    /// Without its objects.
    pub plan: PlannedWorkflow,
    /// Objects that were not begun.
    pub rest: std::vec::IntoIter<PlannedObject>,
    /// Objects that are deleted next.
    pub batch: Vec<PlannedObject>,
    pub checked: Checked,
    pub settled: Vec<Settled>,
    /// An earlier part of the run deleted these.
    pub gone: Vec<PlannedObject>,
}

impl Work {
    pub fn new(mut plan: PlannedWorkflow) -> Self {
        let (objects, gone) = (std::mem::take(&mut plan.delete), std::mem::take(&mut plan.gone));
        let settled = Vec::with_capacity(objects.len() + gone.len());
        let checked = Checked::default();
        Self { plan, rest: objects.into_iter(), batch: Vec::new(), checked, settled, gone }
    }

    /// The objects after which the workflow is looked at again.
    pub fn next_batch(&mut self, together: &Together) -> Vec<PlannedObject> {
        let is_together = self.rest.as_slice().first().is_some_and(|object| together.of(&object.bucket) > 1);
        self.rest.by_ref().take(if is_together { BATCH_TOGETHER } else { BATCH }).collect()
    }
}

/// A plan's workflows in groups, in their order.
pub struct Groups<'a, I> {
    workflows: I,
    together: &'a Together,
    /// The first workflow of the next group.
    next: Option<PlannedWorkflow>,
    /// An error that comes after the last group.
    failure: Option<Error>,
}

impl<'a, I> Groups<'a, I> {
    pub fn of(workflows: I, together: &'a Together) -> Self {
        Self { workflows, together, next: None, failure: None }
    }
}

impl<I: Iterator<Item = Result<PlannedWorkflow, Error>>> Iterator for Groups<'_, I> {
    type Item = Result<Vec<PlannedWorkflow>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(error) = self.failure.take() {
            return Some(Err(error));
        }
        let first = match self.next.take() {
            Some(first) => first,
            None => match self.workflows.next()? {
                Ok(first) => first,
                Err(error) => return Some(Err(error)),
            },
        };
        let room = self.together.room(&first);
        // What is only marked is not deleted together with others.
        let mut objects = first.touched().count();
        let mut group = vec![first];
        while objects < room {
            match self.workflows.next() {
                Some(Ok(next))
                    if self.together.room(&next) == room && objects + next.delete.len() <= room =>
                {
                    objects += next.delete.len();
                    group.push(next);
                }
                Some(Ok(next)) => {
                    self.next = Some(next);
                    break;
                }
                Some(Err(error)) => {
                    self.failure = Some(error);
                    break;
                }
                None => break,
            }
        }
        Some(Ok(group))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use argo_gc_core::plan::planned::PlannedObject;
    use serde_json::json;

    fn workflow(bucket: &str, objects: usize) -> Result<PlannedWorkflow, Error> {
        let object = |at: usize| -> PlannedObject {
            serde_json::from_value(json!({
                "bucket": bucket, "key": at.to_string(), "generation": "1", "size": 1, "created": null,
                "artifact": "a", "nodeId": "n",
            }))
            .unwrap()
        };
        let delete = (0..objects).map(object).collect();
        Ok(PlannedWorkflow { delete, ..PlannedWorkflow::default() })
    }

    #[test]
    fn a_group_has_as_many_objects_as_are_deleted_together() {
        let together = Together(HashMap::from([("s3://b".parse().unwrap(), 10)]));
        let sizes = |workflows: Vec<Result<PlannedWorkflow, Error>>| {
            let groups = Groups::of(workflows.into_iter(), &together);
            let size = |group: Vec<PlannedWorkflow>| {
                group.iter().map(|workflow| workflow.delete.len()).collect::<Vec<_>>()
            };
            groups.map(|group| group.map_or(Vec::new(), size)).collect::<Vec<_>>()
        };
        let s3 = |objects| workflow("s3://b", objects);
        let gcs = |objects| workflow("gs://b", objects);
        assert_eq!(
            sizes(vec![s3(4), s3(6), s3(5), s3(6), s3(30), s3(1)]),
            [vec![4, 6], vec![5], vec![6], vec![30], vec![1]]
        );
        assert_eq!(
            sizes(vec![gcs(1), gcs(1), s3(1), s3(0), s3(1), gcs(2)]),
            [vec![1], vec![1], vec![1], vec![0], vec![1], vec![2]]
        );
        // What is only marked needs its own time.
        let marks = || {
            let PlannedWorkflow { delete, .. } = gcs(3)?;
            Ok(PlannedWorkflow { mark: delete, ..PlannedWorkflow::default() })
        };
        let groups = Groups::of([marks(), marks(), marks()].into_iter(), &together);
        assert_eq!(groups.count(), 3);
        // What can't be read any more is told after what was read.
        assert_eq!(sizes(vec![s3(1), s3(1), Err(Error::new("torn")), s3(1)]), [vec![1, 1], vec![], vec![1]]);
    }
}
