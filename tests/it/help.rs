//! What `--help` prints: every verb has examples that its command line takes, and nothing is wider than a terminal.

use crate::support::{Ran, plugin};
use argo_gc::cli::command_line::command;
use clap::Command;

const WIDTH: usize = 100;

/// The top level and each verb that is shown.
fn commands() -> Vec<Command> {
    let top = command();
    let verbs: Vec<Command> = top.get_subcommands().filter(|verb| !verb.is_hide_set()).cloned().collect();
    assert!(verbs.len() > 10);
    [vec![top], verbs].concat()
}

/// The words that a shell makes of a line.
fn words(line: &str) -> Vec<String> {
    let quoted = line.split('\'').enumerate();
    let mut words = vec![String::new()];
    for (at, part) in quoted {
        for (next, piece) in part.split(' ').enumerate().filter(|_| at % 2 == 0) {
            if next > 0 {
                words.push(String::new());
            }
            words.last_mut().unwrap().push_str(piece);
        }
        if at % 2 == 1 {
            words.last_mut().unwrap().push_str(part);
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Calls of the plugin in a line of examples: without other programs, and what is said of them behind two spaces.
fn calls(line: &str) -> Vec<Vec<String>> {
    let line = line.trim_start().split("  ").next().unwrap();
    let parts = line.split(['|', '>', '&', '(', ')']).map(str::trim);
    let calls = parts.filter_map(|part| part.strip_prefix("kubectl argo-gc "));
    calls.map(|call| [vec!["kubectl argo-gc".to_owned()], words(call)].concat()).collect()
}

/// What is wrong with the text below the flags.
fn faults(text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for wanted in ["Examples:\n", "\nExit status: 0 "] {
        if !text.contains(wanted) {
            faults.push(format!("has no {wanted:?}"));
        }
    }
    for line in text.lines() {
        let is_example = line.starts_with("  ");
        // clap breaks sentences where the terminal ends.
        if !is_example && !line.is_empty() && !line.ends_with(['.', ':']) {
            faults.push(format!("broken by hand: {line}"));
        }
        if is_example && line.len() > WIDTH {
            faults.push(format!("too long: {line}"));
        }
        for call in calls(line).into_iter().filter(|_| is_example) {
            if let Err(error) = command().try_get_matches_from(&call) {
                faults.push(format!("{line}: {error}"));
            }
        }
    }
    faults
}

fn below(command: &Command) -> String {
    command.get_after_help().map(ToString::to_string).unwrap_or_default()
}

#[test]
fn every_example_is_a_command_line_and_no_sentence_is_broken_by_hand() {
    let mut examples = 0;
    for command in commands() {
        let text = below(&command);
        assert_eq!(faults(&text), [""; 0], "{}", command.get_name());
        let found: usize = text.lines().map(|line| calls(line).len()).sum();
        assert!(found > 0, "{}", command.get_name());
        examples += found;
    }
    assert!(examples > 50, "{examples}");
}

#[test]
fn a_wrong_example_is_found() {
    let right = "Examples:\n  kubectl argo-gc inspect --older 7d     old ones\n\nExit status: 0 done.";
    assert_eq!(faults(right), [""; 0]);
    for (from, to) in [
        ("--older", "--elder"),
        ("7d", "seven"),
        ("inspect", "inspects"),
        ("7d", "7d | kubectl argo-gc lint -f - --only nonsense"),
        ("7d ", "7d > x && kubectl argo-gc manifest cronjob "),
        ("7d", "'7d --check'"),
        ("done.", "done; 130\ninterrupted."),
        ("Examples", "Samples"),
        ("Exit status", "Code"),
        ("old ones", &"old ones ".repeat(9)),
    ] {
        assert!(!faults(&right.replace(from, to)).is_empty(), "{from} {to}");
    }
}

#[test]
fn help_fits_a_terminal_and_says_something_of_everything() {
    for command in commands() {
        let verb = Some(command.get_name()).filter(|name| !name.contains(' '));
        for flag in ["--help", "-h"] {
            let mut help = plugin(verb.into_iter().chain([flag]));
            help.env("COLUMNS", WIDTH.to_string());
            let shown = Ran::of(help).ends_with(0).out;
            for line in shown.lines() {
                assert!(line.chars().count() <= WIDTH, "{line}");
            }
            for example in below(&command).lines().filter(|line| line.starts_with("  ")) {
                assert!(shown.lines().any(|line| line == example), "{example}\n{shown}");
            }
        }
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        assert!(!about.is_empty() && !about.contains('\n') && about.len() <= WIDTH, "{about}");
        for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            assert!(!help.is_empty(), "{} {arg}", command.get_name());
        }
    }
}
