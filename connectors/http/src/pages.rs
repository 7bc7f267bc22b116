//! Lists that come page by page, and those that never end.

use std::collections::HashSet;
use twofold_model::{Error, ErrorKind, Result};

/// So many pages in a row without a new row are no list any more. (A page may be empty and not the last, and rows may come again.)
pub const MOST_IDLE_PAGES: usize = 100;
/// More pages than any list has that is read as a whole.
const MOST_PAGES: usize = 100_000;

/// What a list has shown so far.
#[derive(Debug, Default)]
pub struct Pages {
    seen: HashSet<String>,
    count: usize,
    idle: usize,
}

impl Pages {
    /// Notes another page, by the ids of its rows.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`] where the list does not come to an end.
    pub fn take<'a>(&mut self, ids: impl IntoIterator<Item = &'a str>) -> Result<()> {
        let before = self.seen.len();
        self.seen.extend(ids.into_iter().map(str::to_owned));
        self.count += 1;
        self.idle = if self.seen.len() > before { 0 } else { self.idle + 1 };
        let endless = |why: String| {
            let words = format!("the list does not come to an end: {why}. Nothing of it was taken");
            Err(Error::new(ErrorKind::Malformed, words))
        };
        match () {
            () if self.idle >= MOST_IDLE_PAGES => {
                endless(format!("{} pages in a row brought nothing that was not there before", self.idle))
            }
            () if self.count >= MOST_PAGES => endless(format!("there were {} pages", self.count)),
            () => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_may_be_long_and_have_empty_pages_and_rows_that_come_again() {
        let mut pages = Pages::default();
        for number in 0..1000 {
            pages.take([number.to_string().as_str()]).unwrap();
            for _ in 0..20 {
                pages.take([]).unwrap();
                pages.take(["0", number.to_string().as_str()]).unwrap();
            }
        }
    }

    #[test]
    fn pages_that_bring_nothing_new_end_a_list_with_an_error() {
        for rows in [&[][..], &["a", "b"][..]] {
            let mut pages = Pages::default();
            pages.take(["a", "b"]).unwrap();
            for _ in 1..MOST_IDLE_PAGES {
                pages.take(rows.iter().copied()).unwrap();
            }
            let error = pages.take(rows.iter().copied()).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Malformed);
            assert!(error.message.contains("100 pages in a row") && error.message.contains("Nothing of it was taken"));
        }
    }

    #[test]
    fn a_list_of_which_every_page_is_new_ends_at_last() {
        let mut pages = Pages::default();
        let ended = (0..=MOST_PAGES).find(|number| pages.take([number.to_string().as_str()]).is_err());
        assert_eq!(ended, Some(MOST_PAGES - 1));
    }
}
