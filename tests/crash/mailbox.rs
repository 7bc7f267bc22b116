//! The rows of the table that are about messages, and the messages that they are about.

use super::letters::{ARCHIVE, DRAFTS, INBOX, SENT, SPAM, TRASH};
use super::scenarios::{Act, Deed, Expect, Field, Scenario, Side, row as row_of_people};
use twofold_model::Kind;

use Act::{AccessTokensExpire, DeltaTokensExpire, Here, There};
use Deed::{Create, Delete, Draft, MakeMailbox, Mark, Move, Put, RenameMailbox, Set, Take, Unmark};
use Expect::{Gone, Holds, Lacks};
use Side::{Google, Microsoft};

/// A message that is at both providers before the first run.
pub struct Seed {
    pub name: &'static str,
    /// Microsoft has it in the first of them.
    pub mailboxes: &'static [&'static str],
    pub marks: &'static [&'static str],
}

const fn seed(name: &'static str, mailboxes: &'static [&'static str], marks: &'static [&'static str]) -> Seed {
    Seed { name, mailboxes, marks }
}

pub const WORK: &str = "Work";
pub const YEAR: &str = "Work/2026";
/// The mailboxes beside those that everybody has.
pub const OWN: &[&str] = &[WORK, YEAR];

pub const SEEDS: &[Seed] = &[
    seed("Anchor", &[INBOX], &[]),
    seed("Bosun", &[INBOX], &["seen"]),
    seed("Compass", &[INBOX], &["seen", "flagged"]),
    seed("Deck", &[INBOX, WORK], &["seen"]),
    seed("Echo", &[INBOX], &["seen", "important"]),
    seed("Ferry", &[WORK], &["seen"]),
    seed("Galley", &[YEAR], &[]),
    seed("Harbour", &[ARCHIVE], &["seen"]),
    seed("Island", &[TRASH], &["seen"]),
    seed("Jetsam", &[SPAM], &[]),
    seed("Keel", &[DRAFTS], &[]),
    seed("Log", &[SENT], &["seen"]),
    seed("Mast", &[INBOX], &["seen"]),
    seed("Net", &[INBOX], &[]),
    seed("Oar", &[WORK, YEAR], &["seen"]),
    // Two messages of one Message-ID.
    seed("Twin one", &[INBOX], &["seen"]),
    seed("Twin two", &[INBOX], &["seen"]),
];

/// What has happened to them since, before the first run.
pub const BEFORE: &[Act] = &[
    There(Microsoft, Mark("Bosun", "blue")),
    There(Microsoft, Mark("Compass", "blue")),
    There(Microsoft, Mark("Compass", "red")),
];

const fn row(name: &'static str, acts: &'static [Act], expects: &'static [Expect]) -> Scenario {
    Scenario { kind: Kind::Mail, ..row_of_people(name, acts, expects) }
}

pub const MAIL: &[Scenario] = &[
    row(
        "mail: nothing happens",
        &[],
        &[
            Holds(Google, "Deck", Field::Mailbox, WORK),
            Holds(Microsoft, "Compass", Field::Mark, "red"),
            Expect::There(Google, "Twin one"),
            Expect::There(Google, "Twin two"),
        ],
    ),
    Scenario {
        is_first: true,
        ..row(
            "mail: the first run",
            &[There(Google, Create("Nora")), There(Microsoft, Create("Nils"))],
            &[Expect::There(Google, "Nora"), Expect::There(Microsoft, "Nils")],
        )
    },
    row(
        "mail: messages arrive",
        &[
            There(Google, Create("Nora")),
            There(Google, Create("Nell")),
            There(Microsoft, Create("Nils")),
            There(Microsoft, Create("Noah")),
            There(Microsoft, Move("Noah", WORK)),
        ],
        &[
            Holds(Google, "Nora", Field::Mailbox, INBOX),
            Lacks(Google, "Nora", Field::Mark, "seen"),
            Holds(Microsoft, "Noah", Field::Mailbox, WORK),
        ],
    ),
    row(
        "mail: marked at the providers",
        &[
            There(Google, Mark("Anchor", "seen")),
            There(Google, Mark("Deck", "flagged")),
            There(Google, Unmark("Bosun", "seen")),
            There(Google, Unmark("Echo", "important")),
            There(Microsoft, Mark("Anchor", "seen")),
            There(Microsoft, Mark("Deck", "flagged")),
            There(Microsoft, Unmark("Compass", "flagged")),
            There(Microsoft, Mark("Mast", "important")),
        ],
        &[
            Holds(Google, "Anchor", Field::Mark, "seen"),
            Holds(Google, "Deck", Field::Mark, "flagged"),
            Lacks(Google, "Bosun", Field::Mark, "seen"),
            Lacks(Microsoft, "Compass", Field::Mark, "flagged"),
            Holds(Microsoft, "Mast", Field::Mark, "important"),
        ],
    ),
    row(
        "mail: marked on the device",
        &[
            Here(Google, Mark("Anchor", "seen")),
            Here(Google, Mark("Deck", "flagged")),
            Here(Google, Unmark("Bosun", "seen")),
            Here(Google, Unmark("Echo", "important")),
            Here(Microsoft, Mark("Anchor", "seen")),
            Here(Microsoft, Mark("Deck", "flagged")),
            Here(Microsoft, Unmark("Compass", "flagged")),
            Here(Microsoft, Mark("Mast", "important")),
        ],
        &[
            Holds(Google, "Anchor", Field::Mark, "seen"),
            Holds(Google, "Deck", Field::Mark, "flagged"),
            Lacks(Google, "Bosun", Field::Mark, "seen"),
            Lacks(Google, "Echo", Field::Mark, "important"),
            Lacks(Microsoft, "Compass", Field::Mark, "flagged"),
            Holds(Microsoft, "Mast", Field::Mark, "important"),
        ],
    ),
    row(
        "mail: categories set and taken away",
        &[
            There(Microsoft, Mark("Anchor", "green")),
            There(Microsoft, Unmark("Compass", "red")),
            Here(Microsoft, Mark("Mast", "black")),
            Here(Microsoft, Unmark("Bosun", "blue")),
            Here(Microsoft, Mark("Net", "red")),
        ],
        &[
            Holds(Microsoft, "Anchor", Field::Mark, "green"),
            Lacks(Microsoft, "Compass", Field::Mark, "red"),
            Holds(Microsoft, "Compass", Field::Mark, "blue"),
            Holds(Microsoft, "Mast", Field::Mark, "black"),
            Lacks(Microsoft, "Bosun", Field::Mark, "blue"),
            Holds(Microsoft, "Net", Field::Mark, "red"),
        ],
    ),
    row(
        "mail: two marks set at two places",
        &[
            There(Google, Mark("Anchor", "flagged")),
            Here(Google, Mark("Anchor", "seen")),
            Here(Google, Mark("Deck", "flagged")),
            There(Google, Unmark("Deck", "seen")),
            There(Microsoft, Mark("Anchor", "green")),
            Here(Microsoft, Mark("Anchor", "flagged")),
            Here(Microsoft, Unmark("Compass", "red")),
            There(Microsoft, Unmark("Compass", "blue")),
        ],
        &[
            Holds(Google, "Anchor", Field::Mark, "flagged"),
            Holds(Google, "Anchor", Field::Mark, "seen"),
            Holds(Google, "Deck", Field::Mark, "flagged"),
            Lacks(Google, "Deck", Field::Mark, "seen"),
            Holds(Microsoft, "Anchor", Field::Mark, "green"),
            Holds(Microsoft, "Anchor", Field::Mark, "flagged"),
            Lacks(Microsoft, "Compass", Field::Mark, "red"),
            Lacks(Microsoft, "Compass", Field::Mark, "blue"),
        ],
    ),
    row(
        "mail: a second label set and taken away",
        &[
            There(Google, Put("Anchor", WORK)),
            There(Google, Take("Deck", WORK)),
            Here(Google, Put("Bosun", YEAR)),
            Here(Google, Take("Oar", WORK)),
        ],
        &[
            Holds(Google, "Anchor", Field::Mailbox, INBOX),
            Holds(Google, "Anchor", Field::Mailbox, WORK),
            Lacks(Google, "Deck", Field::Mailbox, WORK),
            Holds(Google, "Bosun", Field::Mailbox, INBOX),
            Holds(Google, "Bosun", Field::Mailbox, YEAR),
            Lacks(Google, "Oar", Field::Mailbox, WORK),
            Holds(Google, "Oar", Field::Mailbox, YEAR),
        ],
    ),
    row(
        "mail: moved at the providers",
        &[
            There(Google, Move("Anchor", WORK)),
            There(Google, Move("Ferry", YEAR)),
            There(Google, Move("Galley", INBOX)),
            There(Google, Move("Jetsam", INBOX)),
            There(Microsoft, Move("Anchor", WORK)),
            There(Microsoft, Move("Ferry", YEAR)),
            There(Microsoft, Move("Galley", INBOX)),
            There(Microsoft, Move("Mast", SPAM)),
        ],
        &[
            Holds(Google, "Anchor", Field::Mailbox, WORK),
            Lacks(Google, "Anchor", Field::Mailbox, INBOX),
            Holds(Google, "Galley", Field::Mailbox, INBOX),
            Holds(Microsoft, "Ferry", Field::Mailbox, YEAR),
            Holds(Microsoft, "Mast", Field::Mailbox, SPAM),
        ],
    ),
    row(
        "mail: moved on the device",
        &[
            Here(Google, Move("Anchor", WORK)),
            Here(Google, Move("Ferry", YEAR)),
            Here(Google, Move("Galley", INBOX)),
            Here(Google, Move("Mast", SPAM)),
            Here(Microsoft, Move("Anchor", WORK)),
            Here(Microsoft, Move("Ferry", YEAR)),
            Here(Microsoft, Move("Galley", INBOX)),
            Here(Microsoft, Move("Jetsam", INBOX)),
        ],
        &[
            Holds(Google, "Anchor", Field::Mailbox, WORK),
            Lacks(Google, "Anchor", Field::Mailbox, INBOX),
            Holds(Google, "Ferry", Field::Mailbox, YEAR),
            Holds(Google, "Mast", Field::Mailbox, SPAM),
            Holds(Microsoft, "Galley", Field::Mailbox, INBOX),
            Holds(Microsoft, "Jetsam", Field::Mailbox, INBOX),
        ],
    ),
    row(
        "mail: archived in four places",
        &[
            There(Google, Move("Anchor", ARCHIVE)),
            Here(Google, Move("Bosun", ARCHIVE)),
            Here(Google, Delete("Compass")),
            There(Microsoft, Move("Anchor", ARCHIVE)),
            Here(Microsoft, Move("Bosun", ARCHIVE)),
        ],
        &[
            Holds(Google, "Anchor", Field::Mailbox, ARCHIVE),
            Holds(Google, "Bosun", Field::Mailbox, ARCHIVE),
            Holds(Google, "Compass", Field::Mailbox, ARCHIVE),
            Holds(Microsoft, "Anchor", Field::Mailbox, ARCHIVE),
            Holds(Microsoft, "Bosun", Field::Mailbox, ARCHIVE),
        ],
    ),
    row(
        "mail: deleted in four places",
        &[
            There(Google, Delete("Deck")),
            Here(Google, Move("Bosun", TRASH)),
            There(Microsoft, Delete("Deck")),
            Here(Microsoft, Delete("Bosun")),
            Here(Microsoft, Move("Ferry", TRASH)),
        ],
        &[
            Holds(Google, "Deck", Field::Mailbox, TRASH),
            Lacks(Google, "Deck", Field::Mailbox, WORK),
            Holds(Google, "Bosun", Field::Mailbox, TRASH),
            Holds(Microsoft, "Deck", Field::Mailbox, TRASH),
            Holds(Microsoft, "Bosun", Field::Mailbox, TRASH),
            Holds(Microsoft, "Ferry", Field::Mailbox, TRASH),
        ],
    ),
    row(
        // Gmail shows what is in its trash, or archived, nowhere else.
        "mail: of files with others one moved to the trash, all removed, and one copied out of the trash",
        &[Here(Google, Move("Deck", TRASH)), Here(Google, Delete("Oar")), Here(Google, Put("Island", INBOX))],
        &[
            Holds(Google, "Deck", Field::Mailbox, TRASH),
            Lacks(Google, "Deck", Field::Mailbox, INBOX),
            Holds(Google, "Oar", Field::Mailbox, ARCHIVE),
            Holds(Google, "Island", Field::Mailbox, INBOX),
            Lacks(Google, "Island", Field::Mailbox, TRASH),
        ],
    ),
    row(
        "mail: taken out of the trash there, destroyed there",
        &[
            There(Google, Move("Island", WORK)),
            There(Google, Delete("Jetsam")),
            There(Google, Delete("Jetsam")),
            There(Microsoft, Delete("Island")),
            There(Microsoft, Delete("Jetsam")),
        ],
        &[
            Holds(Google, "Island", Field::Mailbox, WORK),
            Gone(Google, "Jetsam"),
            Gone(Microsoft, "Island"),
            Holds(Microsoft, "Jetsam", Field::Mailbox, TRASH),
        ],
    ),
    row(
        "mail: taken out of the trash on the device",
        &[Here(Google, Move("Island", INBOX)), Here(Microsoft, Move("Island", WORK))],
        &[Holds(Google, "Island", Field::Mailbox, INBOX), Holds(Microsoft, "Island", Field::Mailbox, WORK)],
    ),
    row(
        "mail: new files put into the folders",
        &[
            Here(Google, Create("Dora")),
            Here(Google, Create("Dana")),
            Here(Google, Move("Dana", YEAR)),
            Here(Microsoft, Create("Dirk")),
            Here(Microsoft, Create("Dean")),
            Here(Microsoft, Move("Dean", YEAR)),
        ],
        &[
            Holds(Google, "Dora", Field::Mailbox, INBOX),
            Holds(Google, "Dora", Field::Received, "1772442000"),
            Holds(Google, "Dana", Field::Mailbox, YEAR),
            Holds(Microsoft, "Dirk", Field::Received, "1772442000"),
            Lacks(Microsoft, "Dirk", Field::Mark, "draft"),
            Holds(Microsoft, "Dirk", Field::Mark, "seen"),
            Holds(Microsoft, "Dean", Field::Mailbox, YEAR),
        ],
    ),
    row(
        "mail: a new file that is flagged and stands in two folders",
        &[
            Here(Google, Create("Dora")),
            Here(Google, Mark("Dora", "flagged")),
            Here(Google, Put("Dora", WORK)),
            Here(Microsoft, Create("Dirk")),
            Here(Microsoft, Mark("Dirk", "flagged")),
            Here(Microsoft, Mark("Dirk", "red")),
        ],
        &[
            Holds(Google, "Dora", Field::Mark, "flagged"),
            Holds(Google, "Dora", Field::Mailbox, INBOX),
            Holds(Google, "Dora", Field::Mailbox, WORK),
            Holds(Microsoft, "Dirk", Field::Mark, "flagged"),
            Holds(Microsoft, "Dirk", Field::Mark, "red"),
        ],
    ),
    row(
        "mail: drafts written on at the providers",
        &[
            There(Google, Set("Keel", Field::Text, "Second thoughts")),
            There(Microsoft, Set("Keel", Field::Text, "Second thoughts")),
        ],
        &[
            Holds(Google, "Keel", Field::Text, "Second thoughts"),
            Holds(Microsoft, "Keel", Field::Text, "Second thoughts"),
            Holds(Microsoft, "Keel", Field::Mark, "draft"),
        ],
    ),
    row(
        // A program that edits a draft makes another file, and removes the old one.
        "mail: drafts begun and written anew on the device",
        &[Here(Google, Draft("Plan")), Here(Microsoft, Draft("Plan")), Here(Microsoft, Delete("Keel"))],
        &[
            Holds(Google, "Plan", Field::Mailbox, DRAFTS),
            Holds(Google, "Plan", Field::Mark, "draft"),
            Holds(Microsoft, "Plan", Field::Mailbox, DRAFTS),
            Holds(Microsoft, "Plan", Field::Mark, "draft"),
            Holds(Microsoft, "Keel", Field::Mailbox, TRASH),
        ],
    ),
    row(
        "mail: mailboxes made in four places, and moved into",
        &[
            There(Google, MakeMailbox("Travel")),
            There(Google, Move("Anchor", "Travel")),
            Here(Google, MakeMailbox("Bills")),
            Here(Google, Move("Bosun", "Bills")),
            There(Microsoft, MakeMailbox("Work/Travel")),
            There(Microsoft, Move("Anchor", "Work/Travel")),
            Here(Microsoft, MakeMailbox("Bills")),
            Here(Microsoft, Move("Bosun", "Bills")),
        ],
        &[
            Holds(Google, "Anchor", Field::Mailbox, "Travel"),
            Holds(Google, "Bosun", Field::Mailbox, "Bills"),
            Holds(Microsoft, "Anchor", Field::Mailbox, "Work/Travel"),
            Holds(Microsoft, "Bosun", Field::Mailbox, "Bills"),
        ],
    ),
    row(
        // An empty folder without a marker may as well be a mount that is absent.
        "mail: mailboxes made on the device in which nothing stands yet",
        &[
            Here(Google, MakeMailbox("Bills")),
            Here(Google, MakeMailbox("Work/Bills")),
            Here(Microsoft, MakeMailbox("Bills")),
            Here(Microsoft, MakeMailbox("Work/Bills")),
        ],
        &[
            Expect::There(Google, "the mailbox Bills"),
            Expect::There(Google, "the mailbox Work/Bills"),
            Expect::There(Microsoft, "the mailbox Bills"),
            Expect::There(Microsoft, "the mailbox Work/Bills"),
        ],
    ),
    row(
        "mail: mailboxes renamed at the providers",
        &[
            There(Google, RenameMailbox(WORK, "Job")),
            There(Google, Move("Anchor", "Job")),
            There(Microsoft, RenameMailbox(YEAR, "Work/2027")),
            There(Microsoft, Move("Anchor", "Work/2027")),
        ],
        &[
            Holds(Google, "Ferry", Field::Mailbox, "Job"),
            Holds(Google, "Anchor", Field::Mailbox, "Job"),
            Holds(Google, "Galley", Field::Mailbox, YEAR),
            Holds(Microsoft, "Galley", Field::Mailbox, "Work/2027"),
            Holds(Microsoft, "Anchor", Field::Mailbox, "Work/2027"),
        ],
    ),
    row(
        "mail: mailboxes renamed on the device",
        &[
            Here(Google, RenameMailbox(YEAR, "Work/2027")),
            Here(Google, Move("Anchor", "Work/2027")),
            Here(Microsoft, RenameMailbox(YEAR, "Work/2027")),
            Here(Microsoft, Move("Anchor", "Work/2027")),
        ],
        &[
            Holds(Google, "Galley", Field::Mailbox, "Work/2027"),
            Holds(Google, "Anchor", Field::Mailbox, "Work/2027"),
            Holds(Microsoft, "Galley", Field::Mailbox, "Work/2027"),
            Holds(Microsoft, "Anchor", Field::Mailbox, "Work/2027"),
        ],
    ),
    row(
        "mail: a folder above others renamed at Microsoft",
        &[There(Microsoft, RenameMailbox(WORK, "Job")), Here(Microsoft, Mark("Ferry", "flagged"))],
        &[
            Holds(Microsoft, "Ferry", Field::Mailbox, "Job"),
            Holds(Microsoft, "Ferry", Field::Mark, "flagged"),
            Holds(Microsoft, "Galley", Field::Mailbox, "Job/2026"),
        ],
    ),
    row(
        "mail: flagged here, moved there",
        &[
            Here(Google, Mark("Anchor", "flagged")),
            There(Google, Move("Anchor", WORK)),
            There(Google, Mark("Bosun", "flagged")),
            Here(Google, Move("Bosun", WORK)),
            Here(Microsoft, Mark("Anchor", "flagged")),
            There(Microsoft, Move("Anchor", WORK)),
            There(Microsoft, Mark("Bosun", "flagged")),
            Here(Microsoft, Move("Bosun", WORK)),
        ],
        &[
            Holds(Google, "Anchor", Field::Mark, "flagged"),
            Holds(Google, "Anchor", Field::Mailbox, WORK),
            Lacks(Google, "Anchor", Field::Mailbox, INBOX),
            Holds(Google, "Bosun", Field::Mark, "flagged"),
            Holds(Google, "Bosun", Field::Mailbox, WORK),
            Holds(Microsoft, "Anchor", Field::Mark, "flagged"),
            Holds(Microsoft, "Anchor", Field::Mailbox, WORK),
            Holds(Microsoft, "Bosun", Field::Mark, "flagged"),
            Holds(Microsoft, "Bosun", Field::Mailbox, WORK),
        ],
    ),
    row(
        "mail: flagged here, deleted there",
        &[
            Here(Google, Mark("Anchor", "flagged")),
            There(Google, Delete("Anchor")),
            There(Google, Mark("Bosun", "flagged")),
            Here(Google, Move("Bosun", TRASH)),
            Here(Microsoft, Mark("Anchor", "flagged")),
            There(Microsoft, Delete("Anchor")),
            There(Microsoft, Mark("Bosun", "flagged")),
            Here(Microsoft, Delete("Bosun")),
        ],
        &[
            Holds(Google, "Anchor", Field::Mark, "flagged"),
            Holds(Google, "Bosun", Field::Mark, "flagged"),
            Holds(Microsoft, "Anchor", Field::Mark, "flagged"),
            Holds(Microsoft, "Bosun", Field::Mark, "flagged"),
        ],
    ),
    row(
        // Where messages have folders, it is two messages then: a set of places is merged as one.
        "mail: moved here, moved elsewhere there",
        &[Here(Google, Move("Anchor", WORK)), There(Google, Move("Anchor", YEAR))],
        &[
            Lacks(Google, "Anchor", Field::Mailbox, INBOX),
            Holds(Google, "Anchor", Field::Mailbox, WORK),
            Holds(Google, "Anchor", Field::Mailbox, YEAR),
        ],
    ),
    row(
        "mail: of two with one Message-ID each goes its way",
        &[
            Here(Google, Mark("Twin one", "flagged")),
            There(Google, Move("Twin two", WORK)),
            There(Microsoft, Mark("Twin one", "flagged")),
            Here(Microsoft, Move("Twin two", WORK)),
        ],
        &[
            Holds(Google, "Twin one", Field::Mark, "flagged"),
            Lacks(Google, "Twin two", Field::Mark, "flagged"),
            Holds(Google, "Twin two", Field::Mailbox, WORK),
            Holds(Google, "Twin one", Field::Mailbox, INBOX),
            Holds(Microsoft, "Twin one", Field::Mark, "flagged"),
            Holds(Microsoft, "Twin two", Field::Mailbox, WORK),
        ],
    ),
    row(
        "mail: a third with that Message-ID comes from everywhere",
        &[
            There(Google, Create("Twin three")),
            Here(Microsoft, Create("Twin three")),
            There(Microsoft, Create("Twin four")),
        ],
        &[
            Expect::There(Google, "Twin one"),
            Expect::There(Google, "Twin three"),
            Expect::There(Microsoft, "Twin three"),
            Expect::There(Microsoft, "Twin four"),
        ],
    ),
    row(
        "mail: the tokens have expired, and much has changed",
        &[
            There(Google, Delete("Anchor")),
            There(Google, Create("Nora")),
            There(Google, Put("Bosun", WORK)),
            Here(Google, Mark("Compass", "important")),
            There(Microsoft, Delete("Anchor")),
            There(Microsoft, Create("Nils")),
            There(Microsoft, Move("Bosun", WORK)),
            Here(Microsoft, Unmark("Compass", "flagged")),
            DeltaTokensExpire(Google),
            DeltaTokensExpire(Microsoft),
        ],
        &[
            Holds(Google, "Anchor", Field::Mailbox, TRASH),
            Expect::There(Google, "Nora"),
            Holds(Google, "Bosun", Field::Mailbox, WORK),
            Holds(Google, "Compass", Field::Mark, "important"),
            Holds(Microsoft, "Anchor", Field::Mailbox, TRASH),
            Expect::There(Microsoft, "Nils"),
            Holds(Microsoft, "Bosun", Field::Mailbox, WORK),
            Lacks(Microsoft, "Compass", Field::Mark, "flagged"),
        ],
    ),
    row(
        "mail: the access tokens have expired",
        &[
            AccessTokensExpire(Google),
            AccessTokensExpire(Microsoft),
            Here(Google, Create("Dora")),
            There(Google, Create("Nora")),
            Here(Microsoft, Create("Dirk")),
            There(Microsoft, Create("Nils")),
        ],
        &[
            Expect::There(Google, "Dora"),
            Expect::There(Google, "Nora"),
            Expect::There(Microsoft, "Dirk"),
            Expect::There(Microsoft, "Nils"),
        ],
    ),
    row(
        "mail: several at once",
        &[
            There(Google, Create("Nora")),
            Here(Google, Create("Dora")),
            Here(Google, Move("Deck", YEAR)),
            There(Google, Mark("Deck", "flagged")),
            There(Google, Move("Mast", ARCHIVE)),
            Here(Google, Mark("Net", "seen")),
            Here(Google, Delete("Ferry")),
            There(Google, Set("Keel", Field::Text, "Second thoughts")),
            There(Microsoft, Create("Nils")),
            Here(Microsoft, Create("Dirk")),
            Here(Microsoft, Move("Deck", YEAR)),
            There(Microsoft, Mark("Deck", "flagged")),
            There(Microsoft, Move("Mast", ARCHIVE)),
            Here(Microsoft, Mark("Net", "green")),
            Here(Microsoft, Delete("Ferry")),
            There(Microsoft, Set("Keel", Field::Text, "Second thoughts")),
        ],
        &[
            Expect::There(Google, "Nora"),
            Expect::There(Google, "Dora"),
            Holds(Google, "Deck", Field::Mark, "flagged"),
            Holds(Google, "Deck", Field::Mailbox, YEAR),
            Holds(Google, "Mast", Field::Mailbox, ARCHIVE),
            Holds(Google, "Ferry", Field::Mailbox, ARCHIVE),
            Holds(Google, "Keel", Field::Text, "Second thoughts"),
            Holds(Microsoft, "Deck", Field::Mark, "flagged"),
            Holds(Microsoft, "Deck", Field::Mailbox, YEAR),
            Holds(Microsoft, "Net", Field::Mark, "green"),
            Holds(Microsoft, "Ferry", Field::Mailbox, TRASH),
            Holds(Microsoft, "Keel", Field::Text, "Second thoughts"),
        ],
    ),
];
