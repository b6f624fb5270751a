//! Counts how often one run comes to a step or template: never, once, or more than once.

use serde_json::Value;

/// The least and the greatest number of times; two stands for two or more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Times {
    pub least: u8,
    pub most: u8,
}

impl Times {
    pub const ONCE: Self = Self { least: 1, most: 1 };
    /// Once at most, under a condition.
    pub const PERHAPS: Self = Self { least: 0, most: 1 };

    const MANY: u8 = 2;

    /// Reads how often a step or task runs for each run of its template.
    pub fn of(step: &Value) -> Self {
        let many = |count: u64| u8::try_from(count).unwrap_or(Self::MANY).min(Self::MANY);
        let mut times = match (&step["withItems"], &step["withParam"], &step["withSequence"]) {
            (Value::Array(items), ..) => {
                Self { least: many(items.len() as u64), most: many(items.len() as u64) }
            }
            (Value::Null, Value::Null, Value::Null) => Self::ONCE,
            (_, _, sequence) => {
                let count = match &sequence["count"] {
                    Value::String(text) => text.parse().unwrap_or_default(),
                    other => other.as_u64().unwrap_or_default(),
                };
                Self { least: many(count), most: Self::MANY }
            }
        };
        let depends = step["depends"].as_str().unwrap_or_default();
        let conditional = !step["when"].is_null() || depends.contains(['.', '!', '|']);
        if conditional {
            times.least = 0;
        }
        times
    }

    /// Returns the times of what runs so often for each of these times.
    #[must_use]
    pub fn each(self, inner: Self) -> Self {
        Self {
            least: (self.least * inner.least).min(Self::MANY),
            most: (self.most * inner.most).min(Self::MANY),
        }
    }

    #[must_use]
    pub fn plus(self, more: Self) -> Self {
        Self {
            least: (self.least + more.least).min(Self::MANY),
            most: (self.most + more.most).min(Self::MANY),
        }
    }

    /// Returns what has to be added to `before` to get this.
    pub fn beyond(self, before: Self) -> Self {
        Self { least: self.least - before.least, most: self.most - before.most }
    }

    /// Returns true if it surely happens more than once.
    pub fn surely_again(self) -> bool {
        self.least >= Self::MANY
    }

    /// Returns true if it may happen more than once.
    pub fn perhaps_again(self) -> bool {
        self.most >= Self::MANY
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn loops_and_conditions_count() {
        let times = |step: Value| {
            let Times { least, most } = Times::of(&step);
            (least, most)
        };
        assert_eq!(times(json!({})), (1, 1));
        assert_eq!(times(json!({ "when": "{{x}} == 1" })), (0, 1));
        assert_eq!(times(json!({ "withItems": [1] })), (1, 1));
        assert_eq!(times(json!({ "withItems": [1, 2, 3] })), (2, 2));
        assert_eq!(times(json!({ "withItems": [1, 2], "when": "x" })), (0, 2));
        assert_eq!(times(json!({ "withItems": "{{x}}" })), (0, 2));
        assert_eq!(times(json!({ "withParam": "{{x}}" })), (0, 2));
        assert_eq!(times(json!({ "withSequence": { "count": "5" } })), (2, 2));
        assert_eq!(times(json!({ "depends": "a && b" })), (1, 1));
        assert_eq!(times(json!({ "depends": "a.Failed" })), (0, 1));
    }
}
