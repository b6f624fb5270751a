//! The paths in a plain text.

use crate::plan::planned_keys::path::{Kind, PathHash, grow, is_plain};

/// How a text is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct How {
    /// True if the text is a name within its object, such as that of a template: a single word is then no path.
    pub identifier: bool,
    /// True if a run may read what the text names: then the end of a key counts, after a variable.
    pub tails: bool,
    /// True if characters beyond ASCII are part of paths.
    pub wide: bool,
}

/// Variables whose values are the workflow's own: what follows them is no other workflow's.
const OWN: [&str; 4] = ["workflow.name", "workflow.uid", "pod.name", "node.name"];

/// The length up to which the name of a variable is looked for.
const LONGEST_VARIABLE: usize = 256;

/// The number of labels of a host that may be a bucket's name.
const LABELS: usize = 8;

/// Calls `take` with every path in the text, and with what it may be.
pub(super) fn paths(text: &str, how: How, take: &mut impl FnMut(Kind, PathHash)) {
    let bytes = text.as_bytes();
    let (mut at, mut address, mut host, mut container) = (0, false, None, None);
    let mut segments: Vec<&[u8]> = Vec::new();
    while let Some(byte) = bytes.get(at) {
        if is_plain(*byte, how.wide) {
            let start = at;
            at += bytes[at..].iter().take_while(|byte| is_plain(**byte, how.wide)).count();
            cut(&bytes[start..at], &mut segments);
            let token = Token { bytes, start, end: at, address, host, container, segments: &segments, how };
            token.read(take);
            continue;
        }
        match byte {
            b':' if bytes[at + 1..].starts_with(b"//") => address = true,
            // https://HOST:PORT/KEY
            b':' if address && segments.len() == 1 => host = segments.last().copied(),
            // abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/BLOB, https://USER:PASSWORD@HOST/KEY
            b'@' if address => (host, container) = (None, segments.last().copied()),
            b'"' | b'\'' | b'`' | b',' => (address, host, container) = (false, None, None),
            _ if byte.is_ascii_whitespace() => (address, host, container) = (false, None, None),
            _ => {}
        }
        at += 1;
    }
}

/// Splits a path at its slashes, and resolves `.` and `..` as a driver does.
fn cut<'t>(path: &'t [u8], segments: &mut Vec<&'t [u8]>) {
    segments.clear();
    for segment in path.split(|byte| *byte == b'/') {
        match segment {
            b"" | b"." => {}
            b".." => {
                segments.pop();
            }
            segment => segments.push(segment),
        }
    }
}

/// A longest run of plain bytes.
struct Token<'t> {
    bytes: &'t [u8],
    start: usize,
    end: usize,
    /// True if a scheme precedes it.
    address: bool,
    /// The address's host, if what follows is its port.
    host: Option<&'t [u8]>,
    /// What is before an `@`.
    container: Option<&'t [u8]>,
    segments: &'t [&'t [u8]],
    how: How,
}

impl<'t> Token<'t> {
    fn read(&self, take: &mut impl FnMut(Kind, PathHash)) {
        if self.how.identifier && self.is_alone() {
            return;
        }
        for from in 0..self.segments.len() {
            grow(self.segments[from..].iter().copied(), |number, hash| {
                let at = from + number;
                take(Kind::Key, hash);
                if self.ends(at) {
                    take(Kind::Folder, hash);
                }
                self.placed(at, hash, take);
                if at == 0 && self.ends(at) && self.is_value() {
                    take(Kind::Word, hash);
                }
            });
        }
        if self.address {
            self.host(take);
        }
        if let Some(from) = self.tail() {
            let segments = self.segments.get(from..).unwrap_or_default();
            grow(segments.iter().copied(), |_, hash| take(Kind::Tail, hash));
        }
    }

    /// Takes a path that may begin with a bucket.
    fn placed(&self, at: usize, hash: PathHash, take: &mut impl FnMut(Kind, PathHash)) {
        if self.ends(at) {
            take(Kind::Place, hash);
        }
        if self.is_partial() && at + 1 == self.segments.len() {
            take(Kind::Head, hash);
        }
    }

    /// Takes the path of an address whose bucket is a part of its host, or is before it.
    fn host(&self, take: &mut impl FnMut(Kind, PathHash)) {
        let Some((first, path)) = self.segments.split_first() else { return };
        let dots = |host: &'t [u8]| {
            host.iter().enumerate().filter(|(_, byte)| **byte == b'.').map(|(at, _)| &host[..at]).take(LABELS)
        };
        let hosts = std::iter::once(*first).chain(self.host);
        for bucket in hosts.flat_map(dots).chain(self.container) {
            let segments = std::iter::once(bucket).chain(path.iter().copied());
            grow(segments, |at, hash| self.placed(at, hash, take));
        }
    }

    /// Returns true if the folder that ends with this segment is named as such, and not only as a part of the path
    /// to something in it.
    fn ends(&self, at: usize) -> bool {
        at + 1 == self.segments.len() || self.is_partial() && at + 2 == self.segments.len()
    }

    /// Returns true if a wildcard or a variable completes the last segment.
    fn is_partial(&self) -> bool {
        !self.has_slash_after() && self.next().is_some_and(|next| b"*?[{$(%<".contains(&next))
    }

    fn has_slash_after(&self) -> bool {
        self.bytes[..self.end].ends_with(b"/")
    }

    fn next(&self) -> Option<u8> {
        self.bytes.get(self.end).copied()
    }

    fn before(&self) -> &[u8] {
        &self.bytes[..self.start]
    }

    /// Returns true if the text is this one word.
    fn is_alone(&self) -> bool {
        let after = &self.bytes[self.end..];
        self.segments.len() == 1 && self.before().trim_ascii().is_empty() && after.trim_ascii().is_empty()
    }

    /// Returns true if the token is a value, and not a word of a sentence or a command.
    fn is_value(&self) -> bool {
        if self.has_slash_after() || self.segments.len() > 1 {
            return true;
        }
        let blank = |byte: &&u8| !matches!(byte, b' ' | b'\t');
        let before = self.before().iter().rfind(blank);
        let after = self.bytes[self.end..].iter().find(blank);
        let begins = before.is_none_or(|byte| b":=,\"'`[{(\n\r".contains(byte));
        let ends = after.is_none_or(|byte| b",\"'`]});&#\n\r".contains(byte));
        begins && ends || self.before().ends_with(b"=")
    }

    /// Returns the first segment of what completes a variable or a wildcard, if the token does.
    fn tail(&self) -> Option<usize> {
        let (before, first) = (self.before(), self.bytes[self.start]);
        if !self.how.tails || !before.last().is_some_and(|byte| b"})*]?$".contains(byte)) {
            return None;
        }
        let completes = matches!(first, b'/' | b'-' | b'_');
        match before {
            [.., b'}', b'}'] => (completes && !is_own(before)).then_some(0),
            [.., b'$'] => self.address.then_some(1),
            _ => (completes && self.address).then_some(0),
        }
    }
}

/// Returns true if the text ends with a variable that has the workflow's own name in it.
fn is_own(before: &[u8]) -> bool {
    let near = &before[before.len().saturating_sub(LONGEST_VARIABLE)..];
    let open = near.windows(2).rposition(|pair| pair == b"{{");
    let name = open.and_then(|open| near.get(open + 2..near.len().saturating_sub(2)));
    name.is_some_and(|name| OWN.iter().any(|own| own.as_bytes() == name.trim_ascii()))
}
