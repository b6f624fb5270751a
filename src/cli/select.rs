//! Flags that select workflows.

use crate::cli::words;
use crate::duration;
use crate::scan::selection::{Name, Selection};
use argo_gc_core::reason::Reason;
use clap::Args;
use jiff::Timestamp;
use std::time::Duration;

/// Flags that select in the same way for every verb.
#[derive(Debug, Args)]
pub(crate) struct SelectFlags {
    /// Only workflows that finished longer ago than this, such as 90m, 12h, 7d or 2w.
    #[arg(long, alias = "older-than", value_parser = duration::parse, value_name = "DURATION",
          help_heading = "Selection")]
    older: Option<Duration>,
    /// Only workflows that finished within this time, such as 90m, 12h, 7d or 2w.
    #[arg(long, value_parser = duration::parse, value_name = "DURATION", help_heading = "Selection")]
    newer: Option<Duration>,
    /// Only workflows of the controller with this instance ID.
    #[arg(long, value_name = "ID", help_heading = "Selection")]
    instanceid: Option<String>,
}

/// The flag that selects artifacts by reason.
#[derive(Debug, Args)]
pub(crate) struct ReasonFlags {
    /// Only artifacts with these reasons, which `explain --list` lists.
    #[arg(long, value_delimiter = ',', value_parser = reason, value_name = "CODE", help_heading = "Selection")]
    pub reason: Vec<Reason>,
}

impl SelectFlags {
    /// Whether any of the flags leaves workflows out.
    pub fn is_filter(&self) -> bool {
        self.older.is_some() || self.newer.is_some() || self.instanceid.is_some()
    }

    /// Makes a selection of these flags, and of names and phases.
    pub fn selection(&self, names: Vec<Name>, phases: Vec<String>, now: Timestamp) -> Selection {
        Selection {
            names,
            namespaces: Vec::new(),
            phases,
            // An age beyond the range of time selects nothing. It must not be taken for no limit.
            finished_before: self.older.map(|older| now.checked_sub(older).unwrap_or(Timestamp::MIN)),
            finished_after: self.newer.and_then(|newer| now.checked_sub(newer).ok()),
            prefix: None,
            instance_id: self.instanceid.clone(),
        }
    }
}

fn reason(code: &str) -> Result<Reason, String> {
    words::reason(code).map_err(|error| error.brief().to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::duration;
    use argo_gc_core::argo::workflow::Workflow;

    #[test]
    fn an_age_beyond_all_time_takes_nothing() {
        let workflow: Workflow = serde_json::from_value(serde_json::json!({
            "metadata": { "name": "w" }, "status": { "phase": "Succeeded", "finishedAt": "2020-01-01T00:00:00Z" },
        }))
        .unwrap();
        let takes = |older: &str| {
            let older = Some(duration::parse(older).unwrap());
            let flags = SelectFlags { older, newer: None, instanceid: None };
            let now = "2026-11-20T12:00:00Z".parse().unwrap();
            flags.selection(Vec::new(), Vec::new(), now).takes(&workflow)
        };
        assert!(takes("7d") && !takes("9999d") && !takes("36600d"));
    }
}
