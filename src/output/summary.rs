//! How a run ended, in one line. People read it as a pod's message, and [`super::shards`] adds such lines up.

use crate::error::{Error, exit};
use crate::output::escape::escape;

/// The longest line, in bytes. A workflow hands the lines of all shards to one container, whose argument has an end.
const LONGEST: usize = 160;

/// How a run ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ended {
    /// The exit code of the process.
    pub code: u8,
    /// The objects that the plan deletes.
    pub planned: u64,
    /// Of these, the ones that are still there, or were not looked at.
    pub left: u64,
    /// Objects that are marked and wait for a later run.
    pub quarantined: u64,
    /// Objects that were to be marked and are not.
    pub unmarked: u64,
    /// Marks that could not be lifted.
    pub unlifted: u64,
}

impl Ended {
    /// A run that only showed a plan, saved it or handed it over.
    pub fn shown(planned: u64) -> Self {
        Self { planned, left: planned, ..Self::default() }
    }

    /// With finalizers that were to be released, and are not.
    #[must_use]
    pub fn unreleased(self) -> Self {
        Self { code: if self.code == exit::DONE { exit::PARTIAL } else { self.code }, ..self }
    }

    /// With objects of its plan that were left alone before it began.
    #[must_use]
    pub fn leaving(self, more: u64) -> Self {
        let code = if self.code == exit::DONE && more > 0 { exit::PARTIAL } else { self.code };
        Self { code, planned: self.planned + more, left: self.left + more, ..self }
    }
}

/// The line of a run, or of one shard of so many.
pub fn line(shard: Option<(u32, u32)>, ended: &Result<Ended, Error>) -> String {
    let what = match ended {
        Err(error) => error.message().to_owned(),
        Ok(Ended { code, planned, left, quarantined, unmarked, unlifted }) => {
            let (objects, are) = if *planned == 1 { ("object", "is") } else { ("objects", "are") };
            let gone = planned.saturating_sub(*left);
            let mut words = format!("{gone} of {planned} {objects} {are} gone");
            if *quarantined > 0 {
                words += &format!("; {quarantined} in quarantine");
            }
            if *unmarked > 0 {
                words += &format!("; {unmarked} not marked");
            }
            if *unlifted > 0 {
                words += &format!("; {unlifted} still marked, though needed");
            }
            match (*code, left + unmarked + unlifted) {
                (exit::INTERRUPTED, _) => words += "; it was interrupted",
                (_, 0) if *code != exit::DONE => {
                    words += "; finalizers that were to be released are still there";
                }
                _ => {}
            }
            words
        }
    };
    let shard = shard.map(|(number, of)| format!("shard {number}/{of}: ")).unwrap_or_default();
    // Argo takes two braces for a variable of its own.
    let text = escape(&format!("{shard}{what}")).replace("{{", "{ {");
    if text.len() <= LONGEST {
        return text;
    }
    let end = text.floor_char_boundary(LONGEST - '…'.len_utf8());
    format!("{}…", &text[..end])
}

/// The objects of the plan and those that are gone, as a line says them; none if the run ended in an error.
pub fn counts(line: &str) -> Option<(u64, u64)> {
    let counts = line.split_once(": ").map_or(line, |(_, counts)| counts);
    let counts = counts.split("; ").next()?;
    let counts =
        counts.strip_suffix(" objects are gone").or_else(|| counts.strip_suffix(" object is gone"))?;
    let (gone, planned) = counts.split_once(" of ")?;
    let (gone, planned) = (gone.parse().ok()?, planned.parse().ok()?);
    (gone <= planned).then_some((planned, gone))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(code: u8, planned: u64, left: u64) -> Result<Ended, Error> {
        Ok(Ended { code, planned, left, ..Ended::default() })
    }

    #[test]
    fn a_line_says_what_is_gone_and_is_read_again() {
        for (ended, words, read) in [
            (of(exit::DONE, 25, 0), "shard 3/8: 25 of 25 objects are gone", Some((25, 25))),
            (of(exit::PARTIAL, 25, 2), "shard 3/8: 23 of 25 objects are gone", Some((25, 23))),
            (of(exit::DONE, 1, 0), "shard 3/8: 1 of 1 object is gone", Some((1, 1))),
            (of(exit::DONE, 0, 0), "shard 3/8: 0 of 0 objects are gone", Some((0, 0))),
            (
                of(exit::PARTIAL, 2, 0),
                "shard 3/8: 2 of 2 objects are gone; finalizers that were to be released are still there",
                Some((2, 2)),
            ),
            (
                of(exit::INTERRUPTED, 9, 4),
                "shard 3/8: 5 of 9 objects are gone; it was interrupted",
                Some((9, 5)),
            ),
            (
                Ok(Ended { planned: 2, quarantined: 7, ..Ended::default() }),
                "shard 3/8: 2 of 2 objects are gone; 7 in quarantine",
                Some((2, 2)),
            ),
            (
                Ok(Ended { code: exit::PARTIAL, planned: 2, unmarked: 1, ..Ended::default() }),
                "shard 3/8: 2 of 2 objects are gone; 1 not marked",
                Some((2, 2)),
            ),
            (
                Ok(Ended { code: exit::PARTIAL, unlifted: 3, ..Ended::default() }),
                "shard 3/8: 0 of 0 objects are gone; 3 still marked, though needed",
                Some((0, 0)),
            ),
            (
                Ok(Ended { code: exit::INTERRUPTED, planned: 2, unmarked: 5, ..Ended::default() }),
                "shard 3/8: 2 of 2 objects are gone; 5 not marked; it was interrupted",
                Some((2, 2)),
            ),
            (Err(Error::refused("it is unknown: what")), "shard 3/8: error: it is unknown: what", None),
        ] {
            let line = line(Some((3, 8)), &ended);
            assert_eq!((line.as_str(), counts(&line)), (words, read));
        }
        assert_eq!(line(None, &of(exit::DONE, 2, 0)), "2 of 2 objects are gone");
        assert_eq!(counts("2 of 2 objects are gone"), Some((2, 2)));
        for no in
            ["", "3 of 2 objects are gone", "all objects are gone", "shard 1/1: 1 of x objects are gone"]
        {
            assert_eq!(counts(no), None, "{no}");
        }
    }

    #[test]
    fn an_error_is_cut_and_holds_no_variable_and_no_line_end() {
        let error = Error::new(format!("{{{{workflow.name}}}}\n{}", "é".repeat(500)));
        let line = line(None, &Err(error));
        assert!((LONGEST - 1..=LONGEST).contains(&line.len()), "{}", line.len());
        assert!(!line.contains("{{") && !line.contains('\n') && line.ends_with('…'), "{line}");
    }

    #[test]
    fn what_was_left_alone_before_counts() {
        let ended = Ended { planned: 3, quarantined: 2, ..Ended::default() };
        assert_eq!(ended.leaving(0), ended);
        assert_eq!(ended.leaving(2), Ended { code: exit::PARTIAL, planned: 5, left: 2, ..ended });
        let interrupted = Ended { code: exit::INTERRUPTED, ..ended };
        assert_eq!(interrupted.leaving(1).code, exit::INTERRUPTED);
    }
}
