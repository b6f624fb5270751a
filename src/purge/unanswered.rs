//! Looks what became of deletes that were sent and whose answer nobody wrote down.

use crate::error::Error;
use crate::purge::journal::JournalReplay;
use crate::scan::lookup;
use crate::scan::lookup::Spot;
use argo_gc_core::plan::planned::PlannedObject;
use argo_gc_store::store::Store;
use argo_gc_store::types::Depth;

/// Settles those objects of an interrupted run that its last deletes took, before anything else is decided about them: what
/// is gone can't be kept any more. Where the storage doesn't say, the object stays unsettled.
///
/// # Errors
/// The plan can't be read any more.
pub async fn settle(record: &mut JournalReplay, store: &Store) -> Result<(), Error> {
    let mut sent: Vec<PlannedObject> = Vec::new();
    for workflow in record.plan.workflows()? {
        let is_open = |object: &PlannedObject| record.was_sent(object) && record.settled(object).is_none();
        sent.extend(workflow?.delete.into_iter().filter(is_open));
    }
    let spots: Vec<Spot> = sent.iter().map(Spot::planned).collect();
    let found = lookup::objects(store, &spots, Depth::Listed).await;
    drop(spots);
    for (object, found) in sent.iter().zip(found) {
        if found.is_ok_and(|found| found.iter().all(|found| *found.generation != *object.generation)) {
            record.found_gone(object);
        }
    }
    Ok(())
}
