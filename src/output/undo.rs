//! Journals as a table and as a document, and the words for what did not come back.

use crate::error::Error;
use crate::output::columns::Columns;
use crate::output::document;
use crate::output::escape::escape;
use crate::purge::journal_list::JournalEntry;
use argo_gc_core::model::API_VERSION;
use argo_gc_store::types::Restored;
use serde_json::json;
use std::io::Write;

/// An output format of `undo --list`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum JournalsFormat {
    /// A row per journal.
    Table,
    Json,
    Yaml,
}

/// Shows journals.
///
/// # Errors
/// Writing failed.
pub fn journals(
    out: &mut dyn Write,
    width: Option<usize>,
    format: JournalsFormat,
    journals: &[JournalEntry],
) -> Result<(), Error> {
    if format == JournalsFormat::Table {
        let rows: Vec<Vec<String>> = journals.iter().map(row).collect();
        if rows.is_empty() {
            return Ok(());
        }
        let names = ["STARTED", "CLUSTER", "PLAN", "OBJECTS", "DELETED", "MARKED", "STATE", "JOURNAL"];
        let columns = Columns::of(&names, &rows).fit(width, &["PLAN"]);
        columns.header(out)?;
        return Ok(rows.iter().try_for_each(|row| columns.row(out, row))?);
    }
    let head = json!({ "apiVersion": API_VERSION, "kind": "JournalList" });
    document::write(out, format == JournalsFormat::Yaml, &head, "journals", journals.iter().map(Ok))
}

fn row(entry: &JournalEntry) -> Vec<String> {
    let cluster = entry.cluster.as_ref();
    let cluster = cluster.map_or("<none>", |cluster| cluster.context.as_deref().unwrap_or(&cluster.server));
    vec![
        entry.started_at.map_or_else(|| "<unknown>".to_owned(), |time| time.strftime("%FT%TZ").to_string()),
        escape(cluster).into_owned(),
        entry.plan.get(..8).unwrap_or_default().to_owned(),
        entry.objects.to_string(),
        entry.deleted.to_string(),
        entry.marked.to_string(),
        entry.state.as_str().to_owned(),
        escape(&entry.journal.display().to_string()).into_owned(),
    ]
}

/// Says why an object did not come back.
pub fn not_back(object: &str, why: &Restored) -> String {
    let why = match why {
        Restored::Restored => "it is back",
        Restored::Taken => "a newer object has its name, and was left alone",
        Restored::Lost => "the bucket shows no copy of it",
        Restored::Failed(why) => why,
    };
    format!("{}: {}", escape(object), escape(why))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::purge::journal_list::RunState;

    #[test]
    fn a_narrow_terminal_shows_the_whole_path_of_a_journal() {
        let journal = "/home/somebody/.local/state/argo-gc/purge-20261125T100000123456Z-1a2b3c4d.jsonl";
        let entry = JournalEntry {
            journal: journal.into(),
            started_at: None,
            cluster: None,
            plan: "1a2b3c4d5e".to_owned(),
            objects: 2,
            deleted: 2,
            marked: 0,
            state: RunState::Ended,
        };
        let mut out = Vec::new();
        assert!(journals(&mut out, Some(80), JournalsFormat::Table, &[entry]).is_ok());
        let shown = String::from_utf8_lossy(&out);
        assert!(shown.contains(journal) && !shown.contains('…'), "{shown}");
    }
}
