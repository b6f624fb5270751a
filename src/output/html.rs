//! One HTML page to pass on. It loads nothing, and everything from the cluster is escaped text.

pub mod map;
pub mod markup;
pub mod since;
pub mod treemap;

use crate::output::age::age;
use crate::output::headline::headline;
use crate::output::html::map::Map;
use crate::output::html::markup::{Number, Prose, ROWS, Text, begin_table, bytes, end_table, notice, number};
use crate::output::html::since::{Compared, Since};
use crate::output::prices::dollars;
use crate::output::rows::{self, Row, finalizer};
use crate::output::text::{plural, size};
use crate::output::view::View;
use crate::output::writer::{End, FormatWriter};
use argo_gc_core::diff::document::{Head, ParsedInspection};
use argo_gc_core::inspection::Inspection;
use argo_gc_core::model::assessment::Assessment;
use argo_gc_core::model::scope::Scope;
use argo_gc_core::reason::Reason;
use argo_gc_core::verdict::Verdict;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use std::io::Write;
use std::{fmt, io};

const PAGE: &str = include_str!("html/page.html");

const STYLE: &str = include_str!("html/page.css");

const SCRIPT: &str = include_str!("html/page.js");

/// The content of the page so far.
#[derive(Default)]
pub(crate) struct Page {
    since: Option<Since>,
    now: Head,
    rows: Vec<Row>,
    left_out: LeftOut,
    map: Map,
}

/// The sums of the rows that are not shown.
#[derive(Default)]
struct LeftOut {
    rows: u64,
    artifacts: u64,
    bytes: u64,
}

impl Page {
    pub fn new(since: Option<Since>) -> Self {
        Self { since, ..Self::default() }
    }

    /// Drops all but the largest rows, and counts the others.
    fn prune(&mut self) {
        self.rows.sort_by_key(|row| {
            (std::cmp::Reverse((row.bytes.unwrap_or_default(), row.artifacts)), row.verdict)
        });
        for row in self.rows.drain(ROWS.min(self.rows.len())..) {
            self.left_out.rows += 1;
            self.left_out.artifacts += row.artifacts as u64;
            self.left_out.bytes += row.bytes.unwrap_or_default();
        }
    }
}

impl FormatWriter for Page {
    /// Compares whole assessments with the earlier inspection, shown or not.
    fn unfiltered(&mut self, _: &View, assessment: &Assessment) {
        if let Some(since) = &mut self.since {
            let parsed = ParsedInspection::from(assessment);
            self.now.count(&parsed);
            since.comparison.take_new(parsed);
        }
    }

