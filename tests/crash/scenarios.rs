//! The table of scenarios, as data: what the user does between two runs, and what must have come of it. A new kind adds
//! rows here, not code. Everybody named here is made by [`PEOPLE`] before the first run.

/// A collection: whose people these are. In a joined world both are one and the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Google,
    Microsoft,
}

use twofold_model::Kind;

use Side::{Google, Microsoft};

/// One field that all places hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    Nickname,
    Title,
    Note,
    /// One more address beside those that are there.
    Email,
    /// What [`Deed::Label`] adds to.
    Label,
    /// In base64.
    Photo,
    /// `2026-03-16T09:00 Europe/Berlin`, or a day. What starts on a day lasts a day, else an hour.
    Start,
    Length,
    Place,
    /// As RFC 5545 writes it. No place says it of an occurrence: what it comes to is said instead.
    Rule,
    /// Minutes before the start.
    Alarm,
    Guest,
    /// The calendar, [`MAIN`] or the name of another.
    Calendar,
    /// A mailbox in which a message stands: `INBOX`, `Drafts`, `Sent`, `Spam`, `Trash`, `Archive`, whatever a place calls them, or the
    /// name of another.
    Mailbox,
    /// `seen`, `flagged`, `important`, `draft`, or a category.
    Mark,
    /// The first line of a message.
    Text,
    /// When a message was received, in seconds since 1970.
    Received,
    /// What is wrong with the bytes of a message.
    Damage,
}

/// How the calendar is called here that each user has.
pub const MAIN: &str = "main";

use Field::{Email, Nickname, Note, Title};

