//! The catalogue's entries for reading.

use crate::output::prose::Prose;
use crate::output::words::Word;
use argo_gc_core::reason::Reason;
use std::io;
use std::io::Write;

/// Deletes the objects, verifies that they are gone, and only then removes the artifact-gc finalizer.
pub(crate) const RELEASE_COMMAND: &str = "kubectl argo-gc purge NAME -n NAMESPACE --release-finalizer";

/// A note to print with [`RELEASE_COMMAND`].
pub(crate) const RELEASE_HINT: &str = "It shows what it will delete and asks first. Objects in storage that \
it can't query (not GCS, S3 or Azure) are left alone, and so is the finalizer.";

/// Writes a reason's entry of the catalogue.
///
/// # Errors
/// Writing failed.
pub fn explain(out: &mut impl Write, width: Option<usize>, reason: Reason) -> io::Result<()> {
    let out = &mut Prose::new(out, width);
    let entry = reason.entry();
    writeln!(out, "{}: {}\n", reason.code(), entry.title)?;
    writeln!(out, "{}\n", entry.why)?;
    writeln!(out, "VERSIONS\n  {}\n", entry.versions)?;
    writeln!(out, "EVIDENCE")?;
    entry.evidence.iter().try_for_each(|line| writeln!(out, "  {line}"))?;
    writeln!(out, "\nREMEDY\n  {}", entry.remedy)?;
    if let Some(yaml) = entry.remedy_yaml {
        writeln!(out)?;
        yaml.lines().try_for_each(|line| out.whole(&format!("    {line}")))?;
    }
    if entry.release {
        writeln!(out, "\nRELEASING THE FINALIZER\n  {RELEASE_COMMAND}\n  {RELEASE_HINT}")?;
    }
    writeln!(out, "\nUPSTREAM")?;
    entry.upstream.iter().try_for_each(|line| writeln!(out, "  {line}"))?;
    writeln!(out, "\nFALSE POSITIVES\n  {}", entry.false_positives)
}

/// Writes all codes with their titles, then the other words of tables with their meanings.
///
/// # Errors
/// Writing failed.
pub fn explain_list(out: &mut impl Write, width: Option<usize>) -> io::Result<()> {
    let reasons = Reason::ALL.iter().map(|reason| [reason.code(), "reason", reason.entry().title]);
    let words = Word::all().into_iter().map(|word| [word.as_str(), word.kind(), word.meaning()]);
    let rows: Vec<[&str; 3]> = reasons.chain(words).collect();
    let widest = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or_default();
    let (word_width, kind_width) = (widest(0), widest(1));
    let mut out = Prose::new(out, width);
    rows.iter().try_for_each(|[word, kind, meaning]| {
        writeln!(out, "{word:word_width$}   {kind:kind_width$}   {meaning}")
    })
}
