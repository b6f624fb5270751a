//! The page `docs/flags.md`: every flag of every verb, with what it is for, its default and an example.
//!
//! All of it is taken from clap's tables and from the examples, so a new flag needs only an example in [`examples`].

use crate::cli::command_line::{command, parse};
use crate::cli::{examples, short_help};
use clap::builder::PossibleValue;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};
use std::fmt::Write;

/// From so many verbs on, a flag that is the same for all of them has one row for all of them.
const SHARED: usize = 3;

/// The heading of flags that have none in the help.
const OPTIONS: &str = "Options";

const HEAD: &str = "# Flags

Every verb with its arguments and flags: what each is for, its default, and a command that uses it. `kubectl argo-gc VERB -h` \
shows the flags of every day (bold here, where a verb has many), and `--help` all of them. Flags that are the same for several verbs are \
in the last section. This page is generated from the command line itself.
";

const TABLE: &str = "| flag | what it is for | default | example |\n| --- | --- | --- | --- |\n";

/// A verb's argument as users know it.
struct Row {
    verb: String,
    id: String,
    heading: String,
    /// Such as `-o, --output FORMAT`.
    name: String,
    what: String,
    default: String,
    everyday: bool,
}

impl Row {
    fn new(verb: &Command, arg: &Arg) -> Self {
        let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
        let (what, told) = split_default(&help.split_whitespace().collect::<Vec<_>>().join(" "));
        Self {
            verb: verb.get_name().to_owned(),
            id: arg.get_id().to_string(),
            heading: arg.get_help_heading().unwrap_or(OPTIONS).to_owned(),
            name: name(arg),
            what: what + &possible_values(arg),
            default: told.unwrap_or_else(|| default(arg)) + &variable(arg),
            everyday: short_help::is_everyday(verb.get_name(), arg.get_id().as_str()) == Some(true),
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        self.name == other.name && self.what == other.what && self.default == other.default
    }

    /// Returns the table's line, with another first cell for what several verbs share.
    fn line(&self, first: &str, example: &str) -> String {
        let cells = [first, &self.what, &self.default].map(cell);
        format!("| {} | `{}` |\n", cells.join(" | "), example.replace('|', "\\|"))
    }
}

/// Returns the page.
pub fn page() -> String {
    let (rows, examples) = (rows(), Examples::new());
    let is_shared = |row: &Row| rows.iter().filter(|other| other.is_same(row)).count() >= SHARED;
    let mut text = HEAD.to_owned();
    for verb in shown(&built()) {
        let of_verb: Vec<&Row> = rows.iter().filter(|row| row.verb == verb.get_name()).collect();
        let (shared, own): (Vec<&Row>, Vec<&Row>) = of_verb.iter().partition(|row| is_shared(row));
        let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
        let _ = write!(text, "\n## {}\n\n{about}.\n", verb.get_name());
        for heading in headings(&own) {
            let _ = write!(text, "\n### {}: {heading}\n\n{TABLE}", verb.get_name());
            for row in own.iter().filter(|row| row.heading == heading) {
                let mark = if row.everyday { "**" } else { "" };
                let first = format!("{mark}`{}`{mark}", row.name);
                text += &row.line(&first, examples.of(row).unwrap_or_default());
            }
        }
        if !shared.is_empty() {
            let names: Vec<String> = shared.iter().map(|row| format!("`{}`", row.name)).collect();
            let _ = write!(text, "\nIt shares with other verbs: {}.\n", names.join("; "));
        }
    }
    text += "\n## Flags of several verbs\n";
    let shared: Vec<&Row> = rows.iter().filter(|row| is_shared(row)).collect();
    for heading in headings(&shared) {
        let _ = write!(text, "\n### Shared: {heading}\n\n{TABLE}");
        let rows: Vec<&&Row> = shared.iter().filter(|row| row.heading == heading).collect();
        for (at, row) in rows.iter().enumerate() {
            if rows[..at].iter().any(|earlier| earlier.is_same(row)) {
                continue;
            }
            // The same flag may stand under another heading in another verb.
            let same: Vec<&&Row> = shared.iter().filter(|other| other.is_same(row)).collect();
            if same.first().is_some_and(|first| first.heading != heading) {
                continue;
            }
            let example = same.iter().filter_map(|row| examples.of(row)).min_by_key(|call| call.len());
            let verbs: Vec<&str> = same.iter().map(|row| row.verb.as_str()).collect();
            let first = format!("`{}` of {}", row.name, verbs.join(", "));
            text += &row.line(&first, example.unwrap_or_default());
        }
    }
    text
}

/// Returns what has to be written for the page to be complete: the flags that no example sets.
pub fn without_example() -> Vec<String> {
    let (rows, examples) = (rows(), Examples::new());
    let has_example = |row: &Row| {
        let same: Vec<&Row> = rows.iter().filter(|other| other.is_same(row)).collect();
        let needed = if same.len() >= SHARED { same } else { vec![row] };
        needed.iter().any(|row| examples.of(row).is_some())
    };
    rows.iter().filter(|row| !has_example(row)).map(|row| format!("{} {}", row.verb, row.name)).collect()
}

fn built() -> Command {
    let mut command = command();
    command.build();
    command
}

fn shown(top: &Command) -> Vec<Command> {
    let is_shown = |verb: &&Command| !verb.is_hide_set() && verb.get_name() != "help";
    top.get_subcommands().filter(is_shown).cloned().collect()
}

/// Returns all arguments of all verbs, in the order of the help.
fn rows() -> Vec<Row> {
    let is_shown = |arg: &&Arg| !arg.is_hide_set() && !["help", "version"].contains(&arg.get_id().as_str());
    let of = |verb: &Command| -> Vec<Row> {
        let (arguments, flags): (Vec<&Arg>, Vec<&Arg>) =
            verb.get_arguments().filter(is_shown).partition(|arg| arg.is_positional());
        arguments.into_iter().chain(flags).map(|arg| Row::new(verb, arg)).collect()
    };
    shown(&built()).iter().flat_map(of).collect()
}

/// Returns the headings of rows in the order of their first rows.
fn headings(rows: &[&Row]) -> Vec<String> {
    let mut headings: Vec<String> = Vec::new();
    for row in rows {
        if !headings.contains(&row.heading) {
            headings.push(row.heading.clone());
        }
    }
    headings
}

/// The examples that the command line takes, and what each sets.
struct Examples(Vec<(String, ArgMatches)>);

impl Examples {
    fn new() -> Self {
        let top = command();
        let mut calls = examples::all(&top);
        // The shortest example shows most clearly what a flag does.
        calls.sort_by_key(|call| (call.ends_with(" -"), call.len()));
        let matches = |call: String| {
            let words = examples::words(&call);
            parse(&words).ok()?;
            Some((call, top.clone().try_get_matches_from(words).ok()?))
        };
        Self(calls.into_iter().filter_map(matches).collect())
    }

