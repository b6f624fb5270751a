use super::*;
use crate::argo::uses::Use;
use crate::model::location::clean;
use proptest::prelude::*;

fn references(uses: &[(&str, &str, bool)]) -> References {
    let mut gathering = ReferencesBuilder::default();
    let by = gathering.referrer("workflow ml/w".into(), "u1".into());
    for (bucket, key, read) in uses {
        let found = Use { bucket: (*bucket).into(), key: (*key).into(), read: *read, ..Use::default() };
        gathering.add(by, &found, &Buckets(vec!["repo".into()]), true);
    }
    gathering.finish()
}

fn held(references: &References, bucket: &str, key: &str) -> bool {
    references.holder(bucket, key, &Released::default()).is_some()
}

#[test]
fn an_output_holds_itself_and_what_lies_below_but_no_neighbour() {
    let references = references(&[("b", "a/b", false)]);
    assert!(held(&references, "b", "a/b") && held(&references, "b", "a/b/c"));
    assert!(
        !held(&references, "b", "a/bc") && !held(&references, "b", "a") && !held(&references, "c", "a/b")
    );
}

#[test]
fn a_reader_holds_all_that_its_key_begins() {
    let references = references(&[("b", "a/b", true)]);
    assert!(held(&references, "b", "a/b") && held(&references, "b", "a/bc"));
    assert!(!held(&references, "b", "a/c"));
}

#[test]
fn a_key_alone_lies_in_the_repository_or_anywhere() {
    assert!(held(&references(&[("", "k", false)]), "repo", "k"));
    assert!(!held(&references(&[("", "k", false)]), "other", "k"));
    let mut gathering = ReferencesBuilder::default();
    let by = gathering.referrer("cache ml/c".into(), String::new());
    gathering.add(by, &Use { key: "k".into(), ..Use::default() }, &Buckets::default(), true);
    assert!(held(&gathering.finish(), "other", "k"));
}

#[test]
fn forms_of_one_key_are_one_key() {
    assert!(held(&references(&[("b", "./a//b/", false)]), "b", "a/b"));
}

#[test]
fn forms_of_a_read_beginning_are_one_too() {
    for key in ["data//{{x}}", "./data/{{x}}", "/data/{{x}}", "a/../data/{{x}}/y", "/data/1"] {
        assert!(held(&references(&[("b", key, true)]), "b", "data/1"), "{key}");
    }
    for key in ["./{{x}}", "/{{x}}", "../{{x}}", "data/{{x}}/../../other", "/"] {
        assert_eq!(references(&[("b", key, true)]).readers_of_anything().count(), 1, "{key}");
    }
}

#[test]
fn an_address_holds_its_object_or_the_artifact_it_lies_in_but_no_folder_above() {
    let mut gathering = ReferencesBuilder::default();
    let by = gathering.referrer("workflow template x/t".into(), String::new());
    let found = Use { bucket: "b".into(), key: "argo/dir".into(), read: true, mentioned: true };
    gathering.add(by, &found, &Buckets::default(), true);
    let (references, released) = (gathering.finish(), Released::default());
    let held = |key, artifact| references.holder_within("b", key, artifact, &released).is_some();
    assert!(held("argo/dir/x", "argo/dir") && held("argo/dir", "argo/dir") && held("argo/dir/x", "argo"));
    assert!(!held("argo/dir/x", "argo/dir/x") && !held("argo/dirx", "argo/dirx"));
}

#[test]
fn variables_hold_what_may_be_read_only() {
    let with_inputs = references(&[("b", "data/{{x}}", true), ("b", "out/{{x}}", false)]);
    assert!(held(&with_inputs, "b", "data/1") && !held(&with_inputs, "b", "out/1"));
    let anything = references(&[("b", "{{x}}", true)]);
    assert!(!held(&anything, "b", "data/1"));
    assert_eq!(anything.readers_of_anything().count(), 1);
}

