//! Completes command lines: for kubectl by Cobra's protocol, for shells by clap's.
//!
//! Flags and verbs come from clap's own tables. This file adds the candidates for values, such as names of workflows
//! and codes of reasons, which it knows by the flag's id or by the value's name. Errors are not printed: they would appear
//! in the line that the user is typing.

pub mod candidates;
pub mod places;

use crate::cli::command_line::command;
use crate::cli::complete::candidates::Candidates;
use crate::cli::streams::Streams;
use crate::cli::{kube_flags, values};
use crate::error::exit;
use crate::output::words::Word;
use argo_gc_core::reason::Reason;
use argo_gc_core::verdict::Verdict;
use clap::error::ErrorKind;
use clap::{Arg, Command, ValueHint};
use clap_complete::engine::{
    ArgValueCandidates, ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter, complete,
};
use clap_complete::env::Shells;
use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

/// The first argument if kubectl's helper asks for candidates, as in programs that use Cobra.
const KUBECTL: &str = "__complete";

/// The first argument that [`arguments`] puts in if a shell asks for candidates.
const SHELL: &str = "__complete-for";

/// The tag of candidates that stand for a path. Paths are completed by the shell.
const PATH: &str = "path";

/// Directives of Cobra, which are bits of a sum.
const NO_SPACE: u8 = 2;

const NO_FILES: u8 = 4;

/// Returns the process's arguments, rewritten if a shell asks for candidates. `shell` is the value of
/// [`VARIABLE`](crate::cli::completion::VARIABLE).
pub fn arguments(shell: Option<OsString>, arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = arguments.collect();
    if let Some(shell) = shell.filter(|shell| !shell.is_empty()) {
        let words = arguments.iter().position(|word| word == "--").map_or(arguments.len(), |at| at + 1);
        arguments.splice(..words, ["".into(), SHELL.into(), shell]);
    }
    arguments
}

/// Answers if the command line asks for candidates of another one.
pub(crate) fn answer(arguments: &[OsString], streams: &mut Streams) -> Option<u8> {
    let (_, rest) = arguments.split_first()?;
    let (question, rest) = rest.split_first()?;
    let answer = match question.to_str()? {
        KUBECTL => for_kubectl(rest),
        SHELL => rest.split_first().and_then(|(shell, words)| for_shell(shell.to_str()?, words))?,
        _ => return None,
    };
    let _ = streams.out.write_all(&answer).and_then(|()| streams.out.flush());
    Some(exit::DONE)
}

/// Returns one line for each candidate (value, tab, description), then the directive.
fn for_kubectl(words: &[OsString]) -> Vec<u8> {
    let (last, before) = match words.split_last() {
        Some((last, before)) => (last.to_string_lossy().into_owned(), before),
        None => (String::new(), words),
    };
    let mut line: Vec<OsString> = vec!["kubectl-argo_gc".into()];
    line.extend_from_slice(before);
    // For a lone dash clap would give only the short names of flags that have both.
    line.push(if last == "-" { "--".into() } else { last.clone().into() });
    let mut command = with_values(command(), &Candidates::new(&line), true);
    let at = line.len() - 1;
    let mut found = complete(&mut command, line, at, None).unwrap_or_default();
    let is_path =
        |candidate: &CompletionCandidate| candidate.get_tag().is_some_and(|tag| tag.to_string() == PATH);
    let with_files = found.iter().any(is_path);
    found.retain(|candidate| !is_path(candidate));
    let is_flag =
        |candidate: &CompletionCandidate| candidate.get_value().as_encoded_bytes().starts_with(b"-");
    // Like kubectl, flags are shown only after a dash was typed.
    if last.is_empty() {
        found.retain(|candidate| !is_flag(candidate));
    }
    let mut directive = if with_files { 0 } else { NO_FILES };
    let mut answer = String::new();
    for candidate in &found {
        let Some(value) = candidate.get_value().to_str().filter(|value| is_plain(value)) else { continue };
        if value.ends_with(['=', '/']) {
            directive |= NO_SPACE;
        }
        let help = candidate.get_help().map(ToString::to_string).unwrap_or_default();
        let help = help.lines().next().unwrap_or_default();
        answer.push_str(value);
        if !help.is_empty() && is_plain(help) {
            answer.push('\t');
            answer.push_str(help);
        }
        answer.push('\n');
    }
    answer.push_str(&format!(":{directive}\n"));
    answer.into_bytes()
}

/// Returns the candidates in the form that the script of `completion SHELL` reads.
fn for_shell(shell: &str, words: &[OsString]) -> Option<Vec<u8>> {
    let shells = Shells::builtins();
    let completer = shells.completer(shell)?;
    let before = &words[..words.len().saturating_sub(1)];
    let mut command = with_values(command(), &Candidates::new(before), false);
    let mut answer = Vec::new();
    let _ = completer.write_complete(&mut command, words.to_vec(), Some(Path::new(".")), &mut answer);
    Some(answer)
}

/// Whether a text has no control characters. Names from the cluster or a kubeconfig are not trusted: they must not
/// act on the terminal or end a line.
fn is_plain(text: &str) -> bool {
    matches!(crate::output::escape::escape(text), std::borrow::Cow::Borrowed(_))
}

/// Adds the candidates for values to all arguments of a command. With `leave_paths` paths are left to the shell.
fn with_values(command: Command, known: &Arc<Candidates>, leave_paths: bool) -> Command {
    let probe = command.clone();
    command
        .mut_args(|arg| with_value(arg, &probe, known, leave_paths))
        .mut_subcommands(|verb| with_values(verb, known, leave_paths))
}

