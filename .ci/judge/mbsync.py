"""mbsync copies a device folder to another tree, both ways, while `twofold sync` runs.

    python mbsync.py PROGRAM [COUNT]     (isync is installed, and dovecot-imapd; COUNT messages at each provider, default 100)

At Gmail through Dovecot, as a mail program would, and at Microsoft 365 from Maildir to Maildir. Messages come, are flagged, moved and deleted
at the provider, and flagged, added and deleted in the tree of mbsync. At the end the provider, the device folder and the tree have the
same copies, each once.
"""

import sys
import threading
from collections import Counter

import imap
import post
from post import Mailboxes, letter, name_of, verdict
from world import PROVIDERS, World

BIN = {"google": "Archive", "microsoft365": "Gelöschte Elemente"}
ROUNDS = 6


class Mbsync:
    """One channel between a device folder and a tree of its own."""

    def __init__(self, world, provider):
        self.world = world
        root = world.device / provider / "mail"
        self.tree = world.dir / f"tree-{provider}"
        self.tree.mkdir()
        self.config = world.dir / f"mbsyncrc-{provider}"
        self.dovecot = imap.Dovecot(world, root, f"mbsync-{provider}") if provider == "google" else None
        if self.dovecot:
            there = f'IMAPStore there\nTunnel "{self.dovecot.command()}"\nAuthMechs *\n'
            here = f"MaildirStore here\nPath {self.tree}/\nInbox {self.tree}/INBOX\nSubFolders Verbatim\n"
        else:
            there = f"MaildirStore there\nInbox {root}\nSubFolders Maildir++\n"
            here = f"MaildirStore here\nInbox {self.tree}/INBOX\nSubFolders Maildir++\n"
        self.config.write_text(
            f"{there}\n{here}\nChannel all\nFar :there:\nNear :here:\nPatterns *\nCreate Near\nExpunge Both\nSync All\nSyncState *\n"
        )
        for path in (self.tree, self.config):
            world.own(path)

    def sync(self):
        """One run; what went wrong."""
        started = self.world.start(["mbsync", "-q", "-c", self.config, "-a"], stdout=-1, stderr=-1, text=True)
        out, errors = started.communicate()
        return [f"mbsync ended with {started.returncode}: {out}{errors}"] if started.returncode else []


    def maildirs(self):
        """The Maildirs of its tree, by the names that Dovecot gives their mailboxes."""
        if not self.dovecot:
            return post.maildirs(self.tree / "INBOX")
        folders = [path.parent for path in self.tree.rglob("cur")]
        return {post.from_utf7(str(folder.relative_to(self.tree)).replace("/", ".")): folder for folder in folders}

    def files(self):
        for mailbox, folder in self.maildirs().items():
            for part in ("new", "cur"):
                for path in (folder / part).iterdir():
                    yield mailbox, path

    def copies(self):
        return Counter((mailbox, name_of(path.read_bytes()), post.letters_of(path.name)) for mailbox, path in self.files())

    def inbox(self):
        """Messages of the inbox that can be changed as a mail program does, the oldest first."""
        return sorted(path for mailbox, path in self.files() if mailbox == "INBOX" and path.parent.name == "cur")

    def flag(self, path, letter):
        """Renames a file so that it has one letter more."""
        letters = "".join(sorted({*post.letters_of(path.name), letter}))
        path.rename(path.with_name(f"{path.name.rpartition(':2,')[0]}:2,{letters}"))

    def put(self, raw, number):
        """A new file, as a program that delivers would make it."""
        path = self.maildirs()["INBOX"] / "new" / f"177253{number:04}.M{number}P1.judge"
        path.write_bytes(raw)
        self.world.own(path)


