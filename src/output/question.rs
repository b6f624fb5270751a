//! The question before a purge: all that a yes agrees to, in one sentence.

use crate::output::plan_table::places;
use crate::output::purge::place;
use crate::output::text::{plural, size};
use crate::purge::plan_file::Plan;
use argo_gc_store::types::BucketFacts;

/// Says what is done where: every bucket, and from which of them nothing comes back. `records` is true if artifacts are recorded
/// as deleted although the plan deletes no object of them.
pub fn question(plan: &Plan, orphans: bool, records: bool) -> String {
    let (totals, place) = (&plan.tail.totals, place(plan));
    let marks = &totals.quarantine;
    let of = if orphans { format!("below {}", places(plan)) } else { format!("of {place}") };
    let mut acts: Vec<String> = Vec::new();
    if totals.objects > 0 {
        let buckets = buckets(plan, |facts| match facts.has_undo() {
            true => facts.bucket.to_string(),
            false => format!("{} (no way back)", facts.bucket),
        });
        let objects = plural(totals.objects, "object");
        acts.push(format!("delete {objects} ({}) {of} from {buckets}", size(totals.bytes)));
    }
    if marks.to_mark > 0 {
        let marking = format!("mark {} ({})", plural(marks.to_mark, "object"), size(marks.to_mark_bytes));
        acts.push(match acts.is_empty() {
            true => format!("{marking} {of} in {}", buckets(plan, |facts| facts.bucket.to_string())),
            false => marking,
        });
    }
    // Who deletes objects expects that their workflows say so.
    if totals.objects == 0 && (records || totals.finalizers > 0) {
        acts.push(format!("update the workflows of {place}"));
    }
    if totals.objects == 0 && totals.finalizers > 0 {
        acts.push(format!("release {} if nothing is left", plural(totals.finalizers, "finalizer")));
    }
    if marks.to_lift > 0 {
        let lifting = format!("lift {}", plural(marks.to_lift, "mark"));
        acts.push(if acts.is_empty() { format!("{lifting} of {place}") } else { lifting });
    }
    let last = acts.pop().unwrap_or_default();
    let all = if acts.is_empty() { last } else { format!("{}, and {last}", acts.join(", ")) };
    let mut letters = all.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).chain(['?']).collect()
}

fn buckets(plan: &Plan, name: impl Fn(&BucketFacts) -> String) -> String {
    plan.tail.buckets.iter().map(name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::purge::plan_file::{Draft, Head};
    use argo_gc_core::plan::planned::{ObjectPlace, PlannedObject, PlannedWorkflow};
    use jiff::Timestamp;

    fn object(key: &str) -> PlannedObject {
        serde_json::from_value(serde_json::json!({
            "bucket": "gs://b", "key": key, "generation": "1", "size": 1024, "created": null, "artifact": "a", "nodeId": "n",
        }))
        .unwrap()
    }

    fn asked(workflow: &PlannedWorkflow, records: bool) -> String {
        let mut draft = Draft::new(Head::new(Timestamp::UNIX_EPOCH, None, "gcs".into(), Vec::new())).unwrap();
        draft.add(workflow).unwrap();
        let facts = BucketFacts::of(&"gs://b".parse().unwrap());
        question(&draft.seal(vec![facts]).unwrap(), workflow.orphans, records)
    }

    #[test]
    fn it_names_all_that_is_done_and_nothing_else() {
        let (delete, mark) = (vec![object("d")], vec![object("m"), object("n")]);
        let lift = vec![ObjectPlace { bucket: "gs://b".parse().unwrap(), key: "l".into() }];
        let absent = vec!["gs://b/absent".to_owned()];
        let none = PlannedWorkflow { absent: absent.clone(), ..PlannedWorkflow::default() };
        let of = |change: &dyn Fn(&mut PlannedWorkflow)| {
            let mut workflow = none.clone();
            change(&mut workflow);
            workflow
        };
        let all = of(&|workflow| {
            (workflow.delete, workflow.mark, workflow.lift) = (delete.clone(), mark.clone(), lift.clone());
        });
        let lifts = of(&|workflow| workflow.lift = lift.clone());
        let releases = of(&|workflow| workflow.release_finalizer = true);
        for (workflow, records, words) in [
            (
                &of(&|workflow| workflow.delete = delete.clone()),
                false,
                "Delete 1 object (1.0KiB) of files from gs://b (no way back)?",
            ),
            (
                &all,
                true,
                "Delete 1 object (1.0KiB) of files from gs://b (no way back), mark 2 objects (2.0KiB), and lift 1 mark?",
            ),
            (
                &of(&|workflow| workflow.mark = mark.clone()),
                false,
                "Mark 2 objects (2.0KiB) of files in gs://b?",
            ),
            (&none, true, "Update the workflows of files?"),
            (&releases, false, "Update the workflows of files, and release 1 finalizer if nothing is left?"),
            (&lifts, false, "Lift 1 mark of files?"),
            (&lifts, true, "Update the workflows of files, and lift 1 mark?"),
        ] {
            assert_eq!(asked(workflow, records), words);
        }
    }
}
