//! What users see: one file a format. Assessments come one by one; documents are written as they come,
//! tables keep only their rows.

pub mod age;
pub mod columns;
pub mod diff;
pub mod doctor;
pub mod document;
pub mod escape;
pub mod explain;
pub mod headline;
pub mod html;
pub mod lint;
pub mod markdown;
pub mod orphans;
pub mod prices;
pub mod printer;
pub mod prometheus;
pub mod purge;
pub mod table;
pub mod text;
pub mod totals;
pub mod tree;
pub mod view;
