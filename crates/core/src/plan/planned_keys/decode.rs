//! Texts within texts: escapes are replaced by what they stand for.

use std::borrow::Cow;

/// Replaces the escapes of JSON, YAML and shells. A line break after a backslash goes, with the blanks after it.
pub(super) fn unescaped(text: &str) -> Cow<'_, str> {
    let Some(first) = text.find('\\') else { return text.into() };
    let mut plain = String::with_capacity(text.len());
    plain.push_str(&text[..first]);
    let mut rest = &text[first..];
    while let Some(at) = rest.find('\\') {
        plain.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let mut letters = rest.chars();
        let Some(letter) = letters.next() else { break };
        rest = letters.as_str();
        match letter {
            'n' | 'r' => plain.push('\n'),
            't' | 'b' | 'f' => plain.push('\t'),
            'u' | 'x' => {
                let digits = if letter == 'u' { 4 } else { 2 };
                let code = rest.get(..digits).and_then(|digits| u32::from_str_radix(digits, 16).ok());
                match code.and_then(char::from_u32) {
                    Some(decoded) => {
                        plain.push(decoded);
                        rest = &rest[digits..];
                    }
                    None => plain.push(letter),
                }
            }
            '\n' | '\r' => rest = rest.trim_start_matches(['\n', '\r', ' ', '\t']),
            other => plain.push(other),
        }
    }
    plain.push_str(rest);
    plain.into()
}

/// Replaces percent-encoding, and leaves a percent sign that is none as it is.
pub(super) fn unquoted(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return text.into();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned().into()
}
