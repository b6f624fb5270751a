//! Orphans as a table and as documents. Only this file knows the formats.

use crate::disk_queue::sort::{DiskSort, Values};
use crate::error::Error;
use crate::output::age::age;
use crate::output::columns::Columns;
use crate::output::document::Document;
use crate::output::escape::escape;
use crate::output::prose::Prose;
use crate::output::text::{plural, size};
use argo_gc_core::model::API_VERSION;
use argo_gc_core::model::gap::Gap;
use argo_gc_core::model::scope::Report;
use argo_gc_core::plan::orphans::{Foreign, ForeignFolder, Found, Orphans};
use argo_gc_core::plan::planned::PlannedWorkflow;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use std::cmp::Reverse;
use std::io;
use std::io::Write;

/// What no record can tell of a workflow that is gone.
pub const KEPT_ON_PURPOSE: &str = "Note: whether a workflow kept its objects on purpose (strategy Never, a pin) is unknown \
                                   once it is gone.";

/// The number of folders with foreign objects that are named.
const FOLDERS: usize = 5;

/// The number of folders of which keys are named.
const KEY_FOLDERS: usize = 20;

/// An output format of `orphans`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum OrphansFormat {
    /// A row per workflow that is gone.
    Table,
    /// The table, then a line per object; and some keys of each folder that are not Argo's.
    Wide,
    Json,
    Yaml,
}

/// What was found, with what a reader needs to judge it.
pub struct Listing<'a, U> {
    pub now: Timestamp,
    /// The sources of references that could not be read.
    pub unread: &'a [U],
    /// Whether the orphans may be deleted.
    pub offered: bool,
    /// The report of the storage's own that tells of the objects, if they were not listed.
    pub inventory: Option<Report>,
    /// What the report leaves out.
    pub gaps: &'a [Gap],
}

/// A repository with what was found in it.
pub struct Place {
    pub name: String,
    pub found: Found,
    /// One by one, because there may be millions.
    pub(crate) orphans: Values<Orphans>,
}

/// Cells, or a text, by bytes in descending order, else in the order in which they came.
type Ranked = (Reverse<u64>, u64, Vec<String>);

/// Shows the orphans of each repository.
///
/// # Errors
/// Writing failed.
pub fn write<U: Serialize>(
    out: &mut dyn Write,
    width: Option<usize>,
    format: OrphansFormat,
    listing: &Listing<'_, U>,
    found: Vec<Place>,
) -> Result<(), Error> {
    if matches!(format, OrphansFormat::Table | OrphansFormat::Wide) {
        let keys_too = format == OrphansFormat::Wide;
        return table(&mut Prose::new(out, width), width, found, (listing.now, keys_too));
    }
    let mut head = json!({
        "apiVersion": API_VERSION,
        "kind": "Orphans",
        "generatedAt": listing.now,
        "unread": listing.unread,
        "offered": listing.offered,
    });
    if let Some(report) = &listing.inventory {
        head["inventory"] = serde_json::to_value(report).map_err(Error::new)?;
        head["gaps"] = serde_json::to_value(listing.gaps).map_err(Error::new)?;
    }
    // All is ranked before anything is written: what fails then shows nothing.
    let rank = |Place { name, found, orphans }| {
        let mut item = serde_json::to_value(&found).map_err(Error::new)?;
        item["repository"] = Value::String(name);
        let ranked =
            ranked(orphans, |orphans| Ok(vec![serde_json::to_string(orphans).map_err(Error::new)?]))?;
        Ok((item, ranked))
    };
    let places = found.into_iter().map(rank).collect::<Result<Vec<_>, Error>>()?;
    let mut document = Document::begin(out, format == OrphansFormat::Yaml, &head, "repositories")?;
    for (item, ranked) in places {
        let value = |(_, _, text): Ranked| serde_json::from_str::<Value>(&text[0]).map_err(Error::new);
        document.item_with(&item, "orphans", ranked.into_sorted()?.map(|ranked| value(ranked?)))?;
    }
    Ok(document.end()?)
}

/// Sorts orphans by bytes, with what `row` makes of them.
fn ranked(
    orphans: Values<Orphans>,
    mut row: impl FnMut(&Orphans) -> Result<Vec<String>, Error>,
) -> Result<DiskSort<Ranked>, Error> {
    let mut ranked = DiskSort::default();
    for (number, orphans) in (0..).zip(orphans) {
        let orphans = orphans?;
        let cells = row(&orphans)?;
        let text = cells.iter().map(|cell| cell.len() + size_of::<String>()).sum();
        ranked.push((Reverse(orphans.bytes), number, cells), text)?;
    }
    Ok(ranked)
}

