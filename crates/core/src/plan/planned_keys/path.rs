//! Paths as hashes: how a key of the plan and a word of a text become the same number.

/// Paths are compared up to so many segments. It bounds the work on a text that consists of slashes.
const MAX_SEGMENTS: usize = 64;

/// How a path must stand in a text to name an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Anywhere.
    Key = 1,
    /// A folder, at the end of a path: what follows names a single object in it.
    Folder,
    /// A folder whose name could be any word: as a whole value, or with a slash after it.
    Word,
    /// A folder with its bucket before it, at the end of a path.
    Place,
    /// A folder with its bucket and the first letters of the next part, before a wildcard or a variable.
    Head,
    /// The end of a key, after a variable or a wildcard.
    Tail,
    /// A key that has no letters or digits to look for: every text may name it.
    Anything,
}

/// The hash of the beginning of a path (FNV-1a). A collision can protect an additional object, but never leaves
/// one unprotected.
#[derive(Debug, Clone, Copy)]
pub(super) struct PathHash(u64);

impl PathHash {
    pub(super) fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    pub(super) fn with(self, bytes: &[u8]) -> Self {
        Self(bytes.iter().fold(self.0, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)))
    }

    /// Returns the number under which the path is kept as one of this kind.
    pub(super) fn of(self, kind: Kind) -> u64 {
        let mut mixed = self.0 ^ (kind as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// Returns true for bytes that a path is searched by. Everything else ends a path in a text, and is left out of a
/// key. `wide` takes all characters beyond ASCII for letters.
pub(super) fn is_plain(byte: u8, wide: bool) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/') || (wide && !byte.is_ascii())
}

/// Returns true for bytes that do not count at either end of a path: a full stop may end a sentence.
pub(super) fn is_edge(byte: u8) -> bool {
    matches!(byte, b'.' | b'-' | b'_' | b'/')
}

fn without_edges_before(mut bytes: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = bytes
        && is_edge(*first)
    {
        bytes = rest;
    }
    bytes
}

fn without_edges_after(mut bytes: &[u8]) -> &[u8] {
    while let [rest @ .., last] = bytes
        && is_edge(*last)
    {
        bytes = rest;
    }
    bytes
}

/// Calls `take` with the number of each segment, and the hash of the path from the first segment up to it.
pub(super) fn grow<'s>(segments: impl IntoIterator<Item = &'s [u8]>, mut take: impl FnMut(usize, PathHash)) {
    let (mut hash, mut begun) = (PathHash::new(), false);
    for (number, segment) in segments.into_iter().take(MAX_SEGMENTS).enumerate() {
        let segment = if begun { segment } else { without_edges_before(segment) };
        // A path that begins at the next segment is the same one.
        if !begun && segment.is_empty() {
            return;
        }
        let end = without_edges_after(segment);
        if !end.is_empty() {
            take(number, hash.with(end));
        }
        hash = hash.with(segment).with(b"/");
        begun = true;
    }
}

/// Returns the hash of a whole path, or of its first segments if there are too many.
pub(super) fn hash(path: &str) -> Option<PathHash> {
    let mut last = None;
    grow(trim(path).split('/').map(str::as_bytes), |_, hash| last = Some(hash));
    last
}

/// Returns the path without what does not count at its ends.
pub(super) fn trim(path: &str) -> &str {
    path.trim_matches(|c: char| u8::try_from(c).is_ok_and(is_edge))
}

/// Returns the parts of a key that texts can be searched for.
pub(super) fn runs(key: &str, wide: bool) -> impl Iterator<Item = &str> {
    let odd =
        move |c: char| !c.is_ascii() && !wide || u8::try_from(c).is_ok_and(|byte| !is_plain(byte, wide));
    key.split(odd).map(trim).filter(|run| !run.is_empty())
}

/// Returns true if the whole path can be searched for as it is.
pub(super) fn is_all_plain(path: &str) -> bool {
    path.bytes().all(|byte| is_plain(byte, false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_looked_for_by_its_parts_between_characters_that_end_a_path() {
        for (key, plain, wide) in [
            ("w/p-1/model.tgz", &["w/p-1/model.tgz"][..], &["w/p-1/model.tgz"][..]),
            ("my model (1).tgz", &["my", "model", "1", "tgz"], &["my", "model", "1", "tgz"]),
            ("train/\u{fc}/\u{65e5}\u{672c} x", &["train", "x"], &["train/\u{fc}/\u{65e5}\u{672c}", "x"]),
            ("\u{e9}", &[], &["\u{e9}"]),
            ("--/..!", &[], &[]),
        ] {
            assert_eq!(runs(key, false).collect::<Vec<_>>(), plain, "{key}");
            assert_eq!(runs(key, true).collect::<Vec<_>>(), wide, "{key}");
        }
    }
}
