//! What is asked of an inventory, and what it answers.

use crate::types::StoreError;
use argo_gc_core::model::bucket::Bucket;
use argo_gc_core::model::object::ObjectFacts;
use std::fmt;
use std::path::PathBuf;
use thiserror::Error;

/// The manifest of an inventory: a file, or an object of a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    File(PathBuf),
    Object(Bucket, String),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Object(bucket, key) => f.write_str(&bucket.uri(key)),
        }
    }
}

/// An inventory can't be used. Nothing of it counts then, whatever was read before.
#[derive(Debug, Clone, Error)]
pub enum InventoryError {
    /// The manifest, or one of its files, is not there or not what it should be.
    #[error("the inventory {name}: {why}")]
    Unusable { name: String, why: String },
    /// It is a sound inventory of something else.
    #[error("the inventory {name} is of {of}, not of {asked}")]
    OfOther { name: String, of: String, asked: String },
    /// A row makes no sense.
    #[error("{file} line {line}: {why}")]
    Row { file: String, line: u64, why: String },
    #[error(transparent)]
    Storage(#[from] StoreError),
}

/// Keys that are asked for: those of a bucket that begin with the prefix.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub bucket: Bucket,
    pub prefix: String,
}

/// An object that was live when the inventory was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Which of the places that were asked for it is in, as a number.
    pub place: usize,
    /// What the inventory tells. It has no pin.
    pub facts: ObjectFacts,
}
