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

/// What is said of a marked object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    pub since: Timestamp,
    /// How long it was to last when it was set.
    pub lasts: SignedDuration,
}

impl Mark {
    /// Returns the text of the mark of an object with the pin.
    pub fn text(&self, pin: &str) -> String {
        format!("{} {} {}s", self.since.strftime("%FT%TZ"), plain(pin), self.lasts.as_secs())
    }

    /// Reads the text of a mark; none if it is that of another object than the one with the pin, or no mark.
    pub fn of(text: &str, pin: &str, created: Option<Timestamp>) -> Option<Self> {
        let mut words = text.split(' ');
        let (since, of, lasts) = (words.next()?.parse().ok()?, words.next()?, words.next()?);
        let lasts = lasts.strip_suffix('s')?.parse().ok().filter(|seconds| *seconds >= 0)?;
        let is_ours = of == plain(pin) && created.is_some_and(|created| created <= since);
        is_ours.then_some(Self { since, lasts: SignedDuration::from_secs(lasts) })
    }
}

/// A pin in characters that the tags of every storage take.
fn plain(pin: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() || "-+=.:/_".contains(c) { c } else { '_' };
    pin.trim_matches('"').chars().map(letter).collect()
}

impl Quarantine {
    /// Returns what the text of its mark says of an object. `finished_at` is the end of its workflow's run; orphans have
    /// none.
    ///
    /// A mark counts only for the very object that it was set on: copies and restored objects may carry it along. What
    /// was needed after it, because its workflow ran again, begins anew. The same goes for a time that no clock of ours
    /// has shown. It lasts as long as was said when it was set, or longer if more is asked for now.
    pub fn standing(
        &self,
        text: Option<&str>,
        object: &PlannedObject,
        finished_at: Option<Timestamp>,
    ) -> Standing {
        let mark = text.and_then(|text| Mark::of(text, &object.generation, object.created));
        let Some(Mark { since, lasts }) = mark else { return Standing::Unmarked };
        if finished_at.is_some_and(|end| since < end) || since > self.now + CLOCKS {
            return Standing::Unmarked;
        }
        // Who set the mark was told how long it lasts.
        match since.checked_add(self.lasts.max(lasts)) {
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

    /// The text of a mark for six days.
    fn text(since: Timestamp, pin: &str) -> String {
        Mark { since, lasts: SignedDuration::from_hours(144) }.text(pin)
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
        for text in [
            "2026-10-31T23:59:59Z 7 1s",
            "2027-11-01T00:00:00Z 7 1s",
            "2026-11-01T06:00:00Z 7",
            "2026-11-01T06:00:00Z",
            "2026-11-01T06:00:00Z 7 1",
            "2026-11-01T06:00:00Z 7 -1s",
            "",
            "yes 7 1s",
            " 7 1s",
        ] {
            assert_eq!(standing(text, "7", ended), Standing::Unmarked, "{text}");
        }
        let quarantine = Quarantine { lasts: SignedDuration::ZERO, now: at("2026-11-08T12:00:00Z") };
        let ageless = PlannedObject { created: None, ..object("7") };
        assert_eq!(quarantine.standing(Some(&mark), &ageless, None), Standing::Unmarked);
        assert_eq!(quarantine.standing(None, &object("7"), None), Standing::Unmarked);
        assert_eq!(quarantine.standing(Some(&mark), &object("7"), None), Standing::Over);
    }

    #[test]
    fn a_mark_lasts_as_long_as_was_said_when_it_was_set() {
        let quarantine =
            |hours| Quarantine { lasts: SignedDuration::from_hours(hours), now: at("2026-11-07T12:00:00Z") };
        // For six days.
        let mark = text(at("2026-11-01T12:00:01Z"), "7");
        let end = Standing::Until(at("2026-11-07T12:00:01Z"));
        assert_eq!(quarantine(1).standing(Some(&mark), &object("7"), None), end);
        assert_eq!(
            quarantine(145).standing(Some(&mark), &object("7"), None),
            Standing::Until(at("2026-11-07T13:00:01Z"))
        );
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
        assert_eq!(text(marked, "\"0x8DC\""), "2026-11-01T06:00:00Z 0x8DC 518400s");
        assert_eq!(text(marked, "d41d-2@17"), "2026-11-01T06:00:00Z d41d-2_17 518400s");
        for pin in ["\"0x8DC\"", "d41d-2@17", "ü<&>"] {
            assert_eq!(standing(&text(marked, pin), pin, "2026-11-01T00:00:05Z"), Standing::Over, "{pin}");
        }
    }
}