    /// Returns the shortest example that sets an argument.
    fn of(&self, row: &Row) -> Option<&str> {
        let sets = |typed: &ArgMatches| {
            typed.subcommand().is_some_and(|(verb, typed)| {
                verb == row.verb && typed.value_source(&row.id) == Some(ValueSource::CommandLine)
            })
        };
        self.0.iter().find(|(_, typed)| sets(typed)).map(|(call, _)| call.as_str())
    }
}

fn name(arg: &Arg) -> String {
    let values: Vec<&str> =
        arg.get_value_names().unwrap_or_default().iter().map(|name| name.as_str()).collect();
    let value = if takes_values(arg) { values.join(" ") } else { String::new() };
    let short = arg.get_short().map(|short| format!("-{short}"));
    let long = arg.get_long().map(|long| format!("--{long}"));
    let flag = [short, long].into_iter().flatten().collect::<Vec<_>>().join(", ");
    match (flag.is_empty(), value.is_empty()) {
        (true, _) => value,
        (false, true) => flag,
        (false, false) if arg.is_require_equals_set() => format!("{flag}[={value}]"),
        (false, false) => format!("{flag} {value}"),
    }
}

fn takes_values(arg: &Arg) -> bool {
    arg.get_num_args().is_some_and(|count| count.takes_values())
}

/// Splits a help text from the default that it tells at its end.
fn split_default(help: &str) -> (String, Option<String>) {
    match help.split_once("[default: ") {
        Some((what, told)) => {
            let (told, rest) = told.split_once(']').unwrap_or((told, ""));
            (ended(&format!("{}{rest}", what.trim_end())), Some(told.to_owned()))
        }
        None => (ended(help), None),
    }
}

/// Returns a text that ends with a full stop.
fn ended(text: &str) -> String {
    format!("{}.", text.trim_end_matches('.'))
}

fn possible_values(arg: &Arg) -> String {
    let values = arg.get_possible_values();
    let names: Vec<String> = values
        .iter()
        .filter(|value| !value.is_hide_set())
        .map(PossibleValue::get_name)
        .map(|name| format!("`{name}`"))
        .collect();
    match names.is_empty() || !takes_values(arg) {
        true => String::new(),
        false => format!(" One of {}.", names.join(", ")),
    }
}

fn default(arg: &Arg) -> String {
    let values: Vec<String> =
        arg.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect();
    match takes_values(arg) && !arg.is_hide_default_value_set() {
        true => values.join(","),
        false => String::new(),
    }
}

fn variable(arg: &Arg) -> String {
    arg.get_env().map(|name| format!(" (variable `{}`)", name.to_string_lossy())).unwrap_or_default()
}

/// Returns a text as a cell of a Markdown table.
fn cell(text: &str) -> String {
    text.trim().replace('|', "\\|").replace('<', "&lt;")
}
