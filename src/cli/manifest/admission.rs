//! `manifest policy` prints admission policies: what lint knows of a manifest, as far as the API server itself can tell it.

use crate::cli::purge::heeded;
use crate::cli::template::{fill, quoted};
use crate::cli::values;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, ValueEnum};

const POLICY: &str = include_str!("admission/policy.yaml");

const BINDING: &str = include_str!("admission/binding.yaml");

/// What is exempt always: a workflow there keeps the cluster itself going.
const EXEMPT: &str = "kube-system";

#[derive(Debug, Args)]
pub(crate) struct PolicyFlags {
    /// What the API server does about a manifest that breaks a rule.
    #[arg(long, value_enum, default_value = "warn", value_name = "ACTION", help_heading = "Policy")]
    action: Action,
    /// Only these rules [default: those that hold whatever the controller's configuration is, the first four].
    #[arg(long, value_enum, value_delimiter = ',', value_name = "RULE", help_heading = "Policy")]
    rule: Vec<Rule>,
    /// Namespaces in which nothing is looked at, beside kube-system.
    #[arg(long, value_delimiter = ',', value_parser = values::namespace, value_name = "NAMES", help_heading = "Policy")]
    exempt_namespaces: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Action {
    /// Whoever creates it is shown a warning.
    Warn,
    /// The API server's audit log has it.
    Audit,
    /// The API server refuses it.
    Deny,
}

impl Action {
    /// The API's spelling.
    fn as_str(self) -> &'static str {
        match self {
            Self::Warn => "Warn",
            Self::Audit => "Audit",
            Self::Deny => "Deny",
        }
    }
}

/// A rule. Each is a policy of its own, with a budget and metrics of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Rule {
    /// Inline templates store artifacts or logs with a strategy.
    Inline,
    /// Archived logs with a strategy are all that is stored.
    LogsOnly,
    /// An artifact with a strategy has the same key in every run.
    SharedKey,
    /// An artifact with a strategy is where Argo can't delete.
    UnsupportedDriver,
    /// Nothing sets a strategy; wrong where the controller's workflowDefaults do.
    NoStrategy,
    /// forceFinalizerRemoval with optional artifacts only; wrong where the repository archives logs.
    ForceNoPod,
}

impl Rule {
    /// The rules that hold whatever the controller's configuration is. What it could change is refused only on request: a
    /// false refusal stops a team's work.
    const SURE: [Self; 4] = [Self::Inline, Self::LogsOnly, Self::SharedKey, Self::UnsupportedDriver];

    fn as_str(self) -> &'static str {
        match self {
            Self::Inline => "inline",
            Self::LogsOnly => "logs-only",
            Self::SharedKey => "shared-key",
            Self::UnsupportedDriver => "unsupported-driver",
            Self::NoStrategy => "no-strategy",
            Self::ForceNoPod => "force-no-pod",
        }
    }

    /// The variables that tell what breaks it.
    fn text(self) -> &'static str {
        match self {
            Self::Inline => include_str!("admission/inline.yaml"),
            Self::LogsOnly => include_str!("admission/logs-only.yaml"),
            Self::SharedKey => include_str!("admission/shared-key.yaml"),
            Self::UnsupportedDriver => include_str!("admission/unsupported-driver.yaml"),
            Self::NoStrategy => include_str!("admission/no-strategy.yaml"),
            Self::ForceNoPod => include_str!("admission/force-no-pod.yaml"),
        }
    }
}

impl PolicyFlags {
    /// Returns the manifests: a policy and its binding for each rule.
    pub fn manifest(&self, name: &str) -> String {
        let mut rules = if self.rule.is_empty() { Rule::SURE.to_vec() } else { Vec::new() };
        for rule in &self.rule {
            if !rules.contains(rule) {
                rules.push(*rule);
            }
        }
        let exempt = [EXEMPT].into_iter().chain(self.exempt_namespaces.iter().map(String::as_str));
        let exempt: Vec<String> = exempt.map(quoted).collect();
        let documents = rules.iter().map(|rule| {
            let policy = fill(POLICY, "@SUSPECTS@", rule.text());
            format!("{policy}---\n{BINDING}")
                .replace("@RULE@", rule.as_str())
                .replace("@ACTION@", self.action.as_str())
                .replace("@EXEMPT@", &format!("[{}]", exempt.join(", ")))
                .replace("@NAME@", name)
        });
        documents.collect::<Vec<_>>().join("---\n")
    }
}

/// Refuses flags that the kind has no use for. `command` is `manifest`, as clap has built it.
pub(crate) fn check(command: &mut Command, typed: &ArgMatches) -> Result<(), clap::Error> {
    const OF_POLICY: [&str; 3] = ["action", "rule", "exempt_namespaces"];
    const OF_ALL: [&str; 3] = ["kind", "name", "verbosity"];
    let is_policy = typed.get_raw("kind").is_some_and(|mut kinds| kinds.any(|kind| kind == "policy"));
    let takes = |id: &str| OF_ALL.contains(&id) || OF_POLICY.contains(&id) == is_policy;
    let refused: Vec<String> = command
        .get_arguments()
        .filter(|arg| {
            let id = arg.get_id().as_str();
            !takes(id) && typed.value_source(id) == Some(ValueSource::CommandLine)
        })
        .map(heeded::name)
        .collect();
    if refused.is_empty() {
        return Ok(());
    }
    let (kind, why) = match is_policy {
        true => ("policy", "nothing runs in the cluster for it"),
        false => ("a schedule", "it is of manifest policy"),
    };
    let words = format!("{} cannot be used with {kind}: {why}", refused.join(", "));
    Err(command.error(ErrorKind::ArgumentConflict, words))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::cli::command_line::parse;
    use argo_gc_core::reason::Reason;

    #[test]
    fn every_message_has_a_code_that_explain_knows() {
        for rule in Rule::value_variants() {
            assert_eq!(rule.to_possible_value().unwrap().get_name(), rule.as_str());
            let (_, text) = rule.text().split_once("- name: code\n  expression: ").unwrap();
            let quoted = text.lines().next().unwrap().split('\'').skip(1).step_by(2);
            let codes: Vec<&str> = quoted.filter(|word| word.contains('-')).collect();
            assert!(!codes.is_empty(), "{rule:?}");
            for code in codes {
                assert!(Reason::from_code(code).is_some(), "{rule:?}: {code}");
            }
        }
    }

    #[test]
    fn a_kind_takes_its_own_flags_only() {
        let parsed = |line: &str| {
            let words = ["kubectl argo-gc", "manifest"].into_iter().chain(line.split_whitespace());
            parse(words).map(drop).map_err(|error| error.to_string())
        };
        for line in [
            "policy",
            "policy --action deny --rule inline,no-strategy --name gc",
            "cronjob --image i --name x",
        ] {
            assert_eq!(parsed(line), Ok(()), "{line}");
        }
        for (line, told) in [
            ("policy --image i", "--image cannot be used with policy"),
            ("policy --mode purge --failed", "--mode, --failed cannot be used with policy"),
            ("policy --schedule @daily", "--schedule"),
            ("policy --policy p.yaml", "--policy"),
            ("policy -- --only logs", "cannot be used"),
            ("cronjob --image i --action deny", "--action cannot be used with a schedule"),
            ("cronjob", "--image"),
            ("policy --rule inlin", "inline"),
        ] {
            let error = parsed(line).unwrap_err();
            assert!(error.contains(told), "{line}: {error}");
        }
    }
}
