//! Which of the workflows read are wanted.

use super::{duration, explain};
use crate::argo::{Workflow, names};
use crate::gc::Reason;
use clap::Args;
use jiff::Timestamp;
use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// Flags that choose alike wherever they stand.
#[derive(Debug, Args)]
pub(super) struct SelectFlags {
    /// Only workflows that finished longer ago than this, such as 90m, 12h, 7d or 2w.
    #[arg(long, alias = "older-than", value_parser = duration::parse, value_name = "DURATION",
          help_heading = "Selection")]
    older: Option<Duration>,
    /// Only workflows of the controller with this instance ID.
    #[arg(long, value_name = "ID", help_heading = "Selection")]
    instanceid: Option<String>,
    /// Only artifacts with these reasons, which `explain --list` lists.
    #[arg(long, value_delimiter = ',', value_parser = reason, value_name = "CODE", help_heading = "Selection")]
    pub reason: Vec<Reason>,
}

impl SelectFlags {
    /// Whether any of them leaves workflows out.
    pub fn is_filter(&self) -> bool {
        self.older.is_some() || self.instanceid.is_some()
    }

    /// What they ask for, and names and phases to go with it.
    pub fn selection(&self, names: Vec<String>, phases: Vec<String>, now: Timestamp) -> Selection {
        Selection {
            names,
            namespace: None,
            phases,
            // Nothing finished before the beginning of time; it must not mean that there is no limit.
            finished_before: self.older.map(|older| now.checked_sub(older).unwrap_or(Timestamp::MIN)),
            prefix: None,
            instance_id: self.instanceid.clone(),
        }
    }
}

fn reason(code: &str) -> Result<Reason, String> {
    explain::parse(code).map_err(|error| error.brief().to_owned())
}

/// Conditions the API server can't apply for us; all must hold.
#[derive(Debug, Clone, Default)]
pub(super) struct Selection {
    pub names: Vec<String>,
    pub namespace: Option<String>,
    pub phases: Vec<String>,
    /// By `status.finishedAt`; unfinished workflows are never old.
    pub finished_before: Option<Timestamp>,
    pub prefix: Option<String>,
    pub instance_id: Option<String>,
}

impl Selection {
    pub fn takes(&self, workflow: &Workflow) -> bool {
        let meta = &workflow.metadata;
        let status = &workflow.status;
        let phase = |wanted: &String| wanted.eq_ignore_ascii_case(&status.phase);
        (self.names.is_empty() || self.names.contains(&meta.name))
            && self.namespace.as_ref().is_none_or(|namespace| *namespace == meta.namespace)
            && (self.phases.is_empty() || self.phases.iter().any(phase))
            && self.finished_before.is_none_or(|limit| status.finished_at.is_some_and(|end| end < limit))
            && self.prefix.as_ref().is_none_or(|prefix| meta.name.starts_with(prefix.as_str()))
            && self.instance_id.as_ref().is_none_or(|id| id == meta.label(names::INSTANCE_ID))
    }
}

/// What was met so far, as hashes.
#[derive(Default)]
pub(super) struct Seen {
    hashes: HashSet<u64>,
    state: RandomState,
}

impl Seen {
    /// Whether it is met for the first time; what has no identity always is.
    pub fn is_new(&mut self, identity: &str) -> bool {
        identity.is_empty() || self.hashes.insert(self.state.hash_one(identity))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_age_beyond_all_time_takes_nothing() {
        let workflow: Workflow = serde_json::from_value(serde_json::json!({
            "metadata": { "name": "w" }, "status": { "phase": "Succeeded", "finishedAt": "2020-01-01T00:00:00Z" },
        }))
        .unwrap();
        let takes = |older: &str| {
            let flags = SelectFlags {
                older: Some(duration::parse(older).unwrap()),
                instanceid: None,
                reason: Vec::new(),
            };
            let now = "2026-11-20T12:00:00Z".parse().unwrap();
            flags.selection(Vec::new(), Vec::new(), now).takes(&workflow)
        };
        assert!(takes("7d") && !takes("9999d"));
        for beyond in ["9999999d", "999999999999w"] {
            assert!(!takes(beyond), "{beyond}");
        }
    }
}
