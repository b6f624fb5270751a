//! The map of where artifacts are stored: areas, a legend, and the same numbers as a table.

use crate::output::html::markup::{Number, Text, begin_table, bytes, end_table, number};
use crate::output::html::treemap::{Node, Rect, squarify};
use crate::output::text::size;
use argo_gc_core::inspection::SeenObjects;
use argo_gc_core::model::assessment::Assessment;
use argo_gc_core::reason::Reason;
use std::collections::BTreeMap;
use std::io;
use std::io::Write;

/// The numbers of namespaces, of templates in each, and of reasons in each template that get an area of their own.
const MOST: [usize; 3] = [24, 12, 6];

const WIDTH: f64 = 1200.0;

const HEIGHT: f64 = 520.0;

/// Rows of the table.
const ROWS: usize = 200;

/// The largest number of combinations to keep: programs may generate names of templates without end.
const CELLS: usize = 20_000;

/// The name for all templates beyond those.
const OTHERS: &str = "<others>";

/// The number of colours that belong to one reason; the next colour is for all others.
const COLOURS: usize = 8;

/// Height of a line of text, and the usual width of a letter.
const LINE: f64 = 18.0;

const LETTER: f64 = 7.2;

/// How much wider letters of a namespace's name are, which is bold, and how much wider `m` and `W` are than `a`.
const BOLD: f64 = 1.2;

const WIDE: f64 = 1.4;

/// The artifacts of one template with one reason.
#[derive(Debug, Default, Clone, Copy)]
struct Cell {
    artifacts: u64,
    bytes: u64,
}

/// Sums of what is shown, by namespace, template and reason.
#[derive(Debug, Default)]
pub(crate) struct Map {
    cells: BTreeMap<(String, String, &'static str), Cell>,
    /// Objects of several workflows that are counted already.
    seen: SeenObjects,
    /// The bytes of all cells. If there are none, areas are as large as their number of artifacts.
    bytes: u64,
}

impl Map {
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    pub fn add(&mut self, assessment: &Assessment) {
        for (artifact, stored) in self.seen.first(assessment.artifacts.iter()) {
            let template = if artifact.template.is_empty() { "<inline>" } else { &artifact.template };
            let reason = artifact.reason.map_or(artifact.verdict.as_str(), Reason::code);
            let mut key = (assessment.namespace.clone(), template.to_owned(), reason);
            if self.cells.len() >= CELLS && !self.cells.contains_key(&key) {
                OTHERS.clone_into(&mut key.1);
            }
            let cell = self.cells.entry(key).or_default();
            cell.artifacts += 1;
            if let Some(stored) = stored {
                cell.bytes += stored.bytes;
                self.bytes += stored.bytes;
            }
        }
    }

    fn value(&self, cell: Cell) -> u64 {
        if self.bytes > 0 { cell.bytes } else { cell.artifacts }
    }

    fn measure(&self, value: u64) -> String {
        let noun = if value == 1 { "artifact" } else { "artifacts" };
        if self.bytes > 0 { size(value) } else { format!("{} {noun}", Number(value)) }
    }

    /// Writes the section; writes nothing if there are no artifacts.
    pub fn write(&self, mut out: &mut dyn Write) -> io::Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        let mut by_reason: BTreeMap<&str, u64> = BTreeMap::new();
        let mut root = Node::default();
        for ((namespace, template, reason), cell) in &self.cells {
            let value = self.value(*cell);
            root.add(&[namespace, template, reason], value);
            *by_reason.entry(reason).or_default() += value;
        }
        root.prune(&MOST);
        let mut legend: Vec<(&str, u64)> = by_reason.into_iter().filter(|(_, value)| *value > 0).collect();
        legend.sort_by_key(|(_, value)| std::cmp::Reverse(*value));
        let what = if self.bytes > 0 { "bytes in storage" } else { "artifacts" };
        writeln!(out, "<section aria-labelledby=\"map\"><h2 id=\"map\">Where it is</h2><figure>")?;
        writeln!(
            out,
            "<figcaption id=\"map-about\">Each area is as large as its {what}: namespaces, in them templates, in \
             them reasons by colour. The table below the map says the same.</figcaption>"
        )?;
        write!(
            out,
            "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"Map\"><svg viewBox=\"0 0 {WIDTH} \
             {HEIGHT}\" role=\"img\" aria-label=\"Map of {what} by namespace, template and reason\" \
             aria-describedby=\"map-about\">"
        )?;
        let mut draw = Draw { out: &mut out, map: self, legend: &legend, path: Vec::new() };
        draw.children(&root, Rect { x: 0.0, y: 0.0, w: WIDTH, h: HEIGHT })?;
        write!(out, "</svg></div><ul class=\"legend\" aria-label=\"Colours\">")?;
        for (at, (reason, value)) in legend.iter().take(COLOURS).enumerate() {
            write!(out, "<li><span class=\"c{at}\"></span>{}: {}</li>", Text(reason), self.measure(*value))?;
        }
        if legend.len() > COLOURS {
            let rest: u64 = legend.iter().skip(COLOURS).map(|(_, value)| value).sum();
            write!(out, "<li><span class=\"c{COLOURS}\"></span>others: {}</li>", self.measure(rest))?;
        }
        writeln!(out, "</ul></figure>")?;
        self.table(out)?;
        writeln!(out, "</section>")
    }

