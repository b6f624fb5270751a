//! Words and numbers as every format writes them.

/// `1 artifact`, `2 artifacts`.
pub(crate) fn plural(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
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

/// How long, in the largest unit that fits.
pub(crate) fn span(seconds: u64) -> String {
    match seconds {
        0..7200 => plural(seconds.div_ceil(60), "minute"),
        7200..172_800 => plural(seconds / 3600, "hour"),
        _ => plural(seconds / 86_400, "day"),
    }
}

pub(crate) fn common_path(places: &[String]) -> String {
    let Some((first, rest)) = places.split_first() else { return "<none>".into() };
    let mut common: Vec<&str> = first.split('/').collect();
    for place in rest {
        let same = common.iter().zip(place.split('/')).take_while(|(a, b)| **a == *b).count();
        common.truncate(same);
    }
    // Less than an engine and a bucket is no place at all.
    let path = common.join("/");
    match path.trim_end_matches('/').ends_with(':') || path.is_empty() {
        true if rest.is_empty() => first.clone(),
        true => "<several>".into(),
        false => path,
    }
}
