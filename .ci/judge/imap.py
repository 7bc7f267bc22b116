"""IMAP sessions of a real Dovecot in the Maildirs of a world."""

import imaplib
import pathlib
import re
import shlex
from collections import Counter

from post import digest, from_utf7, to_utf7

IMAP = "/usr/lib/dovecot/imap"


class Dovecot:
    """A Dovecot that shows one Maildir++; its sessions are signed in from the start."""

    def __init__(self, world, root, name):
        self.world, self.root = world, root
        self.dir = world.dir / f"dovecot-{name}"
        self.dir.mkdir()
        self.config = self.dir / "dovecot.conf"
        self.config.write_text(
            f"base_dir = {self.dir}/run\nstate_dir = {self.dir}/state\n"
            f"mail_location = maildir:{root}\nprotocols = imap\nssl = no\nmaildir_stat_dirs = yes\n"
        )
        for path in (self.dir, self.config):
            world.own(path)

    def command(self, *person):
        """What starts a session on its standard input and output, for somebody who may have to become that person first."""
        user = self.world.user.pw_name if self.world.person else pathlib.Path.home().owner()
        words = [*person, "env", f"USER={user}", f"HOME={self.dir}", IMAP, "-c", str(self.config)]
        # A session without a server says on standard error what would be logged.
        return f"{shlex.join(words)} 2>>{shlex.quote(str(self.dir / 'log'))}"

    def session(self):
        return Session(self.command(*self.world.person))

    def complaints(self):
        """What Dovecot has to say of the Maildir, beside that somebody came and went."""
        lines = (self.dir / "log").read_text().splitlines()
        return [line for line in lines if re.search(r"\b(Warning|Error|Fatal|Panic)\b", line)]


class Session(imaplib.IMAP4_stream):
    """One session (RFC 9051); whatever is not answered with OK is an error."""

    def must(self, name, *args):
        kind, data = getattr(self, name)(*args)
        if kind != "OK":
            raise SystemExit(f"IMAP {name} {args}: {kind} {data}")
        return data

    def mailboxes(self):
        """The names of all mailboxes, as the tree has them."""
        rows = (row.decode() for row in self.must("list"))
        # What only stands above others is none.
        rows = (row for row in rows if not re.match(r"\([^)]*\\(Noselect|NonExistent)", row))
        names = [re.fullmatch(r'\([^)]*\) "." (.*)', row)[1] for row in rows]
        return [re.sub(r"\\(.)", r"\1", name[1:-1]) if name.startswith('"') else name for name in names]

    def enter(self, name):
        """Selects a mailbox by the name that the tree has; how many messages it counts."""
        return int(self.must("select", quoted(name))[0])

    def rows(self):
        """The messages of the open mailbox: UID, flags, bytes."""
        for row in self.must("uid", "fetch", "1:*", "(FLAGS BODY.PEEK[])"):
            if isinstance(row, tuple):
                head = row[0].decode()
                flags = re.search(r"FLAGS \(([^)]*)\)", head)[1].split()
                yield int(re.search(r"UID (\d+)", head)[1]), set(flags) - {"\\Recent"}, row[1]

    def uids(self, *query):
        return [int(uid) for uid in self.must("uid", "search", *query)[0].split()]

    def deed(self, *words):
        return self.must("uid", *words)


LETTERS = {"\\Draft": "D", "\\Flagged": "F", "\\Answered": "R", "\\Seen": "S", "\\Deleted": "T", "$Forwarded": "P"}


def quoted(name):
    name = to_utf7(name)
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def copies(session):
    """How often each copy is shown, with the ends of lines as IMAP sends them, and how many Dovecot counts in each mailbox."""
    found, counts = Counter(), {}
    for name in map(from_utf7, session.mailboxes()):
        counts[name] = session.enter(name)
        if counts[name]:
            for _, flags, raw in session.rows():
                found[name, digest(raw), "".join(sorted(LETTERS[flag] for flag in flags if flag in LETTERS))] += 1
    return found, counts
