//! A gap: something that could not be read, and the consequence.

use serde::{Deserialize, Serialize};

/// Something that could not be read, and the consequence.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Gap {
    /// The thing that could not be read: `pods in "ml"`, `workflow ml/train`, `examples/a.yaml document 3`.
    pub what: String,
    /// The reason: `forbidden`, or a parser's message.
    pub why: String,
    /// The consequence: the facts that are unknown without it.
    pub effect: String,
}
