//! Changes and requests over the last days, as two rows of bars on one axis of time.

use super::said::{Moment, count, span};
use crate::endpoint::facts::Run;
use std::fmt::Write as _;

/// So many bars a row; each is a share of the time that is shown.
const BARS: usize = 48;
/// The last days, at most.
pub const SPAN_MS: i64 = 3 * 86_400_000;
/// What is shown of a service that just began, at least.
const LEAST_MS: i64 = 3_600_000;
/// The drawing's own units.
const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 56.0;

/// What happened in each of the bars, and when the first of them begins.
struct Axis {
    from_ms: i64,
    step_ms: i64,
}

/// Both rows; nothing where no run is known.
pub fn plot(runs: &[Run], now_ms: i64) -> String {
    let ended = |run: &Run| run.ended_ms.unwrap_or(run.started_ms);
    let Some(oldest) = runs.iter().map(ended).filter(|at| *at > now_ms - SPAN_MS && *at <= now_ms).min() else {
        return String::new();
    };
    let shown_ms = (now_ms - oldest).clamp(LEAST_MS, SPAN_MS);
    let step_ms = shown_ms / BARS as i64 + 1;
    // The last bar ends now, and what ended now is in it.
    let axis = Axis { from_ms: now_ms + 1 - step_ms * BARS as i64, step_ms };
    let mut out = String::new();
    for (what, value) in [("changes", (|run| run.changes) as fn(&Run) -> u64), ("requests", |run| run.requests)] {
        let mut bars = [0_u64; BARS];
        for run in runs {
            let at = (ended(run) - axis.from_ms).div_euclid(step_ms);
            if let Some(bar) = usize::try_from(at).ok().and_then(|at| bars.get_mut(at)) {
                *bar += value(run);
            }
        }
        row(&mut out, what, &bars, &axis, now_ms);
    }
    let _ = write!(
        out,
        "<p class=\"axis\"><span>{} ago</span><span>now</span></p>",
        span(axis.step_ms.unsigned_abs() * BARS as u64)
    );
    out
}

fn row(out: &mut String, what: &str, bars: &[u64; BARS], axis: &Axis, now_ms: i64) {
    let (most, sum) = (bars.iter().max().copied().unwrap_or(0), bars.iter().sum::<u64>());
    let label = format!("{} {what}, at most {} in {}", count(sum), count(most), span(axis.step_ms.unsigned_abs()));
    let _ = write!(
        out,
        "<figure><figcaption>{label}</figcaption><svg class=\"{what}\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{label}\"><line x1=\"0\" y1=\"{HEIGHT}\" x2=\"{WIDTH}\" y2=\"{HEIGHT}\"/>"
    );
    let width = WIDTH / BARS as f64;
    for (at, bar) in bars.iter().enumerate().filter(|(_, bar)| **bar > 0) {
        // What is there at all can be seen.
        let height = (*bar as f64 / most as f64 * (HEIGHT - 2.0)).max(2.0);
        let (x, y) = (at as f64 * width + 0.5, HEIGHT - height);
        let began = Moment { at_ms: axis.from_ms + axis.step_ms * at as i64, now_ms }.to_string();
        let began =
            began.split("title=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default().to_owned();
        let _ = write!(
            out,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{height:.1}\"><title>{} {what} from {began}</title></rect>",
            width - 1.0,
            count(*bar)
        );
    }
    out.push_str("</svg></figure>");
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000_000;

    fn run(ago_ms: i64, changes: u64, requests: u64) -> Run {
        Run { ended_ms: Some(NOW - ago_ms), started_ms: NOW - ago_ms - 5, changes, requests, ..Run::default() }
    }

    /// Where the bars of a row stand, by the numbers that they tell.
    fn bars(svg: &str, what: &str) -> Vec<String> {
        let row = svg.split(&format!("<svg class=\"{what}\"")).nth(1).unwrap().split("</svg>").next().unwrap();
        row.split("<title>").skip(1).map(|title| title.split(' ').next().unwrap().to_owned()).collect()
    }

    #[test]
    fn what_happened_together_is_one_bar_and_what_is_older_than_the_days_shown_is_none() {
        let day = 86_400_000;
        let svg = plot(&[run(0, 1, 10), run(60_000, 2, 10), run(2 * day, 0, 7), run(4 * day, 99, 99)], NOW);
        assert_eq!(bars(&svg, "changes"), ["3"]);
        assert_eq!(bars(&svg, "requests"), ["7", "20"]);
        assert!(svg.contains("27 requests, at most 20 in"), "{svg}");
    }

    #[test]
    fn of_a_service_that_just_began_an_hour_is_shown() {
        assert_eq!(plot(&[], NOW), "");
        assert_eq!(plot(&[run(-5, 1, 1)], NOW), "", "a run of a clock that was set back since");
        let svg = plot(&[run(1_000, 0, 3)], NOW);
        assert!(svg.contains("<span>60 min ago</span>"), "{svg}");
        assert_eq!(bars(&svg, "changes"), [""; 0]);
    }
}