#[test]
fn an_output_with_a_variable_holds_nothing_yet_and_a_run_that_is_over_fills_none_in() {
    let outputs = references(&[("b", "out/x{{y}}", false), ("{{b}}", "k", false)]);
    assert!(outputs.is_empty(), "{outputs:?}");
    let reader = |bucket: &str, key: &str, open| {
        let mut gathering = ReferencesBuilder::default();
        let by = gathering.referrer("workflow ml/w".into(), "u1".into());
        let found = Use { bucket: bucket.into(), key: key.into(), read: true, ..Use::default() };
        gathering.add(by, &found, &Buckets::default(), open);
        gathering.finish()
    };
    for (bucket, key) in [("b", "data/{{x}}"), ("{{b}}", "data/1")] {
        assert!(held(&reader(bucket, key, true), "b", "data/1"), "{bucket} {key}");
        assert!(reader(bucket, key, false).is_empty(), "{bucket} {key}");
    }
    assert!(!reader("b", "data/1", false).is_empty());
}

#[test]
fn what_two_readings_gathered_is_found_with_its_own_referrers() {
    let gathered = |name: &str| {
        let mut gathering = ReferencesBuilder::telling();
        let by = gathering.workflow("ml", name, name);
        for (key, read, mentioned) in
            [("out", false, false), ("in", true, false), ("said", true, true), ("{{x}}", true, false)]
        {
            let key = if key == "{{x}}" { key.to_owned() } else { format!("{name}/{key}") };
            gathering.add(by, &Use { bucket: "b".into(), key, read, mentioned }, &Buckets::default(), true);
        }
        gathering
    };
    let mut both = gathered("one");
    both.absorb(gathered("two"));
    assert_eq!(
        both.take_told().iter().map(|told| &*told.name).collect::<Vec<_>>(),
        ["workflow ml/one", "workflow ml/two"]
    );
    let references = both.finish();
    for name in ["one", "two"] {
        for key in ["out", "in", "said"] {
            let holder = references.holder("b", &format!("{name}/{key}"), &Released::default());
            assert_eq!(holder.map(|holder| &*holder.uid), Some(name), "{key}");
        }
    }
    assert_eq!(references.readers_of_anything().map(|by| &*by.uid).collect::<Vec<_>>(), ["one", "two"]);
    assert_eq!((references.len(), references.is_empty()), (6, false));
}

#[test]
fn what_is_needed_is_told_in_plain_words_and_heard_again() {
    let mut gathering = ReferencesBuilder::telling();
    assert!(gathering.is_telling() && !ReferencesBuilder::default().is_telling());
    let (first, second) =
        (gathering.workflow("ml", "w", "u1"), gathering.referrer("cache ml/c".into(), String::new()));
    let input = Use { bucket: "b".into(), key: "data/1".into(), read: true, mentioned: false };
    let unknown = Use { bucket: "b".into(), key: "{{x}}".into(), read: true, mentioned: false };
    gathering.add(first, &input, &Buckets::default(), true);
    gathering.add(first, &unknown, &Buckets::default(), true);
    gathering.text(second, "cp gs://b/model/a.bin .");
    let told = gathering.take_told();
    assert!(!gathering.is_telling() && gathering.take_told().is_empty());
    assert_eq!(told.iter().map(|told| &*told.name).collect::<Vec<_>>(), ["workflow ml/w", "cache ml/c"]);
    assert_eq!(told[0].uses, [Use { read: true, ..Use::default() }, input].into());
    assert_eq!((told[1].uses.len(), told[0].words.len()), (0, 0));
    assert!(told[1].words.contains("gs://b/model/a.bin"), "{told:?}");

    let mut hearing = ReferencesBuilder::default();
    told.iter().for_each(|told| hearing.hear(told, "west"));
    let heard = hearing.finish();
    for (key, by) in [
        ("data/1", Some("workflow ml/w of the cluster west")),
        ("model/a.bin", Some("cache ml/c of the cluster west")),
        ("model/b.bin", None),
    ] {
        let holder = heard.holder("b", key, &Released::default());
        assert_eq!(holder.map(|holder| &*holder.name), by, "{key}");
    }
    assert_eq!(heard.readers_of_anything().count(), 1);
}

