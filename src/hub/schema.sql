-- The hub, schema version 8. Times are milliseconds since 1970. Item content is JSON text, renderings are bytes.

CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- One place that holds copies: a provider account or a device folder.
CREATE TABLE replicas (
    id        INTEGER PRIMARY KEY,
    name      TEXT NOT NULL UNIQUE,          -- as in the configuration
    mark      TEXT NOT NULL UNIQUE,          -- the replica id that a device's marker holds
    is_device INTEGER NOT NULL,
    account   TEXT,                          -- who is signed in (ENGINE 21)
    met       INTEGER NOT NULL DEFAULT 0,    -- first use is over
    behind    INTEGER NOT NULL DEFAULT 0,    -- something was decided while it could not be reached
    last_ok   INTEGER,                       -- last proof of life
    trouble   TEXT,                          -- what stood in the way last time
    since     INTEGER,                       -- older messages of this account are left out
    max_size  INTEGER                        -- and larger ones, in bytes
);

-- A folder, calendar or address book, as the hub knows it, and where it stands.
CREATE TABLE collections (
    id      INTEGER PRIMARY KEY,
    kind    TEXT NOT NULL,
    name    TEXT NOT NULL,
    color   TEXT,
    origin  INTEGER NOT NULL REFERENCES replicas (id),
    joined  INTEGER NOT NULL DEFAULT 0,
    successor INTEGER REFERENCES collections (id), -- it leaves: that one took its place
    ending  INTEGER NOT NULL DEFAULT 0,      -- it leaves: somebody deleted it
    role    TEXT,                            -- what a mailbox is for (RFC 8621 2)
    left_out INTEGER NOT NULL DEFAULT 0      -- frozen: nothing of it is read, written or deleted anywhere
);
CREATE TABLE places (
    id         INTEGER PRIMARY KEY,
    collection INTEGER NOT NULL REFERENCES collections (id),
    replica    INTEGER NOT NULL REFERENCES replicas (id),
    remote_id  TEXT NOT NULL,
    name       TEXT NOT NULL,                -- the name it showed there; with colour and agreed the base of its label
    is_default INTEGER NOT NULL DEFAULT 0,
    can_write  INTEGER NOT NULL DEFAULT 1,
    met        INTEGER NOT NULL DEFAULT 0,   -- its first listing has been paired
    color      TEXT,                         -- the colour it showed there
    agreed_name TEXT NOT NULL DEFAULT '',    -- what it was last told or took
    agreed_color TEXT,
    told       INTEGER,                      -- when it was last told
    read       INTEGER,                      -- when it was last read to its end
    earlier    TEXT,                         -- the labels that it showed before, and its lists may still show (JSON)
    proof      INTEGER,                      -- when a read last saw an item of it that is known
    UNIQUE (replica, remote_id),
    UNIQUE (collection, replica)
);

-- An item and where it stands; no row in `stands` = it was buried.
CREATE TABLE items (
    id         INTEGER PRIMARY KEY,
    mark       TEXT NOT NULL UNIQUE,         -- the item id that marks carry
    kind       TEXT NOT NULL,
    uid        TEXT NOT NULL,
    version    INTEGER NOT NULL,
    generation INTEGER NOT NULL DEFAULT 1,
    buried     INTEGER,                      -- since when
    dated      INTEGER,                      -- when a message was received
    blob       TEXT,                         -- the bytes of its current version
    size       INTEGER                       -- how many these are, as the first place that had it said
);
CREATE INDEX items_by_uid ON items (uid);
CREATE INDEX items_by_blob ON items (blob) WHERE blob IS NOT NULL;
-- Marks of items that became one with another (a join that was added later).
CREATE TABLE former_marks (mark TEXT PRIMARY KEY, item INTEGER NOT NULL REFERENCES items (id)) WITHOUT ROWID;
CREATE TABLE stands (
    item       INTEGER NOT NULL REFERENCES items (id),
    collection INTEGER NOT NULL REFERENCES collections (id),
    PRIMARY KEY (item, collection)
) WITHOUT ROWID;
CREATE INDEX stands_by_collection ON stands (collection, item);

-- One unchanging content. No cycle deletes one; only `prune` does, after the retention time.
CREATE TABLE versions (
    id      INTEGER PRIMARY KEY,
    item    INTEGER NOT NULL REFERENCES items (id),
    content TEXT NOT NULL,
    at      INTEGER NOT NULL,
    rank    INTEGER NOT NULL,
    source  INTEGER REFERENCES replicas (id),
    parent  INTEGER,
    parent2 INTEGER
);
CREATE INDEX versions_by_item ON versions (item);
-- Versions that are not the current one of a living item, and since when they age (promise 4).
CREATE TABLE aging (
    version INTEGER PRIMARY KEY REFERENCES versions (id) ON DELETE CASCADE,
    since   INTEGER NOT NULL                 -- 0: from the end of the next run on
);
CREATE INDEX aging_since ON aging (since);

