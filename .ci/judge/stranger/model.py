"""What each account must have after what was done to it, kept beside the providers and never read from the program."""

from collections import Counter

import post

from .stage import DEVICES

# What is known to go wrong, and is left out unless a run lets it in (`--let-in`). A line goes when its fault is mended.
KNOWN_RED = {}
# Removals in one day at which the program may ask a person; no account destroys more.
MOST_PURGED = 5


class Item:
    """A message as its user sees it: at Gmail once with all its labels, at Graph once for each folder. What a device made has no id
    before the provider has it; `name` is what `Stage.named` says."""

    def __init__(self, id, name, places, letters):
        self.id, self.name, self.places, self.letters = id, name, set(places), set(letters)
        # Graph's delta may call it gone.
        self.is_asked_for = False


class Model:
    """One account: its mailboxes (an id and a name each) and its messages. Whoever does a deed notes here what must become of it.

    Nothing is done twice in a round with one message or mailbox: what wins there is told by no documentation.
    """

    def __init__(self, stage, let_in=()):
        self.stage, self.random, self.let_in = stage, stage.random, let_in
        self.boxes, self.number, self.purged = stage.boxes(self.provider), 0, 0
        self.items = [Item(id, post.digest(raw), places, letters) for id, raw, places, letters in stage.messages(self.provider)]
        self.begin()

    def begin(self):
        """A new round: what devices made has an id by now."""
        self.used, self.used_boxes, self.done, self.made_boxes = set(), set(), [], set()
        for id, name in self.stage.boxes(self.provider).items():
            self.boxes.setdefault(id, name)
        self.stood = self.names()
        taken = {item.id for item in self.items}
        there = [(id, self.stage.named(self.provider, raw), places) for id, raw, places, _ in self.stage.messages(self.provider)]
        for item in self.items:
            if item.id is None:
                item.id = next(id for id, name, places in there if id not in taken and (name, places) == (item.name, item.places))
                taken.add(item.id)

    # What must be there.

    def expected(self):
        """How often each copy must be at each place."""
        return Counter((self.boxes[place], item.name, "".join(sorted(item.letters))) for item in self.items for place in item.places)

    def names(self):
        """The mailboxes that must be at each place."""
        return set(self.boxes.values()) | self.made_boxes

    def differences(self, words):
        """Where the provider or a device has something else."""
        who = f"{words}: {self.provider}"
        wrong = post.differences(self.expected(), self.stage.told(self.provider), who)
        wrong += self.lacks(who, self.stage.boxes(self.provider).values())
        wrong += [f"{words}: {line}" for line in self.stage.differences(self.provider, self.expected())]
        for device in DEVICES:
            wrong += self.lacks(f"{words}: {device} ({self.provider})", post.maildirs(self.stage.root(device, self.provider)))
        return wrong

    def lacks(self, who, names):
        wanted, there = self.names(), set(names)
        return [f"{who} lacks the mailbox {name}" for name in sorted(wanted - there)] + [f"{who} alone has the mailbox {name}" for name in sorted(there - wanted)]

    # What may be chosen.

    def targets(self):
        """The ids of mailboxes that mail may be moved into."""
        return [id for id in self.boxes if not self.is_apart(id) and id not in self.used_boxes]

    def other_than(self, places):
        return self.random.choice([id for id in self.targets() if id not in places])

    def one_of(self, places):
        return self.random.choice(sorted(places, key=str))

    def take(self, wanted):
        """A message that nothing was done with in this round, or None."""
        free = [item for item in self.items if item not in self.used and item.id is not None and wanted(item)]
        if not free:
            return None
        item = self.random.choice(free)
        self.used.add(item)
        return item

    def plain(self, wanted=lambda item: True):
        """No draft, and in no mailbox that is apart or was renamed in this round."""
        def is_it(item):
            is_free = not any(self.is_apart(place) or place in self.used_boxes for place in item.places)
            return is_free and "D" not in item.letters and set(self.targets()) - item.places and wanted(item)

        return self.take(is_it)

    def plain_on_device(self):
        """And its file can be told from others: no second message of the same bytes is in its mailboxes."""
        def is_alone(item):
            return sum(other.name == item.name and bool(other.places & item.places) for other in self.items) == 1

        return self.plain(is_alone)

    def draft(self):
        return self.take(lambda item: "D" in item.letters and item.places == {self.drafts})

    def own_box(self, wanted=lambda id: True):
        """A mailbox of the user's own with none above or below that counts, in which nothing was done in this round, or None."""
        def is_it(id):
            has_below = any(name.startswith(self.boxes[id] + ".") for name in self.names() | self.stood)
            return not has_below and id not in self.system() and not any(id in item.places for item in self.used) and wanted(id)

        free = [id for id in self.targets() if is_it(id)]
        if not free:
            return None
        id = self.random.choice(free)
        self.used_boxes.add(id)
        return id

    # What is noted.

    def tell(self, words):
        self.done.append(f"{self.provider}: {words}")

    def fresh(self, kind):
        """A name that nothing has yet."""
        self.number += 1
        return f"{kind} {self.provider} {self.number}"

    def made(self, item):
        self.items.append(item)
        self.used.add(item)

    def renamed(self, id):
        self.boxes[id] = self.stage.boxes(self.provider)[id]
        self.used_boxes.add(id)


