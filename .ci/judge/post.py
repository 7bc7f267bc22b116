"""Mail for judges: what each provider's sandbox lists of itself, and what a Maildir holds, both read plainly.

A *copy* is one message in one mailbox: (mailbox, bytes, letters). The mailbox is named as Dovecot names it, the letters are Maildir's.
"""

import base64
import hashlib
import json
import re
import threading
import time
import urllib.parse
from collections import Counter

# What no mailbox of the user is.
HIDDEN = re.compile(r"UNREAD|STARRED|YELLOW_STAR|IMPORTANT|CHAT|CATEGORY_.*")
GMAIL_NAMES = {"INBOX": "INBOX", "SENT": "Sent", "DRAFT": "Drafts", "SPAM": "Spam", "TRASH": "Trash", None: "Archive"}


def digest(raw):
    return hashlib.sha256(raw).hexdigest()


def as_sent(raw):
    """The digest of the bytes with the ends of lines that IMAP sends."""
    return digest(re.sub(rb"\r?\n", b"\r\n", raw))


def name_of(raw):
    """The Message-ID."""
    found = re.search(rb"(?im)^message-id:\s*(<[^>\s]*>)", raw.partition(b"\r\n\r\n")[0])
    return found[1].decode() if found else digest(raw)


# What a report says of a replica where something was taken from there, or sent.
MOVED = ("created", "updated", "deleted", "sent_created", "sent_updated", "sent_deleted")


class Mailboxes:
    """What a provider lists, and the hands of another client of its user."""

    def __init__(self, world, provider):
        self.world, self.provider = world, provider
        self.kept = {}
        self.token = None

    def messages(self):
        """All messages that a user sees, by id: the mailboxes of each and its letters."""
        return self.gmail() if self.provider == "google" else self.graph()

    def gmail(self):
        names = {label["id"]: boxed(label["name"].split("/")) for label in self.world.control("google/mail/labels")}
        found = {}
        for message in self.world.control("google/mail/list"):
            labels = set(message.get("labelIds", []))
            places = labels & {"TRASH", "SPAM"} or {label for label in labels if not HIDDEN.fullmatch(label)} or {None}
            letters = [("S", "UNREAD" not in labels), ("F", "STARRED" in labels), ("D", "DRAFT" in labels)]
            mailboxes = {GMAIL_NAMES.get(place) or names[place] for place in places}
            found[message["id"]] = mailboxes, said(letters)
        return found

    def graph(self):
        folders = {tuple(folder["path"]): folder for folder in self.world.control("microsoft/mail/folders")}
        inbox = next(path for path, folder in folders.items() if folder["wellKnown"] == "inbox")
        found = {}
        for message in self.world.control("microsoft/mail/list"):
            path = tuple(message["folder"])
            folder = folders.get(path)
            # What was deleted for good, is hidden, or is about to leave is in no folder of the user's.
            if folder is None or folder["hidden"] or folder["wellKnown"] == "outbox":
                continue
            letters = [
                ("S", message["isRead"]), ("D", message["isDraft"]),
                ("F", message["flag"]["flagStatus"] == "flagged"),
            ]
            if path[:1] == inbox:
                # What stands below the inbox cannot be named so beside it.
                path = ("_INBOX" if len(path) > 1 else "INBOX", *path[1:])
            found[message["id"]] = {boxed(path)}, said(letters)
        return found

    def bytes(self, id):
        """The bytes of a message as the provider gives them out, which never change."""
        if id not in self.kept:
            if self.provider == "google":
                self.kept[id] = base64.b64decode(self.world.control("google/mail/raw", id=id)["raw"])
            else:
                self.token = self.token or self.world.control("token", provider="microsoft")["access_token"]
                head = {"Authorization": f"Bearer {self.token}", "Prefer": 'IdType="ImmutableId"'}
                path = f"/microsoft/v1.0/me/messages/{urllib.parse.quote(id, safe='')}/$value"
                self.kept[id] = self.world.get(path, head)
        return self.kept[id]

    def copies(self, of=digest):
        """How often each copy is there; `of` says what of its bytes is looked at."""
        return Counter(
            (mailbox, of(self.bytes(id)), letters)
            for id, (mailboxes, letters) in self.messages().items() for mailbox in mailboxes
        )

    def find(self, subject):
        """The ids of the messages with this subject."""
        line = b"Subject: " + subject.encode() + b"\r\n"
        return [id for id in self.messages() if line in self.bytes(id)]

    def deliver(self, raw):
        """A message has just come into the inbox; its id."""
        raw = base64.b64encode(raw).decode()
        if self.provider == "google":
            return self.world.control("google/mail/add", raw=raw, labels=["INBOX", "UNREAD"])["id"]
        return self.world.control("microsoft/mail/deliver", folder="inbox", raw=raw)["id"]


def boxed(path):
    """A mailbox as Dovecot names it where `.` stands between names: what a name may not hold as `\\` and two digits."""
    return ".".join(re.sub(r"[./\\]", lambda found: f"\\{ord(found[0]):02x}", name) for name in path)