/// What is done to one person, event, occurrence or message. `Choir@2026-10-19` is the occurrence of a series that the rule has on
/// that day.
#[derive(Clone, Copy, Debug)]
pub enum Deed {
    Create(&'static str),
    Set(&'static str, Field, &'static str),
    Label(&'static str, &'static str),
    Unlabel(&'static str, &'static str),
    Photo(&'static str, [u8; 3]),
    Delete(&'static str),
    /// To another calendar or mailbox.
    Move(&'static str, &'static str),
    /// The series ends before this occurrence; from it on there is a series of another name.
    Split(&'static str, &'static str),
    /// A message that is not sent yet.
    Draft(&'static str),
    Mark(&'static str, &'static str),
    Unmark(&'static str, &'static str),
    /// The message stands in a further mailbox, or in one less.
    Put(&'static str, &'static str),
    Take(&'static str, &'static str),
    MakeMailbox(&'static str),
    RenameMailbox(&'static str, &'static str),
}

use Deed::{Create, Delete, Label, Photo, Set, Unlabel};

/// One thing that the user does.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    /// With another client of the provider.
    There(Side, Deed),
    /// With a program that edits the files of the device folder.
    Here(Side, Deed),
    /// In Google's list of groups.
    RenameGroup(&'static str, &'static str),
    DeleteGroup(&'static str),
    /// Not the user: time.
    DeltaTokensExpire(Side),
    AccessTokensExpire(Side),
}

use Act::{AccessTokensExpire, DeleteGroup, DeltaTokensExpire, Here, RenameGroup, There};

/// What must hold at the provider in the end; that the device says the same is checked for everybody anyway.
#[derive(Clone, Copy, Debug)]
pub enum Expect {
    Holds(Side, &'static str, Field, &'static str),
    Lacks(Side, &'static str, Field, &'static str),
    Labelled(Side, &'static str, &'static str),
    NotLabelled(Side, &'static str, &'static str),
    HasPhoto(Side, &'static str, [u8; 3]),
    There(Side, &'static str),
    Gone(Side, &'static str),
}

use Expect::{Gone, HasPhoto, Holds, Labelled, NotLabelled};

/// One row of the table.
#[derive(Debug)]
pub struct Scenario {
    pub name: &'static str,
    pub kind: Kind,
    /// Google's and Microsoft's people are one address book, or their main calendars one calendar.
    pub joined: bool,
    /// The runs look at what no delta tells.
    pub full_check: bool,
    /// Nothing was ever in step before what is done.
    pub is_first: bool,
    pub acts: &'static [Act],
    pub expects: &'static [Expect],
}

/// Who is there before the first run: name, at Google, at Microsoft, and in which groups.
pub const PEOPLE: &[(&str, bool, bool, &[&str])] = &[
    ("Ada Lovelace", true, true, &["Climbers"]),
    ("Grace Hopper", true, true, &[]),
    ("Mary Somerville", true, false, &["Climbers"]),
    ("Hedy Lamarr", true, false, &[]),
    ("Lise Meitner", true, false, &[]),
    ("Alan Turing", false, true, &["Climbers"]),
    ("Kurt Weill", false, true, &[]),
    ("Niels Bohr", false, true, &[]),
    ("Emil Post", false, true, &[]),
];

const RED: [u8; 3] = [200, 10, 20];
const BLUE: [u8; 3] = [10, 20, 200];

pub const fn row(name: &'static str, acts: &'static [Act], expects: &'static [Expect]) -> Scenario {
    Scenario { name, kind: Kind::Contacts, joined: false, full_check: false, is_first: false, acts, expects }
}

pub const fn joined(name: &'static str, acts: &'static [Act], expects: &'static [Expect]) -> Scenario {
    Scenario { joined: true, ..row(name, acts, expects) }
}

/// The rows of people; [`super::calendars::CALENDARS`] has those of events, [`super::mailbox::MAIL`] those of messages.
pub const CONTACTS: &[Scenario] = &[
    row("nothing happens", &[], &[]),
    row(
        "created at both providers",
        &[There(Google, Create("Nora New")), There(Microsoft, Create("Nils New"))],
        &[Expect::There(Google, "Nora New"), Expect::There(Microsoft, "Nils New")],
    ),
    row(
        "created on the device, for Google",
        &[Here(Google, Create("Dora Device"))],
        &[Expect::There(Google, "Dora Device")],
    ),
    row(
        "created on the device, for Microsoft",
        &[Here(Microsoft, Create("Dirk Device"))],
        &[Expect::There(Microsoft, "Dirk Device")],
    ),
    row(
        "two created on the device for each",
        &[
            Here(Google, Create("Dora Device")),
            Here(Google, Create("Dana Device")),
            Here(Microsoft, Create("Dirk Device")),
            Here(Microsoft, Create("Dean Device")),
        ],
        &[
            Expect::There(Google, "Dora Device"),
            Expect::There(Google, "Dana Device"),
            Expect::There(Microsoft, "Dirk Device"),
            Expect::There(Microsoft, "Dean Device"),
        ],
    ),
    row(
        "edited at both providers",
        &[
            There(Google, Set("Ada Lovelace", Nickname, "Countess")),
            There(Microsoft, Set("Alan Turing", Title, "Reader")),
        ],
        &[Holds(Google, "Ada Lovelace", Nickname, "Countess"), Holds(Microsoft, "Alan Turing", Title, "Reader")],
    ),
    row(
        "edited on the device, on both sides",
        &[
            Here(Google, Set("Ada Lovelace", Note, "Poet's daughter")),
            Here(Google, Set("Grace Hopper", Title, "Admiral")),
            Here(Microsoft, Set("Alan Turing", Note, "Runs fast")),
            Here(Microsoft, Set("Kurt Weill", Nickname, "Kurtchen")),
        ],
        &[
            Holds(Google, "Ada Lovelace", Note, "Poet's daughter"),
            Holds(Google, "Grace Hopper", Title, "Admiral"),
            Holds(Microsoft, "Alan Turing", Note, "Runs fast"),
            Holds(Microsoft, "Kurt Weill", Nickname, "Kurtchen"),
        ],
    ),
    row(
        "deleted at both providers",
        &[There(Google, Delete("Hedy Lamarr")), There(Microsoft, Delete("Niels Bohr"))],
        &[Gone(Google, "Hedy Lamarr"), Gone(Microsoft, "Niels Bohr")],
    ),
    row(
        "deleted on the device, on both sides",
        &[
            Here(Google, Delete("Hedy Lamarr")),
            Here(Google, Delete("Lise Meitner")),
            Here(Microsoft, Delete("Niels Bohr")),
        ],
        &[Gone(Google, "Hedy Lamarr"), Gone(Google, "Lise Meitner"), Gone(Microsoft, "Niels Bohr")],
    ),
    row(
        "two fields edited on two sides",
        &[
            There(Google, Set("Ada Lovelace", Nickname, "Countess")),
            Here(Google, Set("Ada Lovelace", Note, "Poet's daughter")),
            There(Microsoft, Set("Alan Turing", Email, "alan@bletchley.example")),
            Here(Microsoft, Set("Alan Turing", Title, "Reader")),
        ],
        &[
            Holds(Google, "Ada Lovelace", Nickname, "Countess"),
            Holds(Google, "Ada Lovelace", Note, "Poet's daughter"),
            Holds(Microsoft, "Alan Turing", Email, "alan@bletchley.example"),
            Holds(Microsoft, "Alan Turing", Title, "Reader"),
        ],
    ),
    row(
        "edited on the device, deleted at the provider",
        &[
            Here(Google, Set("Lise Meitner", Note, "Fission")),
            There(Google, Delete("Lise Meitner")),
            Here(Microsoft, Set("Niels Bohr", Note, "Atoms")),
            There(Microsoft, Delete("Niels Bohr")),
        ],
        &[Holds(Google, "Lise Meitner", Note, "Fission"), Holds(Microsoft, "Niels Bohr", Note, "Atoms")],
    ),
    row(
        "deleted on the device, edited at the provider",
        &[
            There(Google, Set("Lise Meitner", Note, "Fission")),
            Here(Google, Delete("Lise Meitner")),
            There(Microsoft, Set("Niels Bohr", Note, "Atoms")),
            Here(Microsoft, Delete("Niels Bohr")),
        ],
        &[Holds(Google, "Lise Meitner", Note, "Fission"), Holds(Microsoft, "Niels Bohr", Note, "Atoms")],
    ),
    row(
        "groups changed at the providers",
        &[
            There(Google, Label("Grace Hopper", "Climbers")),
            There(Google, Unlabel("Ada Lovelace", "Climbers")),
            There(Microsoft, Label("Kurt Weill", "Music")),
            There(Microsoft, Unlabel("Alan Turing", "Climbers")),
        ],
        &[
            Labelled(Google, "Grace Hopper", "Climbers"),
            NotLabelled(Google, "Ada Lovelace", "Climbers"),
            Labelled(Microsoft, "Kurt Weill", "Music"),
            NotLabelled(Microsoft, "Alan Turing", "Climbers"),
        ],
    ),
    row(
        "groups changed on the device, one of them new",
        &[
            Here(Google, Label("Grace Hopper", "Navy")),
            Here(Google, Label("Hedy Lamarr", "Climbers")),
            Here(Google, Unlabel("Ada Lovelace", "Climbers")),
            Here(Microsoft, Label("Kurt Weill", "Music")),
        ],
        &[
            Labelled(Google, "Grace Hopper", "Navy"),
            Labelled(Google, "Hedy Lamarr", "Climbers"),
            NotLabelled(Google, "Ada Lovelace", "Climbers"),
            Labelled(Microsoft, "Kurt Weill", "Music"),
        ],
    ),
    row(
        "a group renamed at Google",
        &[RenameGroup("Climbers", "Pals")],
        &[
            Labelled(Google, "Ada Lovelace", "Pals"),
            Labelled(Google, "Mary Somerville", "Pals"),
            NotLabelled(Google, "Ada Lovelace", "Climbers"),
        ],
    ),
    row(
        "a group deleted at Google",
        &[DeleteGroup("Climbers")],
        &[NotLabelled(Google, "Ada Lovelace", "Climbers"), Expect::There(Google, "Ada Lovelace")],
    ),
    Scenario {
        full_check: true,
        ..row(
            "photos set at the providers",
            &[There(Google, Photo("Hedy Lamarr", RED)), There(Microsoft, Photo("Kurt Weill", BLUE))],
            &[HasPhoto(Google, "Hedy Lamarr", RED), HasPhoto(Microsoft, "Kurt Weill", BLUE)],
        )
    },
    row(
        "photos set on the device",
        &[Here(Google, Photo("Hedy Lamarr", RED)), Here(Microsoft, Photo("Kurt Weill", BLUE))],
        &[HasPhoto(Google, "Hedy Lamarr", RED), HasPhoto(Microsoft, "Kurt Weill", BLUE)],
    ),
    row(
        "created with a photo and a new group on the device",
        &[
            Here(Google, Create("Dora Device")),
            Here(Google, Photo("Dora Device", RED)),
            Here(Google, Label("Dora Device", "Navy")),
            Here(Microsoft, Create("Dirk Device")),
            Here(Microsoft, Photo("Dirk Device", BLUE)),
        ],
        &[
            HasPhoto(Google, "Dora Device", RED),
            Labelled(Google, "Dora Device", "Navy"),
            HasPhoto(Microsoft, "Dirk Device", BLUE),
        ],
    ),
    row(
        "Google's token has expired",
        &[
            There(Google, Delete("Hedy Lamarr")),
            There(Google, Create("Nora New")),
            Here(Google, Set("Ada Lovelace", Note, "Poet's daughter")),
            DeltaTokensExpire(Google),
        ],
        &[
            Gone(Google, "Hedy Lamarr"),
            Expect::There(Google, "Nora New"),
            Holds(Google, "Ada Lovelace", Note, "Poet's daughter"),
        ],
    ),
    row(
        "Microsoft's tokens have expired",
        &[
            There(Microsoft, Delete("Niels Bohr")),
            There(Microsoft, Create("Nils New")),
            Here(Microsoft, Set("Alan Turing", Note, "Runs fast")),
            DeltaTokensExpire(Microsoft),
        ],
        &[
            Gone(Microsoft, "Niels Bohr"),
            Expect::There(Microsoft, "Nils New"),
            Holds(Microsoft, "Alan Turing", Note, "Runs fast"),
        ],
    ),
    row(
        "the access tokens have expired",
        &[
            AccessTokensExpire(Google),
            AccessTokensExpire(Microsoft),
            Here(Google, Set("Ada Lovelace", Note, "Poet's daughter")),
            Here(Microsoft, Set("Alan Turing", Note, "Runs fast")),
        ],
        &[Holds(Google, "Ada Lovelace", Note, "Poet's daughter"), Holds(Microsoft, "Alan Turing", Note, "Runs fast")],
    ),
    row(
        "several at once",
        &[
            There(Google, Delete("Hedy Lamarr")),
            Here(Google, Delete("Lise Meitner")),
            Here(Google, Create("Dora Device")),
            There(Google, Create("Nora New")),
            Here(Google, Set("Grace Hopper", Title, "Admiral")),
            There(Google, Set("Mary Somerville", Nickname, "Queen of science")),
            There(Microsoft, Delete("Niels Bohr")),
            Here(Microsoft, Create("Dirk Device")),
            Here(Microsoft, Set("Alan Turing", Title, "Reader")),
            There(Microsoft, Set("Kurt Weill", Nickname, "Kurtchen")),
        ],
        &[
            Gone(Google, "Hedy Lamarr"),
            Gone(Google, "Lise Meitner"),
            Expect::There(Google, "Dora Device"),
            Expect::There(Google, "Nora New"),
            Holds(Google, "Grace Hopper", Title, "Admiral"),
            Holds(Google, "Mary Somerville", Nickname, "Queen of science"),
            Gone(Microsoft, "Niels Bohr"),
            Expect::There(Microsoft, "Dirk Device"),
            Holds(Microsoft, "Alan Turing", Title, "Reader"),
            Holds(Microsoft, "Kurt Weill", Nickname, "Kurtchen"),
        ],
    ),
    joined(
        "joined: created on the device",
        &[Here(Google, Create("Dora Device"))],
        &[Expect::There(Google, "Dora Device"), Expect::There(Microsoft, "Dora Device")],
    ),
    joined(
        "joined: created at each provider",
        &[There(Google, Create("Nora New")), There(Microsoft, Create("Nils New"))],
        &[
            Expect::There(Google, "Nils New"),
            Expect::There(Google, "Nora New"),
            Expect::There(Microsoft, "Nils New"),
            Expect::There(Microsoft, "Nora New"),
        ],
    ),
    joined(
        "joined: three fields edited on three sides",
        &[
            There(Google, Set("Ada Lovelace", Nickname, "Countess")),
            There(Microsoft, Set("Ada Lovelace", Title, "Analyst")),
            Here(Google, Set("Ada Lovelace", Note, "Poet's daughter")),
        ],
        &[
            Holds(Google, "Ada Lovelace", Nickname, "Countess"),
            Holds(Google, "Ada Lovelace", Title, "Analyst"),
            Holds(Microsoft, "Ada Lovelace", Nickname, "Countess"),
            Holds(Microsoft, "Ada Lovelace", Note, "Poet's daughter"),
        ],
    ),
    joined(
        "joined: deleted here, edited there, deleted everywhere",
        &[
            There(Google, Delete("Ada Lovelace")),
            There(Microsoft, Set("Ada Lovelace", Note, "Analytical engine")),
            There(Microsoft, Delete("Grace Hopper")),
            Here(Google, Delete("Kurt Weill")),
        ],
        &[
            Holds(Google, "Ada Lovelace", Note, "Analytical engine"),
            Holds(Microsoft, "Ada Lovelace", Note, "Analytical engine"),
            Gone(Google, "Grace Hopper"),
            Gone(Google, "Kurt Weill"),
            Gone(Microsoft, "Kurt Weill"),
        ],
    ),
    joined(
        "joined: both tokens have expired, and much has changed",
        &[
            There(Google, Delete("Hedy Lamarr")),
            There(Microsoft, Set("Mary Somerville", Note, "Queen of science")),
            There(Google, Label("Grace Hopper", "Navy")),
            Here(Google, Create("Dora Device")),
            DeltaTokensExpire(Google),
            DeltaTokensExpire(Microsoft),
        ],
        &[
            Gone(Microsoft, "Hedy Lamarr"),
            Holds(Google, "Mary Somerville", Note, "Queen of science"),
            Labelled(Microsoft, "Grace Hopper", "Navy"),
            Expect::There(Google, "Dora Device"),
            Expect::There(Microsoft, "Dora Device"),
        ],
    ),
];
