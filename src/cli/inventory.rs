//! The flag that names a report which the storage itself made.

use crate::cli::streams::Streams;
use crate::cli::values::inventory;
use crate::error::Error;
use crate::output::escape::escape;
use argo_gc_core::model::scope::Report;
use argo_gc_store::inventory::Inventory;
use argo_gc_store::inventory::types::Address;
use argo_gc_store::store::Store;
use clap::Args;

/// The flag that names an inventory.
#[derive(Debug, Args)]
pub(crate) struct InventoryFlags {
    /// Reads a report that the storage itself made instead of listing the bucket: the manifest of Amazon S3 Inventory, of an
    /// inventory report of Google's Storage Insights, or of an Azure blob inventory, with its CSV files.
    #[arg(long, value_parser = inventory, value_name = "FILE|URL", help_heading = "Storage")]
    inventory: Option<Address>,
}

impl InventoryFlags {
    /// Opens the inventory, and says of when it is.
    ///
    /// # Errors
    /// It can't be read, or is not complete.
    pub async fn open(&self, store: &Store, streams: &mut Streams) -> Result<Option<Inventory>, Error> {
        let Some(address) = &self.inventory else { return Ok(None) };
        let opened = Inventory::open(address, store).await?;
        streams.say(escape(&format!(
            "Note: objects are those of the inventory {}, as of {}; what was written or deleted since is not in it",
            opened.name(),
            opened.as_of()
        )));
        Ok(Some(opened))
    }
}

/// What documents say of an inventory.
pub(crate) fn report(inventory: &Inventory) -> Report {
    Report { name: inventory.name().to_owned(), as_of: inventory.as_of() }
}
