//! Removes from Rust source what is not code of the program: comments, literals and test modules.

use std::ops::Range;

/// Replaces comments and literals by spaces. Lines and bytes keep their places.
pub fn without_text(source: &str) -> String {
    let characters: Vec<char> = source.chars().collect();
    let mut code = String::with_capacity(source.len());
    let mut at = 0;
    while at < characters.len() {
        let end = match literal_end(&characters, at) {
            Some(end) => end,
            None => {
                code.push(characters[at]);
                at += 1;
                continue;
            }
        };
        for c in &characters[at..end] {
            let blank = if *c == '\n' { "\n" } else { " " };
            code.push_str(&blank.repeat(c.len_utf8()));
        }
        at = end;
    }
    code
}

/// The end of the comment or literal that begins here.
fn literal_end(text: &[char], at: usize) -> Option<usize> {
    let is_word = |c: &char| c.is_alphanumeric() || *c == '_';
    let in_word = at > 0 && is_word(&text[at - 1]);
    match (text[at], text.get(at + 1).copied()) {
        ('/', Some('/')) => Some(find(text, at, |rest| rest[0] == '\n')),
        ('/', Some('*')) => Some(block_comment_end(text, at)),
        ('"', _) => Some(string_end(text, at)),
        ('r', Some('"' | '#')) if !in_word => raw_string_end(text, at),
        ('b', Some('r')) if !in_word => raw_string_end(text, at + 1),
        ('\'', Some('\\')) => Some(find(text, at + 3, |rest| rest[0] == '\'') + 1),
        // Else it is a lifetime.
        ('\'', Some(_)) if text.get(at + 2) == Some(&'\'') => Some(at + 3),
        _ => None,
    }
}

fn find(text: &[char], from: usize, is_end: impl Fn(&[char]) -> bool) -> usize {
    (from..text.len()).find(|at| is_end(&text[*at..])).unwrap_or(text.len())
}

fn block_comment_end(text: &[char], start: usize) -> usize {
    let (mut depth, mut at) = (0, start);
    while at < text.len() {
        match (text[at], text.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn string_end(text: &[char], start: usize) -> usize {
    let mut at = start + 1;
    while at < text.len() && text[at] != '"' {
        at += if text[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(text.len())
}

fn raw_string_end(text: &[char], start: usize) -> Option<usize> {
    let hashes = text[start + 1..].iter().take_while(|c| **c == '#').count();
    let quote = start + 1 + hashes;
    (text.get(quote) == Some(&'"')).then(|| {
        let closes = |rest: &[char]| {
            rest[0] == '"' && rest[1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes
        };
        (find(text, quote + 1, closes) + 1 + hashes).min(text.len())
    })
}

/// The literals of the program, without those of tests.
pub fn literals(source: &str) -> Vec<String> {
    let characters: Vec<char> = source.chars().collect();
    let tests = tests(&without_text(source));
    let mut found = Vec::new();
    let (mut at, mut byte) = (0, 0);
    while at < characters.len() {
        let end = literal_end(&characters, at);
        let text: String = characters[at..end.unwrap_or(at + 1)].iter().collect();
        let start = byte;
        (at, byte) = (end.unwrap_or(at + 1), byte + text.len());
        let is_literal = end.is_some() && !text.starts_with('/');
        if is_literal && !tests.iter().any(|test| test.contains(&start)) {
            found.push(text);
        }
    }
    found
}

/// Removes the items marked `#[cfg(test)]` with their lines, from source without literals.
pub fn without_tests(code: &str) -> String {
    let mut kept = String::with_capacity(code.len());
    let mut end = 0;
    for test in tests(code) {
        kept.push_str(&code[end..test.start]);
        end = test.end;
    }
    kept + &code[end..]
}

/// Where the items marked `#[cfg(test)]` are, in source without literals.
fn tests(code: &str) -> Vec<Range<usize>> {
    const MARK: &str = "#[cfg(test)]";
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = code[from..].find(MARK) {
        let start = from + at;
        let item = &code[start + MARK.len()..];
        let length = match item.find([';', '{']) {
            Some(open) if item[open..].starts_with('{') => closing(item, open) + 1,
            Some(semicolon) => semicolon + 1,
            None => item.len(),
        };
        let end = start + MARK.len() + length;
        from = end + usize::from(code[end..].starts_with('\n'));
        found.push(start..from);
    }
    found
}

/// Where the bracket that opens at `open` is closed; the end of the text if it never is.
pub fn closing(code: &str, open: usize) -> usize {
    let mut depth = 0;
    for (at, c) in code[open..].char_indices() {
        match c {
            '{' | '(' | '[' => depth += 1,
            '}' | ')' | ']' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return open + at;
        }
    }
    code.len().saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_no_code() {
        let source = "a /* b { /* c */ d */ e // f\n\"g \\\" {\" 'h' '\\'' &'i r#\"j \" k\"# l";
        let words: Vec<String> = without_text(source).split_whitespace().map(str::to_owned).collect();
        assert_eq!(words, ["a", "e", "&'i", "l"]);
        assert_eq!(without_text("\"a\nb\"\nc").lines().count(), 3);
    }

    #[test]
    fn literals_are_found_outside_of_tests_and_comments() {
        let source =
            "// \"a\"\nfn f() { \"ü\"; r#\"c\"# }\n#[cfg(test)]\nmod tests { \"d\" }\nconst E: &str = \"e\";";
        assert_eq!(literals(source), ["\"ü\"", "r#\"c\"#", "\"e\""]);
    }

    #[test]
    fn tests_are_no_code_of_the_program() {
        let source = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() { }\n}\nfn c() {}\n#[cfg(test)]\nmod more;\nfn d() {}\n";
        assert_eq!(without_tests(source), "fn a() {}\nfn c() {}\nfn d() {}\n");
    }
}