class Deeds:
    """What is done at a provider and in the tree of mbsync, each with a message of its own."""

    def __init__(self, world, provider):
        self.world, self.provider = world, provider
        self.box, self.mbsync = Mailboxes(world, provider), Mbsync(world, provider)
        self.used, self.flagged, self.moved, self.deleted, self.put = set(), set(), set(), set(), set()

    def free(self, ids):
        """The next of these that nothing was done with."""
        id = next(id for id in ids if id not in self.used)
        self.used.add(id)
        return id

    def at_provider(self, turn):
        for number in range(5):
            self.box.deliver(letter(f"Came {turn}", number))
        inbox = [id for id, (mailboxes, letters) in self.box.messages().items() if mailboxes == {"INBOX"} and "D" not in letters]
        names = {name_of(self.box.bytes(id)): id for id in inbox if b"Matter" in self.box.bytes(id)}
        flagged, moved, deleted = (self.free(names) for _ in range(3))
        self.flagged.add(flagged)
        self.moved.add(moved)
        if self.provider == "google":
            label = next(one["id"] for one in self.world.control("google/mail/labels") if one["name"] == "Rechnungen")
            self.world.control("google/mail/label", id=names[flagged], add=["STARRED"])
            self.world.control("google/mail/label", id=names[moved], add=[label], remove=["INBOX"])
            self.world.control("google/mail/trash", id=names[deleted])
        else:
            self.world.control("microsoft/mail/edit", id=names[flagged], message={"flag": {"flagStatus": "flagged"}})
            self.world.control("microsoft/mail/move", id=names[moved], folder="Rechnungen")
            self.world.control("microsoft/mail/delete", id=names[deleted])

    def in_tree(self, turn):
        """Flags one, deletes one, and puts one there. What a run of mbsync renames at the same moment is taken the next time."""
        paths = {name_of(path.read_bytes()): path for path in reversed(self.mbsync.inbox()) if b"Matter" in path.read_bytes()}
        flagged, deleted = (self.free(paths) for _ in range(2))
        self.mbsync.flag(paths[flagged], "F")
        self.mbsync.flag(paths[deleted], "T")
        self.flagged.add(flagged)
        self.deleted.add(deleted)
        raw = letter(f"Put {turn}", 1)
        self.mbsync.put(raw, turn)
        self.put.add(name_of(raw))

    def wrong(self):
        """What is not everywhere, or twice."""
        there = self.box.copies(name_of)
        wrong = post.differences(there, post.copies(self.world.device / self.provider / "mail", name_of), f"the device ({self.provider})")
        wrong += post.differences(there, self.mbsync.copies(), f"the tree of mbsync ({self.provider})")
        places = Counter()
        for (mailbox, name, letters), count in there.items():
            places[name] += count
            if (name in self.flagged and "F" not in letters) or (name in self.moved and mailbox != "Rechnungen") or (
                    name in self.deleted and mailbox == "INBOX"):
                wrong.append(f"{self.provider}: {name} is in {mailbox} with {letters!r}")
        for name in self.used | self.put:
            if places[name] != 1:
                wrong.append(f"{self.provider}: {name} is there {places[name]} times")
        if self.mbsync.dovecot:
            wrong += [f"{self.provider}: Dovecot says: {line}" for line in self.mbsync.dovecot.complaints()]
        print(f"{self.provider}: {sum(there.values())} copies at the provider, on the device and in the tree of mbsync", flush=True)
        return wrong


def judge_mbsync(program, count="100"):
    with World(program, "--mails", count, kind="mail") as world:
        world.use_device("laptop")
        world.sign_in()
        post.settle(world)
        all_deeds = [Deeds(world, provider) for provider in PROVIDERS]
        wrong = [words for deeds in all_deeds for words in deeds.mbsync.sync()]
        done, codes, runs = threading.Event(), Counter(), Counter()

        def copy(deeds):
            while not done.is_set():
                for words in deeds.mbsync.sync():
                    wrong.append(words)
                runs[deeds.provider] += 1

        for turn in range(ROUNDS):
            for deeds in all_deeds:
                deeds.at_provider(turn)
                deeds.in_tree(turn)
            # mbsync runs all the time while twofold does; only the judge's own hands wait for it to end.
            done.clear()
            threads = [threading.Thread(target=copy, args=(deeds,)) for deeds in all_deeds]
            for thread in threads:
                thread.start()
            codes[world.run("sync")[1]] += 1
            done.set()
            for thread in threads:
                thread.join()
        wrong += [f"{number} runs ended with {code}" for code, number in codes.items() if code != 0]
        for _ in range(3):
            post.settle(world)
            wrong += [words for deeds in all_deeds for words in deeds.mbsync.sync()]
        print(f"mbsync ran {dict(runs)} times while {codes.total()} syncs ran", flush=True)
        wrong += [words for deeds in all_deeds for words in deeds.wrong()]
    verdict(wrong, "what mbsync copies is what the providers list, each message once")


if __name__ == "__main__":
    judge_mbsync(*sys.argv[1:])
