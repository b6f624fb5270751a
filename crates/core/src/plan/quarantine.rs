//! Quarantine: one run marks an object, and the first run after a time that still finds it unneeded deletes it.

use crate::plan::planned::PlannedObject;
use crate::plan::select::CLOCKS;
use jiff::{SignedDuration, Timestamp};

/// How long objects stay marked before they are deleted.
#[derive(Debug, Clone, Copy)]
pub struct Quarantine {
    pub lasts: SignedDuration,
    pub now: Timestamp,
}

/// What a mark says of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It has no mark, or one that does not count.
    Unmarked,
    /// It is marked, and stays until then.
    Until(Timestamp),
    /// It was marked long enough ago.
    Over,
}

/// Returns the text of a mark: when it was set, and the pin of the object that it was set on.
pub fn text(now: Timestamp, pin: &str) -> String {
    format!("{} {}", now.strftime("%FT%TZ"), plain(pin))
}

/// A pin in characters that the tags of every storage take.
fn plain(pin: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() || "-+=.:/_".contains(c) { c } else { '_' };
    pin.trim_matches('"').chars().map(letter).collect()
}

/// Returns when the object with the pin was marked; none if the text is of another object, or no mark.
pub fn since(text: &str, pin: &str, created: Option<Timestamp>) -> Option<Timestamp> {
    let (time, of) = text.split_once(' ')?;
    let marked: Timestamp = time.parse().ok()?;
    (of == plain(pin) && created.is_some_and(|created| created <= marked)).then_some(marked)
}

impl Quarantine {
    /// Returns what the text of its mark says of an object. `finished_at` is the end of its workflow's run; orphans have
    /// none.
    ///
    /// A mark counts only for the very object that it was set on: copies and restored objects may carry it along. What
    /// was needed after it, because its workflow ran again, begins anew. The same goes for a time that no clock of ours
    /// has shown.
    pub fn standing(
        &self,
        text: Option<&str>,
        object: &PlannedObject,
        finished_at: Option<Timestamp>,
    ) -> Standing {
        let Some(marked) = text.and_then(|text| since(text, &object.generation, object.created)) else {
            return Standing::Unmarked;
        };
        if finished_at.is_some_and(|end| marked < end) || marked > self.now + CLOCKS {
            return Standing::Unmarked;
        }
        match marked.checked_add(self.lasts) {
            Ok(end) if end <= self.now => Standing::Over,
            Ok(end) => Standing::Until(end),
            Err(_) => Standing::Until(Timestamp::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn object(pin: &str) -> PlannedObject {
        serde_json::from_value(serde_json::json!({
            "bucket": "gs://b", "key": "k", "generation": pin, "size": 1, "created": "2026-11-01T00:00:00Z",
            "artifact": "a", "nodeId": "n",
        }))
        .unwrap()
    }

    fn at(time: &str) -> Timestamp {
        time.parse().unwrap()
    }

    /// What a mark says on 8 November, when a week is asked for.
    fn standing(text: &str, pin: &str, finished_at: &str) -> Standing {
        let quarantine =
            Quarantine { lasts: SignedDuration::from_hours(168), now: at("2026-11-08T12:00:00Z") };
        quarantine.standing(Some(text), &object(pin), Some(at(finished_at)))
    }

    #[test]
    fn an_object_is_due_a_week_after_its_mark_and_not_before() {
        let of = |time: &str| standing(&text(at(time), "7"), "7", "2026-11-01T00:00:05Z");
        assert_eq!(of("2026-11-01T12:00:00Z"), Standing::Over);
        assert_eq!(of("2026-11-01T12:00:01Z"), Standing::Until(at("2026-11-08T12:00:01Z")));
        assert_eq!(of("2026-11-08T12:05:00Z"), Standing::Until(at("2026-11-15T12:05:00Z")));
    }

    #[test]
    fn a_mark_of_another_object_or_another_time_does_not_count() {
        let ended = "2026-11-01T00:00:05Z";
        let mark = text(at("2026-11-01T06:00:00Z"), "7");
        assert_eq!(standing(&mark, "7", ended), Standing::Over);
        // At the very moment that it was written, that its run ended, and as late as clocks may differ.
        let written = text(at("2026-11-01T00:00:00Z"), "7");
        assert_eq!(standing(&written, "7", "2026-11-01T00:00:00Z"), Standing::Over);
        let late = |second: u8| text(at(&format!("2026-11-08T12:10:0{second}Z")), "7");
        assert_eq!(standing(&late(0), "7", ended), Standing::Until(at("2026-11-15T12:10:00Z")));
        assert_eq!(standing(&late(1), "7", ended), Standing::Unmarked);
        // Written again, copied, or brought back.
        assert_eq!(standing(&mark, "8", ended), Standing::Unmarked);
        // Its workflow ran again.
        assert_eq!(standing(&mark, "7", "2026-11-01T06:00:01Z"), Standing::Unmarked);
        // Marked before it was written; later than now; not by this tool.
        for text in
            ["2026-10-31T23:59:59Z 7", "2027-11-01T00:00:00Z 7", "2026-11-01T06:00:00Z", "", "yes 7", " 7"]
        {
            assert_eq!(standing(text, "7", ended), Standing::Unmarked, "{text}");
        }
        let quarantine = Quarantine { lasts: SignedDuration::ZERO, now: at("2026-11-08T12:00:00Z") };
        let ageless = PlannedObject { created: None, ..object("7") };
        assert_eq!(quarantine.standing(Some(&mark), &ageless, None), Standing::Unmarked);
        assert_eq!(quarantine.standing(None, &object("7"), None), Standing::Unmarked);
        assert_eq!(quarantine.standing(Some(&mark), &object("7"), None), Standing::Over);
    }

    #[test]
    fn a_time_beyond_all_times_never_comes() {
        let quarantine = Quarantine { lasts: SignedDuration::MAX, now: at("2026-11-08T12:00:00Z") };
        let mark = text(at("2026-11-01T06:00:00Z"), "7");
        assert_eq!(quarantine.standing(Some(&mark), &object("7"), None), Standing::Until(Timestamp::MAX));
    }

    #[test]
    fn every_pin_is_text_for_a_tag() {
        let marked = at("2026-11-01T06:00:00Z");
        assert_eq!(text(marked, "\"0x8DC\""), "2026-11-01T06:00:00Z 0x8DC");
        assert_eq!(text(marked, "d41d-2@17"), "2026-11-01T06:00:00Z d41d-2_17");
        for pin in ["\"0x8DC\"", "d41d-2@17", "ü<&>"] {
            assert_eq!(standing(&text(marked, pin), pin, "2026-11-01T00:00:05Z"), Standing::Over, "{pin}");
        }
    }
}