-- One copy of an item at a replica: the base pair (agreed, seen).
CREATE TABLE placements (
    id         INTEGER PRIMARY KEY,
    item       INTEGER NOT NULL REFERENCES items (id),
    replica    INTEGER NOT NULL REFERENCES replicas (id),
    collection INTEGER NOT NULL REFERENCES collections (id),
    remote_id  TEXT NOT NULL,
    etag       TEXT NOT NULL,
    agreed     INTEGER NOT NULL,             -- the version last sent or taken
    modified   INTEGER,                      -- the server's stamp of `seen`
    seen       BLOB NOT NULL,                -- the rendering that the replica answered
    swept      INTEGER NOT NULL DEFAULT 0,   -- when its photo was last looked at
    UNIQUE (replica, remote_id)
);
CREATE INDEX placements_by_item ON placements (item);
CREATE INDEX placements_agreed ON placements (agreed);
CREATE INDEX placements_known ON placements (replica, collection, remote_id, etag);

-- What a pull brought and no decision has settled yet. The token of the feed moves in the transaction that stores these.
CREATE TABLE sightings (
    id         INTEGER PRIMARY KEY,
    replica    INTEGER NOT NULL REFERENCES replicas (id),
    collection INTEGER NOT NULL REFERENCES collections (id),
    remote_id  TEXT NOT NULL,
    item       INTEGER REFERENCES items (id),
    gone       INTEGER NOT NULL DEFAULT 0,   -- 0 there, 1 said to be gone, 2 confirmed gone
    etag       TEXT,
    rendering  BLOB,
    uid        TEXT,
    mark       TEXT,
    modified   INTEGER,
    observed   INTEGER NOT NULL,
    hold       TEXT,
    lacks      INTEGER NOT NULL DEFAULT 0,   -- 1: its bytes are still to be asked for
    dated      INTEGER,                      -- when a message was received
    UNIQUE (replica, remote_id)
);
CREATE INDEX sightings_by_uid ON sightings (replica, uid) WHERE uid IS NOT NULL;
CREATE INDEX sightings_lacking ON sightings (replica, dated, length(uid), uid) WHERE lacks > 0;
CREATE INDEX sightings_by_item ON sightings (item) WHERE item IS NOT NULL;
CREATE INDEX sightings_gone ON sightings (replica, collection) WHERE gone > 0;
CREATE INDEX sightings_new ON sightings (replica, collection, id) WHERE item IS NULL AND gone = 0;
CREATE INDEX sightings_held ON sightings (hold) WHERE hold IS NOT NULL;

-- Messages that somebody brought without saying where they stand (`twofold adopt`): their bytes are with the blobs, for the copies of the
-- account that turn out to be theirs.
CREATE TABLE offers (
    id        INTEGER PRIMARY KEY,
    origin    INTEGER NOT NULL REFERENCES replicas (id), -- the account
    name      TEXT NOT NULL,                 -- what names the message among those that were brought
    uid       TEXT,                          -- that of the account's copies, where it is known
    rendering BLOB NOT NULL,                 -- which bytes, and what their header says
    UNIQUE (origin, name)
);
CREATE INDEX offers_by_uid ON offers (origin, uid) WHERE uid IS NOT NULL;

-- Copies of which the configuration allows no item to be made (too old, too large): seen, and not taken.
CREATE TABLE left_out (
    replica    INTEGER NOT NULL REFERENCES replicas (id),
    remote_id  TEXT NOT NULL,
    collection INTEGER NOT NULL REFERENCES collections (id),
    etag       TEXT NOT NULL,
    PRIMARY KEY (replica, remote_id)
) WITHOUT ROWID;
CREATE INDEX left_out_by_collection ON left_out (collection);

-- Copies that we removed at a replica, with the server's stamp of their last state: its lists may go on showing them for a while.
CREATE TABLE departed (
    replica   INTEGER NOT NULL REFERENCES replicas (id),
    remote_id TEXT NOT NULL,
    modified  INTEGER NOT NULL,
    at        INTEGER NOT NULL,              -- since when
    PRIMARY KEY (replica, remote_id)
) WITHOUT ROWID;

