"""neomutt on device folders, against what each provider's sandbox lists of itself.

    python neomutt.py PROGRAM [COUNT]     (neomutt is installed; COUNT messages at each provider, default 100)

It opens every folder and says what is there, unread and flagged; then it flags, moves, deletes and copies messages, and each deed is at
the provider after one sync. And it opens the inboxes again and again while syncs write.
"""

import os
import pty
import select
import sys
from collections import Counter

import post
from post import Mailboxes, letter, verdict
from world import PROVIDERS, World

SETTINGS = """
set mbox_type=Maildir
set folder="{root}"
set spoolfile="{root}"
set delete=yes quit=yes move=no mark_old=no wait_key=no confirmappend=no confirmcreate=no sleep_time=0
set sort=mailbox-order resolve=no pipe_split=yes pipe_decode=no pipe_sep="" abort_key=""
"""


class Neomutt:
    """One person in front of it."""

    def __init__(self, world, root, name):
        self.world, self.root = world, root
        self.config = world.dir / f"neomutt-{name}"
        self.config.write_text(SETTINGS.format(root=root))
        # neomutt mixes the ends of lines in what it pipes.
        self.pipe = world.dir / f"pipe-{name}"
        self.pipe.write_text("#!/bin/sh\ntr -d '\\r' | sha256sum >>\"$1\"\n")
        self.pipe.chmod(0o755)
        for path in (self.config, self.pipe):
            world.own(path)

    def type(self, folder, keys, *options, hurried=False):
        """Opens a folder, types keys, and waits for the end. An error (a message left meanwhile) makes neomutt forget the keys that follow: who
        is hurried leaves then."""
        ours, theirs = pty.openpty()
        left = 10
        args = ["neomutt", "-n", "-F", self.config, *options, "-f", folder, "-e", f"push '{keys}'"]
        started = self.world.start(args, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True, env={"TERM": "xterm"})
        os.close(theirs)
        screen = b""
        while True:
            if hurried and not select.select([ours], [], [], 2)[0]:
                left -= 1
                if left == 0:
                    raise SystemExit(f"neomutt does not leave: {screen[-2000:]}")
                os.write(ours, b"x")
                continue
            try:
                shown = os.read(ours, 65536)
            except OSError:
                break
            if not shown:
                break
            screen += shown
        os.close(ours)
        if started.wait() != 0:
            raise SystemExit(f"neomutt ended with {started.returncode}: {screen[-2000:]}")

    def sees(self, folder):
        """The messages of a folder: the digests of what neomutt pipes of all, of those unread, and of those flagged."""
        found = {}
        for name, pattern in (("all", "~A"), ("unread", "~U"), ("flagged", "~F")):
            out = self.world.dir / f"piped-{name}"
            out.write_text("")
            self.world.own(out)
            keys = f"<tag-pattern>{pattern}<enter><tag-prefix-cond><pipe-message>{self.pipe} {out}<enter><end-cond><exit>"
            self.type(folder, keys, "-R")
            found[name] = Counter(line.split()[0] for line in out.read_text().splitlines())
        return found


def judge_neomutt(program, count="100"):
    wrong = []
    for seeds in ([], ["--mails", count]):
        with World(program, *seeds, kind="mail") as world:
            world.use_device("laptop")
            world.sign_in()
            post.settle(world)
            boxes = {provider: Mailboxes(world, provider) for provider in PROVIDERS}
            for provider, box in boxes.items():
                wrong += judge_folders(Neomutt(world, world.device / provider / "mail", provider), box, bool(seeds))
            if seeds:
                for provider, box in boxes.items():
                    wrong += judge_deeds(world, Neomutt(world, world.device / provider / "mail", provider), box)
                wrong += judge_meanwhile(world, boxes)
    verdict(wrong, "neomutt sees what the providers list, and they what it did")


