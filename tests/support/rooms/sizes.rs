//! Functions and files stay small.

use super::source::Source;
use super::strip::closing;

/// Lines of a function, from `fn` to its closing brace.
const FUNCTION: usize = 80;

/// Parameters of a function, `self` included.
const PARAMETERS: usize = 6;

/// Lines of a file without its tests.
const FILE: usize = 500;

/// Names every file and function that is too large. The numbers are not part of the message, so that a known
/// offender keeps its name when it shrinks a little.
pub fn check(source: &Source) -> Vec<String> {
    let path = &source.path;
    let mut found = Vec::new();
    if source.code.lines().count() > FILE {
        found.push(format!("size: {path} has more than {FILE} lines"));
    }
    for function in functions(&source.code) {
        if function.lines > FUNCTION {
            found.push(format!("size: {} of {path} has more than {FUNCTION} lines", function.name));
        }
        if function.parameters > PARAMETERS {
            found.push(format!("size: {} of {path} has more than {PARAMETERS} parameters", function.name));
        }
    }
    found
}

struct Function<'c> {
    name: &'c str,
    lines: usize,
    parameters: usize,
}

fn functions(code: &str) -> Vec<Function<'_>> {
    let starts = code.match_indices("fn ").map(|(at, _)| at);
    let starts = starts.filter(|at| !code[..*at].ends_with(|c: char| c.is_alphanumeric() || c == '_'));
    let functions = starts.filter_map(|start| {
        let name = &code[start + 3..];
        let name = &name[..name.find(|c: char| !c.is_alphanumeric() && c != '_')?];
        // The parameters open behind the generics, in which `Fn(A)` may open a bracket too.
        let open = parameters_open(code, start + 3 + name.len())?;
        let close = closing(code, open);
        let body = close + code[close..].find(['{', ';'])?;
        let end = if code[body..].starts_with('{') { closing(code, body) } else { body };
        let lines = code[start..=end].lines().count();
        Some(Function { name, lines, parameters: parameters(&code[open + 1..close]) })
    });
    functions.collect()
}

fn parameters_open(code: &str, from: usize) -> Option<usize> {
    let mut depth = 0;
    let mut before = ' ';
    for (at, c) in code[from..].char_indices() {
        match c {
            '<' => depth += 1,
            '>' if before != '-' => depth -= 1,
            '(' if depth == 0 => return Some(from + at),
            _ => {}
        }
        before = c;
    }
    None
}

fn parameters(list: &str) -> usize {
    let (mut depth, mut before, mut count, mut is_empty) = (0, ' ', 0, true);
    for c in list.chars() {
        match c {
            '(' | '[' | '{' | '<' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            '>' if before != '-' => depth -= 1,
            ',' if depth == 0 => {
                count += 1;
                is_empty = true;
                continue;
            }
            _ => {}
        }
        is_empty &= c.is_whitespace();
        before = c;
    }
    count + usize::from(!is_empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(code: &str) -> String {
        check(&Source::new("src/a.rs", code).unwrap()).join("\n")
    }

    #[test]
    fn a_long_function_fails() {
        let function = |lines: usize| {
            format!("impl A {{\n    async fn f(&self) -> u8 {{{}    }}\n}}\n", "\n".repeat(lines - 1))
        };
        assert_eq!(checked(&function(80)), "");
        assert_eq!(checked(&function(81)), "size: f of src/a.rs has more than 80 lines");
    }

    #[test]
    fn a_seventh_parameter_fails() {
        let six = "fn f<F: Fn(u8, u8) -> u8>(&self, a: (u8, u8), b: impl Fn(u8, u8) -> u8, c: A<B, C>, d: [u8; 2], e: u8";
        assert_eq!(checked(&format!("{six},\n) {{}}")), "");
        assert_eq!(checked(&format!("{six}, f: u8);")), "size: f of src/a.rs has more than 6 parameters");
    }

    #[test]
    fn a_long_file_fails_and_its_tests_do_not_count() {
        let tests = format!("#[cfg(test)]\nmod tests {{{}}}\n", "\n".repeat(300));
        let file = |lines: usize| "// A line.\n".repeat(lines) + &tests;
        assert_eq!(checked(&file(500)), "");
        assert_eq!(checked(&file(501)), "size: src/a.rs has more than 500 lines");
    }
}
