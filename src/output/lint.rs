//! The findings of `lint`, one function per format.

pub mod sarif;

use crate::error::Error;
use crate::output::columns::{Columns, Layout};
use crate::output::document;
use crate::output::escape::escape;
use crate::output::markdown::table as markdown_table;
use crate::output::prose::Prose;
use crate::output::text::{or_none, plural};
use crate::syntax::diagnostics::{Finding, Report};
use argo_gc_core::lint::types::Severity;
use argo_gc_core::model::API_VERSION;
use serde_json::json;
use std::io;
use std::io::Write;

/// An output format of `lint`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LintFormat {
    /// A row per finding.
    Table,
    Json,
    Yaml,
    Markdown,
    /// SARIF 2.1.0, as code scanners exchange it.
    Sarif,
    /// Annotations of a GitHub workflow.
    Github,
}

/// Writes the report.
///
/// # Errors
/// Writing failed; a closed pipe comes back as it is.
pub fn write(out: &mut dyn Write, format: LintFormat, layout: Layout, report: &Report) -> Result<(), Error> {
    match format {
        LintFormat::Table => table(&mut Prose::new(out, layout.width), layout, report)?,
        LintFormat::Json | LintFormat::Yaml => documents(out, format == LintFormat::Yaml, report)?,
        LintFormat::Markdown => markdown(out, layout.headers, report)?,
        LintFormat::Sarif => sarif::write(out, report)?,
        LintFormat::Github => {
            report.findings.iter().try_for_each(|finding| writeln!(out, "{}", annotation(finding)))?;
        }
    }
    Ok(())
}

/// `3 findings in 5 manifests for v4.1.2: 2 uncovered, 1 note`.
fn headline(report: &Report) -> String {
    let count = |(severity, count): (Severity, usize)| match severity {
        Severity::Note => plural(count as u64, severity.as_str()),
        _ => format!("{count} {}", severity.as_str()),
    };
    let counts: Vec<String> = report.counts().into_iter().map(count).collect();
    format!(
        "{} in {} for Argo {}: {}",
        plural(report.findings.len() as u64, "finding"),
        plural(report.manifests as u64, "manifest"),
        report.argo_version,
        counts.join(", ")
    )
}

fn table(out: &mut dyn Write, layout: Layout, report: &Report) -> io::Result<()> {
    if report.findings.is_empty() {
        return Ok(());
    }
    let names = ["PLACE", "SEVERITY", "CODE", "OBJECT", "TEMPLATE", "ARTIFACT", "WHY"];
    let rows = rows(report);
    let mut columns = Columns::of(&names, &rows);
    // Why something is found stands below where there is no room beside.
    let below = !columns.fits(layout.width);
    if below {
        columns.hide("WHY");
    }
    let columns = columns.fit(layout.width, &["ARTIFACT", "TEMPLATE"]);
    if layout.headers {
        writeln!(out, "{}\n", headline(report))?;
        columns.header(out)?;
    }
    for row in &rows {
        columns.row(out, row)?;
        if let Some(why) = row.last().filter(|_| below) {
            writeln!(out, "    {why}")?;
        }
    }
    Ok(())
}

/// A row per finding, harmless for terminals.
fn rows(report: &Report) -> Vec<Vec<String>> {
    let row = |finding| cells(finding).map(|cell| escape(&cell).into_owned()).to_vec();
    report.findings.iter().map(row).collect()
}

fn cells(finding: &Finding) -> [String; 7] {
    let object = match finding.namespace.as_str() {
        "" => format!("{}/{}", finding.kind, finding.name),
        namespace => format!("{}/{namespace}/{}", finding.kind, finding.name),
    };
    [
        finding.place(),
        finding.severity.as_str().to_owned(),
        finding.code.to_owned(),
        object,
        or_none(&finding.template).to_owned(),
        or_none(&finding.artifact).to_owned(),
        finding.why.clone(),
    ]
}

fn documents(out: &mut dyn Write, as_yaml: bool, report: &Report) -> Result<(), Error> {
    let counts = report.counts();
    let counts: serde_json::Map<_, _> =
        counts.iter().map(|(severity, count)| (severity.as_str().to_owned(), json!(count))).collect();
    let head = json!({
        "apiVersion": API_VERSION,
        "kind": "LintReport",
        "argoVersion": report.argo_version,
        "source": report.source,
        "summary": { "manifests": report.manifests, "findings": counts },
        "gaps": report.gaps,
    });
    document::write(out, as_yaml, &head, "findings", report.findings.iter().map(Ok))
}

fn markdown(out: &mut dyn Write, headers: bool, report: &Report) -> io::Result<()> {
    if report.findings.is_empty() {
        return Ok(());
    }
    if headers {
        writeln!(out, "{}\n", headline(report))?;
    }
    let names = ["place", "severity", "code", "object", "template", "artifact", "why"];
    markdown_table(out, &names, &rows(report))?;
    let mut codes: Vec<(&str, &Finding)> = report.findings.iter().map(|f| (f.code, f)).collect();
    codes.dedup_by_key(|(code, _)| *code);
    codes.sort_by_key(|(code, _)| *code);
    codes.dedup_by_key(|(code, _)| *code);
    for (code, finding) in codes {
        writeln!(out, "\n### `{code}`: {}\n\n{}", finding.title, finding.remedy)?;
    }
    Ok(())
}

/// A line that GitHub turns into an annotation of the file.
fn annotation(finding: &Finding) -> String {
    let data = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
    let level = if finding.severity == Severity::Note { "notice" } else { "warning" };
    let place = match &finding.at {
        Some(at) => format!("file={},line={},col={},", property(&at.file), at.line, at.column),
        None => String::new(),
    };
    let title = property(&format!("{} in {}/{}", finding.code, finding.kind, finding.name));
    let artifact = match finding.artifact.as_str() {
        "" => String::new(),
        artifact => format!("artifact {artifact}: "),
    };
    let text = format!("{artifact}{}. {}", finding.why, finding.remedy);
    escape(&format!("::{level} {place}title={title}::{}", data(&text))).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::diagnostics::{Finding, Span};
    use argo_gc_core::lint::types::Severity;

    #[test]
    fn an_annotation_is_one_line_whatever_the_names() {
        let finding = Finding {
            at: Some(Span { file: "a,b:c.yaml".into(), line: 3, column: 5 }),
            field: "spec".into(),
            kind: "Workflow",
            namespace: String::new(),
            name: "x\n::error::y".into(),
            template: String::new(),
            artifact: "50%\r\n::stop".into(),
            severity: Severity::Uncovered,
            code: "no-strategy",
            title: "",
            why: "because".into(),
            remedy: "do it",
            reached_from: Vec::new(),
        };
        let line = annotation(&finding);
        assert!(line.starts_with(
            "::warning file=a%2Cb%3Ac.yaml,line=3,col=5,title=no-strategy in Workflow/x%0A%3A%3Aerror"
        ));
        assert!(line.ends_with("::artifact 50%25%0D%0A::stop: because. do it"), "{line}");
        assert_eq!(line.lines().count(), 1);
    }
}
