//! `explain` prints entries of the catalogue of reasons.

use crate::cli::streams::Streams;
use crate::error::{Error, exit};
use crate::output::explain::{explain, explain_list};
use argo_gc_core::reason::Reason;
use clap::Args;

/// Explains a reason code: why it happens, in which versions, and how to fix it
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kubectl argo-gc explain inline-only
  kubectl argo-gc explain --list

Exit status: 0 done; 1 error; 2 there is no such code, or wrong usage.")]
pub(crate) struct Arguments {
    /// Codes as `inspect` shows them.
    #[arg(value_name = "CODE", required_unless_present = "list")]
    codes: Vec<String>,
    /// Lists all codes with their titles.
    #[arg(long, conflicts_with = "codes")]
    list: bool,
}

impl Arguments {
    pub fn run(self, streams: &mut Streams) -> Result<u8, Error> {
        if self.list {
            explain_list(&mut streams.out)?;
            return Ok(exit::DONE);
        }
        let reasons: Vec<Reason> = self.codes.iter().map(|code| parse(code)).collect::<Result<_, _>>()?;
        for (at, reason) in reasons.into_iter().enumerate() {
            if at > 0 {
                writeln!(streams.out, "\n")?;
            }
            explain(&mut streams.out, reason)?;
        }
        Ok(exit::DONE)
    }
}

/// Parses a reason code. The error for an unknown code names similar codes.
pub(crate) fn parse(code: &str) -> Result<Reason, Error> {
    Reason::from_code(code).ok_or_else(|| {
        let error = Error::usage(format!("there is no reason \"{code}\""));
        let words: Vec<&str> = code.split('-').filter(|word| word.len() > 2).collect();
        let similar: Vec<&str> = Reason::ALL
            .iter()
            .map(|reason| reason.code())
            .filter(|known| words.iter().any(|word| known.contains(word)))
            .collect();
        match similar.is_empty() {
            true => error.hint("kubectl argo-gc explain --list"),
            false => error.hint(format!("similar: {}", similar.join(", "))),
        }
    })
}
