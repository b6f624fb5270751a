//! What a run left, in words, and how to go on with it.

use crate::cli::purge::arguments::{Arguments, MAX_OBJECTS};
use crate::cli::streams::Streams;
use crate::error::Error;
use crate::output::purge as show;
use crate::output::text::plural;
use crate::purge::journal::Journal;
use crate::purge::outcome::{Settled, Tally, WorkflowTally};
use std::io::Write;

/// How many objects that are still there are named.
const TOLD: u64 = 20;

/// How many objects are named that an interrupted run did not reach.
const EXAMPLES: usize = 3;

/// The objects of a plan that are still there.
#[derive(Default)]
pub(crate) struct Left {
    told: u64,
    not_reached: u64,
    /// Some of those that were not reached.
    examples: Vec<String>,
}

impl Left {
    /// Takes in a workflow, and warns of objects that are still there although they were reached.
    pub fn take(&mut self, workflow: &WorkflowTally, err: &mut dyn Write) {
        let (unreached, settled): (Vec<&Settled>, Vec<&Settled>) =
            workflow.objects.iter().partition(|settled| settled.fate.is_unreached());
        self.not_reached += unreached.len() as u64;
        let room = EXAMPLES - self.examples.len();
        self.examples.extend(unreached.into_iter().filter_map(show::leftover).take(room));
        for line in settled.into_iter().filter_map(show::leftover) {
            self.told += 1;
            if self.told <= TOLD {
                let _ = writeln!(err, "Warning: {line}");
            }
        }
    }

    /// Says what else was left, after the tally.
    pub fn tell(&self, tally: &Tally, streams: &mut Streams) {
        if self.told > TOLD {
            streams.say(format!("Warning: and {} more", self.told - TOLD));
        }
        tell_left_undone(tally, streams);
    }

    /// Says what an interrupted run did not reach.
    pub fn tell_interrupted(&self, tally: &Tally, streams: &mut Streams) {
        let (after, not) = (plural(tally.reached, "object"), plural(self.not_reached, "object"));
        let were = if self.not_reached == 1 { "was" } else { "were" };
        streams.say(format!("Interrupted after {after}; {not} {were} not reached:"));
        self.examples.iter().for_each(|line| streams.say(format!("  {line}")));
    }
}

/// Says what could not be done about workflows whose objects are gone.
fn tell_left_undone(tally: &Tally, streams: &mut Streams) {
    if tally.stranded > 0 {
        let they = if tally.stranded == 1 { "it" } else { "them" };
        streams.say(format!(
            "Note: {} can't record that artifacts are gone, and Argo's own collection may fail on what it no longer \
             finds. To be rid of {they}: `argo delete --force NAME`, which drops the finalizer that the deletion would \
             wait for.",
            plural(tally.stranded, "workflow")
        ));
    }
    if tally.unreleased > 0 {
        let (finalizers, is) = match tally.unreleased {
            1 => ("1 finalizer".to_owned(), "was to be released is"),
            many => (format!("{many} finalizers"), "were to be released are"),
        };
        streams.say(format!("Warning: {finalizers} that {is} still there."));
    }
    if tally.unproved > 0 {
        streams.say(format!(
            "Note: finalizers wait for {} without any object; if they are gone for good, --accept-absent releases them.",
            plural(tally.unproved, "artifact")
        ));
    }
}

/// The limits that the user set, without which a plan may be refused.
pub(crate) fn limits(arguments: &Arguments) -> Vec<String> {
    let objects =
        (arguments.max_objects != MAX_OBJECTS).then(|| format!("--max-objects={}", arguments.max_objects));
    let bytes = arguments.max_bytes.map(|max| format!("--max-bytes={max}"));
    objects.into_iter().chain(bytes).collect()
}

/// The command that goes on with the run under the same terms.
pub(crate) fn resume_command(arguments: &Arguments, journal: &Journal) -> Result<String, Error> {
    let mut words = vec!["purge".to_owned(), "--resume".to_owned(), journal.path().display().to_string()];
    words.extend(limits(arguments));
    let terms = [
        (arguments.no_record, "--no-record"),
        (arguments.accept_absent, "--accept-absent"),
        (arguments.secrets.use_workflow_secrets, "--use-workflow-secrets"),
    ];
    words.extend(terms.into_iter().filter(|(given, _)| *given).map(|(_, flag)| flag.to_owned()));
    Ok(arguments.follow_up_plan()?.command(words.iter().map(String::as_str)))
}
