-- A hub as schema version 10 left it: that of version 9, brought up to date by the program of that time, and written out anew. Never changed.
PRAGMA foreign_keys = OFF;
BEGIN TRANSACTION;
CREATE TABLE aging (
    version INTEGER PRIMARY KEY REFERENCES versions (id) ON DELETE CASCADE,
    since   INTEGER NOT NULL                 -- 0: from the end of the next run on
);
INSERT INTO "aging" VALUES(1,0);
INSERT INTO "aging" VALUES(3,0);
INSERT INTO "aging" VALUES(5,0);
CREATE TABLE budgets (name TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE collections (
    id      INTEGER PRIMARY KEY,
    kind    TEXT NOT NULL,
    name    TEXT NOT NULL,
    color   TEXT,
    origin  INTEGER NOT NULL REFERENCES replicas (id),
    joined  INTEGER NOT NULL DEFAULT 0,
    successor INTEGER REFERENCES collections (id), -- it leaves: that one took its place
    ending  INTEGER NOT NULL DEFAULT 0,      -- it leaves: somebody deleted it
    role    TEXT                             -- what a mailbox is for (RFC 8621 2)
, left_out INTEGER NOT NULL DEFAULT 0);
INSERT INTO "collections" VALUES(1,'contacts','My Contacts',NULL,2,0,NULL,0,NULL,0);
INSERT INTO "collections" VALUES(2,'contacts','Club','#16a765',2,0,NULL,0,NULL,0);
INSERT INTO "collections" VALUES(3,'contacts','Choir',NULL,2,0,NULL,1,NULL,0);
INSERT INTO "collections" VALUES(4,'mail','INBOX',NULL,2,0,NULL,0,'inbox',0);
INSERT INTO "collections" VALUES(5,'mail','Work',NULL,2,0,NULL,0,NULL,0);
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
INSERT INTO "conflicts" VALUES('c0ffee00',3,'["name/full"]',4,5,2,1760000006000,NULL);
CREATE TABLE departed (
    replica   INTEGER NOT NULL REFERENCES replicas (id),
    remote_id TEXT NOT NULL,
    modified  INTEGER NOT NULL,
    at        INTEGER NOT NULL,              -- since when
    PRIMARY KEY (replica, remote_id)
) WITHOUT ROWID;
CREATE TABLE feeds (
    replica   INTEGER NOT NULL REFERENCES replicas (id),
    feed      TEXT NOT NULL,
    kind      TEXT NOT NULL,
    token     TEXT,
    listed_at INTEGER,                       -- when the last full listing was complete
    complete  INTEGER NOT NULL DEFAULT 0,    -- whether the last round was read to its end
    PRIMARY KEY (replica, feed)
) WITHOUT ROWID;
CREATE TABLE former_marks (mark TEXT PRIMARY KEY, item INTEGER NOT NULL REFERENCES items (id)) WITHOUT ROWID;
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
CREATE TABLE holds (
    id         TEXT PRIMARY KEY,
    replica    INTEGER NOT NULL REFERENCES replicas (id),
    collection INTEGER REFERENCES collections (id),
    kind       TEXT NOT NULL,
    cause      TEXT NOT NULL,                -- deletes, adoption, changes, collection, foreign, join, lost, device, mail
    reason     TEXT NOT NULL,
    since      INTEGER NOT NULL,
    approved   INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
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
CREATE TABLE items (
    id         INTEGER PRIMARY KEY,
    mark       TEXT NOT NULL UNIQUE,         -- the item id that marks carry
    kind       TEXT NOT NULL,
    uid        TEXT NOT NULL,
    version    INTEGER NOT NULL,
    generation INTEGER NOT NULL DEFAULT 1,
    buried     INTEGER,                      -- since when
    dated      INTEGER,                      -- when a message was received
    blob       TEXT                          -- the bytes of its current version
, size INTEGER);
INSERT INTO "items" VALUES(1,'7d8701d5a2d8cdaa71fa7546243ec7de','contacts','7d8701d5-a2d8-cdaa-71fa-7546243ec7de',2,1,NULL,NULL,NULL,NULL);
INSERT INTO "items" VALUES(2,'154f4e6aa29f738100c6a4fc627e5f34','contacts','154f4e6a-a29f-7381-00c6-a4fc627e5f34',3,1,1760000004000,NULL,NULL,NULL);
INSERT INTO "items" VALUES(3,'2ebafb0d6d98d1ceda8b9d0f478d1555','contacts','2ebafb0d-6d98-d1ce-da8b-9d0f478d1555',4,1,NULL,NULL,NULL,NULL);
INSERT INTO "items" VALUES(4,'5d0c3c8f5f7f41bd8f0d9b6d3c1f2a77','mail','g18c2',6,1,NULL,1760000007000,'0000000000000000000000000000000000000000000000000000000000000000',1234);
CREATE TABLE left_out (
        replica INTEGER NOT NULL REFERENCES replicas (id), remote_id TEXT NOT NULL,
        collection INTEGER NOT NULL REFERENCES collections (id), etag TEXT NOT NULL,
        PRIMARY KEY (replica, remote_id)) WITHOUT ROWID;
INSERT INTO "left_out" VALUES(2,'g99/Label_1',5,'e9');
CREATE TABLE listed (
    replica   INTEGER NOT NULL,
    feed      TEXT NOT NULL,
    remote_id TEXT NOT NULL,
    PRIMARY KEY (replica, feed, remote_id)
) WITHOUT ROWID;
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO "meta" VALUES('hub','812e45d73adec0e1018b86c825aefe7b');
CREATE TABLE offers (
        id INTEGER PRIMARY KEY, origin INTEGER NOT NULL REFERENCES replicas (id), name TEXT NOT NULL, uid TEXT, rendering BLOB NOT NULL,
        UNIQUE (origin, name));
INSERT INTO "offers" VALUES(1,2,'one','g18c3',X'7B7D');
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
INSERT INTO "placements" VALUES(1,1,2,1,'people/c1','1',2,1760000000000,X'616461',0);
INSERT INTO "placements" VALUES(2,4,2,4,'18c2/INBOX','$seen',6,NULL,X'7B22626C6F624964223A2262332D30303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030222C2273697A65223A313233342C2272656365697665644D73223A313736303030303030373030302C226B6579776F726473223A5B22247365656E225D2C2273617973223A7B227375626A656374223A2248656C6C6F227D7D',0);
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
    told       INTEGER, read INTEGER, earlier TEXT, proof INTEGER,                      -- when it was last told
    UNIQUE (replica, remote_id),
    UNIQUE (collection, replica)
);
INSERT INTO "places" VALUES(1,1,2,'contactGroups/myContacts','My Contacts',1,1,0,NULL,'My Contacts',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "places" VALUES(2,1,1,'google/contacts/my-contacts','My Contacts',0,1,0,NULL,'My Contacts',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "places" VALUES(3,2,2,'contactGroups/club','Club',0,1,1,'#16a765','Club','#16a765',NULL,1760000000000,NULL,NULL);
INSERT INTO "places" VALUES(4,2,1,'google/contacts/club','The old club',0,1,1,'#16a765','The old club','#16a765',NULL,NULL,NULL,NULL);
INSERT INTO "places" VALUES(5,3,1,'google/contacts/choir','Choir',0,1,1,NULL,'Choir',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "places" VALUES(6,4,2,'INBOX','INBOX',0,1,1,NULL,'INBOX',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "places" VALUES(7,5,2,'Label_1','Work',0,1,1,NULL,'Work',NULL,NULL,NULL,NULL,NULL);
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
CREATE TABLE removals (
    replica    INTEGER NOT NULL,
    collection INTEGER NOT NULL,
    at         INTEGER NOT NULL
);
CREATE TABLE replicas (
    id        INTEGER PRIMARY KEY,
    name      TEXT NOT NULL UNIQUE,          -- as in the configuration
    mark      TEXT NOT NULL UNIQUE,          -- the replica id that a device's marker holds
    is_device INTEGER NOT NULL,
    account   TEXT,                          -- who is signed in (ENGINE 21)
    met       INTEGER NOT NULL DEFAULT 0,    -- first use is over
    behind    INTEGER NOT NULL DEFAULT 0,    -- something was decided while it could not be reached
    last_ok   INTEGER,                       -- last proof of life
    trouble   TEXT                           -- what stood in the way last time
, since INTEGER, max_size INTEGER);
INSERT INTO "replicas" VALUES(1,'phone','92c7ce61d74e5ab2d302faa313346fda',1,NULL,0,0,1760000007000,NULL,NULL,NULL);
INSERT INTO "replicas" VALUES(2,'google','c29491f051d532e1c9c11be8b0b316d5',0,NULL,0,0,1760000007000,NULL,1750000000000,NULL);
CREATE TABLE runs (id INTEGER PRIMARY KEY, started INTEGER NOT NULL, finished INTEGER, exit INTEGER, report TEXT);
INSERT INTO "runs" VALUES(1,1760000000000,1760000007000,5,'{}');
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
CREATE TABLE stands (
    item       INTEGER NOT NULL REFERENCES items (id),
    collection INTEGER NOT NULL REFERENCES collections (id),
    PRIMARY KEY (item, collection)
) WITHOUT ROWID;
INSERT INTO "stands" VALUES(1,1);
INSERT INTO "stands" VALUES(3,1);
INSERT INTO "stands" VALUES(4,4);
CREATE TABLE todo (item INTEGER PRIMARY KEY REFERENCES items (id));
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
INSERT INTO "versions" VALUES(1,1,'{"name":{"full":"Ada"}}',1760000001000,1,2,NULL,NULL);
INSERT INTO "versions" VALUES(2,1,'{"name":{"full":"Ada King"}}',1760000002000,1,2,1,NULL);
INSERT INTO "versions" VALUES(3,2,'{"name":{"full":"Lise"}}',1760000003000,1,2,NULL,NULL);
INSERT INTO "versions" VALUES(4,3,'{"name":{"full":"Mary"}}',1760000005000,1,2,NULL,NULL);
INSERT INTO "versions" VALUES(5,3,'{"name":{"full":"Mary S"}}',1760000006000,1,2,4,NULL);
INSERT INTO "versions" VALUES(6,4,'{"blobId":"0000000000000000000000000000000000000000000000000000000000000000","keywords":{"$seen":true},"subject":"Hello"}',1760000007000,1,2,NULL,NULL);
CREATE TABLE withheld (
    item       INTEGER NOT NULL REFERENCES items (id),
    replica    INTEGER NOT NULL REFERENCES replicas (id),
    collection INTEGER NOT NULL,
    reason     TEXT NOT NULL,
    PRIMARY KEY (item, replica, collection)
) WITHOUT ROWID;
CREATE INDEX items_by_uid ON items (uid);
CREATE INDEX items_by_blob ON items (blob) WHERE blob IS NOT NULL;
CREATE INDEX stands_by_collection ON stands (collection, item);
CREATE INDEX versions_by_item ON versions (item);
CREATE INDEX aging_since ON aging (since);
CREATE INDEX placements_by_item ON placements (item);
CREATE INDEX placements_agreed ON placements (agreed);
CREATE INDEX placements_known ON placements (replica, collection, remote_id, etag);
CREATE INDEX sightings_by_uid ON sightings (replica, uid) WHERE uid IS NOT NULL;
CREATE INDEX sightings_lacking ON sightings (replica, dated) WHERE lacks > 0;
CREATE INDEX sightings_gone ON sightings (replica, collection) WHERE gone > 0;
CREATE INDEX sightings_new ON sightings (replica, collection, id) WHERE item IS NULL AND gone = 0;
CREATE INDEX sightings_held ON sightings (hold) WHERE hold IS NOT NULL;
CREATE INDEX held_writes_by_hold ON held_writes (hold);
CREATE INDEX offers_by_uid ON offers (origin, uid) WHERE uid IS NOT NULL;
CREATE INDEX left_out_by_collection ON left_out (collection);
CREATE INDEX sightings_by_item ON sightings (item) WHERE item IS NOT NULL;
CREATE INDEX versions_by_blob ON versions (substr(content ->> 'blobId', 1, 12))
        WHERE instr(content, '"blobId":"') > 0;
CREATE INDEX placements_by_blob ON placements (substr(seen, 12, 12))
        WHERE substr(seen, 1, 11) = X'7b22626c6f624964223a22';
CREATE TRIGGER base_gone AFTER DELETE ON placements
        WHEN EXISTS (SELECT 1 FROM replicas WHERE id = OLD.replica AND is_device) BEGIN
        UPDATE feeds SET token = NULL WHERE replica = OLD.replica AND token IS NOT NULL
            AND feed = (SELECT remote_id FROM places WHERE collection = OLD.collection AND replica = OLD.replica);
    END;
CREATE TRIGGER base_moved AFTER UPDATE OF replica, collection, remote_id, etag ON placements
        WHEN (OLD.etag <> NEW.etag OR OLD.remote_id <> NEW.remote_id OR OLD.collection <> NEW.collection OR OLD.replica <> NEW.replica)
            AND EXISTS (SELECT 1 FROM replicas WHERE id IN (OLD.replica, NEW.replica) AND is_device) BEGIN
        UPDATE feeds SET token = NULL WHERE replica = OLD.replica AND token IS NOT NULL
            AND feed = (SELECT remote_id FROM places WHERE collection = OLD.collection AND replica = OLD.replica);
        UPDATE feeds SET token = NULL WHERE replica = NEW.replica AND token IS NOT NULL
            AND feed = (SELECT remote_id FROM places WHERE collection = NEW.collection AND replica = NEW.replica);
    END;
COMMIT;
PRAGMA user_version = 10;
