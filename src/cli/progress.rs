//! Signs of life on standard error: a bar on a terminal, a line from time to time elsewhere.

use crate::output::progress::text;
use crate::progress::{Progress, State};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{Result, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What takes less time needs no sign.
const FIRST: Duration = Duration::from_secs(1);

/// How often a terminal is drawn anew.
const FRAME: Duration = Duration::from_millis(125);

/// How often another reader of standard error gets a line.
const LINE: Duration = Duration::from_secs(30);

/// Shows how far a run is, and makes room for what else is printed on the terminal.
#[derive(Clone, Default)]
pub struct Signs(Arc<Mutex<Shown>>);

#[derive(Default)]
struct Shown {
    progress: Progress,
    bar: Option<ProgressBar>,
    /// Whether something was printed that does not end a line: a bar would overwrite it.
    within_line: bool,
}

impl Signs {
    /// Those who work tell it how far they are.
    pub fn progress(&self) -> Progress {
        self.lock().progress.clone()
    }

    /// A stream on the same terminal. What is written there takes the place of the bar.
    pub fn beside<W: Write>(&self, stream: W) -> Beside<W> {
        Beside { stream, signs: self.clone() }
    }

    /// Draws a bar on the terminal of standard error, which has so many columns at any time, as long as something is under
    /// way.
    pub async fn draw(self, columns: impl Fn() -> Option<usize>) {
        loop {
            tokio::time::sleep(FRAME).await;
            self.frame(columns().unwrap_or(80));
        }
    }

    /// Writes a line from time to time, as long as something is under way.
    pub async fn write_lines(self, stream: impl Write) {
        self.write_lines_every(LINE, stream).await;
    }

    async fn write_lines_every(self, pause: Duration, mut stream: impl Write) {
        loop {
            tokio::time::sleep(pause).await;
            let state = self.lock().worth_showing();
            if let Some(state) = state {
                let _ = writeln!(stream, "{}", text(&state));
            }
        }
    }

    fn frame(&self, columns: usize) {
        // Where a stream is being written to, which may take long, the next frame is soon enough.
        let Ok(mut shown) = self.0.try_lock() else { return };
        let Some(state) = shown.worth_showing() else { return shown.clear() };
        if shown.within_line {
            return;
        }
        let bar = shown.bar.take().unwrap_or_else(|| {
            ProgressBar::with_draw_target(state.of, ProgressDrawTarget::stderr()).with_message(text(&state))
        });
        let bar = bar.with_style(style(&state, columns));
        bar.update(|drawn| {
            drawn.set_len(state.of.unwrap_or(state.done));
            drawn.set_pos(state.done);
        });
        bar.set_message(text(&state));
        shown.bar = Some(bar);
    }

    fn lock(&self) -> MutexGuard<'_, Shown> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shown {
    fn worth_showing(&self) -> Option<State> {
        self.progress.now().filter(|state| state.elapsed >= FIRST)
    }

    fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

fn style(state: &State, columns: usize) -> ProgressStyle {
    let template = match bar(state, columns) {
        0 => "{spinner} {wide_msg}".to_owned(),
        width => format!("[{{bar:{width}}}] {{wide_msg}}"),
    };
    ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// How wide the bar is: no wider than what the words leave. Zero is none, because it would say nothing, or because nobody
/// knows how many there are.
fn bar(state: &State, columns: usize) -> usize {
    const WIDEST: usize = 16;
    const NARROWEST: usize = 4;
    let around = "[] ".len() + text(state).chars().count();
    let room = columns.saturating_sub(around).min(WIDEST);
    // In steps, so that it does not change with every digit of the words.
    if state.of.is_some() { room - room % NARROWEST } else { 0 }
}

/// A stream that shares its terminal with a bar.
pub struct Beside<W> {
    stream: W,
    signs: Signs,
}

impl<W: Write> Write for Beside<W> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        // The lock is held meanwhile, so that no bar is drawn into what is written.
        let mut shown = self.signs.lock();
        shown.clear();
        let written = self.stream.write(bytes)?;
        if let Some(last) = bytes[..written].last() {
            shown.within_line = *last != b'\n';
        }
        Ok(written)
    }

    fn flush(&mut self) -> Result<()> {
        self.stream.flush()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::progress::Doing;
    use std::sync::mpsc;

    struct Sent(mpsc::Sender<String>);

    impl Write for Sent {
        fn write(&mut self, bytes: &[u8]) -> Result<usize> {
            let _ = self.0.send(String::from_utf8_lossy(bytes).into_owned());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn lines_come_while_something_takes_its_time() {
        let signs = Signs::default();
        let (sender, receiver) = mpsc::channel();
        let pause = Duration::from_millis(10);
        let writing = tokio::spawn(signs.clone().write_lines_every(pause, Sent(sender)));
        let stage = signs.progress().begin(Doing::ReadingWorkflows, None);
        stage.add(7);
        tokio::time::sleep(FIRST + Duration::from_millis(100)).await;
        drop(stage);
        tokio::time::sleep(Duration::from_millis(100)).await;
        writing.abort();
        let said: String = receiver.try_iter().collect();
        assert!(said.starts_with("Reading workflows: 7\n"), "{said}");
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(receiver.try_recv().is_err());
    }

    #[test]
    fn a_bar_leaves_room_for_all_that_is_said() {
        let progress = Progress::default();
        let stage = progress.begin(Doing::Deleting, Some(2000));
        stage.weigh(2 << 30);
        stage.add(1888);
        let state = State { elapsed: Duration::from_secs(28), ..progress.now().unwrap() };
        let words = text(&state).chars().count();
        assert!(words > 40, "{}", text(&state));
        for columns in [40, words + 6, words + 7, 80, 132] {
            let bar = bar(&state, columns);
            assert!(bar == 0 || bar + 3 + words <= columns, "{columns}: {bar}");
            assert_eq!(bar > 0, columns > words + 6, "{columns}");
        }
        drop(stage);
        let stage = progress.begin(Doing::ReadingWorkflows, None);
        assert_eq!(bar(&progress.now().unwrap(), 132), 0);
        drop(stage);
    }

    #[test]
    fn a_stream_tells_whether_it_ended_its_line() {
        let signs = Signs::default();
        let mut stream = signs.beside(Vec::new());
        for (text, within) in [("Go on? ", true), ("y\n", false), ("", false)] {
            stream.write_all(text.as_bytes()).unwrap();
            assert_eq!(signs.lock().within_line, within, "{text}");
        }
    }
}
