//! The rows of the table that are about events, and the events that they are about.

use super::scenarios::{Act, Deed, Expect, Field, MAIN, Scenario, Side, joined as joined_people, row as row_of_people};
use twofold_model::Kind;

use Act::{DeltaTokensExpire, Here, There};
use Deed::{Create, Delete, Label, Move, Set, Split};
use Expect::{Gone, Holds};
use Field::{Alarm, Calendar, Guest, Note, Place, Rule, Start};
use Side::{Google, Microsoft};

/// An event that is there before the first run.
pub struct Seed {
    pub name: &'static str,
    pub side: Side,
    pub calendar: &'static str,
    pub start: &'static str,
    pub more: &'static [(Field, &'static str)],
}

const fn seed(
    name: &'static str,
    side: Side,
    calendar: &'static str,
    start: &'static str,
    more: &'static [(Field, &'static str)],
) -> Seed {
    Seed { name, side, calendar, start, more }
}

/// Two Mondays after its beginning the clocks go forward; occurrences of it are changed and cancelled by [`BEFORE`].
const STANDUP: (&str, &[(Field, &str)]) =
    ("2026-03-16T09:00 Europe/Berlin", &[(Rule, "FREQ=WEEKLY;BYDAY=MO;UNTIL=20260504T070000Z"), (Place, "Room 1")]);
/// Three Wednesdays after its beginning they go back.
const EVENING: (&str, &[(Field, &str)]) = ("2026-10-07T19:30 Europe/Berlin", &[(Rule, "FREQ=WEEKLY;BYDAY=WE")]);

pub const EVENTS: &[Seed] = &[
    seed("Dentist", Google, MAIN, "2026-03-27T08:00 Europe/Berlin", &[(Place, "Main Street 1")]),
    seed("Holiday", Google, MAIN, "2026-03-30", &[]),
    seed("Stand-up", Google, MAIN, STANDUP.0, STANDUP.1),
    seed("Lecture", Google, MAIN, "2026-03-24T14:00 Europe/Berlin", &[(Note, "Bring a pen")]),
    seed("Budget", Google, MAIN, "2026-03-25T15:00 Europe/Berlin", &[(Guest, "grace@example.org")]),
    seed("Choir", Google, "Klub", EVENING.0, EVENING.1),
    seed("Swim", Google, "Klub", "2026-10-26T07:00 Europe/Berlin", &[]),
    seed("Yoga", Google, "Klub", EVENING.0, EVENING.1),
    seed("Dentist", Microsoft, MAIN, "2026-03-27T08:00 Europe/Berlin", &[(Place, "Main Street 1")]),
    seed("Holiday", Microsoft, MAIN, "2026-03-30", &[]),
    seed("Stand-up", Microsoft, MAIN, STANDUP.0, STANDUP.1),
    seed("Workshop", Microsoft, MAIN, "2026-03-24T14:00 Europe/Berlin", &[(Note, "Bring a pen")]),
    seed("Review", Microsoft, MAIN, "2026-03-25T15:00 Europe/Berlin", &[(Guest, "grace@example.org")]),
    seed("Chess", Microsoft, "Verein", EVENING.0, EVENING.1),
    seed("Yoga", Microsoft, "Verein", EVENING.0, EVENING.1),
    seed("Sauna", Microsoft, "Verein", "2026-10-26T07:00 Europe/Berlin", &[]),
];

/// The calendars beside [`MAIN`].
pub const OTHERS: &[&str] = &["Klub", "Verein"];

/// What has happened to them since, before the first run.
pub const BEFORE: &[Act] = &[
    There(Google, Set("Stand-up@2026-03-23", Place, "Room 2")),
    There(Google, Delete("Stand-up@2026-04-06")),
    There(Microsoft, Set("Stand-up@2026-03-23", Place, "Room 2")),
    There(Microsoft, Delete("Stand-up@2026-04-06")),
    There(Google, Set("Choir@2026-10-21", Note, "Bring cake")),
    There(Microsoft, Set("Chess@2026-10-21", Note, "Bring cake")),
];

const fn row(name: &'static str, acts: &'static [Act], expects: &'static [Expect]) -> Scenario {
    Scenario { kind: Kind::Calendar, ..row_of_people(name, acts, expects) }
}

const fn joined(name: &'static str, acts: &'static [Act], expects: &'static [Expect]) -> Scenario {
    Scenario { kind: Kind::Calendar, ..joined_people(name, acts, expects) }
}

