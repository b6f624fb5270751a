//! Text from cluster and bucket, made harmless for terminals.

use crate::output::text::or_none;
use std::borrow::Cow;
use std::fmt::Write;

/// Shows control characters and those that reorder text as visible escapes.
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_dangerous) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '\n' => escaped.push_str("\\n"),
            '\t' => escaped.push_str("\\t"),
            '\r' => escaped.push_str("\\r"),
            c if is_dangerous(c) => {
                let _ = write!(escaped, "\\u{{{:x}}}", c as u32);
            }
            c => escaped.push(c),
        }
    }
    Cow::Owned(escaped)
}

/// A cell of a table with this text, or with what stands for none.
pub(crate) fn cell(text: &str) -> String {
    escape(or_none(text)).into_owned()
}

/// Whether this is a control character, a line separator, or a mark that reorders text or is invisible in it.
pub(crate) fn is_dangerous(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn shows_what_would_act_on_a_terminal() {
        assert_eq!(escape("model.tgz"), "model.tgz");
        assert_eq!(escape("a\x1b[2Jb\nc"), "a\\u{1b}[2Jb\\nc");
        assert_eq!(escape("\u{202e}txt"), "\\u{202e}txt");
        assert_eq!(escape("größe/模型"), "größe/模型");
    }

    proptest! {
        #[test]
        fn nothing_dangerous_is_left(text in any::<String>()) {
            prop_assert!(!escape(&text).chars().any(is_dangerous));
        }
    }
}
