//! What `--help` prints: every verb has examples that its command line takes, and nothing is wider than a terminal.

use crate::support::{Ran, plugin};
use argo_gc::cli::command_line::command;
use argo_gc::cli::examples::{below, calls, words};
use clap::Command;

const WIDTH: usize = 80;

/// The top level and each verb that is shown.
fn commands() -> Vec<Command> {
    let top = command();
    let verbs: Vec<Command> = top.get_subcommands().filter(|verb| !verb.is_hide_set()).cloned().collect();
    assert!(verbs.len() > 10);
    [vec![top], verbs].concat()
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
            if let Err(error) = command().try_get_matches_from(words(&call)) {
                faults.push(format!("{line}: {error}"));
            }
        }
    }
    faults
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
            let examples = match flag {
                "--help" => below(&command),
                _ => command.get_after_help().map(ToString::to_string).unwrap_or_default(),
            };
            for example in examples.lines().filter(|line| line.starts_with("  ")) {
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

/// The flags that a help text shows, by their long names.
fn flags(help: &str) -> Vec<&str> {
    let lines = help.lines().filter_map(|line| {
        let line = line.trim_start();
        let long = line.split_once(", --").map(|(short, long)| (short.len() == 2).then_some(long));
        long.flatten().or_else(|| line.strip_prefix("--"))
    });
    lines.map(|line| line.split([' ', '=', '[']).next().unwrap()).collect()
}

#[test]
fn the_short_help_shows_a_dozen_flags_and_says_how_to_see_all() {
    for command in commands().iter().skip(1) {
        let verb = command.get_name();
        let help = |flag: &str| {
            let mut help = plugin([verb, flag]);
            help.env("COLUMNS", WIDTH.to_string());
            Ran::of(help).ends_with(0).out
        };
        let (short, long) = (help("-h"), help("--help"));
        let (few, all) = (flags(&short), flags(&long));
        assert!(few.len() <= 17 && few.contains(&"help"), "{verb}: {few:?}");
        for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
            let Some(flag) = arg.get_long() else { continue };
            assert!(all.contains(&flag), "{verb} --help does not show --{flag}");
        }
        if all.len() > few.len() + 4 {
            let last = short.lines().last().unwrap();
            assert!(last.starts_with(&format!("kubectl argo-gc {verb} --help shows all flags")), "{last}");
            assert!(short.lines().count() <= 60, "{verb}: {} lines\n{short}", short.lines().count());
        }
    }
}
