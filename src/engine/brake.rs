//! The brake: when a mass change is held, not made (promise 8).

/// Below this many removals nothing is held.
pub const FLOOR: usize = 5;

/// One kind's brake, as configured (`"20% or 100"`): whichever is reached first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Brake {
    /// Share of the collection, in percent.
    pub percent: u32,
    /// Number of items.
    pub count: usize,
}

impl Default for Brake {
    fn default() -> Self {
        Self { percent: 20, count: 100 }
    }
}

impl Brake {
    /// Reads `"20% or 100"`, `"20%"` or `"100"`.
    pub fn parse(text: &str) -> Option<Brake> {
        let mut brake = Brake { percent: 100, count: usize::MAX };
        let mut any = false;
        for part in text.split(" or ").map(str::trim) {
            match part.strip_suffix('%') {
                Some(percent) => brake.percent = percent.trim().parse().ok().filter(|p| (1..=100).contains(p))?,
                None => brake.count = part.parse().ok().filter(|n| *n > 0)?,
            }
            any = true;
        }
        any.then_some(brake)
    }

    /// How many of a collection of `size` items may go in 24 hours.
    pub fn allows(&self, size: usize) -> usize {
        let share = size.saturating_mul(self.percent as usize) / 100;
        share.min(self.count).max(FLOOR)
    }

    /// Whether `going` removals, after `recent` ones in the last 24 hours, are too many for a collection that held `size`
    /// items. A collection that empties at once is too much from [`FLOOR`] items on.
    pub fn holds(&self, size: usize, recent: usize, going: usize) -> bool {
        going > 0 && (going + recent > self.allows(size + recent) || Brake::empties(size, going))
    }

    /// Whether nothing is left of what was no trifle.
    pub fn empties(size: usize, going: usize) -> bool {
        going >= size && size >= FLOOR
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_brake_reads_its_configuration() {
        assert_eq!(Brake::parse("20% or 100"), Some(Brake { percent: 20, count: 100 }));
        assert_eq!(Brake::parse("30%"), Some(Brake { percent: 30, count: usize::MAX }));
        assert_eq!(Brake::parse("50"), Some(Brake { percent: 100, count: 50 }));
        assert_eq!(Brake::parse("lots"), None);
        assert_eq!(Brake::parse("0%"), None);
        assert_eq!(Brake::parse(""), None);
    }

    #[test]
    fn few_removals_pass_and_many_are_held() {
        let brake = Brake::default();
        for (what, size, recent, going, held) in [
            ("three of ten", 10, 0, 3, false),
            ("five of ten: the floor", 10, 0, 5, false),
            ("six of ten", 10, 0, 6, true),
            ("all of five: suddenly empty", 5, 0, 5, true),
            ("all of two", 2, 0, 2, false),
            ("a hundred of a thousand", 1000, 0, 100, false),
            ("one more than a hundred", 1000, 0, 101, true),
            ("in two steps within a day", 1000, 60, 60, true),
            ("nothing goes", 1000, 500, 0, false),
        ] {
            assert_eq!(brake.holds(size, recent, going), held, "{what}");
        }
    }
}