/// A meeting with guests is changed here in what is private only: what its guests would be mailed about is held. Such rows need
/// an expectation of what is held, and runs that may end with 3.
pub const CALENDARS: &[Scenario] = &[
    row(
        "events: nothing happens",
        &[],
        &[
            Holds(Google, "Stand-up@2026-03-23", Place, "Room 2"),
            Holds(Microsoft, "Chess@2026-10-21", Note, "Bring cake"),
            Gone(Google, "Stand-up@2026-04-06"),
        ],
    ),
    row(
        "events: created in four places",
        &[
            There(Google, Create("Concert")),
            There(Microsoft, Create("Opera")),
            Here(Google, Create("Walk")),
            Here(Microsoft, Create("Ride")),
        ],
        &[
            Expect::There(Google, "Concert"),
            Expect::There(Google, "Walk"),
            Expect::There(Microsoft, "Opera"),
            Expect::There(Microsoft, "Ride"),
        ],
    ),
    row(
        "events: two fields edited on two sides",
        &[
            There(Google, Set("Dentist", Place, "Side Street 2")),
            Here(Google, Set("Dentist", Note, "Fasting")),
            Here(Microsoft, Set("Workshop", Place, "Hall 3")),
            There(Microsoft, Set("Workshop", Start, "2026-03-24T16:00 Europe/Berlin")),
        ],
        &[
            Holds(Google, "Dentist", Place, "Side Street 2"),
            Holds(Google, "Dentist", Note, "Fasting"),
            Holds(Microsoft, "Workshop", Place, "Hall 3"),
            Holds(Microsoft, "Workshop", Start, "2026-03-24T16:00 Europe/Berlin"),
        ],
    ),
    row(
        "events: deleted on both sides",
        &[
            There(Google, Delete("Lecture")),
            Here(Google, Delete("Dentist")),
            There(Microsoft, Delete("Workshop")),
            Here(Microsoft, Delete("Stand-up")),
        ],
        &[
            Gone(Google, "Lecture"),
            Gone(Google, "Dentist"),
            Gone(Microsoft, "Workshop"),
            Gone(Microsoft, "Stand-up@2026-03-16"),
        ],
    ),
    row(
        "events: an edit beats a delete",
        &[
            There(Google, Delete("Lecture")),
            Here(Google, Set("Lecture", Note, "Bring two pens")),
            Here(Microsoft, Delete("Workshop")),
            There(Microsoft, Set("Workshop", Note, "Bring two pens")),
        ],
        &[Holds(Google, "Lecture", Note, "Bring two pens"), Holds(Microsoft, "Workshop", Note, "Bring two pens")],
    ),
    row(
        "series: exceptions edited on both sides",
        &[
            There(Google, Set("Stand-up@2026-03-23", Note, "Cake")),
            Here(Google, Set("Stand-up@2026-03-30", Place, "Room 3")),
            Here(Microsoft, Set("Stand-up@2026-03-23", Note, "Cake")),
            There(Microsoft, Set("Stand-up@2026-03-30", Place, "Room 3")),
        ],
        &[
            Holds(Google, "Stand-up@2026-03-23", Note, "Cake"),
            Holds(Google, "Stand-up@2026-03-23", Place, "Room 2"),
            Holds(Google, "Stand-up@2026-03-30", Place, "Room 3"),
            Holds(Microsoft, "Stand-up@2026-03-23", Note, "Cake"),
            Holds(Microsoft, "Stand-up@2026-03-30", Place, "Room 3"),
        ],
    ),
    row(
        "series: one occurrence deleted here, another there",
        &[
            Here(Google, Delete("Stand-up@2026-03-30")),
            There(Google, Delete("Choir@2026-10-28")),
            There(Microsoft, Delete("Stand-up@2026-03-30")),
            Here(Microsoft, Delete("Chess@2026-10-28")),
        ],
        &[
            Gone(Google, "Stand-up@2026-03-30"),
            Gone(Google, "Choir@2026-10-28"),
            Gone(Microsoft, "Stand-up@2026-03-30"),
            Gone(Microsoft, "Chess@2026-10-28"),
        ],
    ),
    row(
        // What was taken out of a series at Microsoft cannot be put back there: nobody deletes there what is moved here.
        "series: one occurrence deleted here and moved there",
        &[
            Here(Google, Delete("Stand-up@2026-03-30")),
            There(Google, Set("Stand-up@2026-03-30", Start, "2026-03-31T11:00 Europe/Berlin")),
            There(Google, Delete("Choir@2026-10-28")),
            Here(Google, Set("Choir@2026-10-28", Start, "2026-10-27T18:00 Europe/Berlin")),
            Here(Microsoft, Delete("Stand-up@2026-03-30")),
            There(Microsoft, Set("Stand-up@2026-03-30", Start, "2026-03-31T11:00 Europe/Berlin")),
        ],
        &[
            Holds(Google, "Stand-up@2026-03-30", Start, "2026-03-31T11:00 Europe/Berlin"),
            Holds(Google, "Choir@2026-10-28", Start, "2026-10-27T18:00 Europe/Berlin"),
            Holds(Microsoft, "Stand-up@2026-03-30", Start, "2026-03-31T11:00 Europe/Berlin"),
        ],
    ),
    row(
        "series: occurrences of the clock change week moved",
        &[
            Here(Google, Set("Stand-up@2026-03-30", Start, "2026-03-30T08:00 Europe/Berlin")),
            There(Google, Set("Choir@2026-10-28", Start, "2026-10-25T02:30 Europe/Berlin")),
            There(Microsoft, Set("Stand-up@2026-03-30", Start, "2026-03-30T08:00 Europe/Berlin")),
            Here(Microsoft, Set("Chess@2026-10-28", Start, "2026-10-27T18:00 Europe/Berlin")),
        ],
        &[
            Holds(Google, "Stand-up@2026-03-30", Start, "2026-03-30T08:00 Europe/Berlin"),
            Holds(Google, "Choir@2026-10-28", Start, "2026-10-25T02:30 Europe/Berlin"),
            Holds(Microsoft, "Stand-up@2026-03-30", Start, "2026-03-30T08:00 Europe/Berlin"),
            Holds(Microsoft, "Chess@2026-10-28", Start, "2026-10-27T18:00 Europe/Berlin"),
        ],
    ),
    row(
        "series: the rule changed",
        &[
            Here(Google, Set("Stand-up", Rule, "FREQ=WEEKLY;BYDAY=MO;UNTIL=20260420T070000Z")),
            There(Google, Set("Choir", Rule, "FREQ=WEEKLY;BYDAY=WE;COUNT=4")),
            There(Microsoft, Set("Stand-up", Rule, "FREQ=WEEKLY;BYDAY=MO;UNTIL=20260420T070000Z")),
            Here(Microsoft, Set("Chess", Rule, "FREQ=WEEKLY;BYDAY=WE;COUNT=4")),
        ],
        &[
            Expect::There(Google, "Stand-up@2026-04-20"),
            Gone(Google, "Stand-up@2026-04-27"),
            Expect::There(Google, "Choir@2026-10-28"),
            Gone(Google, "Choir@2026-11-04"),
            Gone(Microsoft, "Stand-up@2026-04-27"),
            Gone(Microsoft, "Chess@2026-11-04"),
        ],
    ),
    row(
        "the zone changed, of events and of series",
        &[
            Here(Google, Set("Dentist", Start, "2026-03-27T08:00 America/New_York")),
            Here(Google, Set("Yoga", Start, "2026-10-07T19:30 America/New_York")),
            There(Google, Set("Choir", Start, "2026-10-07T19:30 America/New_York")),
            There(Microsoft, Set("Dentist", Start, "2026-03-27T08:00 America/New_York")),
            There(Microsoft, Set("Yoga", Start, "2026-10-07T19:30 America/New_York")),
            Here(Microsoft, Set("Workshop", Start, "2026-03-24T14:00 America/New_York")),
        ],
        &[
            Holds(Google, "Dentist", Start, "2026-03-27T08:00 America/New_York"),
            Holds(Google, "Yoga@2026-11-04", Start, "2026-11-04T19:30 America/New_York"),
            Holds(Google, "Choir@2026-11-04", Start, "2026-11-04T19:30 America/New_York"),
            Holds(Microsoft, "Dentist", Start, "2026-03-27T08:00 America/New_York"),
            Holds(Microsoft, "Yoga@2026-11-04", Start, "2026-11-04T19:30 America/New_York"),
            Holds(Microsoft, "Workshop", Start, "2026-03-24T14:00 America/New_York"),
        ],
    ),
    row(
        "series: a series as a whole edited on the device",
        &[
            Here(Microsoft, Set("Yoga", Start, "2026-10-07T18:00 Europe/Berlin")),
            Here(Google, Set("Yoga", Place, "Hall")),
        ],
        &[
            Holds(Microsoft, "Yoga@2026-10-28", Start, "2026-10-28T18:00 Europe/Berlin"),
            Holds(Google, "Yoga@2026-10-28", Place, "Hall"),
        ],
    ),
    row(
        "events: moved between calendars",
        &[
            Here(Google, Move("Lecture", "Klub")),
            There(Google, Move("Swim", MAIN)),
            There(Microsoft, Move("Workshop", "Verein")),
            Here(Microsoft, Move("Sauna", MAIN)),
        ],
        &[
            Holds(Google, "Lecture", Calendar, "Klub"),
            Holds(Google, "Swim", Calendar, MAIN),
            Holds(Microsoft, "Workshop", Calendar, "Verein"),
            Holds(Microsoft, "Sauna", Calendar, MAIN),
        ],
    ),
    row(
        "series: moved between calendars",
        &[
            Here(Google, Move("Stand-up", "Klub")),
            There(Google, Move("Choir", MAIN)),
            There(Microsoft, Move("Stand-up", "Verein")),
            Here(Microsoft, Move("Chess", MAIN)),
        ],
        &[
            Holds(Google, "Stand-up@2026-03-23", Calendar, "Klub"),
            Holds(Google, "Choir@2026-10-21", Note, "Bring cake"),
            Holds(Microsoft, "Stand-up@2026-03-23", Calendar, "Verein"),
            Holds(Microsoft, "Chess@2026-10-21", Note, "Bring cake"),
        ],
    ),
    row(
        "events: a whole day gets a time, a time becomes a whole day",
        &[
            Here(Google, Set("Holiday", Start, "2026-03-30T12:00 Europe/Berlin")),
            There(Google, Set("Lecture", Start, "2026-03-24")),
            There(Microsoft, Set("Holiday", Start, "2026-03-30T12:00 Europe/Berlin")),
            Here(Microsoft, Set("Workshop", Start, "2026-03-24")),
        ],
        &[
            Holds(Google, "Holiday", Start, "2026-03-30T12:00 Europe/Berlin"),
            Holds(Google, "Lecture", Start, "2026-03-24"),
            Holds(Microsoft, "Holiday", Start, "2026-03-30T12:00 Europe/Berlin"),
            Holds(Microsoft, "Workshop", Start, "2026-03-24"),
        ],
    ),
    row(
        "series: deleted while an exception is edited",
        &[
            Here(Google, Delete("Stand-up")),
            There(Google, Set("Stand-up@2026-03-23", Note, "Cake")),
            There(Microsoft, Delete("Stand-up")),
            Here(Microsoft, Set("Stand-up@2026-03-23", Note, "Cake")),
        ],
        &[
            Holds(Google, "Stand-up@2026-03-23", Note, "Cake"),
            Holds(Google, "Stand-up@2026-03-23", Place, "Room 2"),
            Gone(Google, "Stand-up@2026-04-06"),
            Holds(Microsoft, "Stand-up@2026-03-23", Note, "Cake"),
            Gone(Microsoft, "Stand-up@2026-04-06"),
        ],
    ),
    row(
        "series: this and following split off",
        &[
            Here(Google, Split("Stand-up@2026-04-13", "Sit-down")),
            There(Google, Split("Choir@2026-11-04", "Opera")),
            There(Microsoft, Split("Stand-up@2026-04-13", "Sit-down")),
            Here(Microsoft, Split("Chess@2026-11-04", "Checkers")),
        ],
        &[
            Gone(Google, "Stand-up@2026-04-13"),
            Expect::There(Google, "Sit-down@2026-04-13"),
            Expect::There(Google, "Opera@2026-11-04"),
            Gone(Google, "Choir@2026-11-04"),
            Expect::There(Microsoft, "Sit-down@2026-05-04"),
            Expect::There(Microsoft, "Checkers@2026-11-11"),
        ],
    ),
    row(
        "meetings: what is private changed",
        &[
            Here(Google, Set("Budget", Alarm, "20")),
            Here(Microsoft, Set("Review", Alarm, "20")),
            Here(Microsoft, Label("Workshop", "Red")),
            There(Google, Set("Lecture", Alarm, "5")),
        ],
        &[
            Holds(Google, "Budget", Alarm, "20"),
            Holds(Google, "Budget", Guest, "grace@example.org"),
            Holds(Microsoft, "Review", Alarm, "20"),
            Holds(Google, "Lecture", Alarm, "5"),
        ],
    ),
    row(
        "meetings: changed by their organiser at the provider",
        &[
            There(Google, Set("Budget", Place, "Room 9")),
            There(Microsoft, Set("Review", Start, "2026-03-25T16:00 Europe/Berlin")),
        ],
        &[
            Holds(Google, "Budget", Place, "Room 9"),
            Holds(Microsoft, "Review", Start, "2026-03-25T16:00 Europe/Berlin"),
        ],
    ),
    row(
        "events: the tokens have expired, and much has changed",
        &[
            There(Google, Delete("Lecture")),
            There(Google, Delete("Stand-up@2026-03-30")),
            Here(Google, Set("Dentist", Note, "Fasting")),
            There(Microsoft, Delete("Workshop")),
            There(Microsoft, Set("Chess@2026-10-28", Place, "Library")),
            Here(Microsoft, Create("Ride")),
            DeltaTokensExpire(Google),
            DeltaTokensExpire(Microsoft),
        ],
        &[
            Gone(Google, "Lecture"),
            Gone(Google, "Stand-up@2026-03-30"),
            Holds(Google, "Dentist", Note, "Fasting"),
            Gone(Microsoft, "Workshop"),
            Holds(Microsoft, "Chess@2026-10-28", Place, "Library"),
            Expect::There(Microsoft, "Ride"),
        ],
    ),
    joined(
        "joined events: created in three places",
        &[There(Google, Create("Concert")), There(Microsoft, Create("Opera")), Here(Google, Create("Walk"))],
        &[
            Expect::There(Microsoft, "Concert"),
            Expect::There(Google, "Opera"),
            Expect::There(Google, "Walk"),
            Expect::There(Microsoft, "Walk"),
        ],
    ),
    joined(
        "joined series: exceptions edited on three sides",
        &[
            There(Google, Set("Stand-up@2026-03-23", Note, "Cake")),
            There(Microsoft, Set("Stand-up@2026-03-30", Place, "Room 3")),
            Here(Google, Delete("Stand-up@2026-04-13")),
        ],
        &[
            Holds(Microsoft, "Stand-up@2026-03-23", Note, "Cake"),
            Holds(Google, "Stand-up@2026-03-30", Place, "Room 3"),
            Gone(Google, "Stand-up@2026-04-13"),
            Gone(Microsoft, "Stand-up@2026-04-13"),
        ],
    ),
    joined(
        "joined series: the rule changed at one provider, an occurrence at the other",
        &[
            There(Google, Set("Stand-up", Rule, "FREQ=WEEKLY;BYDAY=MO;UNTIL=20260420T070000Z")),
            There(Microsoft, Set("Stand-up@2026-03-30", Start, "2026-03-31T11:00 Europe/Berlin")),
        ],
        &[
            Gone(Microsoft, "Stand-up@2026-04-27"),
            Holds(Google, "Stand-up@2026-03-30", Start, "2026-03-31T11:00 Europe/Berlin"),
        ],
    ),
    joined(
        "joined events: deleted here, edited there, deleted everywhere",
        &[
            There(Google, Delete("Dentist")),
            There(Microsoft, Set("Dentist", Note, "Fasting")),
            Here(Google, Delete("Lecture")),
            There(Microsoft, Delete("Workshop")),
        ],
        &[
            Holds(Google, "Dentist", Note, "Fasting"),
            Holds(Microsoft, "Dentist", Note, "Fasting"),
            Gone(Microsoft, "Lecture"),
            Gone(Google, "Workshop"),
        ],
    ),
    joined(
        "joined series: this and following split off at one provider",
        &[There(Google, Split("Stand-up@2026-04-13", "Sit-down")), Here(Google, Set("Holiday", Note, "Far away"))],
        &[
            Gone(Microsoft, "Stand-up@2026-04-13"),
            Expect::There(Microsoft, "Sit-down@2026-04-13"),
            Holds(Google, "Holiday", Note, "Far away"),
        ],
    ),
];