    fn table(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut cells: Vec<_> = self.cells.iter().collect();
        cells.sort_by_key(|(_, cell)| std::cmp::Reverse((cell.bytes, cell.artifacts)));
        let caption = match cells.len() {
            many if many > ROWS => format!("The {ROWS} largest of {} areas", Number(many as u64)),
            _ => "All areas, largest first".to_owned(),
        };
        let mut columns =
            vec![("Namespace", false), ("Template", false), ("Reason", false), ("Artifacts", true)];
        columns.extend((self.bytes > 0).then_some(("Size", true)));
        writeln!(out, "<details><summary>The map as a table</summary>")?;
        begin_table(out, "areas", &caption, &columns)?;
        for ((namespace, template, reason), cell) in cells.into_iter().take(ROWS) {
            write!(
                out,
                "<tr><td>{}</td><th scope=\"row\">{}</th><td>{reason}</td>",
                Text(namespace),
                Text(template)
            )?;
            number(out, Some(cell.artifacts), &Number(cell.artifacts))?;
            if self.bytes > 0 {
                bytes(out, Some(cell.bytes))?;
            }
            writeln!(out, "</tr>")?;
        }
        end_table(out)?;
        writeln!(out, "</details>")
    }
}

/// Draws boxes within boxes.
struct Draw<'m, W> {
    out: &'m mut W,
    map: &'m Map,
    /// Reasons in the order of their colours.
    legend: &'m [(&'m str, u64)],
    /// The names of the boxes around.
    path: Vec<String>,
}

impl<W: Write> Draw<'_, W> {
    fn children(&mut self, node: &Node, place: Rect) -> io::Result<()> {
        let weights: Vec<u64> = node.children.iter().map(|child| child.value).collect();
        for (child, place) in node.children.iter().zip(squarify(&weights, place)) {
            self.path.push(child.name.clone());
            self.node(child, place)?;
            self.path.pop();
        }
        Ok(())
    }

    fn node(&mut self, node: &Node, place: Rect) -> io::Result<()> {
        // A smaller area would be invisible.
        if place.w < 1.0 || place.h < 1.0 {
            return Ok(());
        }
        let depth = self.path.len();
        if node.children.is_empty() {
            return self.leaf(node, place);
        }
        let titled = place.h > 2.0 * LINE && place.w > 5.0 * LETTER;
        self.rect(if depth == 1 { "space" } else { "template" }, place, "")?;
        writeln!(self.out, "<title>{}</title></rect>", Text(&self.title(node)))?;
        if titled {
            self.text(&node.name, place, 0)?;
        }
        let margin = if depth == 1 && place.w > 12.0 && place.h > 12.0 { 3.0 } else { 0.5 };
        self.children(node, place.inner(margin, if titled { LINE + 2.0 } else { 0.0 }))
    }

    fn leaf(&mut self, node: &Node, place: Rect) -> io::Result<()> {
        let colour = self.legend.iter().position(|(reason, _)| *reason == node.name);
        let colour = colour.filter(|_| !node.rest && self.path.len() == 3).unwrap_or(COLOURS).min(COLOURS);
        let filter = match (&self.path[..], node.rest) {
            // The filter takes a name with spaces for several words.
            ([namespace, _, reason], false)
                if Reason::from_code(reason).is_some() && !namespace.contains(' ') =>
            {
                format!(" data-q=\"namespace={} reason={reason}\"", Text(namespace))
            }
            _ => String::new(),
        };
        self.rect(&format!("leaf c{colour}"), place, &filter)?;
        writeln!(self.out, "<title>{}</title></rect>", Text(&self.title(node)))?;
        if place.h > LINE && place.w > 5.0 * LETTER {
            self.text(&node.name, place, 0)?;
        }
        if place.h > 2.2 * LINE && place.w > 5.0 * LETTER {
            // The caption of the map names the unit.
            let amount = self.map.measure(node.value);
            self.text(amount.split(' ').next().unwrap_or_default(), place, 1)?;
        }
        Ok(())
    }

    fn title(&self, node: &Node) -> String {
        format!("{}: {}", self.path.join(" / "), self.map.measure(node.value))
    }

    fn rect(&mut self, class: &str, Rect { x, y, w, h }: Rect, more: &str) -> io::Result<()> {
        write!(
            self.out,
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{w:.1}\" height=\"{h:.1}\"{more}>"
        )
    }

    /// Writes as much of a text as fits into its box.
    fn text(&mut self, text: &str, place: Rect, line: u8) -> io::Result<()> {
        let mut room = place.w - 8.0;
        let mut shown = String::new();
        let text = crate::output::escape::escape(text);
        let letter = if self.path.len() == 1 { BOLD * LETTER } else { LETTER };
        for c in text.chars() {
            room -= match c {
                'm' | 'w' | 'A'..='Z' => WIDE * letter,
                c if c.is_ascii() => letter,
                _ => 2.0 * letter,
            };
            if room < 0.0 {
                shown.pop();
                shown.push('…');
                break;
            }
            shown.push(c);
        }
        let (x, y) = (place.x + 5.0, place.y + 14.0 + f64::from(line) * LINE);
        writeln!(self.out, "<text x=\"{x:.1}\" y=\"{y:.1}\">{}</text>", Text(&shown))
    }
}