def said(letters):
    return "".join(sorted(letter for letter, is_said in letters if is_said))


def letter(subject, number=0):
    """A message of our own, with an end of lines as the network has it."""
    return (
        f"Date: Tue, 3 Mar 2026 10:00:00 +0000\r\nFrom: Ada <ada@example.org>\r\nTo: bob@example.org\r\nSubject: {subject}\r\n"
        f"Message-ID: <{subject.lower().replace(' ', '-')}.{number}@judge.example>\r\n"
        f"Content-Type: text/plain; charset=utf-8\r\n\r\nNumber {number}.\r\n"
    ).encode()


def maildirs(root):
    """The Maildirs of a Maildir++ tree, by the names that Dovecot gives their mailboxes."""
    found = {"INBOX": root}
    for folder in root.iterdir():
        if folder.name.startswith(".") and (folder / "cur").is_dir():
            found[from_utf7(folder.name[1:])] = folder
    return found


def files(root):
    """The files of a tree's messages: mailbox and path."""
    for mailbox, maildir in maildirs(root).items():
        for part in ("new", "cur"):
            for path in (maildir / part).iterdir():
                yield mailbox, path


def copies(root, of=digest):
    """How often each copy is in a tree."""
    return Counter((mailbox, of(path.read_bytes()), letters_of(path.name)) for mailbox, path in files(root))


def letters_of(name):
    """The six letters of Maildir that a file name ends with; those of keywords are Dovecot's own."""
    return "".join(sorted(letter for letter in name.rpartition(":2,")[2] if letter in "DFPRST")) if ":2," in name else ""


def from_utf7(text):
    """Modified UTF-7 (RFC 3501, 5.1.3)."""
    def run(found):
        if not found[1]:
            return "&"
        digits = found[1].replace(",", "/")
        return base64.b64decode(digits + "=" * (-len(digits) % 4)).decode("utf-16-be")
    return re.sub(r"&([^-]*)-", run, text)


def to_utf7(text):
    def run(found):
        if found[0] == "&":
            return "&-"
        return "&" + base64.b64encode(found[0].encode("utf-16-be")).decode().rstrip("=").replace("/", ",") + "-"
    return re.sub(r"&|[^ -~]+", run, text)


def differences(told, seen, who):
    """What is not the same in two counts of copies, in words."""
    words = [f"{who} lacks {count} of {row}" for row, count in sorted((told - seen).items())]
    return words + [f"{who} alone has {count} of {row}" for row, count in sorted((seen - told).items())]


def settle(world):
    """Syncs until a run writes nothing; what is held, refused or set aside is an error. What the program itself asks to be waited for is."""
    for _ in range(12):
        before = requests(world)
        said, code = world.run("sync", "--json")
        left_s = re.search(r"no more requests for now; (\d+) s are left", world.last_words)
        if left_s:
            print(f"the budget of a provider is used up; {left_s[1]} s are waited", flush=True)
            time.sleep(int(left_s[1]) + 1)
        elif code != 0:
            raise SystemExit(f"sync ended with {code}: {said}{world.last_words[-2000:]}")
        elif requests(world) == before and not any(row[name] for row in json.loads(said)["replicas"] for name in MOVED):
            return
    raise SystemExit(f"every run writes again, at last: {said}{world.last_words[-2000:]}")


def look_meanwhile(world, boxes, look, turns=6):
    """Looks again and again while syncs write what came, moved and went; how often, and what is wrong. At the end all is in step."""
    done, codes = threading.Event(), Counter()

    def sync():
        try:
            for turn in range(turns):
                for provider, box in boxes.items():
                    for number in range(20):
                        box.deliver(letter(f"Came {turn}", number))
                    free = [id for id, (places, _) in box.messages().items() if places == {"INBOX"}]
                    for id in free[:10]:
                        if provider == "google":
                            world.control("google/mail/label", id=id, remove=["INBOX", "UNREAD"])
                        else:
                            world.control("microsoft/mail/move", id=id, folder="Rechnungen")
                    for id in free[10:15]:
                        world.control("google/mail/trash" if provider == "google" else "microsoft/mail/delete", id=id)
                codes[world.run("sync")[1]] += 1
        finally:
            done.set()

    syncing = threading.Thread(target=sync)
    syncing.start()
    rounds = 0
    while not done.is_set():
        look()
        rounds += 1
    syncing.join()
    wrong = [f"{number} runs ended with {code}" for code, number in codes.items() if code != 0]
    if codes.total() != turns:
        wrong.append(f"{codes.total()} of {turns} runs were made")
    settle(world)
    return rounds, wrong


def requests(world):
    """How many requests that change something have reached the providers."""
    counts = world.control("stats")
    return counts["google"]["writes"], counts["microsoft"]["writes"]


def verdict(wrong, words):
    """Ends the judge: badly where something is wrong."""
    for line in wrong[:400]:
        print(f"WRONG: {line}")
    if wrong:
        raise SystemExit(f"{len(wrong)} differences")
    print(words, flush=True)