fn with_value(arg: Arg, command: &Command, known: &Arc<Candidates>, leave_paths: bool) -> Arg {
    let known = Arc::clone(known);
    let value = arg.get_value_names().and_then(|names| names.first()).map_or("", |name| name.as_str());
    let namespaced = command.get_arguments().any(|other| other.get_id() == "namespace");
    match (arg.get_id().as_str(), value) {
        ("namespace" | "namespaces" | "exempt_namespaces", _) => {
            arg.add(ArgValueCandidates::new(move || known.namespaces()))
        }
        ("context", _) => arg.add(ArgValueCandidates::new(move || known.configured(|names| &names.contexts))),
        ("cluster", _) => arg.add(ArgValueCandidates::new(move || known.configured(|names| &names.clusters))),
        ("user", _) => arg.add(ArgValueCandidates::new(move || known.configured(|names| &names.users))),
        ("selector", _) => arg.add(ArgValueCompleter::new(move |typed: &OsStr| known.selectors(typed))),
        (_, "NAME") if namespaced && arg.is_positional() => {
            arg.add(ArgValueCandidates::new(move || known.workflows()))
        }
        ("repository", _) => arg.add(ArgValueCompleter::new(move |typed: &OsStr| known.locations(typed))),
        (_, "BUCKET") => arg.add(ArgValueCandidates::new(move || known.buckets())),
        (_, "WORD|LOCATION") => {
            arg.add(ArgValueCompleter::new(move |typed: &OsStr| words_or_places(typed, &known)))
        }
        (_, "JOURNAL") => files(arg, leave_paths, move |typed| known.journals(typed)),
        ("plan", _) => files(arg, leave_paths, move |typed| known.plans(typed)),
        (id, value) if value.split('|').any(|word| !words(word).is_empty()) => {
            let (id, probe) = (id.to_owned(), command.clone());
            let value = value.to_owned();
            arg.add(ArgValueCandidates::new(move || {
                let words = value.split('|').flat_map(words);
                words.filter(|(word, _)| takes(&probe, &id, word)).map(candidate).collect()
            }))
        }
        _ if leave_paths && is_path(&arg) => {
            let path = |typed: &OsStr| vec![CompletionCandidate::new(typed).tag(Some(PATH.into()))];
            arg.add(ArgValueCompleter::new(path))
        }
        _ => arg,
    }
}

fn candidate((word, title): (&'static str, Option<&'static str>)) -> CompletionCandidate {
    CompletionCandidate::new(word).help(title.map(Into::into))
}

/// The words that begin with what is typed or, where an address begins, the places in storage. Words need no cluster, and are
/// there at once.
fn words_or_places(typed: &OsStr, known: &Candidates) -> Vec<CompletionCandidate> {
    let text = typed.to_string_lossy();
    if text.contains(':') || ["gs", "s3", "http", "https"].contains(&text.as_ref()) {
        return known.locations(typed);
    }
    words("WORD").into_iter().filter(|(word, _)| word.starts_with(text.as_ref())).map(candidate).collect()
}

/// Adds the files that an argument is meant for. Other files follow: the shell's, or all of those at hand.
fn files(
    arg: Arg,
    leave_paths: bool,
    meant: impl Fn(&OsStr) -> Vec<CompletionCandidate> + Send + Sync + 'static,
) -> Arg {
    arg.add(ArgValueCompleter::new(move |typed: &OsStr| {
        let mut found = meant(typed);
        match leave_paths {
            true => found.push(CompletionCandidate::new(typed).tag(Some(PATH.into()))),
            false if found.is_empty() => found = PathCompleter::any().complete(typed),
            false => {}
        }
        found
    }))
}

fn is_path(arg: &Arg) -> bool {
    matches!(arg.get_value_hint(), ValueHint::AnyPath | ValueHint::FilePath | ValueHint::DirPath)
}

/// Whether the parser of a flag accepts a value.
fn takes(command: &Command, id: &str, value: &str) -> bool {
    let flag = command.get_arguments().find(|arg| arg.get_id() == id).and_then(Arg::get_long);
    let Some(flag) = flag else { return true };
    let line = ["", &format!("--{flag}={value}")];
    let wrong = [ErrorKind::ValueValidation, ErrorKind::InvalidValue];
    command.clone().try_get_matches_from(line).err().is_none_or(|error| !wrong.contains(&error.kind()))
}

/// Returns the values, with titles, that a value's name in the help stands for. A flag may accept only some of them.
fn words(name: &str) -> Vec<(&'static str, Option<&'static str>)> {
    let verdicts = Verdict::ALL.map(Verdict::as_str);
    let plain = |words: &[&'static str]| words.iter().map(|word| (*word, None)).collect();
    match name {
        "CODE" => Reason::ALL.iter().map(|reason| (reason.code(), Some(reason.entry().title))).collect(),
        "WORD" => {
            let others = Word::all().into_iter().map(|word| (word.as_str(), Some(word.meaning())));
            words("CODE").into_iter().chain(others).collect()
        }
        "VERDICT" => plain(&[&verdicts[..], &[values::ALL]].concat()),
        "SEVERITY" => plain(&[&verdicts[..], &["note"]].concat()),
        "PHASE" => plain(&kube_flags::PHASES),
        "STRATEGY" => plain(&["OnWorkflowCompletion", "OnWorkflowDeletion", "Never"]),
        _ => Vec::new(),
    }
}
