//! What is due now: each kind by its own trigger.

use crate::Trigger;
use std::collections::BTreeMap;
use twofold_model::Kind;

/// When each kind is due.
///
/// What was missed (the machine slept, a run took long) is due once, not as often as it was missed: the next moment is the first one after a
/// run began. The moments themselves are the same whatever ran meanwhile, so kinds whose moments meet have one run together.
#[derive(Clone, Debug, PartialEq)]
pub struct Timetable {
    rows: BTreeMap<Kind, Row>,
    /// Added to each moment, so that not all machines of a company ask in the same second.
    jitter_ms: i64,
    /// The latest moment that was seen.
    seen_ms: i64,
}

#[derive(Clone, Debug, PartialEq)]
struct Row {
    trigger: Trigger,
    due_ms: Option<i64>,
}

impl Timetable {
    /// All kinds are due now, and then by their triggers. `chance` (any number that differs from one machine to the next and stays the
    /// same on one) decides by how much each moment is put off: half a minute at most, and never as long as the shortest time between two
    /// moments.
    pub fn new(triggers: BTreeMap<Kind, Trigger>, chance: u64, now_ms: i64) -> Timetable {
        let between_ms = |trigger: &Trigger| {
            let first_ms = trigger.next(now_ms)?;
            Some(trigger.next(first_ms)? - first_ms)
        };
        let most_ms = triggers.values().filter_map(between_ms).min().unwrap_or(0).clamp(1, 30_000);
        let jitter_ms = i64::try_from(chance % most_ms.unsigned_abs()).unwrap_or(0);
        let rows = triggers.into_iter().map(|(kind, trigger)| (kind, Row { trigger, due_ms: Some(now_ms) })).collect();
        Timetable { rows, jitter_ms, seen_ms: now_ms }
    }

    /// Other triggers for the same kinds, because the clocks go by another zone. What is due, or due again for another reason, stays so.
    pub fn retime(&mut self, triggers: BTreeMap<Kind, Trigger>, now_ms: i64) {
        let jitter_ms = self.jitter_ms;
        for (kind, trigger) in triggers {
            let Some(row) = self.rows.get_mut(&kind).filter(|row| row.trigger != trigger) else { continue };
            let is_by_trigger = row.due_ms == row.after(now_ms, jitter_ms);
            row.trigger = trigger;
            if is_by_trigger {
                row.due_ms = row.after(now_ms, jitter_ms);
            }
        }
    }

    /// The kinds that are due.
    pub fn due(&mut self, now_ms: i64) -> Vec<Kind> {
        // The clock was set back: what was counted from a later moment would not be due for as long.
        if now_ms < self.seen_ms {
            let jitter_ms = self.jitter_ms;
            for row in self.rows.values_mut() {
                let anew = row.after(now_ms, jitter_ms);
                if row.due_ms.is_none_or(|due_ms| anew.is_some_and(|anew| anew < due_ms)) {
                    row.due_ms = anew;
                }
            }
        }
        self.seen_ms = now_ms;
        let is_due = |row: &Row| row.due_ms.is_some_and(|due_ms| due_ms <= now_ms);
        self.rows.iter().filter(|(_, row)| is_due(row)).map(|(kind, _)| *kind).collect()
    }

    /// A run of these kinds began.
    pub fn began(&mut self, kinds: &[Kind], now_ms: i64) {
        for (kind, row) in &mut self.rows {
            if kinds.contains(kind) {
                row.due_ms = row.after(now_ms, self.jitter_ms);
            }
        }
    }

    /// What a run began and did not do (another process was at work) is due again then.
    pub fn again(&mut self, kinds: &[Kind], at_ms: i64) {
        for (kind, row) in &mut self.rows {
            if kinds.contains(kind) {
                row.due_ms = Some(row.due_ms.map_or(at_ms, |due_ms| due_ms.min(at_ms)));
            }
        }
    }

    /// When the next kind is due.
    pub fn next(&self) -> Option<i64> {
        self.rows.values().filter_map(|row| row.due_ms).min()
    }

    /// When each kind is due; those are left out that never are.
    pub fn moments(&self) -> BTreeMap<Kind, i64> {
        self.rows.iter().filter_map(|(kind, row)| Some((*kind, row.due_ms?))).collect()
    }

    /// All kinds.
    pub fn kinds(&self) -> Vec<Kind> {
        self.rows.keys().copied().collect()
    }
}

