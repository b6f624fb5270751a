//! Known offenders: a list that can only get shorter.

/// Compares what was found with what is known, and says what is wrong with either; empty if nothing is.
pub fn compare(found: &[String], known: &[&str]) -> String {
    let new = found.iter().map(String::as_str).filter(|offence| !known.contains(offence));
    let fixed = known.iter().copied().filter(|known| !found.iter().any(|offence| offence == known));
    let mut text = section("These break a rule of docs/architecture.md:", new);
    text += &section("These are fixed and must be removed from the list of known offenders:", fixed);
    text
}

fn section<'a>(title: &str, lines: impl Iterator<Item = &'a str>) -> String {
    let lines: String = lines.map(|line| format!("    {line:?},\n")).collect();
    if lines.is_empty() { lines } else { format!("{title}\n{lines}") }
}

#[cfg(test)]
mod tests {
    use super::compare;

    #[test]
    fn a_new_offence_fails_and_so_does_a_fixed_one_that_is_still_listed() {
        let found = ["a".to_owned(), "b".to_owned()];
        assert_eq!(compare(&found, &["a", "b"]), "");
        assert_eq!(compare(&found, &["a"]), "These break a rule of docs/architecture.md:\n    \"b\",\n");
        let fixed = compare(&found, &["a", "b", "c"]);
        assert_eq!(
            fixed,
            "These are fixed and must be removed from the list of known offenders:\n    \"c\",\n"
        );
    }
}