/// A line for each object of a workflow that is gone.
///
/// # Errors
/// Writing failed.
pub fn objects(out: &mut dyn Write, workflow: &PlannedWorkflow, now: Timestamp) -> io::Result<()> {
    workflow.delete.iter().try_for_each(|object| {
        let (size, age) = (size(object.size), age(object.created, now));
        writeln!(out, "{size:>8}  {age:>6}  {}", escape(&object.bucket.uri(&object.key)))
    })
}

/// For each repository a sentence, then a row for each workflow name.
fn table(
    out: &mut dyn Write,
    width: Option<usize>,
    places: Vec<Place>,
    (now, keys_too): (Timestamp, bool),
) -> Result<(), Error> {
    let mut columns = Columns::new(&["NAME", "OBJECTS", "SIZE", "CAUSE", "BUCKET", "NEWEST"]);
    let mut rows = Vec::new();
    for Place { name: place, found, orphans } in places {
        let (mut objects, mut bytes) = (0, 0);
        rows.push(ranked(orphans, |orphans| {
            objects += orphans.objects;
            bytes += orphans.bytes;
            let cells = cells(orphans, now);
            columns.measure(&cells);
            Ok(cells)
        })?);
        let mut rest = vec![format!("{} referenced", found.referenced)];
        if found.guarded > 0 {
            rest.push(format!("{} of unfinished or pinned workflows", found.guarded));
        }
        if found.unrecorded > 0 {
            rest.push(format!("{} of workflows that exist", found.unrecorded));
        }
        if found.kubeflow > 0 {
            rest.push(format!("{} that Kubeflow's cache may need", found.kubeflow));
        }
        if found.young > 0 {
            rest.push(format!("{} too young", found.young));
        }
        if found.unclear > 0 {
            rest.push(format!("{} unclear", found.unclear));
        }
        if found.gone > 0 {
            rest.push(format!("{} gone since", found.gone));
        }
        writeln!(
            out,
            "{}: {} ({}), of workflows that no longer exist; {}",
            escape(&place),
            plural(objects, "orphan"),
            size(bytes),
            rest.join(", ")
        )?;
        foreign(out, &found.foreign)?;
        if keys_too {
            foreign_keys(out, &place, &found.foreign)?;
        }
    }
    if columns.rows == 0 {
        return Ok(());
    }
    let columns = columns.fit(width, &["BUCKET"]);
    writeln!(out)?;
    columns.header(out)?;
    for rows in rows {
        for row in rows.into_sorted()? {
            columns.row(out, &row?.2)?;
        }
    }
    Ok(())
}

fn cells(orphans: &Orphans, now: Timestamp) -> Vec<String> {
    vec![
        match &orphans.namespace {
            Some(namespace) => escape(&format!("{namespace}/{}", orphans.name)).into_owned(),
            None => escape(&orphans.name).into_owned(),
        },
        orphans.objects.to_string(),
        size(orphans.bytes),
        orphans.cause.as_str().to_owned(),
        escape(&orphans.bucket.to_string()).into_owned(),
        age(orphans.newest, now),
    ]
}

/// A sentence on what has no shape of Argo's keys.
fn foreign(out: &mut dyn Write, foreign: &Foreign) -> io::Result<()> {
    if foreign.objects == 0 {
        return Ok(());
    }
    let place = |folder: &ForeignFolder| match folder.name.as_str() {
        "" => format!("no folder ({})", folder.objects),
        name => format!("{}/ ({})", escape(name), folder.objects),
    };
    let mut places: Vec<String> = foreign.folders.iter().take(FOLDERS).map(place).collect();
    if foreign.folders.len() > FOLDERS {
        places.push("others".to_owned());
    }
    writeln!(
        out,
        "Not Argo's, by the shape of the key, and never offered: {} ({}), in {}",
        plural(foreign.objects, "object"),
        size(foreign.bytes),
        places.join(", ")
    )
}

/// Some keys of each folder, with what is not named.
fn foreign_keys(out: &mut dyn Write, place: &str, foreign: &Foreign) -> io::Result<()> {
    for folder in foreign.folders.iter().take(KEY_FOLDERS) {
        for key in &folder.keys {
            writeln!(out, "  {}/{}", escape(place.trim_end_matches('/')), escape(key))?;
        }
        let more = folder.objects.saturating_sub(folder.keys.len() as u64);
        if more > 0 {
            let whose = if folder.name.is_empty() {
                "in no folder".to_owned()
            } else {
                format!("in {}/", escape(&folder.name))
            };
            writeln!(out, "  and {more} more {whose}")?;
        }
    }
    let named: u64 = foreign.folders.iter().take(KEY_FOLDERS).map(|folder| folder.objects).sum();
    if foreign.objects > named {
        writeln!(out, "  and {} in other folders", plural(foreign.objects - named, "object"))?;
    }
    Ok(())
}