-- Feeds: what one token covers.
CREATE TABLE feeds (
    replica   INTEGER NOT NULL REFERENCES replicas (id),
    feed      TEXT NOT NULL,
    kind      TEXT NOT NULL,
    token     TEXT,
    listed_at INTEGER,                       -- when the last full listing was complete
    complete  INTEGER NOT NULL DEFAULT 0,    -- of no use: whether a round was read to its end is asked in its run only
    PRIMARY KEY (replica, feed)
) WITHOUT ROWID;
-- The shadow set of a full listing under way.
CREATE TABLE listed (
    replica   INTEGER NOT NULL,
    feed      TEXT NOT NULL,
    remote_id TEXT NOT NULL,
    PRIMARY KEY (replica, feed, remote_id)
) WITHOUT ROWID;

-- What is about to be, or may have been, done. On disk before the request leaves.
CREATE TABLE intents (
    id         INTEGER PRIMARY KEY,
    replica    INTEGER NOT NULL REFERENCES replicas (id),
    item       INTEGER NOT NULL REFERENCES items (id),
    collection INTEGER NOT NULL REFERENCES collections (id),
    operation  TEXT NOT NULL,                -- create, copy, move, update, delete
    remote_id  TEXT,
    etag       TEXT,
    target     BLOB,                         -- the rendering that an update shall leave behind
    version    INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    sent       INTEGER,                      -- when it left; NULL: certainly not yet
    not_before INTEGER,                      -- when its fate can be known at the earliest
    UNIQUE (item, replica, collection)
);

CREATE TABLE quarantine (
    id         INTEGER PRIMARY KEY,
    replica    INTEGER NOT NULL REFERENCES replicas (id),
    collection INTEGER REFERENCES collections (id),
    item       INTEGER,
    remote_id  TEXT NOT NULL,
    reason     TEXT NOT NULL,
    raw        BLOB NOT NULL,
    since      INTEGER NOT NULL,
    tries      INTEGER NOT NULL DEFAULT 1,
    next_try   INTEGER NOT NULL,
    UNIQUE (replica, remote_id)
);

-- A plan that a brake stopped. Its rows are the sightings that name it.
CREATE TABLE holds (
    id         TEXT PRIMARY KEY,
    replica    INTEGER NOT NULL REFERENCES replicas (id),
    collection INTEGER REFERENCES collections (id),
    kind       TEXT NOT NULL,
    cause      TEXT NOT NULL,                -- deletes, adoption, changes, collection, folder, foreign, join, lost, device, mail
    reason     TEXT NOT NULL,
    since      INTEGER NOT NULL,
    approved   INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

-- Writes that would mail people, until somebody allows them (promise 7). Their holds have the cause `mail`.
CREATE TABLE held_writes (
    hold       TEXT NOT NULL REFERENCES holds (id) ON DELETE CASCADE,
    item       INTEGER NOT NULL REFERENCES items (id) ON DELETE CASCADE,
    replica    INTEGER NOT NULL,
    collection INTEGER NOT NULL,
    operation  TEXT NOT NULL,                -- update, delete
    version    INTEGER NOT NULL,             -- what would be sent
    etag       TEXT NOT NULL,                -- the state it rests on
    people     INTEGER NOT NULL,             -- how many it would mail
    PRIMARY KEY (item, replica, collection)
) WITHOUT ROWID;
CREATE INDEX held_writes_by_hold ON held_writes (hold);

-- Removals made, for the brake's 24 hours.
CREATE TABLE removals (
    replica    INTEGER NOT NULL,
    collection INTEGER NOT NULL,
    at         INTEGER NOT NULL
);

CREATE TABLE conflicts (
    id       TEXT PRIMARY KEY,
    item     INTEGER NOT NULL REFERENCES items (id),
    fields   TEXT NOT NULL,                  -- JSON list of member paths
    shown    INTEGER NOT NULL,               -- version
    other    INTEGER NOT NULL,               -- version
    replica  INTEGER NOT NULL REFERENCES replicas (id),
    at       INTEGER NOT NULL,
    resolved INTEGER
) WITHOUT ROWID;

-- Items that no decision has settled at every replica yet.
CREATE TABLE todo (item INTEGER PRIMARY KEY REFERENCES items (id));
-- What a replica cannot take, and why: withheld, not representable.
CREATE TABLE withheld (
    item       INTEGER NOT NULL REFERENCES items (id),
    replica    INTEGER NOT NULL REFERENCES replicas (id),
    collection INTEGER NOT NULL,
    reason     TEXT NOT NULL,
    PRIMARY KEY (item, replica, collection)
) WITHOUT ROWID;

CREATE TABLE budgets (name TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE runs (id INTEGER PRIMARY KEY, started INTEGER NOT NULL, finished INTEGER, exit INTEGER, report TEXT);
