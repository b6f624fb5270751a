//! How a purge ended, as metrics.

use crate::error::Error;
use crate::output::prometheus::single;
use crate::output::summary::Ended;
use jiff::Timestamp;
use std::io;

/// The metrics of a purge, or of its dry run, that began at `began`. A run that ended in an error had no plan to count.
///
/// # Errors
/// None: a text takes everything.
pub fn text(ended: &Result<Ended, Error>, began: Timestamp) -> io::Result<String> {
    let mut text = Vec::new();
    let code = ended.as_ref().map_or_else(Error::exit_code, |ended| ended.code);
    let help =
        "The exit status of the purge: 0 done, 1 error, 4 something is left, 5 refused, 130 interrupted.";
    single(&mut text, "argo_gc_purge_exit_code", help, code)?;
    if let Ok(Ended { planned, left, quarantined, .. }) = ended {
        single(&mut text, "argo_gc_purge_objects_planned", "Objects of the purge's plan.", planned)?;
        let help = "Objects of the purge's plan that are still there; in a dry run all of them.";
        single(&mut text, "argo_gc_purge_objects_left", help, left)?;
        let help = "Objects that are marked and wait for a later purge with --quarantine.";
        single(&mut text, "argo_gc_purge_objects_quarantined", help, quarantined)?;
    }
    let help = "When the purge began, in seconds since 1970.";
    single(&mut text, "argo_gc_purge_timestamp_seconds", help, began.as_second())?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::error::exit;

    fn samples(ended: &Result<Ended, Error>) -> Vec<String> {
        let text = text(ended, Timestamp::from_second(1_700_000_000).unwrap()).unwrap();
        text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
    }

    #[test]
    fn an_error_has_no_counts() {
        assert_eq!(
            samples(&Ok(Ended {
                code: exit::PARTIAL,
                planned: 5,
                left: 2,
                quarantined: 3,
                ..Ended::default()
            })),
            [
                "argo_gc_purge_exit_code 4",
                "argo_gc_purge_objects_planned 5",
                "argo_gc_purge_objects_left 2",
                "argo_gc_purge_objects_quarantined 3",
                "argo_gc_purge_timestamp_seconds 1700000000"
            ]
        );
        assert_eq!(
            samples(&Err(Error::refused("x"))),
            ["argo_gc_purge_exit_code 5", "argo_gc_purge_timestamp_seconds 1700000000"]
        );
    }
}