#[test]
fn a_place_that_all_of_many_holders_give_up_is_asked_of_none_of_them() {
    for (holders, gives_up, settled) in [(MANY + 1, true, 1), (MANY, true, 0), (MANY + 1, false, 0)] {
        let mut gathering = ReferencesBuilder::default();
        let mut released = Released::default();
        for at in 0..holders {
            let uid = format!("u{at}");
            let by = gathering.workflow("ml", &uid, &uid);
            let found = Use { bucket: "b".into(), key: "k".into(), ..Use::default() };
            gathering.add(by, &found, &Buckets::default(), true);
            released.workflow(&uid);
            if gives_up || at != 7 {
                released.place(&uid, "b", "k");
            }
        }
        released.finish();
        let references = gathering.finish();
        references.settle(&mut released);
        assert_eq!(released.settled.len(), settled);
        assert_eq!(references.holder("b", "k", &released).map(|by| &*by.uid), (!gives_up).then_some("u7"));
        assert!(references.holder("b", "k", &Released::default()).is_some());
        assert_eq!(references.others("b", "k", "u0").len(), holders - 1, "who shares it is another question");
        let mut asked = 0;
        references.find("b", "k", 1, &released.settled, &mut |_, _| {
            asked += 1;
            false
        });
        assert_eq!(asked, if settled == 1 { 0 } else { holders });
    }
}

#[test]
fn none_of_what_a_plans_workflow_refers_to_is_held_by_it() {
    let references = references(&[("b", "k", false), ("b", "in", true)]);
    let mut released = Released::default();
    released.whole("other");
    assert!(references.holder("b", "k", &released).is_some());
    released.whole("u1");
    assert!(references.holder("b", "k", &released).is_none());
    assert!(references.holder("b", "in", &released).is_none());
}

#[test]
fn every_reference_is_told_with_its_role() {
    let mut gathering = ReferencesBuilder::default();
    let found = |key: &str, read, mentioned| Use { bucket: "b".into(), key: key.into(), read, mentioned };
    let mut add = |name: &str, uid: &str, found: &Use| {
        let by = gathering.referrer(name.into(), uid.into());
        gathering.add(by, found, &Buckets::default(), true);
    };
    add("workflow ml/own", "u1", &found("dir", false, false));
    add("workflow ml/next", "u2", &found("dir/x", true, false));
    add("cron workflow ml/daily", "", &found("dir", true, true));
    add("workflow ml/elsewhere", "u3", &found("other", false, false));
    let (references, mut released) = (gathering.finish(), Released::default());
    released.place("u1", "b", "dir");
    released.finish();
    let all = references.all_within("b", "dir/x", "dir", &released);
    let told: Vec<(&str, Role, bool)> =
        all.iter().map(|one| (one.referrer.name.as_str(), one.role, one.released)).collect();
    assert_eq!(
        told,
        [
            ("workflow ml/own", Role::Output, true),
            ("workflow ml/next", Role::Input, false),
            ("cron workflow ml/daily", Role::Address, false),
        ]
    );
    // The first that needs it is the one by which a purge keeps it.
    let holder = references.holder_within("b", "dir/x", "dir", &released);
    assert!(
        holder.is_some_and(|holder| all.iter().any(|one| !one.released && one.referrer.name == holder.name))
    );
}

#[test]
fn a_name_tells_kind_namespace_name_and_cluster() {
    let name = |kind, namespace, name, cluster| ReferrerName { kind, namespace, name, cluster };
    for (text, parts) in [
        ("workflow ml/train", name("workflow", "ml", "train", "")),
        ("running workflow ml/train", name("running workflow", "ml", "train", "")),
        ("cluster workflow template t", name("cluster workflow template", "", "t", "")),
        ("cache ml/c of the cluster https://other", name("cache", "ml", "c", "https://other")),
    ] {
        assert_eq!(ReferrerName::parse(text), parts);
    }
}