def judge_folders(mutt, box, is_plain):
    """Every folder as neomutt shows it. What is broken is not piped as it stands, so that among such the numbers have to do."""
    wrong, total = [], 0
    told = box.copies(lambda raw: post.digest(raw.replace(b"\r", b"")))
    for mailbox, maildir in post.maildirs(mutt.root).items():
        rows = Counter({(raw, letters): number for (name, raw, letters), number in told.items() if name == mailbox})
        expected = {
            "all": Counter(raw for raw, _ in rows.elements()),
            "unread": Counter(raw for raw, letters in rows.elements() if "S" not in letters),
            "flagged": Counter(raw for raw, letters in rows.elements() if "F" in letters),
        }
        seen = mutt.sees(maildir)
        total += seen["all"].total()
        for what, want in expected.items():
            if seen[what] != want if is_plain else seen[what].total() != want.total():
                wrong.append(f"{box.provider}: {mailbox}: {what}: neomutt has {seen[what].total()}, {want.total()} are told, "
                             f"{(want - seen[what]).total()} others")
    print(f"{box.provider}: neomutt opens {total} of {told.total()} copies", flush=True)
    return wrong


def judge_deeds(world, mutt, box):
    """What is done in neomutt, after one sync."""
    ids = {name: box.deliver(letter(f"Mutt {name}")) for name in ("flagged", "moved", "deleted", "copied", "read")}
    post.settle(world)
    find = lambda name: f'<search>~s "Mutt {name}"<enter>'
    target = mutt.root / ".Rechnungen"
    mutt.type(mutt.root, (
        find("flagged") + "<flag-message>" + find("moved") + f"<save-message>{target}<enter>" + find("deleted") + "<delete-message>"
        + find("copied") + f"<copy-message>{target}<enter>" + find("read") + "<display-message><exit><sync-mailbox><quit>"
    ))
    if world.run("sync")[1] != 0:
        raise SystemExit(world.last_words)
    messages = box.messages()
    rows = lambda ids: sorted(("+".join(sorted(messages[id][0])), messages[id][1]) for id in ids)
    there = {name: rows(box.find(f"Mutt {name}")) for name in ids}
    google = box.provider == "google"
    expected = {
        "flagged": [("INBOX", "F")],
        # Its file has another name and a line more in its head, and is the same message all the same.
        "moved": [("Rechnungen", "")],
        "deleted": [("Archive" if google else "Gelöschte Elemente", "")],
        "copied": [("INBOX+Rechnungen", "")] if google else [("INBOX", ""), ("Rechnungen", "")],
        "read": [("INBOX", "S")],
    }
    wrong = [f"{name} is {there[name]}, not {want}" for name, want in expected.items() if there[name] != want]
    post.settle(world)
    wrong += post.differences(box.copies(post.name_of), post.copies(mutt.root, post.name_of), "the device")
    for mailbox, count in Counter(mailbox for mailbox, _ in post.files(mutt.root)).items():
        seen = mutt.sees(post.maildirs(mutt.root)[mailbox])["all"].total()
        if seen != count:
            wrong.append(f"{mailbox}: neomutt has {seen} messages in {count} files")
    print(f"{box.provider}: {len(ids)} deeds in neomutt", flush=True)
    return [f"{box.provider}: {words}" for words in wrong]


def judge_meanwhile(world, boxes):
    """neomutt opens inboxes while syncs write what came, moved and went, and quits as somebody who only read."""
    mutts = {provider: Neomutt(world, world.device / provider / "mail", f"{provider}-meanwhile") for provider in PROVIDERS}

    def look():
        for mutt in mutts.values():
            mutt.type(mutt.root, "<last-entry><sync-mailbox><quit>", hurried=True)

    rounds, wrong = post.look_meanwhile(world, boxes, look)
    for provider, box in boxes.items():
        here = post.copies(mutts[provider].root, post.name_of)
        wrong += post.differences(box.copies(post.name_of), here, f"the device ({provider}), opened while syncs wrote,")
    print(f"neomutt opened the inboxes {rounds} times while syncs wrote", flush=True)
    return wrong


if __name__ == "__main__":
    judge_neomutt(*sys.argv[1:])
