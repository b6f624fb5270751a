//! `-h` shows a verb's flags of every day, and `--help` all of them.

use clap::Command;

/// How many examples `-h` shows. A verb's first examples are those of every day.
const EXAMPLES: usize = 6;

/// The flags of every day, by their ids, of the verbs that have many others.
const EVERYDAY: [(&str, &str); 10] = [
    (
        "inspect",
        "all_namespaces namespace context files output sort_by group_by check selector status older reason verdict fail_on",
    ),
    ("explain", "list plan output all_namespaces namespace context files older repository"),
    ("doctor", "all_namespaces namespace context files output yaml selector status older"),
    (
        "purge",
        "all_namespaces namespace context all selector status older only policy dry_run plan_out plan resume yes \
         release_finalizer output",
    ),
    ("undo", "list output no_record context"),
    ("orphans", "repository older exclusive also plan_out output inventory context"),
    ("references", "all_namespaces context argo_server"),
    (
        "lint",
        "files recursive skip_foreign connected all_namespaces namespace context output fail_on only baseline argo_version",
    ),
    (
        "manifest",
        "mode namespaces image schedule namespace name policy failed journal_claim push webhook_secret action rule",
    ),
    ("fix", "files recursive strategy unique_keys write diff defaults lifecycle repository argo_version"),
];

/// Whether a flag is one of every day, of a verb that has others; `None` if the verb has few flags, which `-h` shows.
pub(crate) fn is_everyday(verb: &str, id: &str) -> Option<bool> {
    let (_, ids) = EVERYDAY.iter().find(|(name, _)| *name == verb)?;
    Some(ids.split_whitespace().any(|everyday| everyday == id))
}

/// Shortens what `-h` prints of the verbs with many flags.
pub(crate) fn shorten(command: Command) -> Command {
    command.mut_subcommands(|verb| match EVERYDAY.iter().any(|(name, _)| *name == verb.get_name()) {
        true => shortened(verb),
        false => verb,
    })
}

fn shortened(verb: Command) -> Command {
    let name = verb.get_name().to_owned();
    let below = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
    let examples: Vec<&str> = below.lines().take(1 + EXAMPLES).take_while(|line| !line.is_empty()).collect();
    let short = format!(
        "{}\n\nkubectl argo-gc {name} --help shows all flags and more examples.",
        examples.join("\n")
    );
    verb.mut_args(|arg| match arg.is_positional() {
        true => arg,
        false => {
            let is_rare = is_everyday(&name, arg.get_id().as_str()) == Some(false);
            arg.hide_short_help(is_rare)
        }
    })
    .after_help(short)
    .after_long_help(below)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::cli::command_line::command;

    #[test]
    fn flags_of_every_day_are_flags_and_no_more_than_a_user_reads() {
        for (verb, ids) in EVERYDAY {
            let command = command();
            let verb = command.find_subcommand(verb).unwrap();
            let ids: Vec<&str> = ids.split_whitespace().collect();
            for id in &ids {
                assert!(verb.get_arguments().any(|arg| arg.get_id() == id), "{}: no {id}", verb.get_name());
            }
            assert!(ids.len() <= 16, "{}: {} flags of every day", verb.get_name(), ids.len());
        }
    }
}
