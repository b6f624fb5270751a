//! Orphans as a table.

use crate::output::age::age;
use crate::output::columns::table as rows_below;
use crate::output::escape::escape;
use crate::output::text::{plural, size};
use argo_gc_core::plan::orphans::Found;
use jiff::Timestamp;
use std::io;
use std::io::Write;

/// Shows the orphans of each repository: a sentence, then a row for each workflow name.
///
/// # Errors
/// Writing failed.
pub fn table(out: &mut dyn Write, found: &[(String, Found)], now: Timestamp) -> io::Result<()> {
    let mut rows = Vec::new();
    for (place, found) in found {
        let objects: u64 = found.orphans.iter().map(|orphans| orphans.objects).sum();
        let bytes: u64 = found.orphans.iter().map(|orphans| orphans.bytes).sum();
        let mut rest = vec![format!("{} referenced", found.referenced)];
        if found.guarded > 0 {
            rest.push(format!("{} of unfinished or pinned workflows", found.guarded));
        }
        if found.young > 0 {
            rest.push(format!("{} too young", found.young));
        }
        if found.unclear > 0 {
            rest.push(format!("{} unclear", found.unclear));
        }
        writeln!(
            out,
            "{}: {} ({}) that no record refers to; {}",
            escape(place),
            plural(objects, "object"),
            size(bytes),
            rest.join(", ")
        )?;
        rows.extend(found.orphans.iter().map(|orphans| {
            vec![
                escape(&orphans.name).into_owned(),
                orphans.objects.to_string(),
                size(orphans.bytes),
                orphans.cause.as_str().to_owned(),
                escape(&orphans.bucket.to_string()).into_owned(),
                age(orphans.newest, now),
            ]
        }));
    }
    rows_below(out, &["NAME", "OBJECTS", "SIZE", "CAUSE", "BUCKET", "NEWEST"], &rows)
}
