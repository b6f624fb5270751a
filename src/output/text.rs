//! Words and numbers as every format writes them.

/// `1 artifact`, `2 artifacts`.
pub(crate) fn plural(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// The text, or what tables show for none.
pub(crate) fn or_none(text: &str) -> &str {
    if text.is_empty() { "<none>" } else { text }
}

/// Bytes for people: binary units, one decimal below ten.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes}B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1023.5 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if value < 9.95 { format!("{value:.1}{}", UNITS[unit]) } else { format!("{value:.0}{}", UNITS[unit]) }
}

/// A duration in the largest unit that fits.
pub(crate) fn span(seconds: u64) -> String {
    match seconds {
        0..7200 => plural(seconds.div_ceil(60), "minute"),
        7200..172_800 => plural(seconds / 3600, "hour"),
        _ => plural(seconds / 86_400, "day"),
    }
}

/// Returns the longest path that all places share, in whole components.
pub(crate) fn common_path(places: &[String]) -> String {
    let Some((first, rest)) = places.split_first() else { return "<none>".into() };
    let mut common: Vec<&str> = first.split('/').collect();
    for place in rest {
        let same = common.iter().zip(place.split('/')).take_while(|(a, b)| **a == *b).count();
        common.truncate(same);
    }
    // A place has at least an engine and a bucket.
    let path = common.join("/");
    match path.trim_end_matches('/').ends_with(':') || path.is_empty() {
        true if rest.is_empty() => first.clone(),
        true => "<several>".into(),
        false => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn shares_whole_components_only() {
        let path = |places: &[&str]| {
            let places: Vec<String> = places.iter().map(|place| (*place).to_owned()).collect();
            common_path(&places)
        };
        assert_eq!(path(&["gs://b/wf/a.tgz"]), "gs://b/wf/a.tgz");
        assert_eq!(path(&["gs://b/wf/ab", "gs://b/wf/ac"]), "gs://b/wf");
        assert_eq!(path(&["gs://b/wf-1/a", "gs://b/wf-10/a"]), "gs://b");
        assert_eq!(path(&["gs://b/a", "s3://c/a"]), "<several>");
        assert_eq!(path(&["gs://b/a", "gs://c/a"]), "<several>");
    }

    #[test]
    fn sizes_are_short() {
        for (bytes, want) in [
            (0, "0B"),
            (1023, "1023B"),
            (1024, "1.0KiB"),
            (10 << 10, "10KiB"),
            ((1 << 20) - 1, "1.0MiB"),
            (3 << 40, "3.0TiB"),
            (u64::MAX, "16384PiB"),
        ] {
            assert_eq!(size(bytes), want, "{bytes}");
        }
    }

    proptest! {
        #[test]
        fn the_common_path_begins_every_place(places in proptest::collection::vec("gs://[ab]/[ab/]{0,8}", 1..5)) {
            let common = common_path(&places);
            let whole = |place: &String| *place == common || place.starts_with(&format!("{common}/"));
            prop_assert!(common == "<several>" || places.iter().all(whole));
        }
    }
}
