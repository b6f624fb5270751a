//! How the page of `inspect -o html` looks: in light, dark and print, for everyone who can read it. `docs/pictures/look` looks
//! at it in a browser.

use crate::support::{Ran, plugin};
use std::collections::BTreeMap;
use std::path::Path;

fn page() -> String {
    let mut command = plugin(["inspect", "-f", "examples/cluster", "-o", "html"]);
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")));
    Ran::of(command).ends_with(0).out
}

/// The colours that a part of the style sheet names, by their names.
fn colours(style: &str) -> BTreeMap<&str, [u8; 3]> {
    let block = style.split_once(":root {").unwrap().1.split_once('}').unwrap().0;
    let named = block.split(';').filter_map(|line| line.trim().strip_prefix("--")?.split_once(": #"));
    let channel = |hex: &str, at: usize| match hex.len() {
        3 => u8::from_str_radix(&hex[at..=at].repeat(2), 16).unwrap(),
        _ => u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap(),
    };
    named.map(|(name, hex)| (name, [0, 1, 2].map(|at| channel(hex, at)))).collect()
}

/// The contrast of two colours as WCAG defines it, from 1 to 21.
fn contrast(a: [u8; 3], b: [u8; 3]) -> f64 {
    let light = |colour: [u8; 3]| {
        let [r, g, b] = colour.map(|value| {
            let value = f64::from(value) / 255.0;
            if value <= 0.03928 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * r + 0.7152 * g + 0.0722 * b
    };
    let (a, b) = (light(a), light(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[test]
fn every_text_can_be_read_in_light_dark_and_print() {
    let page = page();
    let style = page.split_once("<style>").unwrap().1.split_once("</style>").unwrap().0;
    let dark = style.split_once("@media (prefers-color-scheme: dark)").unwrap().1;
    let print = style.split_once("@media print").unwrap().1;
    assert!(
        (contrast([0; 3], [255; 3]) - 21.0).abs() < 0.01 && (contrast([9; 3], [9; 3]) - 1.0).abs() < 0.01
    );
    for (name, style) in [("light", style), ("dark", dark), ("print", print)] {
        let colours = colours(style);
        assert_eq!(colours.len(), 23, "{name}: {colours:?}");
        let mut pairs = Vec::new();
        for ground in ["ground", "card"] {
            pairs.extend(
                ["ink", "soft", "link", "bad", "warn"].map(|text| (text.to_owned(), ground.to_owned())),
            );
        }
        pairs.extend(["bad", "warn", "good", "kept"].map(|text| (text.to_owned(), format!("{text}-ground"))));
        pairs.push(("ink".to_owned(), "warn-ground".to_owned()));
        // The map's texts.
        pairs.extend((0..9).map(|colour| ("ink".to_owned(), format!("c{colour}"))));
        for (text, ground) in pairs {
            let found = contrast(colours[text.as_str()], colours[ground.as_str()]);
            assert!(found >= 4.5, "{name}: {text} on {ground} has a contrast of {found:.2}");
        }
    }
}

#[test]
fn the_page_has_a_language_a_title_and_tables_that_scroll_by_keyboard() {
    let page = page();
    assert!(page.starts_with("<!doctype html>\n<html lang=\"en\">"));
    let title = page.split_once("<title>").unwrap().1.split_once("</title>").unwrap().0;
    assert!(title.starts_with("Artifacts left behind, 20"), "{title}");
    for wanted in [
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">",
        "<meta name=\"color-scheme\" content=\"light dark\">",
        "@media print",
        "@media (forced-colors: active)",
        ":focus-visible { outline: 3px solid",
        "<a class=\"skip\" href=\"#findings\">",
    ] {
        assert!(page.contains(wanted), "{wanted}");
    }
    // What scrolls has the keyboard's focus, and a name.
    let scrolling: Vec<&str> = page.split("<div class=\"scroll\"").skip(1).collect();
    assert!(scrolling.len() >= 3, "{}", scrolling.len());
    for part in scrolling {
        let tag = part.split_once('>').unwrap().0;
        assert!(tag.contains("tabindex=\"0\"") && tag.contains("role=\"region\""), "{tag}");
        assert!(tag.contains("aria-label"), "{tag}");
    }
    // Who prints it sees all, and no buttons.
    let print = page.split_once("@media print").unwrap().1;
    assert!(
        print.contains(".skip, nav, .controls { display: none; }") && print.contains("overflow: visible")
    );
    assert!(page.contains("addEventListener(\"beforeprint\""));
    // Headings go down one level at a time.
    let levels: Vec<u32> =
        page.match_indices("<h").filter_map(|(at, _)| page[at + 2..].chars().next()?.to_digit(10)).collect();
    assert!(levels.windows(2).all(|two| two[1] <= two[0] + 1), "{levels:?}");
}
