//! What users see. A format of `inspect` is one file that implements `FormatWriter`, and a variant of [`Format`].
//!
//! Assessments come one by one: documents are written as they come, tables keep only their rows.

pub mod age;
pub mod beside;
pub mod columns;
pub mod csv;
pub mod diff;
pub mod doctor;
pub mod document;
pub mod doubts;
pub mod escape;
pub mod explain;
pub mod headline;
pub mod html;
pub mod json;
pub mod lint;
pub mod lint_diff;
pub mod location;
pub mod markdown;
pub mod name;
pub mod next;
pub mod orphans;
pub mod plan_table;
pub mod prices;
pub mod printer;
pub mod progress;
pub mod prometheus;
pub mod prose;
pub mod protections;
pub mod purge;
pub mod purge_metrics;
pub mod question;
pub mod reasons_page;
pub mod rows;
pub mod shards;
pub mod summary;
pub mod table;
pub mod text;
pub mod totals;
pub mod tree;
pub mod undo;
pub mod view;
pub mod watch;
pub mod words;
pub mod writer;
pub mod yaml;

use html::since::Since;
use writer::FormatWriter;

/// An output format of `inspect`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A row per workflow and reason.
    Table,
    /// A row per artifact.
    Wide,
    Json,
    Yaml,
    /// A line per artifact, for spreadsheets.
    Csv,
    /// The workflows' names.
    Name,
    Markdown,
    /// Each workflow with its nodes and artifacts.
    Tree,
    /// One page to pass on.
    Html,
    /// Metrics for node_exporter's textfile collector.
    Prometheus,
}

impl Format {
    /// Whether artifacts that are no problem are shown too, unless the user says otherwise.
    pub fn shows_all(self) -> bool {
        matches!(self, Self::Json | Self::Yaml | Self::Tree | Self::Prometheus)
    }

    /// The writer of the format. Only the HTML page shows what changed since an earlier inspection.
    pub fn writer(self, since: Option<Since>) -> Box<dyn FormatWriter> {
        match self {
            Self::Table => Box::new(table::Table::default()),
            Self::Wide => Box::new(table::Table::per_artifact()),
            Self::Json => Box::new(json::Json::default()),
            Self::Yaml => Box::new(yaml::Yaml::default()),
            Self::Csv => Box::new(csv::Csv::default()),
            Self::Name => Box::new(name::Names),
            Self::Markdown => Box::new(markdown::Markdown::default()),
            Self::Tree => Box::new(tree::Tree::default()),
            Self::Html => Box::new(html::Page::new(since)),
            Self::Prometheus => Box::new(prometheus::Metrics::default()),
        }
    }
}
