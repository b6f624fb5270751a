//! Text from bytes, and what is said of bytes that are none.

/// Reads UTF-8.
///
/// # Errors
/// The bytes are something else; says what, and what to do about it.
pub fn text(bytes: Vec<u8>) -> Result<String, String> {
    if bytes.starts_with(b"\x1f\x8b") {
        return Err("this is compressed with gzip; unpack it first, as with gunzip".to_owned());
    }
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err("this is UTF-16 text; convert it to UTF-8".to_owned());
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let bytes = error.as_bytes();
        let line = bytes[..valid].iter().filter(|byte| **byte == b'\n').count() + 1;
        match bytes.contains(&0) {
            true => "this is no text".to_owned(),
            false => format!(
                "line {line}: this is not UTF-8 text; convert the file, as with iconv -f LATIN1 -t UTF-8"
            ),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_utf_8_is_named() {
        let fault = |bytes: &[u8]| text(bytes.to_vec()).err().unwrap_or_default();
        assert_eq!(fault("a: ü\n".as_bytes()), "");
        assert!(fault(b"\x1f\x8b\x08\x00").contains("gzip"));
        assert!(fault(b"\xff\xfea\x00").contains("UTF-16"));
        assert!(fault(b"a: 1\nb: \xfc\n").starts_with("line 2: this is not UTF-8"));
        assert_eq!(fault(b"\x7fELF\x00\xff"), "this is no text");
    }
}
