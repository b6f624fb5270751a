//! The reasons to doubt a comparison of two inspections, as sentences.

use argo_gc_core::diff::document::{Doubt, Head, Side};

/// Returns a sentence without a full stop for each reason. `names` are the names of the two documents.
pub fn doubts(old: &Head, new: &Head, names: [&str; 2]) -> Vec<String> {
    old.doubts(new).iter().map(|doubt| sentence(doubt, names)).collect()
}

fn sentence(doubt: &Doubt, names: [&str; 2]) -> String {
    // The name of the document, and how what it lacks looks in the comparison.
    let of = |side: Side| match side {
        Side::Old => (names[0], "new"),
        Side::New => (names[1], "gone"),
    };
    match doubt {
        Doubt::WrongWayRound => {
            format!("{} was made after {}: are they the wrong way round?", names[0], names[1])
        }
        Doubt::OtherCluster { old, new } => format!("they are of different clusters, {old} and {new}"),
        Doubt::OtherNamespace { old, new } => {
            let scope = |namespace: &Option<String>| match namespace {
                None => "all namespaces".to_owned(),
                Some(name) => format!("namespace {name}"),
            };
            let (old, new) = (scope(old), scope(new));
            format!("one is of {old}, the other of {new}: only what both cover is compared")
        }
        Doubt::Filtered(side) => {
            let (name, seems) = of(*side);
            format!("{name} has selected workflows only: what it leaves out seems {seems}")
        }
        Doubt::Unlisted(side, verdicts) => {
            let (name, seems) = of(*side);
            let verdicts: Vec<&str> = verdicts.iter().map(|verdict| verdict.as_str()).collect();
            let verdicts = verdicts.join(", ");
            format!("{name} does not list all artifacts that are {verdicts}: they seem {seems}")
        }
        Doubt::Gaps(side, count) => {
            let (name, seems) = of(*side);
            let gaps = if *count == 1 { "a gap".to_owned() } else { format!("{count} gaps") };
            format!("{name} has {gaps}: what it could not see may seem {seems}")
        }
        Doubt::OneChecked => "only one was made with --check, which finds more".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use argo_gc_core::model::gap::Gap;

    #[test]
    fn heads_that_do_not_match_are_told() {
        let time = |text: &str| text.parse().unwrap();
        let old = Head { generated_at: time("2026-11-01T00:00:00Z"), ..Head::default() };
        let new = Head { generated_at: time("2026-11-02T00:00:00Z"), ..Head::default() };
        assert_eq!(doubts(&old, &new, ["A", "B"]), [""; 0]);
        assert!(doubts(&new, &old, ["A", "B"])[0].contains("wrong way round"));
        let mut partial = new.clone();
        partial.counted.insert("failing".into(), 2);
        partial.source.filtered = true;
        partial.source.namespace = Some("ml".into());
        let gap = Gap { what: "x".into(), why: "y".into(), effect: "z".into() };
        partial.gaps.push(gap);
        let doubts = doubts(&old, &partial, ["A", "B"]);
        assert_eq!(doubts.len(), 4, "{doubts:#?}");
        assert!(doubts[1].starts_with("B has selected workflows only"), "{doubts:#?}");
        assert!(doubts[2].contains("artifacts that are failing: they seem gone"), "{doubts:#?}");
    }
}
