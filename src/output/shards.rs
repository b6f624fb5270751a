//! What the shards of a plan did, added up. A shard that says nothing did nothing that anybody knows of.

use crate::error::Error;
use crate::output::summary::counts;
use crate::output::text::plural;
use serde::Deserialize;
use std::collections::BTreeMap;

/// How many shards that failed are named.
const NAMED: usize = 10;

/// What a workflow tells of a shard.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Told {
    /// Its number; the first one is 1.
    pub shard: String,
    /// The phase of its node, such as `Succeeded`.
    pub status: String,
    /// Its own [`line`](crate::output::summary::line), empty if it did not come so far.
    pub line: String,
}

/// What all shards did.
#[derive(Debug)]
pub struct Sum {
    /// A line of each shard.
    pub lines: Vec<String>,
    /// The shards that failed.
    failed: Vec<u32>,
    shards: u32,
    /// The objects of the plan that the workflow was made for.
    objects: u64,
    /// The objects of the shards that said what they did.
    known: u64,
    /// Of these, the ones that are gone.
    gone: u64,
}

impl Sum {
    /// Adds up what is told, as a JSON list of [`Told`].
    ///
    /// # Errors
    /// It is no such list.
    pub fn of(shards: u32, objects: u64, told: &str) -> Result<Self, Error> {
        let told: Vec<Told> = serde_json::from_str(told)
            .map_err(|error| Error::new(format!("what the shards did can't be read: {error}")))?;
        let mut by_number: BTreeMap<u32, Told> =
            told.into_iter().filter_map(|told| Some((told.shard.parse().ok()?, told))).collect();
        let mut sum = Self { lines: Vec::new(), failed: Vec::new(), shards, objects, known: 0, gone: 0 };
        for number in 1..=shards {
            sum.add(number, &by_number.remove(&number).unwrap_or_default());
        }
        Ok(sum)
    }

    fn add(&mut self, number: u32, told: &Told) {
        let counts = counts(&told.line);
        if let Some((planned, gone)) = counts {
            self.known += planned;
            self.gone += gone;
        }
        let is_whole = counts.is_some_and(|(planned, gone)| planned == gone);
        if !is_whole || told.status != "Succeeded" {
            self.failed.push(number);
        }
        let status = if told.status.is_empty() { "it did not run" } else { &told.status };
        self.lines.push(match told.line.is_empty() {
            true => format!("shard {number}/{}: {status}, and says nothing", self.shards),
            false => format!("{} ({status})", told.line),
        });
    }

    /// Whether every shard succeeded, and all objects are gone.
    pub fn is_whole(&self) -> bool {
        self.failed.is_empty() && self.known == self.objects
    }

