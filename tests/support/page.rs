//! A page's fenced blocks: commands, and what they are said to print.

/// A fenced block of a page.
#[derive(Debug)]
pub struct Block<'a> {
    pub section: &'a str,
    /// `sh`: commands; `console`: commands after `$ `, each with what it prints.
    language: &'a str,
    pub text: String,
    /// There is no `<!-- not run -->` before it.
    pub runs: bool,
}

/// Those of a page, in their order.
pub fn blocks(page: &str) -> Vec<Block<'_>> {
    let (mut blocks, mut section, mut before) = (Vec::new(), "", "");
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(title) = line.strip_prefix("## ") {
            section = title;
        } else if let Some(language) = line.strip_prefix("```") {
            let text =
                lines.by_ref().take_while(|line| *line != "```").map(|line| format!("{line}\n")).collect();
            blocks.push(Block { section, language, text, runs: before != "<!-- not run -->" });
        }
        before = line;
    }
    blocks
}

impl Block<'_> {
    /// Its commands, each with what it is said to print; of `sh` blocks nothing is said.
    pub fn commands(&self) -> Vec<(String, Option<String>)> {
        match self.language {
            "sh" => vec![(self.text.clone(), None)],
            "console" => {
                let text = format!("\n{}", self.text);
                let parts = text.split("\n$ ").skip(1);
                // A command goes on after a backslash.
                let end = |part: &str| {
                    part.match_indices('\n').map(|(at, _)| at).find(|at| !part[..*at].ends_with('\\'))
                };
                let halves = parts.map(|part| part.split_at(end(part).unwrap_or(part.len())));
                halves
                    .map(|(command, output)| {
                        (command.to_owned(), Some(output.trim_start_matches('\n').to_owned()))
                    })
                    .collect()
            }
            other => panic!("README.md has a block of {other:?}, which nobody runs"),
        }
    }
}

/// Whether a command ended and printed as the page says: 0 unless there is `# exit status 3`. Ages move on with the clock,
/// and so do the names of journals.
pub fn matches(command: &str, code: Option<i32>, printed: &str, shown: Option<&str>) -> Result<(), String> {
    let said = command.split_once("# exit status ").map(|(_, rest)| rest.split_whitespace().next().unwrap());
    let wanted = said.map_or(0, |code| code.parse().unwrap());
    if code != Some(wanted) {
        return Err(format!("{command}\nended with {code:?}, not {wanted}:\n{printed}"));
    }
    let Some(shown) = shown else { return Ok(()) };
    let (lines, shown) = (steady(printed), steady(shown));
    match (0..lines.len().max(shown.len())).find(|at| lines.get(*at) != shown.get(*at)) {
        None => Ok(()),
        Some(at) => Err(format!(
            "{command}\nprints      {:?}\nREADME says {:?}\nin all:\n{printed}",
            lines.get(at),
            shown.get(at),
        )),
    }
}

/// Lines without what changes from run to run.
fn steady(text: &str) -> Vec<String> {
    let is_age = |word: &str| {
        let word = word.trim_end_matches(',');
        word.len() > 1
            && word.starts_with(|c: char| c.is_ascii_digit())
            && word.chars().all(|c| c.is_ascii_digit() || "smhdy".contains(c))
            && word.ends_with(|c: char| "smhdy".contains(c))
    };
    let words =
        |line: &str| line.split_whitespace().filter(|word| !is_age(word)).collect::<Vec<_>>().join(" ");
    let lines = text.trim_end().lines().map(words);
    lines.map(|line| if line.starts_with("Journal: ") { "Journal: ".to_owned() } else { line }).collect()
}
