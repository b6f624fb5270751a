//! Purge: from selected workflows to a plan, from a plan to deleted objects, and back from a journal.
//!
//! One direction: [`resolve`] asks storage and makes the [`plan_file::Plan`], [`execute`] carries out that plan and nothing
//! else, as far as the [`guard`] lets it, [`quarantine`] marks for later runs, [`record`] updates the workflows, [`undo`]
//! brings back what a bucket still holds, and [`take_back`] says so in the workflows.

pub mod batch;
pub mod bucket_login;
pub mod delete;
pub mod execute;
pub mod explain;
pub mod group;
pub mod guard;
pub(crate) mod hashing;
pub mod journal;
pub mod journal_list;
pub mod keep;
pub(crate) mod marks;
pub mod outcome;
pub mod plan_file;
pub mod plan_find;
pub mod quarantine;
pub mod recheck;
pub mod record;
pub mod refresh;
pub mod resolve;
pub mod standing;
pub mod take_back;
pub mod totals;
pub mod unanswered;
pub mod undo;
