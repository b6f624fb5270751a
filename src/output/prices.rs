//! The price of stored bytes: a table, and a flat price that overrides it.

use argo_gc_core::inspection::SeenObjects;
use argo_gc_core::model::assessment::Assessment;
use argo_gc_core::model::stored::Stored;
use serde::Serialize;
use std::collections::BTreeMap;

/// US dollars for a GiB and month, by storage class: list prices of us-central1
/// (cloud.google.com/storage/pricing, read in November 2026 from the published table; soft-deleted and noncurrent
/// bytes cost the same).
const PRICES: [(&str, f64); 4] =
    [("STANDARD", 0.020), ("NEARLINE", 0.010), ("COLDLINE", 0.004), ("ARCHIVE", 0.0012)];

/// Prices by storage class.
#[derive(Debug, Clone)]
pub struct Prices {
    /// The price of every class.
    flat: Option<f64>,
}

impl Prices {
    /// Takes `flat` dollars for a GiB and month, or the table's prices.
    pub fn new(flat: Option<f64>) -> Self {
        Self { flat }
    }

    /// Dollars a month for bytes by class; a class that isn't in the table costs as STANDARD.
    pub fn month(&self, classes: &BTreeMap<String, u64>) -> f64 {
        classes.iter().map(|(class, bytes)| self.of(class) * *bytes as f64 / f64::from(1 << 30)).sum()
    }

    fn of(&self, class: &str) -> f64 {
        let listed = PRICES.iter().find(|(name, _)| *name == class).unwrap_or(&PRICES[0]);
        self.flat.unwrap_or(listed.1)
    }
}

/// An assessment with what its objects cost.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Priced<'a> {
    #[serde(flatten)]
    assessment: &'a Assessment,
    /// Dollars a month, deleted copies included; none if storage was not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    monthly_dollars: Option<f64>,
}

impl Prices {
    /// The assessment with its price, if storage was asked.
    pub(crate) fn priced<'a>(&self, assessment: &'a Assessment, checked: bool) -> Priced<'a> {
        let month = || {
            let mut seen = SeenObjects::default();
            let stored = seen.first(assessment.artifacts.iter()).into_iter().filter_map(|(_, stored)| stored);
            let copies =
                |stored: &Stored| stored.copies.as_ref().map_or(0.0, |copies| self.month(&copies.classes));
            let sum: f64 = stored.map(|stored| self.month(&stored.classes) + copies(stored)).sum();
            // A hundredth of a cent is more than any price list says.
            (sum * 1e4).round() / 1e4
        };
        Priced { assessment, monthly_dollars: checked.then(month) }
    }
}

/// `$0.02`, `$12`, `<$0.01`.
pub fn dollars(amount: f64) -> String {
    match amount {
        0.0 => "$0".to_owned(),
        small if small < 0.01 => "<$0.01".to_owned(),
        small if small < 10.0 => format!("${small:.2}"),
        large => format!("${large:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn bytes_are_priced_by_class() {
        let classes = BTreeMap::from([("STANDARD".to_owned(), 1 << 30), ("ARCHIVE".to_owned(), 10 << 30)]);
        assert!((Prices::new(None).month(&classes) - 0.032).abs() < 1e-9);
        assert!((Prices::new(Some(1.0)).month(&classes) - 11.0).abs() < 1e-9);
        for (amount, want) in [(0.0, "$0"), (0.001, "<$0.01"), (0.5, "$0.50"), (123.4, "$123")] {
            assert_eq!(dollars(amount), want);
        }
    }
}