class GmailModel(Model):
    """Labels: a message has several, and at least the archive's place, which is none."""

    provider, is_gmail, drafts, bin, new_box = "google", True, "DRAFT", "TRASH", "Label ü&"

    @property
    def server(self):
        return self.stage.gmail

    def is_apart(self, id):
        return id in {"SENT", "DRAFT", "TRASH", "SPAM", None}

    def system(self):
        return {"INBOX"}

    def bring(self, raw, place):
        return self.server.add(raw, {place, "UNREAD"})

    def mark(self, item, letter):
        label, is_on = ("UNREAD", letter not in item.letters) if letter == "S" else ("STARRED", letter in item.letters)
        self.server.change(item.id, [label] if is_on else [], [] if is_on else [label])

    def shift(self, item, old, new):
        self.server.change(item.id, [new], [old])

    def copy(self, item, new):
        self.server.change(item.id, [new])
        self.copied(item, new)

    def copied(self, item, new):
        item.places.add(new)

    def throw(self, item):
        self.server.change(item.id, ["TRASH"], ["INBOX"])
        item.places = {self.bin}

    def thrown_from(self, item, place):
        # From its last label it goes to the archive.
        item.places = item.places - {place} or {None}

    def new_draft(self, raw):
        return self.server.add(raw, {"DRAFT"})

    def rewrite(self, item, raw):
        """The draft stays, its message is another one."""
        draft = next(draft for draft, of in self.server.drafts.items() if of == item.id)
        labels = self.server.messages[item.id]["labels"]
        self.server.destroy(item.id)
        return self.server.add(raw, labels, draft)

    def drop_draft(self, item):
        self.server.destroy(item.id)
        self.items.remove(item)

    def make_box(self, name):
        return self.server.make_label(name)

    def name_box(self, id, name):
        self.server.labels[id] = name


class GraphModel(Model):
    """Folders: a message stands in one, and a copy is another message."""

    provider, is_gmail, new_box = "microsoft365", False, "Ordner ü/&"

    @property
    def server(self):
        return self.stage.graph

    @property
    def drafts(self):
        return self.server.known["drafts"]

    @property
    def bin(self):
        return self.server.known["deleteditems"]

    def is_apart(self, id):
        apart = {self.server.known[name] for name in ("sentitems", "drafts", "junkemail")}
        return id in apart or self.server.inside(id, self.bin)

    def system(self):
        return set(self.server.known.values())

    def bring(self, raw, place):
        return self.server.add(raw, place)

    def mark(self, item, letter):
        is_on = letter in item.letters
        self.server.patch(item.id, **({"isRead": is_on} if letter == "S" else {"flag": "flagged" if is_on else "notFlagged"}))

    def shift(self, item, _, new):
        self.server.move(item.id, new)

    def copy(self, item, new):
        m = self.server.messages[item.id]
        id = self.server.add(m["raw"], new, m["isRead"], m["isDraft"], m["flag"], m["at"], m["properties"])
        self.made(Item(id, item.name, {new}, item.letters))

    def copied(self, item, new):
        self.made(Item(None, item.name, {new}, item.letters))

    def throw(self, item):
        self.server.move(item.id, self.bin)
        item.places = {self.bin}

    def thrown_from(self, item, _):
        item.places = {self.bin}

    def new_draft(self, raw):
        return self.server.add(raw, self.drafts, True, True)

    def rewrite(self, item, raw):
        self.server.patch(item.id, raw=raw)
        return item.id

    def drop_draft(self, item):
        self.throw(item)

    def make_box(self, name):
        return self.server.make_folder(name, self.server.root)

    def name_box(self, id, name):
        self.server.folders[id]["displayName"] = name
        self.server.note_folder(id)