impl Row {
    fn after(&self, now_ms: i64, jitter_ms: i64) -> Option<i64> {
        Some(self.trigger.next(now_ms.saturating_sub(jitter_ms))?.saturating_add(jitter_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    fn table(mail: i64, contacts: i64) -> Timetable {
        let triggers = BTreeMap::from([(Kind::Mail, Trigger::Every(mail)), (Kind::Contacts, Trigger::Every(contacts))]);
        Timetable::new(triggers, 0, 0)
    }

    #[test]
    fn clocks_that_go_by_another_zone_move_what_is_not_yet_due_and_nothing_else() {
        let at_nine = |zone| Trigger::cron("0 9 * * *", zone).unwrap();
        let of = |zone| BTreeMap::from([(Kind::Mail, Trigger::Every(5 * MINUTE)), (Kind::Contacts, at_nine(zone))]);
        let mut table = Timetable::new(of(chrono_tz::Tz::UTC), 0, 0);
        table.retime(of(chrono_tz::Asia::Tokyo), 0);
        assert_eq!(table.moments(), [(Kind::Mail, 0), (Kind::Contacts, 0)].into(), "all are due");
        table.began(&[Kind::Mail, Kind::Contacts], 0);
        assert_eq!(table.moments(), [(Kind::Mail, 5 * MINUTE), (Kind::Contacts, 24 * 60 * MINUTE)].into());
        table.retime(of(chrono_tz::Asia::Dubai), MINUTE);
        assert_eq!(table.moments(), [(Kind::Mail, 5 * MINUTE), (Kind::Contacts, 5 * 60 * MINUTE)].into());
        table.again(&[Kind::Contacts], 2 * MINUTE);
        table.retime(of(chrono_tz::Tz::UTC), MINUTE);
        assert_eq!(table.moments()[&Kind::Contacts], 2 * MINUTE, "it is due again for another reason");
    }

    #[test]
    fn each_kind_is_due_by_its_own_trigger_and_all_at_the_beginning() {
        let mut table = table(MINUTE, 5 * MINUTE);
        let mut runs = Vec::new();
        for now in (0..=10 * MINUTE).step_by(1000) {
            let due = table.due(now);
            if !due.is_empty() {
                table.began(&due, now);
                runs.push((now / MINUTE, due.len()));
            }
        }
        let expected: Vec<(i64, usize)> =
            (0..=10).map(|minute| (minute, if minute % 5 == 0 { 2 } else { 1 })).collect();
        assert_eq!(runs, expected);
    }

    #[test]
    fn what_was_missed_while_the_machine_slept_is_due_once() {
        let mut table = table(MINUTE, 5 * MINUTE);
        table.began(&[Kind::Mail, Kind::Contacts], 0);
        let night = 8 * 60 * MINUTE;
        assert_eq!(table.due(night), [Kind::Mail, Kind::Contacts]);
        table.began(&[Kind::Mail, Kind::Contacts], night);
        assert_eq!(table.due(night + MINUTE - 1), []);
        assert_eq!(table.due(night + MINUTE), [Kind::Mail]);
        let moments = [(Kind::Mail, night + MINUTE), (Kind::Contacts, night + 5 * MINUTE)];
        assert_eq!(table.moments(), moments.into());
    }

    #[test]
    fn a_clock_that_was_set_back_puts_nothing_off() {
        let mut table = table(MINUTE, 5 * MINUTE);
        let year = 365 * 24 * 60 * MINUTE;
        table.due(year);
        table.began(&[Kind::Mail, Kind::Contacts], year);
        assert_eq!(table.due(MINUTE), []);
        assert_eq!(table.next(), Some(2 * MINUTE));
        assert_eq!(table.due(6 * MINUTE), [Kind::Mail, Kind::Contacts]);
    }

    #[test]
    fn what_was_begun_and_not_done_is_due_again_soon() {
        let mut table = table(MINUTE, 5 * MINUTE);
        table.began(&[Kind::Mail, Kind::Contacts], 0);
        table.again(&[Kind::Contacts], 5000);
        assert_eq!((table.due(4999), table.due(5000)), (vec![], vec![Kind::Contacts]));
    }

    #[test]
    fn kinds_meet_again_after_one_of_them_had_a_run_of_its_own() {
        let mut table = table(MINUTE, 5 * MINUTE);
        table.began(&[Kind::Mail, Kind::Contacts], 0);
        table.began(&[Kind::Contacts], 2 * MINUTE + 1234);
        table.began(&[Kind::Mail], 4 * MINUTE + 7);
        assert_eq!(table.due(5 * MINUTE), [Kind::Mail, Kind::Contacts]);
    }

    #[test]
    fn machines_of_one_company_do_not_ask_in_the_same_second_and_none_waits_for_long() {
        let triggers = || BTreeMap::from([(Kind::Mail, Trigger::Every(10 * MINUTE))]);
        let first = |triggers, chance| {
            let mut table = Timetable::new(triggers, chance, MINUTE);
            assert_eq!(table.due(MINUTE), [Kind::Mail], "the first run is at once");
            table.began(&[Kind::Mail], MINUTE);
            table.next().unwrap() - 10 * MINUTE
        };
        assert_eq!((first(triggers(), 7), first(triggers(), 12_345)), (7, 12_345));
        assert!((0..200_000).step_by(777).all(|chance| first(triggers(), chance) < 30_000));
        let cron = || BTreeMap::from([(Kind::Mail, Trigger::cron("0 */10 * * * *", chrono_tz::UTC).unwrap())]);
        assert_eq!(first(cron(), 7), 7);
        let often = BTreeMap::from([(Kind::Mail, Trigger::Every(1000))]);
        let mut table = Timetable::new(often, 12_345, 0);
        table.began(&[Kind::Mail], 0);
        assert_eq!(table.next(), Some(345), "a second is put off by less than a second");
    }
}
