//! A picture of what a terminal shows.

use std::fmt::Write;

/// Columns and lines are as in most terminals' fonts.
const COLUMN: f64 = 8.4;
const LINE: usize = 19;
const MARGIN: usize = 16;

/// Draws lines with the colours of their escape sequences, below a command.
pub fn terminal(command: &str, output: &str, columns: usize) -> String {
    let lines: Vec<&str> = output.trim_end().lines().collect();
    let width = (columns as f64 * COLUMN) as usize + 2 * MARGIN;
    let height = (lines.len() + 1) * LINE + 2 * MARGIN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\">\n\
         <title>{}</title>\n<rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"#16181d\"/>\n\
         <g font-family=\"ui-monospace, SFMono-Regular, Menlo, Consolas, monospace\" font-size=\"14\" \
         fill=\"#d7dae0\">\n",
        text(command)
    );
    for (at, line) in [format!("$ {command}").as_str()].into_iter().chain(lines).enumerate() {
        let y = MARGIN + LINE * at + 14;
        let mut column = 0;
        for (colour, part) in parts(line) {
            let fill = colour.map(|colour| format!(" fill=\"{colour}\"")).unwrap_or_default();
            // Browsers draw several spaces as one, so each word has its place.
            for word in part.split(' ') {
                let (x, length) = (MARGIN as f64 + COLUMN * column as f64, word.chars().count());
                let width = COLUMN * length as f64;
                column += length + 1;
                if length > 0 {
                    let word = text(word);
                    writeln!(
                        svg,
                        "<text x=\"{x:.1}\" y=\"{y}\" textLength=\"{width:.1}\"{fill}>{word}</text>"
                    )
                    .expect("a string");
                }
            }
            column -= 1;
        }
    }
    svg + "</g>\n</svg>\n"
}

/// The parts of a line, each with its colour.
fn parts(line: &str) -> Vec<(Option<&'static str>, &str)> {
    let mut parts = Vec::new();
    let mut colour = None;
    for (at, part) in line.split("\u{1b}[").enumerate() {
        let rest = match part.split_once('m').filter(|_| at > 0) {
            Some((code, rest)) => {
                colour = match code {
                    "31" => Some("#ff7b72"),
                    "32" => Some("#7ee787"),
                    "33" => Some("#e3b341"),
                    "36" => Some("#76e3ea"),
                    _ => None,
                };
                rest
            }
            None => part,
        };
        parts.push((colour, rest));
    }
    parts
}

fn text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
