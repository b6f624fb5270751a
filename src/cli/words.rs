//! Words of tables as arguments: reason codes, and what else `explain` knows.

use crate::error::Error;
use crate::output::words::Word;
use argo_gc_core::reason::Reason;

/// Returns all that a word means; an error if it means nothing.
pub(crate) fn meanings(text: &str) -> Result<(Option<Reason>, Vec<Word>), Error> {
    let (reason, words) = (Reason::from_code(text), Word::parse(text));
    if reason.is_none() && words.is_empty() {
        if text.contains('/') {
            return Err(Error::usage(format!("{text:?} is no location"))
                .hint("name its storage too, such as gs://BUCKET/KEY"));
        }
        let known = Reason::ALL.iter().map(|reason| reason.code());
        let known = known.chain(Word::all().into_iter().map(Word::as_str));
        return Err(unknown(text, format!("there is no word \"{text}\""), known));
    }
    Ok((reason, words))
}

/// Parses a reason code. The error for an unknown code names similar codes.
pub(crate) fn reason(code: &str) -> Result<Reason, Error> {
    Reason::from_code(code).ok_or_else(|| {
        let known = Reason::ALL.iter().map(|reason| reason.code());
        unknown(code, format!("there is no reason \"{code}\""), known)
    })
}

fn unknown(text: &str, message: String, known: impl Iterator<Item = &'static str>) -> Error {
    let error = Error::usage(message);
    let parts: Vec<&str> = text.split('-').filter(|part| part.len() > 2).collect();
    let mut similar: Vec<&str> =
        known.filter(|known| parts.iter().any(|part| known.contains(part))).collect();
    similar.dedup();
    match similar.is_empty() {
        true => error.hint("kubectl argo-gc explain --list"),
        false => error.hint(format!("similar: {}", similar.join(", "))),
    }
}
