//! Whether an object may be gone, and whether it must be.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::forms::Form;
use super::world::World;

/// How long a purge lets a workflow rest, in these runs.
pub const GRACE: &str = "2s";
const REST: SignedDuration = SignedDuration::from_secs(2);

/// What nobody can promise to see at once: a purge hears of a change through a watch.
const HEARING: SignedDuration = SignedDuration::from_secs(4);

/// The workflows that the soak made, and when it changed them last.
#[derive(Default)]
pub struct Model {
    /// By namespace and name.
    pub forms: BTreeMap<(String, String), Form>,
    /// By UID: when it was retried.
    pub retried: BTreeMap<String, Timestamp>,
}

impl Model {
    fn form(&self, workflow: &Value) -> Option<Form> {
        let text = |field: &str| workflow["metadata"][field].as_str().unwrap_or_default().to_owned();
        self.forms.get(&(text("namespace"), text("name"))).copied()
    }

    /// Whether the workflow has no more need of what it names, by then.
    fn gives_up(&self, workflow: &Value, failed_too: bool, at: Timestamp) -> bool {
        let phase = workflow["status"]["phase"].as_str().unwrap_or_default();
        let is_over = phase == "Succeeded" || failed_too && matches!(phase, "Failed" | "Error");
        let finished =
            workflow["status"]["finishedAt"].as_str().and_then(|time| time.parse::<Timestamp>().ok());
        // What Argo has tried to collect in vain is a purge's as well.
        let failed = workflow["status"]["conditions"].to_string().contains("ArtifactGCError");
        let gone = |form: Form| form.leaks() || form.hangs() && failed;
        is_over && self.form(workflow).is_some_and(gone) && finished.is_some_and(|time| time + REST <= at)
    }

    /// Why an object should not have been deleted at that time, if so.
    ///
    /// Only what held it both before and after the purge counts, but for workflows that came, or were retried, in time
    /// to be heard of.
    pub fn needed(
        &self,
        object: (&str, &str),
        at: Timestamp,
        failed_too: bool,
        worlds: [&World; 2],
    ) -> Option<String> {
        let [before, after] = worlds;
        let (key, artifact) = object;
        let held = before.holders(key, artifact);
        for uid in after.holders(key, artifact) {
            let object = &after.objects[uid].object;
            let name = format!("{} {}", object["kind"], object["metadata"]["name"]);
            let created = object["metadata"]["creationTimestamp"].as_str().and_then(|time| time.parse().ok());
            let came_in_time =
                created.is_some_and(|time: Timestamp| time + SignedDuration::from_secs(1) + HEARING < at);
            if object["kind"] != "Workflow" {
                // A cache may have got the key while this ran, from a workflow that hadn't.
                if held.contains(uid) {
                    return Some(format!("{name} names {key}"));
                }
                continue;
            }
            if !held.contains(uid) && !came_in_time {
                continue;
            }
            let old = before.objects.get(uid).map_or(object, |old| &old.object);
            let retried = self.retried.get(uid).is_some_and(|time| *time > before.at);
            let heard = self.retried.get(uid).is_some_and(|time| *time + HEARING < at);
            if retried && heard || !self.gives_up(if retried { old } else { object }, failed_too, at) {
                let [created, finished] =
                    [&object["metadata"]["creationTimestamp"], &object["status"]["finishedAt"]];
                let form = self.form(object);
                return Some(format!(
                    "{name} ({form:?}, from {created} to {finished}) names {key}; the purge began at {}: {object}",
                    before.at
                ));
            }
        }
        None
    }

    /// Whether nobody needs the object, and its own workflow, which wrote it, is there for a purge to find: an undisturbed
    /// purge of everything that begins after this moment must delete it.
    pub fn must_go(
        &self,
        object: (&str, &str),
        writer: (&str, &str),
        world: &World,
        failed_too: bool,
    ) -> bool {
        let Some(own) = world.workflow(writer.0, writer.1) else { return false };
        let holders = world.holders(object.0, object.1);
        let is_over = |uid: &&str| {
            let object = &world.objects[*uid].object;
            object["kind"] == "Workflow"
                && object["metadata"]["deletionTimestamp"].is_null()
                && self.gives_up(object, failed_too, world.at - SignedDuration::from_secs(1))
        };
        // What hangs for an artifact is collected once that artifact is recorded as deleted. And who wrote a shared key
        // that was deleted since still holds what the next one writes there: its spec names it.
        let has_lost = |uid: &&str| world.objects[*uid].object.to_string().contains("\"deleted\":true");
        let is_held = holders.iter().any(has_lost);
        let uid = own["metadata"]["uid"].as_str().unwrap_or_default();
        // A directory is kept as a whole if something names a part of it.
        let parts = world.holders_below(object.1);
        holders.contains(uid) && !is_held && holders.union(&parts).all(is_over)
    }
}

/// So long after the store began.
pub fn moment(began: Timestamp, at: Duration) -> Timestamp {
    began + SignedDuration::try_from(at).expect("a time")
}
