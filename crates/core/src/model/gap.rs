//! A gap: something that could not be read, and what follows from it.

use serde::{Deserialize, Serialize};

/// Something that could not be read, and what that means.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Gap {
    /// What was to be read: `pods in "ml"`, `workflow ml/train`, `examples/a.yaml document 3`.
    pub what: String,
    /// Why it could not be: `forbidden`, a parser's words.
    pub why: String,
    /// What is not known for want of it.
    pub effect: String,
}
