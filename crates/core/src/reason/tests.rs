//! Every reason has its texts, and its remedies parse.

use crate::reason::Reason;
use std::collections::HashSet;

#[test]
fn every_entry_is_complete() {
    let mut titles = HashSet::new();
    for &reason in Reason::ALL {
        let entry = reason.entry();
        let code = reason.code();
        assert_eq!(Reason::from_code(code), Some(reason), "{code} is two reasons' code");
        assert!(!entry.title.is_empty() && entry.title.chars().count() <= 60, "{code}: {}", entry.title);
        assert!(titles.insert(entry.title), "{code}: title used twice");
        for text in [entry.why, entry.versions, entry.remedy, entry.false_positives] {
            assert!(!text.is_empty() && !text.contains("  "), "{code}: {text:?}");
        }
        assert!(!entry.evidence.is_empty() && !entry.upstream.is_empty(), "{code}");
        assert!(!entry.remedy.contains("argo-gc doctor"), "{code} names a command that does not exist");
        if let Some(yaml) = entry.remedy_yaml {
            assert!(!yaml.contains('\t'), "{code}");
            let parsed: Result<Vec<serde_json::Value>, _> = serde_saphyr::from_multiple(yaml);
            assert!(parsed.is_ok_and(|documents| !documents.is_empty()), "{code}: its YAML does not parse");
        }
    }
}