    fn workflow(&mut self, _: &mut dyn Write, _: &View, shown: &Assessment) -> io::Result<()> {
        self.map.add(shown);
        self.rows.extend(rows::groups(shown));
        if self.rows.len() > 2 * ROWS {
            self.prune();
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>, out: &mut dyn Write, view: &View, end: &End<'_>) -> io::Result<()> {
        let End { reasons, inspection } = *end;
        self.prune();
        if view.sort_by.is_some() {
            rows::sort(&mut self.rows, view.sort_by);
        }
        // Browsers normalise line ends before they hash, and a checkout may have other line ends.
        let (style, script) = (STYLE.replace("\r\n", "\n"), SCRIPT.replace("\r\n", "\n"));
        let Self { since, now, rows, left_out, map } = *self;
        let compared = since.map(|since| Compared::new(since, now, view, inspection));
        let title = format!("Artifacts left behind, {:.0}", view.now);
        // Slots are filled in one pass, so that text from the cluster is never taken for a slot.
        for part in PAGE.split("{{") {
            let (slot, rest) = part.split_once("}}").unwrap_or(("", part));
            match slot {
                "csp" => write!(out, "{}", policy(&style, &script))?,
                "css" => out.write_all(style.as_bytes())?,
                "js" => out.write_all(script.as_bytes())?,
                "generator" => write!(out, "kubectl argo-gc {}", env!("CARGO_PKG_VERSION"))?,
                "title" => write!(out, "{}", Text(&title))?,
                "headline" => write!(out, "{}", Text(&headline(inspection, &view.prices)))?,
                "origin" => origin(out, &view.origin, view.now, inspection)?,
                "contents" => contents(out, compared.is_some(), !map.is_empty(), !reasons.is_empty())?,
                "gaps" => gaps(out, inspection)?,
                "tiles" => tiles(out, view, inspection)?,
                "changes" => compared.iter().try_for_each(|compared| compared.write(out))?,
                "treemap" => map.write(out)?,
                "findings" => findings(out, view, &rows, &left_out, &map)?,
                "reasons" => explain(out, reasons)?,
                _ => {}
            }
            out.write_all(rest.as_bytes())?;
        }
        Ok(())
    }
}

/// The content security policy: it allows our own style and script by their hashes, and no request.
fn policy(style: &str, script: &str) -> String {
    let hash = |text: &str| BASE64_STANDARD.encode(Sha256::digest(text.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        hash(style),
        hash(script)
    )
}

fn origin(out: &mut dyn Write, origin: &Scope, now: Timestamp, inspection: &Inspection) -> io::Result<()> {
    let mut pair =
        |name: &str, value: &str| writeln!(out, "<div><dt>{name}</dt><dd>{}</dd></div>", Text(value));
    pair("Inspected", &format!("{now:.0}"))?;
    origin.context.as_ref().map_or(Ok(()), |context| pair("Context", context))?;
    origin.server.as_ref().map_or(Ok(()), |server| pair("Server", server))?;
    if !origin.files.is_empty() {
        pair("Files", &origin.files.join(", "))?;
    }
    pair("Namespace", origin.namespace.as_deref().unwrap_or("all"))?;
    let selected = if origin.filtered { ", selected ones only" } else { "" };
    pair("Workflows", &format!("{}{selected}", Number(inspection.summary.workflows)))
}

fn contents(out: &mut dyn Write, changes: bool, map: bool, reasons: bool) -> io::Result<()> {
    let links = [
        ("totals", "Totals", true),
        ("changes", "What changed", changes),
        ("map", "Where it is", map),
        ("findings", "Findings", true),
        ("reasons", "What the reasons mean", reasons),
    ];
    write!(out, "<nav aria-label=\"Sections\"><ul>")?;
    for (id, name, _) in links.iter().filter(|(.., there)| *there) {
        write!(out, "<li><a href=\"#{id}\">{name}</a></li>")?;
    }
    writeln!(out, "</ul></nav>")
}

fn gaps(out: &mut dyn Write, inspection: &Inspection) -> io::Result<()> {
    const GAPS: usize = 100;
    let shown = inspection.gaps.iter().take(GAPS);
    let mut lines: Vec<String> =
        shown.map(|gap| format!("{} ({}); {}", gap.what, gap.why, gap.effect)).collect();
    if inspection.gaps.len() > GAPS {
        lines.push(format!("and {} more", inspection.gaps.len() - GAPS));
    }
    notice(out, "gaps", "Not everything could be read", &lines)
}

fn tiles(out: &mut dyn Write, view: &View, inspection: &Inspection) -> io::Result<()> {
    let summary = &inspection.summary;
    let mut tile = |class: &str, name: &str, value: &dyn fmt::Display, more: &str| {
        write!(out, "<div class=\"{class}\"><dt>{name}</dt><dd>{value}<small>{more}</small></dd></div>")
    };
    if let Some(stored) = &summary.stored {
        let month = dollars(view.prices.month(&stored.classes));
        let more = format!("{}, {month} a month", plural(stored.objects, "object")).replace('<', "&lt;");
        tile("bad", "left behind", &size(stored.bytes), &more)?;
    }
    let class = |bad: bool, class| if bad { class } else { "" };
    let leaking = format!("of {} workflows", Number(summary.workflows));
    tile("", "leaking", &Number(summary.leaking_workflows), &leaking)?;
    for (verdict, more) in [
        (Verdict::Uncovered, "artifacts nobody will delete"),
        (Verdict::Failing, "artifacts Argo fails to delete"),
        (Verdict::Unknown, "artifacts that can't be judged"),
        (Verdict::Kept, "artifacts on purpose"),
        (Verdict::Covered, "artifacts Argo will delete"),
        (Verdict::Collected, "artifacts Argo deleted"),
    ] {
        let count = inspection.artifacts(verdict);
        let style = if verdict <= Verdict::Failing { "bad" } else { "warn" };
        let name = verdict.as_str();
        tile(class(count > 0 && verdict.is_problem(), style), name, &Number(count), more)?;
    }
    let stuck = summary.stuck_finalizers;
    tile(class(stuck > 0, "bad"), "stuck", &Number(stuck), "finalizers")
}

fn findings(out: &mut dyn Write, view: &View, rows: &[Row], left_out: &LeftOut, map: &Map) -> io::Result<()> {
    if rows.is_empty() {
        return writeln!(out, "<p>Nothing to show.</p>");
    }
    if left_out.rows > 0 {
        let mut held = plural(left_out.artifacts, "artifact");
        if view.checked {
            held += &format!(", {}", size(left_out.bytes));
        }
        writeln!(
            out,
            "<p><strong>Only the {} largest of {} rows are listed here.</strong> The others hold {held}; totals \
             and map count them. <code>kubectl argo-gc inspect -o json</code> has everything.</p>",
            Number(rows.len() as u64),
            Number(rows.len() as u64 + left_out.rows)
        )?;
    }
    let to_map = if map.is_empty() { "" } else { " A click on the map fills it in." };
    writeln!(
        out,
        "<div class=\"controls\" role=\"search\" aria-label=\"Findings\" hidden><label for=\"filter\">Filter\
         </label><input id=\"filter\" type=\"search\" autocomplete=\"off\" spellcheck=\"false\" \
         aria-describedby=\"filter-help count\"><output id=\"count\" for=\"filter\" aria-live=\"polite\"></output>\
         <span id=\"filter-help\" class=\"soft\">Words in any order; <code>reason=inline-only</code> for a \
         column's exact value.{to_map}</span></div>"
    )?;
    let mut columns = vec![
        ("Namespace", false),
        ("Workflow", false),
        ("Artifacts", true),
        ("Verdict", false),
        ("Reason", false),
    ];
    columns.extend(view.checked.then_some(("Size", true)));
    columns.extend([("Location", false), ("Age", true), ("Finalizer", false)]);
    begin_table(out, "list", "A row for each workflow and reason", &columns)?;
    for row in rows {
        let verdict = row.verdict.as_str();
        write!(out, "<tr><td>{}</td><th scope=\"row\">{}</th>", Text(&row.namespace), Text(&row.workflow))?;
        number(out, Some(row.artifacts as u64), &Number(row.artifacts as u64))?;
        write!(out, "<td><span class=\"tag {verdict}\">{verdict}</span></td>")?;
        match Reason::from_code(row.reason) {
            Some(_) => write!(out, "<td class=\"code\"><a href=\"#reason-{0}\">{0}</a></td>", row.reason)?,
            None => write!(out, "<td>{}</td>", Text(row.reason))?,
        }
        if view.checked {
            bytes(out, row.bytes)?;
        }
        write!(out, "<td class=\"place\">{}</td>", Text(&row.location))?;
        let seconds = row.since.map(|since| view.now.duration_since(since).as_secs().max(0).unsigned_abs());
        match row.since {
            Some(since) => number(
                out,
                seconds,
                &format_args!(
                    "<time datetime=\"{since:.0}\" title=\"{since:.0}\">{}</time>",
                    Text(&age(row.since, view.now))
                ),
            )?,
            None => number(out, None, &"unknown")?,
        }
        writeln!(out, "<td>{}</td></tr>", Text(finalizer(row, true)))?;
    }
    end_table(out)
}

fn explain(out: &mut dyn Write, reasons: &[Reason]) -> io::Result<()> {
    if reasons.is_empty() {
        return Ok(());
    }
    writeln!(out, "<section aria-labelledby=\"reasons\"><h2 id=\"reasons\">What the reasons mean</h2>")?;
    for reason in reasons {
        let (code, entry) = (reason.code(), reason.entry());
        writeln!(
            out,
            "<article class=\"reason\" aria-labelledby=\"reason-{code}\"><h3 id=\"reason-{code}\" tabindex=\"-1\">\
             <code>{code}</code>: {}</h3><p>{}</p><dl><dt>What to do</dt><dd>{}</dd><dt>Releases</dt><dd>{}</dd>\
             <dt>More</dt><dd><code>kubectl argo-gc explain {code}</code></dd></dl></article>",
            Prose(entry.title),
            Prose(entry.why),
            Prose(entry.remedy),
            Prose(entry.versions)
        )?;
    }
    writeln!(out, "</section>")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::output::escape::escape;
    use crate::output::html::markup::{Number, Text};
    use proptest::prelude::*;

    #[test]
    fn every_slot_of_the_page_is_filled() {
        let known = [
            "csp",
            "css",
            "js",
            "generator",
            "title",
            "headline",
            "origin",
            "contents",
            "gaps",
            "tiles",
            "changes",
            "treemap",
            "findings",
            "reasons",
        ];
        for part in PAGE.split("{{").skip(1) {
            let (slot, _) = part.split_once("}}").unwrap();
            assert!(known.contains(&slot), "{slot}");
        }
        assert!(!STYLE.contains("</") && !SCRIPT.contains("</"), "an end tag would end the element");
        for outside in ["http:", "https:", "url(", "@import", "fetch(", "innerHTML"] {
            assert!(![PAGE, STYLE, SCRIPT].iter().any(|text| text.contains(outside)), "{outside}");
        }
    }

    #[test]
    fn numbers_are_grouped() {
        for (number, want) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(Number(number).to_string(), want);
        }
    }

    proptest! {
        #[test]
        fn text_is_never_markup(text in any::<String>()) {
            let html = Text(&text).to_string();
            prop_assert!(!html.contains(['<', '>', '"', '\'', '\n']));
            let unescaped = html.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
            let unescaped = unescaped.replace("&#39;", "'").replace("&amp;", "&");
            prop_assert_eq!(unescaped, escape(&text));
        }
    }
}
