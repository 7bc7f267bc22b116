"""Dovecot on device folders, against what each provider's sandbox lists of itself, also while both are written.

    python dovecot.py PROGRAM [COUNT [SEED]]     (dovecot-imapd is installed; COUNT messages in all, default 200)

First every message of every mailbox is read through IMAP: counts, flags and bytes are those of the provider. Then two sessions at each
provider's mail flag, move, copy, delete and append messages while `twofold sync` runs again and again and new messages come. At the
end each deed is at the provider and on the device, nothing is lost or doubled, and Dovecot has nothing to complain about.
"""

import random
import sys
import threading
import time
from collections import Counter

import imap
import post
from post import Mailboxes, as_sent, differences, letter, name_of, verdict
from world import PROVIDERS, World

# The deeds of a session are spread over so many runs of sync.
RUNS = 8
TARGET = {"google": "Rechnungen", "microsoft365": "Rechnungen"}
BIN = {"google": ("Trash", "Archive"), "microsoft365": ("Gelöschte Elemente",)}


def judge_dovecot(program, count="200", seed="1"):
    wrong = []
    for seeds in ([], ["--mails", str(int(count) // 2)]):
        with World(program, *seeds, kind="mail") as world:
            world.use_device("laptop")
            world.sign_in()
            began = time.monotonic()
            post.settle(world)
            print(f"first sync and what follows: {time.monotonic() - began:.1f} s", flush=True)
            for provider in PROVIDERS:
                wrong += judge_counts(world, provider)
            if seeds:
                wrong += judge_deeds(world, int(count), random.Random(int(seed)))
    verdict(wrong, "Dovecot sees what the providers list, and they what it did")


def judge_counts(world, provider):
    """Every mailbox, as Dovecot counts and reads it."""
    dovecot = imap.Dovecot(world, world.device / provider / "mail", f"{provider}-{time.monotonic_ns()}")
    session = dovecot.session()
    seen, counts = imap.copies(session)
    session.logout()
    told = Mailboxes(world, provider).copies(as_sent)
    in_mailbox = Counter()
    for (mailbox, _, _), number in told.items():
        in_mailbox[mailbox] += number
    wrong = differences(told, seen, f"Dovecot ({provider})")
    wrong += [f"{provider}: {name} has {counts.get(name)} in Dovecot, {number} at the provider"
              for name, number in in_mailbox.items() if counts.get(name) != number]
    wrong += [f"{provider}: Dovecot says: {line}" for line in dovecot.complaints()]
    print(f"{provider}: Dovecot reads {sum(seen.values())} of {sum(told.values())} copies in {len(counts)} mailboxes", flush=True)
    return wrong


class Runs:
    """How many runs of sync have begun, and how they ended."""

    def __init__(self):
        self.begun, self.ended, self.change = 0, Counter(), threading.Condition()

    def begin(self):
        with self.change:
            self.begun += 1
            self.change.notify_all()

    def wait_for(self, number):
        with self.change:
            if not self.change.wait_for(lambda: self.begun >= number, timeout=600):
                raise SystemExit(f"run {number} does not begin")


class Worker:
    """Two sessions in one provider's mail that do things with messages of their own, one deed for each message."""

    def __init__(self, world, provider, random, deeds, runs):
        self.provider, self.random, self.deeds, self.runs = provider, random, deeds, runs
        self.box = Mailboxes(world, provider)
        self.dovecot = imap.Dovecot(world, world.device / provider / "mail", f"{provider}-deeds")
        self.before = self.box.messages()
        # What stands in the inbox alone, by Message-ID: what is done with it says where it stands then.
        self.inbox = [
            (name_of(self.box.bytes(id)), letters)
            for id, (mailboxes, letters) in self.before.items() if mailboxes == {"INBOX"} and "D" not in letters
        ]
        self.random.shuffle(self.inbox)
        self.expected = Counter(
            (mailbox, name_of(self.box.bytes(id)), letters)
            for id, (mailboxes, letters) in self.before.items() for mailbox in mailboxes
        )
        self.deleted, self.moved = set(), set()
        self.failed = []

    def threads(self):
        halves = self.inbox[0::2], self.inbox[1::2]
        return [threading.Thread(target=self.work, args=(half, number)) for number, half in enumerate(halves)]

    def work(self, messages, number):
        try:
            self.work_on(messages, self.dovecot.session(), number, random.Random(self.random.random()))
        except BaseException as error:
            self.failed.append(f"{self.provider}: session {number}: {error!r}")

    def work_on(self, messages, session, number, dice):
        session.enter("INBOX")
        for at in range(self.deeds):
            # So many in each run, from its first moment on.
            self.runs.wait_for(1 + at * RUNS // self.deeds)
            deed = dice.choice(["flag", "unflag", "move", "copy", "delete", "append"])
            if deed == "append":
                raw = letter(f"Appended {number}", at)
                session.must("append", "INBOX", "(\\Seen)", None, raw)
                self.expected["INBOX", name_of(raw), "S"] += 1
                continue
            if not messages:
                break
            name, letters = messages.pop()
            session.must("noop")
            uids = session.uids("HEADER", "Message-ID", name)
            if len(uids) != 1:
                self.failed.append(f"{self.provider}: {name} is in the INBOX {len(uids)} times")
                continue
            self.expected["INBOX", name, letters] -= 1
            getattr(self, deed)(session, str(uids[0]), name, letters, number)

    def flag(self, session, uid, name, letters, _):
        session.deed("store", uid, "+FLAGS", "(\\Flagged \\Seen)")
        self.expected["INBOX", name, "FS"] += 1

    def unflag(self, session, uid, name, letters, _):
        session.deed("store", uid, "-FLAGS", "(\\Flagged \\Seen)")
        self.expected["INBOX", name, ""] += 1

    def move(self, session, uid, name, letters, _):
        session.deed("move", uid, imap.quoted(TARGET[self.provider]))
        self.expected[TARGET[self.provider], name, letters] += 1
        self.moved.add(name)

    def copy(self, session, uid, name, letters, _):
        session.deed("copy", uid, imap.quoted(TARGET[self.provider]))
        for mailbox in ("INBOX", TARGET[self.provider]):
            self.expected[mailbox, name, letters] += 1

    def delete(self, session, uid, name, letters, _):
        session.deed("store", uid, "+FLAGS", "(\\Deleted)")
        session.deed("expunge", uid)
        self.deleted.add(name)

    def wrong(self, device):
        """What is otherwise than it was done, at the provider and on the device."""
        here = post.copies(device / self.provider / "mail", name_of)
        there = self.box.copies(name_of)
        wrong = list(self.failed)
        wrong += differences(there, here, f"the device ({self.provider})")
        for name in self.deleted:
            # Whether the letter T was seen before the file went decides where it is kept: but once, and not in the inbox.
            places = [mailbox for (mailbox, other, _), count in there.items() for _ in range(count) if other == name]
            if len(places) != 1 or places[0] not in BIN[self.provider]:
                wrong.append(f"{self.provider}: {name} was deleted and is in {places}")
        there = Counter({row: count for row, count in there.items() if row[1] not in self.deleted})
        # To Dovecot a move is a copy and then a removal. Where a sync looked in between, and the provider has no message in two folders, it
        # copied and removed: what it removed is in the bin.
        torn = [row for row in there if row[1] in self.moved and row[0] in BIN[self.provider] and self.provider != "google"]
        for row in torn:
            del there[row]
        print(f"{self.provider}: {len(self.moved)} were moved, of {len(torn)} a sync saw half of it")
        wrong += differences(+self.expected, there, f"{self.provider}")
        wrong += [f"{self.provider}: Dovecot says: {line}" for line in self.dovecot.complaints()]
        return wrong

    def must_keep_bytes(self, device):
        """What the provider had before has the bytes that it had then."""
        here = Counter(post.digest(path.read_bytes()) for _, path in post.files(device / self.provider / "mail"))
        return [f"{self.provider}: the bytes of {id} are not on the device"
                for id in self.before if post.digest(self.box.kept[id]) not in here]


def judge_deeds(world, count, dice):
    """Deeds in IMAP sessions while syncs run and messages come."""
    deeds, runs, done = max(40, min(count // 40, 200)), Runs(), threading.Event()
    workers = [Worker(world, provider, dice, deeds, runs) for provider in PROVIDERS]

    def sync():
        while not done.is_set() or runs.begun < RUNS:
            runs.begin()
            runs.ended[world.run("sync")[1]] += 1
            # Other hands, between two runs.
            for worker in workers:
                raw = letter("Came meanwhile", runs.begun)
                worker.box.deliver(raw)
                worker.expected["INBOX", name_of(raw), ""] += 1

    syncing = threading.Thread(target=sync)
    threads = [thread for worker in workers for thread in worker.threads()]
    for thread in [syncing, *threads]:
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    syncing.join()
    wrong = [f"{number} runs ended with {code}" for code, number in runs.ended.items() if code != 0]
    post.settle(world)
    for worker in workers:
        wrong += worker.wrong(world.device) + worker.must_keep_bytes(world.device)
    number = sum(worker.deeds * 2 for worker in workers)
    print(f"{number} deeds in {len(threads)} sessions during {runs.begun} runs of sync: {len(wrong)} differences", flush=True)
    return wrong


if __name__ == "__main__":
    judge_dovecot(*sys.argv[1:])
