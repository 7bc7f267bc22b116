//! Runs and budgets: what the next run must know of the last ones.

use crate::Hub;
use rusqlite::{Row, params};
use twofold_model::Result;

/// One run of the cycle.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Its number; rises with each run.
    pub id: i64,
    /// When it began, in milliseconds since 1970.
    pub started_ms: i64,
    /// When it ended; `None` when it was stopped.
    pub finished_ms: Option<i64>,
    /// Its exit code.
    pub exit: Option<i32>,
}

fn run(row: &Row<'_>) -> rusqlite::Result<Run> {
    Ok(Run {
        id: row.get("id")?,
        started_ms: row.get("started")?,
        finished_ms: row.get("finished")?,
        exit: row.get("exit")?,
    })
}

impl Hub {
    /// A run begins. Returns its number.
    pub fn begin_run(&mut self, now_ms: i64) -> Result<i64> {
        self.insert("INSERT INTO runs (started) VALUES (?1)", [now_ms])
    }

    /// A run ended. Old rows go: the last thousand stay.
    pub fn end_run(&mut self, id: i64, now_ms: i64, exit: i32, report: &str) -> Result<()> {
        self.run(
            "UPDATE runs SET finished = ?2, exit = ?3, report = ?4 WHERE id = ?1",
            params![id, now_ms, exit, report],
        )?;
        self.run("DELETE FROM runs WHERE id < ?1", [id - 1000])
    }

    /// The last run.
    pub fn last_run(&self) -> Result<Option<Run>> {
        self.one("SELECT id, started, finished, exit FROM runs ORDER BY id DESC LIMIT 1", [], run)
    }

    /// The last run that came to its end.
    pub fn last_ended_run(&self) -> Result<Option<Run>> {
        self.one(
            "SELECT id, started, finished, exit FROM runs WHERE finished IS NOT NULL ORDER BY id DESC LIMIT 1",
            [],
            run,
        )
    }

    /// The runs that began since then, the youngest first, and what each said of itself.
    pub fn runs_since(&self, since_ms: i64) -> Result<Vec<(Run, Option<String>)>> {
        self.all(
            "SELECT id, started, finished, exit, report FROM runs WHERE started >= ?1 ORDER BY id DESC",
            [since_ms],
            |row| Ok((run(row)?, row.get("report")?)),
        )
    }

    /// What the last runs said of themselves, the youngest first; one that was stopped said nothing.
    pub fn reports(&self, most: usize) -> Result<Vec<String>> {
        self.all(
            "SELECT report FROM runs WHERE report IS NOT NULL ORDER BY id DESC LIMIT ?1",
            [i64::try_from(most).unwrap_or(i64::MAX)],
            |row| row.get(0),
        )
    }

    /// The run before that one.
    pub fn run_before(&self, id: i64) -> Result<Option<Run>> {
        self.one("SELECT id, started, finished, exit FROM runs WHERE id < ?1 ORDER BY id DESC LIMIT 1", [id], run)
    }

    /// The state of a budget, as its owner wrote it.
    pub fn budget(&self, name: &str) -> Result<Option<String>> {
        self.one("SELECT state FROM budgets WHERE name = ?1", [name], |row| row.get(0))
    }

    /// Keeps the state of a budget.
    pub fn set_budget(&mut self, name: &str, state: &str) -> Result<()> {
        self.run("INSERT INTO budgets VALUES (?1, ?2) ON CONFLICT DO UPDATE SET state = ?2", params![name, state])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_told_from_the_youngest_on_also_those_that_were_cut_off() {
        let mut hub = Hub::in_memory().unwrap();
        assert_eq!(hub.last_ended_run().unwrap(), None);
        let (first, second) = (hub.begin_run(10).unwrap(), hub.begin_run(20).unwrap());
        hub.end_run(first, 15, 4, "a report").unwrap();
        let ended = Run { id: first, started_ms: 10, finished_ms: Some(15), exit: Some(4) };
        assert_eq!(hub.last_ended_run().unwrap(), Some(ended.clone()));
        let cut = Run { id: second, started_ms: 20, finished_ms: None, exit: None };
        assert_eq!(hub.runs_since(10).unwrap(), [(cut.clone(), None), (ended, Some("a report".to_owned()))]);
        assert_eq!(hub.runs_since(11).unwrap(), [(cut, None)]);
    }
}