    /// What is left, in a sentence or two.
    pub fn words(&self) -> String {
        let (objects, shards) = (plural(self.objects, "object"), plural(self.shards.into(), "shard"));
        let are = if self.objects == 1 { "is" } else { "are" };
        if self.is_whole() {
            return format!("{} of {objects} {are} gone; {} of {shards} succeeded", self.gone, self.shards);
        }
        if self.failed.is_empty() {
            return format!(
                "the shards found a plan of {}, and this workflow was made for one of {objects}: another plan is at its place",
                plural(self.known, "object")
            );
        }
        let mut named: Vec<String> = self.failed.iter().take(NAMED).map(u32::to_string).collect();
        named.extend((self.failed.len() > NAMED).then(|| "…".to_owned()));
        let left = self.known - self.gone;
        let unknown = self.objects.saturating_sub(self.known);
        let what = match (left, unknown) {
            (left, 0) => format!("{left} of {objects} {are} left"),
            (0, unknown) => format!("nothing is known of {unknown} of {objects}"),
            (left, unknown) => {
                format!("{left} of {objects} {are} left, and nothing is known of {unknown} more")
            }
        };
        format!(
            "{} of {shards} failed ({}): {what}. To go on, create the workflow again: it skips what is gone",
            self.failed.len(),
            named.join(", ")
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::output::summary::{Ended, line};
    use serde_json::{Value, json};

    fn told(number: u32, status: &str, line: &str) -> Value {
        json!({ "shard": number.to_string(), "status": status, "line": line })
    }

    fn gone(number: u32, of: u32, planned: u64) -> Value {
        let ended = Ended { planned, ..Ended::default() };
        told(number, "Succeeded", &line(Some((number, of)), &Ok(ended)))
    }

    fn sum(shards: u32, objects: u64, told: &[Value]) -> (bool, String) {
        let sum = Sum::of(shards, objects, &json!(told).to_string()).unwrap();
        assert_eq!(sum.lines.len(), shards as usize);
        (sum.is_whole(), sum.words())
    }

    #[test]
    fn all_is_gone_only_if_every_shard_says_so_and_succeeded() {
        let eight: Vec<Value> = (1..=8).map(|number| gone(number, 8, 25)).collect();
        assert_eq!(
            sum(8, 200, &eight),
            (true, "200 of 200 objects are gone; 8 of 8 shards succeeded".to_owned())
        );
        assert_eq!(
            sum(1, 1, &[gone(1, 1, 1)]),
            (true, "1 of 1 object is gone; 1 of 1 shard succeeded".to_owned())
        );
        // An empty shard has nothing to do.
        assert!(sum(2, 1, &[gone(1, 2, 1), gone(2, 2, 0)]).0);

        // Killed: its line is not there.
        let mut seven = eight.clone();
        seven[2] = told(3, "Failed", "");
        let (whole, words) = sum(8, 200, &seven);
        assert!(!whole);
        assert_eq!(
            words,
            "1 of 8 shards failed (3): nothing is known of 25 of 200 objects. To go on, create the \
             workflow again: it skips what is gone"
        );
        // Never told of, as if it had not been started.
        seven.remove(2);
        assert!(!sum(8, 200, &seven).0);
        // It said all, and its pod failed after that.
        let mut late = eight.clone();
        late[7]["status"] = json!("Error");
        let (whole, words) = sum(8, 200, &late);
        assert!(
            !whole && words.starts_with("1 of 8 shards failed (8): 0 of 200 objects are left. "),
            "{words}"
        );
        // Green, and something is left.
        let mut green = eight;
        green[0] = told(1, "Succeeded", "shard 1/8: 12 of 25 objects are gone");
        let (whole, words) = sum(8, 200, &green);
        assert!(
            !whole && words.starts_with("1 of 8 shards failed (1): 13 of 200 objects are left. "),
            "{words}"
        );
    }

    #[test]
    fn nobody_succeeds_by_silence() {
        let refused =
            told(1, "Failed", "shard 1/1: error: it is unknown what else refers to these artifacts");
        let (whole, words) = sum(1, 9, &[refused]);
        assert!(
            !whole && words.starts_with("1 of 1 shard failed (1): nothing is known of 9 of 9 objects. "),
            "{words}"
        );
        for none in [&[][..], &[json!({})], &[told(2, "Succeeded", "shard 2/2: 9 of 9 objects are gone")]] {
            assert!(!sum(1, 9, none).0, "{none:?}");
        }
        let many = sum(20, 9, &[]).1;
        assert!(many.starts_with("20 of 20 shards failed (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, …): "), "{many}");
        for wrong in ["", "{}", "{{steps.shards.outputs.parameters}}", "[1]"] {
            assert!(Sum::of(1, 9, wrong).is_err(), "{wrong}");
        }
    }

    /// Argo's template of a pod holds it as a parameter and within an argument, and has to fit into a variable of 128 KiB.
    #[test]
    fn what_the_most_shards_say_fits_into_a_container() {
        let of = 250;
        let error = Error::refused("\"".repeat(10) + &"ü".repeat(500));
        let line = line(Some((of, of)), &Err(error));
        let told: Vec<Value> = (1..=of).map(|number| told(number, "Succeeded", &line)).collect();
        let told = json!(told).to_string();
        let template = json!({ "inputs": told, "args": [told] }).to_string();
        assert!(template.len() < 128 << 10, "{}", template.len());
    }

    #[test]
    fn another_plan_is_noticed() {
        let (whole, words) = sum(2, 9, &[gone(1, 2, 3), gone(2, 2, 3)]);
        assert!(
            !whole && words.contains("a plan of 6 objects") && words.contains("one of 9 objects"),
            "{words}"
        );
    }
}
