//! Words why an inventory can't be used.

use crate::error::Error;
use argo_gc_store::inventory::types::InventoryError;

impl From<InventoryError> for Error {
    fn from(error: InventoryError) -> Self {
        match error {
            InventoryError::Storage(error) => Self::from(error),
            InventoryError::OfOther { .. } => Self::refused(error),
            _ => Self::new(error),
        }
    }
}