#[test]
fn what_a_workflow_gives_up_does_not_hold() {
    let references = references(&[("b", "k", false), ("b", "in", true), ("b", "kept", false)]);
    let mut released = Released::default();
    released.workflow("u1");
    released.place("u1", "b", "k");
    released.finish();
    assert!(references.holder("b", "k", &released).is_none());
    assert!(references.holder("b", "in", &released).is_none());
    assert!(references.holder("b", "kept", &released).is_some());
}

proptest! {
    #[test]
    fn hashing_by_parts_is_hashing_the_whole(bucket in "[a-z]{0,4}", key in ".{1,30}") {
        let references = references(&[(&bucket, &key, false)]);
        let cleaned = clean(&key);
        let place = if bucket.is_empty() { "repo" } else { &bucket };
        // Only a key that is safe is ever deleted.
        prop_assume!(crate::model::object::is_safe(&cleaned));
        prop_assert!(held(&references, place, &cleaned));
    }
}

/// References of three workflows, by name or as a crowd; one more is beside them.
fn both(uses: &[(usize, Use)]) -> (References, References) {
    let part = |at: usize| {
        let mut part = ReferencesBuilder::default();
        let by = part.workflow("ml", &format!("w{at}"), &format!("u{at}"));
        for (_, found) in uses.iter().filter(|(of, _)| *of == at) {
            part.add(by, found, &Buckets(vec!["b".into()]), true);
        }
        part
    };
    let mut by_name = part(3);
    (0..3).for_each(|at| by_name.absorb(part(at)));
    let (mut named, mut crowd) = (part(3), Crowd::default());
    (0..3).for_each(|at| part(at).join(&mut crowd, &mut named));
    (by_name.finish(), named.finish().with(crowd))
}

fn uses() -> impl Strategy<Value = Use> {
    let key = "[ab]{0,2}(/[ab]{1,2}){0,2}(\\{\\{x\\}\\})?";
    ("[bc]?", key, prop::bool::ANY, prop::bool::ANY).prop_map(|(bucket, key, read, mentioned)| Use {
        bucket,
        key,
        read,
        mentioned,
    })
}

proptest! {
    #[test]
    fn a_crowd_holds_what_its_members_hold(
        uses in proptest::collection::vec((0usize..4, uses()), 0..12),
        keys in proptest::collection::vec("[ab]{1,2}(/[ab]{1,2}){0,2}", 1..8),
    ) {
        let (by_name, crowd) = both(&uses);
        let nothing = Released::default();
        for (key, bucket) in keys.iter().flat_map(|key| [(key, "b"), (key, "c"), (key, "d")]) {
            for artifact in [key, key.split('/').next().unwrap_or_default()] {
                let holds = |of: &References| of.holder_within(bucket, key, artifact, &nothing).is_some();
                prop_assert_eq!(holds(&by_name), holds(&crowd), "{} {}", bucket, key);
            }
        }
        let anything = |of: &References| {
            of.readers_of_anything().map(|one| one.name.clone()).collect::<std::collections::BTreeSet<_>>()
        };
        prop_assert_eq!(anything(&by_name), anything(&crowd));
    }
}

#[test]
fn a_crowd_gives_nothing_up_and_a_hash_that_is_shared_protects() {
    let found = Use { bucket: "b".into(), key: "k".into(), read: true, mentioned: false };
    let (_, crowd) = both(&[(0, found)]);
    let mut released = Released::default();
    released.workflow("u0");
    released.whole("u0");
    released.place("u0", "b", "k");
    released.finish();
    crowd.settle(&mut released);
    assert!(crowd.holder("b", "k", &released).is_some_and(|by| by.name == "a workflow"));
    assert_eq!(crowd.all_within("b", "k", "k", &released).len(), 1);
    // Another hash with the same first seven bytes stands for another place.
    let mut collides = Crowd::default();
    collides.add(Role::Output, hash("b", "other") ^ 0xff);
    let crowd = ReferencesBuilder::default().finish().with(collides);
    assert!(crowd.holder("b", "other", &Released::default()).is_some());
    assert!(crowd.holder("b", "another", &Released::default()).is_none());
    assert_eq!(crowd.len(), 1);
}
