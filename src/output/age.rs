//! Ages as kubectl shows them.

use jiff::Timestamp;

/// Formats the time since then by the rules of Kubernetes' `duration.HumanDuration`: two units while the first is small.
pub fn age(since: Option<Timestamp>, now: Timestamp) -> String {
    let Some(since) = since else { return "<unknown>".to_owned() };
    let seconds = now.duration_since(since).as_secs();
    if seconds < -1 {
        return "<invalid>".to_owned();
    }
    let seconds = seconds.max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    let two = |big: i64, unit: char, small: i64, small_unit: char| match small {
        0 => format!("{big}{unit}"),
        _ => format!("{big}{unit}{small}{small_unit}"),
    };
    match seconds {
        0..120 => format!("{seconds}s"),
        _ if minutes < 10 => two(minutes, 'm', seconds % 60, 's'),
        _ if minutes < 180 => format!("{minutes}m"),
        _ if hours < 8 => two(hours, 'h', minutes % 60, 'm'),
        _ if hours < 48 => format!("{hours}h"),
        _ if hours < 192 => two(days, 'd', hours % 24, 'h'),
        _ if days < 730 => format!("{days}d"),
        _ if days < 2920 => two(days / 365, 'y', days % 365, 'd'),
        _ => format!("{}y", days / 365),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::{SignedDuration, Timestamp};

    #[test]
    fn follows_kubectl() {
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * 365 * 30);
        // Pairs as in the tests of k8s.io/apimachinery's HumanDuration.
        for (seconds, want) in [
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (125, "2m5s"),
            (600, "10m"),
            (10799, "179m"),
            (10800, "3h"),
            (11100, "3h5m"),
            (28800, "8h"),
            (172799, "47h"),
            (172800, "2d"),
            (176400, "2d1h"),
            (691200, "8d"),
            (63071999, "729d"),
            (63072000, "2y"),
            (63072000 + 86400, "2y1d"),
            (86400 * 365 * 8, "8y"),
        ] {
            assert_eq!(age(Some(now - SignedDuration::from_secs(seconds)), now), want, "{seconds}");
        }
        assert_eq!(age(Some(now + SignedDuration::from_secs(60)), now), "<invalid>");
        assert_eq!(age(None, now), "<unknown>");
    }
}
