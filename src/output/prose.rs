//! Sentences on a terminal: lines that are too long continue below, as far to the right as their text begins.

use std::io;
use std::io::Write;
use textwrap::core::display_width;

/// A command after a sentence or alone is in one line, however long it is: people copy it.
const COMMAND: &str = "kubectl ";

/// So are those of storage, after a colon.
const OF_STORAGE: [&str; 4] = [": gcloud storage ", ": aws s3", ": azcopy ", ": az storage "];

/// Breaks lines that are wider than the terminal. Without a terminal they stay as they are.
pub(crate) struct Prose<'w> {
    out: &'w mut dyn Write,
    width: Option<usize>,
    /// The beginning of a line whose end was not written yet.
    begun: Vec<u8>,
}

impl<'w> Prose<'w> {
    pub fn new(out: &'w mut dyn Write, width: Option<usize>) -> Self {
        Self { out, width, begun: Vec::new() }
    }

    /// Writes a line as it is: a broken comment would be no comment any more.
    pub fn whole(&mut self, line: &str) -> io::Result<()> {
        self.flush()?;
        writeln!(self.out, "{line}")
    }
}

impl Write for Prose<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(width) = self.width else { return self.out.write(bytes) };
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.begun.extend_from_slice(part);
            if part.ends_with(b"\n") {
                let line = std::mem::take(&mut self.begun);
                self.out.write_all(broken(&String::from_utf8_lossy(&line), width).as_bytes())?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let begun = std::mem::take(&mut self.begun);
        self.out.write_all(&begun)?;
        self.out.flush()
    }
}

/// The line, or the lines, that fit the width.
pub(crate) fn broken(line: &str, width: usize) -> String {
    let text = line.trim_end();
    let (before, _) = text.split_at(command(text).unwrap_or(0));
    // A command alone, or after a label, is the whole line.
    let is_command = command(text).is_some() && (before.trim().is_empty() || before.ends_with("  "));
    if display_width(text) <= width || is_command {
        return line.to_owned();
    }
    let (labels, text) = text.split_at(hang(text, width * 3 / 4));
    let indent = " ".repeat(display_width(labels));
    let (text, command) = text.split_at(command(text).unwrap_or(text.len()));
    let options = textwrap::Options::new(width).initial_indent(labels).subsequent_indent(&indent);
    // A location that is too long by itself stays whole.
    let options = options.break_words(false).word_splitter(textwrap::WordSplitter::NoHyphenation);
    let mut lines = textwrap::fill(text.trim_end(), options);
    let room = width.saturating_sub(display_width(lines.lines().last().unwrap_or_default()) + 1);
    match command {
        "" => {}
        command if display_width(command) <= room => lines += &format!(" {command}"),
        command => lines += &format!("\n{indent}{command}"),
    }
    lines + "\n"
}

/// Where a command begins that is not within a sentence, between backquotes.
fn command(text: &str) -> Option<usize> {
    let others = OF_STORAGE.iter().filter_map(|words| text.find(words).map(|at| at + 2));
    let at = text.find(COMMAND).into_iter().chain(others).min()?;
    (!text[..at].contains('`')).then_some(at)
}

/// Where the text of a line begins: behind its indentation, and the labels that have two spaces or more after them, as far
/// as these take no more columns than `most`.
fn hang(line: &str, most: usize) -> usize {
    let start = line.len() - line.trim_start().len();
    let labels = line.rmatch_indices("  ").map(|(at, spaces)| at + spaces.len());
    let mut hangs = labels.filter(|at| *at > start).chain([start]);
    hangs.find(|at| display_width(&line[..*at]) <= most).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_long_line_goes_on_below_its_text() {
        assert_eq!(broken("short\n", 10), "short\n");
        assert_eq!(broken("  one two three\n", 10), "  one two\n  three\n");
        assert_eq!(broken("  because  it is not so\n", 18), "  because  it is\n           not so\n");
        for command in ["  kubectl argo-gc inspect", "  more   kubectl argo-gc inspect"] {
            assert_eq!(broken(&format!("{command}\n"), 10), format!("{command}\n"));
        }
        assert_eq!(
            broken("  │    gs://a/very-long  1KiB, 1 object\n", 24),
            "  │    gs://a/very-long\n       1KiB, 1 object\n"
        );
        assert_eq!(broken("    gs://a/very-long\n", 12), "    gs://a/very-long\n");
        assert_eq!(broken("all of it: kubectl get wf\n", 12), "all of it:\nkubectl get wf\n");
        assert_eq!(broken("copy all: gcloud storage cp a b\n", 12), "copy all:\ngcloud storage cp a b\n");
        assert_eq!(broken("see `kubectl get wf` there\n", 14), "see `kubectl\nget wf` there\n");
    }

    #[test]
    fn what_is_written_in_parts_is_one_line() {
        let mut out = Vec::new();
        let mut prose = Prose::new(&mut out, Some(8));
        assert!(
            write!(prose, "one t")
                .and_then(|()| write!(prose, "wo"))
                .and_then(|()| writeln!(prose, " three"))
                .is_ok()
        );
        assert!(write!(prose, "end").and_then(|()| prose.flush()).is_ok());
        assert_eq!(String::from_utf8_lossy(&out), "one two\nthree\nend");
    }

    proptest! {
        #[test]
        fn words_stay_and_lines_fit(words in proptest::collection::vec("[a-zä]{1,12}", 1..20), width in 24usize..100) {
            let text = words.join(" ");
            let lines = broken(&format!("{text}\n"), width);
            prop_assert!(lines.lines().all(|line| display_width(line) <= width));
            prop_assert_eq!(lines.split_whitespace().collect::<Vec<_>>(), words);
        }
    }
}
