//! Runs a command line: hands it to its verb, and turns the result into an exit code.

use crate::cli::command_line::{Verb, command, parse};
use crate::cli::complete;
use crate::cli::hints;
use crate::cli::streams::Streams;
use crate::error::{Error, exit};
use clap::error::ErrorKind;
use jiff::Timestamp;
use std::ffi::OsString;
use std::io::Write;

/// Runs a command line; gives the exit code.
pub async fn run(arguments: impl IntoIterator<Item = OsString>, streams: &mut Streams, now: Timestamp) -> u8 {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    if let Some(code) = complete::answer(&arguments, streams) {
        return code;
    }
    let cli = match parse(arguments) {
        Ok(cli) => cli,
        Err(error) => return help(&error, streams),
    };
    if cli.verbosity > 0 {
        (streams.log)(cli.verbosity);
    }
    let result = match cli.verb {
        Verb::Inspect(arguments) => arguments.run(streams, now).await,
        Verb::Purge(arguments) => arguments.run(streams, now).await,
        Verb::Undo(arguments) => arguments.run(streams, now).await,
        Verb::Orphans(arguments) => arguments.run(streams, now).await,
        Verb::References(arguments) => arguments.run(streams, now).await,
        Verb::Diff(arguments) => arguments.run(streams),
        Verb::Lint(arguments) => arguments.run(streams).await,
        Verb::Fix(arguments) => arguments.run(streams, now).await,
        Verb::Doctor(arguments) => arguments.run(streams, now).await,
        Verb::Explain(arguments) => arguments.run(streams, now).await,
        Verb::Manifest(arguments) => arguments.run(streams, |line| parse(line).map(drop)),
        Verb::Completion(arguments) => arguments.run(streams),
        Verb::Version => version(streams),
        Verb::Man(arguments) => arguments.run(command()),
        Verb::Shards(arguments) => arguments.run(streams),
    };
    let result = result.and_then(|code| {
        streams.out.flush()?;
        Ok(code)
    });
    match result {
        Ok(code) => code,
        Err(error) => {
            if error.kind != crate::error::ErrorKind::ClosedPipe {
                // The output so far is still useful, and the error says that it is incomplete.
                let _ = streams.out.flush();
                streams.say(hints::shown(&error));
            }
            error.exit_code()
        }
    }
}

fn version(streams: &mut Streams) -> Result<u8, Error> {
    write!(streams.out, "{}", command().render_version())?;
    Ok(exit::DONE)
}

/// Prints help and version on standard output, and usage errors on standard error.
pub(crate) fn help(error: &clap::Error, streams: &mut Streams) -> u8 {
    let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    let text = error.render();
    if asked {
        let written = write!(streams.out, "{text}").and_then(|()| streams.out.flush());
        return written.map_or_else(|error| Error::from(error).exit_code(), |()| exit::DONE);
    }
    let _ = write!(streams.err, "{}", without_passwords(&text.to_string()));
    exit::USAGE
}

/// The text of a usage error, which quotes what was typed, without what may be a password in a URL.
fn without_passwords(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        let end = after.find(|c: char| c.is_whitespace() || "'\"".contains(c)).unwrap_or(after.len());
        // In `s3://BUCKET@HOST` nothing is secret.
        let is_bucket = before.ends_with("s3://");
        let start = after[..end].rfind('@').filter(|_| !is_bucket);
        shown.push_str(before);
        shown.push_str(if start.is_some() { "[not shown]" } else { "" });
        rest = &after[start.unwrap_or(0)..];
    }
    shown + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_usage_error_quotes_no_password() {
        for (text, shown) in [
            (
                "invalid value 'minio=http://user:pa/ss@h' for X",
                "invalid value 'minio=http://[not shown]@h' for X",
            ),
            (
                "http://a:b@c and https://d@e, http://f",
                "http://[not shown]@c and https://[not shown]@e, http://f",
            ),
            ("'s3://b@minio:9000/p' and gs://b", "'s3://b@minio:9000/p' and gs://b"),
            ("no URL@all", "no URL@all"),
        ] {
            assert_eq!(without_passwords(text), shown);
        }
    }
}
