//! Texts within texts: escapes are replaced by what they stand for.

use std::borrow::Cow;

/// Replaces the escapes of JSON, YAML and shells. A line break after a backslash is removed, with the blanks after it.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_what_they_stand_for() {
        for (text, plain) in [
            (r"a\u002fb", "a/b"),
            (r"a\x2fb", "a/b"),
            (r"a\/b", "a/b"),
            (r"a\nb\tc", "a\nb\tc"),
            ("a\\\n  b", "ab"),
            // What is no escape of its kind is kept.
            (r"a\u00zz", "au00zz"),
            (r"a\xz", "axz"),
            (r"a\", "a"),
            ("a", "a"),
        ] {
            assert_eq!(unescaped(text), plain, "{text}");
        }
    }
}
