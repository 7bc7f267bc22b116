"""What people do with their mail: `p_…` at the provider, `d_…` on a device. What cannot be done now is left undone.

Each takes a model (`model.py`), does it, and notes there what must become of it.
"""

import re

import post

from .model import MOST_PURGED, Item


# At the provider.


def p_new(model):
    raw, place = post.letter(model.fresh("Came")), model.random.choice(model.targets())
    item = new(model, model.bring(raw, place), raw, place, "")
    model.tell(f"{item.id} came into {model.boxes[place]}")


def p_flag(model):
    if item := model.plain():
        letter = model.random.choice("SF")
        item.letters ^= {letter}
        model.mark(item, letter)
        model.tell(f"{item.id} has {sorted(item.letters)} now, at the provider")


def p_move(model):
    if item := model.plain():
        old, to = model.one_of(item.places), model.other_than(item.places)
        model.shift(item, old, to)
        item.places = item.places - {old} | {to}
        model.tell(f"{item.id} moved from {model.boxes[old]} to {model.boxes[to]}, at the provider")


def p_back(model):
    """Away and back again before anybody looks: Graph's delta may call it gone. (At Gmail that is nothing.)"""
    if model.is_gmail or not (item := model.plain()):
        return
    old = model.one_of(item.places)
    to = model.other_than(item.places)
    model.shift(item, old, to)
    model.shift(item, to, old)
    item.is_asked_for = True
    model.tell(f"{item.id} moved from {model.boxes[old]} to {model.boxes[to]} and back")


def p_copy(model):
    # What Graph wrote anew has other bytes in a copy of its own, and a copy of what is asked for waits until that is answered.
    def is_plain_copy(item):
        return post.digest(model.server.messages[item.id]["raw"]) == item.name and not item.is_asked_for

    if item := model.plain(is_plain_copy):
        to = model.other_than(item.places)
        model.copy(item, to)
        model.tell(f"{item.id} copied to {model.boxes[to]}, at the provider")


def p_delete(model):
    if item := model.plain():
        model.throw(item)
        model.tell(f"{item.id} deleted, at the provider")


def p_purge(model):
    if model.purged < MOST_PURGED and (item := model.take(lambda item: item.places == {model.bin})):
        model.purged += 1
        model.server.destroy(item.id)
        model.items.remove(item)
        model.tell(f"{item.id} destroyed in the bin")


def p_draft_new(model):
    raw = post.letter(model.fresh("Draft"))
    item = new(model, model.new_draft(raw), raw, model.drafts, "DS")
    model.tell(f"draft {item.id} made at the provider")


def p_draft_edit(model):
    if item := model.draft():
        old, raw = item.id, model.server.messages[item.id]["raw"] + b"More of it.\r\n"
        # From now on its bytes are the provider's.
        model.stage.disown(raw)
        item.id, item.name = model.rewrite(item, raw), post.digest(raw)
        model.tell(f"draft {old} edited at the provider: {item.id}")


def p_draft_delete(model):
    if item := model.draft():
        model.drop_draft(item)
        model.tell(f"draft {item.id} deleted at the provider")


def p_folder_new(model):
    id = model.make_box(model.fresh(model.new_box))
    model.renamed(id)
    model.tell(f"{model.boxes[id]} made at the provider")


def p_folder_rename(model):
    if id := model.own_box():
        old = model.boxes[id]
        model.name_box(id, model.fresh("Anders"))
        model.renamed(id)
        model.tell(f"{old} is {model.boxes[id]} now, at the provider")


def p_folder_drop(model):
    """At Graph a folder goes to the deleted items with all that is in it. (A label that is gone is held for a person.)"""
    if not model.is_gmail and (id := model.own_box()):
        old = model.boxes[id]
        model.server.drop_folder(id)
        model.renamed(id)
        model.tell(f"{old} is {model.boxes[id]} now: deleted at the provider")


# On a device.


def d_new(model):
    device, subject = any_device(model), model.fresh("Made")
    raw, place, letters = post.letter(subject), model.random.choice(model.targets()), model.random.choice(["", "S", "FS"])
    put_new(model, device, place, raw, letters)
    model.tell(f"{subject!r} put into {model.boxes[place]} on {device} with {letters!r}")


def d_flag(model):
    if item := model.plain():
        device, letter = any_device(model), model.random.choice("SF")
        path = file(model, device, item, model.one_of(item.places))
        item.letters ^= {letter}
        path.rename(path.parent.parent / "cur" / named(path, item.letters))
        model.tell(f"{item.id} has {sorted(item.letters)} now, on {device}")


def d_move(model):
    """As some programs do it under its name, as others under a new one."""
    if item := model.plain_on_device():
        device, old, to = any_device(model), model.one_of(item.places), model.other_than(item.places)
        path = file(model, device, item, old)
        is_new = model.random.random() < 0.5
        name = f"{unique(model, device)}:2,{''.join(sorted(item.letters))}" if is_new else named(path, item.letters)
        path.rename(maildir(model, device, model.boxes[to]) / "cur" / name)
        item.places = item.places - {old} | {to}
        model.tell(f"{item.id} moved from {model.boxes[old]} to {model.boxes[to]} on {device}, as {name}")


def d_copy(model):
    if item := model.plain_on_device():
        device, to = any_device(model), model.other_than(item.places)
        path = file(model, device, item, model.one_of(item.places))
        put(model, device, to, path.read_bytes(), item.letters)
        model.copied(item, to)
        model.tell(f"{item.id} copied to {model.boxes[to]} on {device}")


def d_delete(model):
    if item := model.plain_on_device():
        device, old = any_device(model), model.one_of(item.places)
        file(model, device, item, old).unlink()
        model.thrown_from(item, old)
        model.tell(f"{item.id} deleted from {model.boxes[old]} on {device}")


def d_draft_new(model):
    device, subject = any_device(model), model.fresh("Made")
    put_new(model, device, model.drafts, post.letter(subject), "DS")
    model.tell(f"draft {subject!r} made on {device}")


def d_draft_edit(model):
    """As a mail program does it: a new file, then the old one goes, to the bin of its account."""
    if item := model.draft():
        device, subject = any_device(model), model.fresh("Made")
        path = file(model, device, item, model.drafts)
        # Another subject says at Graph which writing of it this is.
        raw = re.sub(rb"(?im)^subject:.*?\r?$", b"Subject: " + subject.encode() + b"\r", path.read_bytes(), count=1) + b"And more.\r\n"
        put_new(model, device, model.drafts, raw, item.letters)
        path.unlink()
        item.places = {model.bin}
        model.tell(f"draft {item.id} written anew on {device}")


def d_draft_delete(model):
    if item := model.draft():
        device = any_device(model)
        file(model, device, item, model.drafts).unlink()
        item.places = {model.bin}
        model.tell(f"draft {item.id} deleted on {device}")


def d_folder_new(model):
    device, name = any_device(model), post.boxed([model.fresh("Vom Gerät")])
    for part in ("cur", "new", "tmp"):
        (maildir(model, device, name) / part).mkdir(parents=True)
    model.made_boxes.add(name)
    model.tell(f"{name} made on {device}")


def d_folder_rename(model):
    if id := model.own_box():
        device, old, name = any_device(model), model.boxes[id], post.boxed([model.fresh("Umbenannt")])
        maildir(model, device, old).rename(maildir(model, device, name))
        model.boxes[id] = name
        model.tell(f"{old} is {name} now, on {device}")


DEEDS = {name: deed for name, deed in list(globals().items()) if name.startswith(("p_", "d_"))}


def do(model, number, only=()):
    """A round of so many deeds, chosen by chance from all or from `only`."""
    model.begin()
    for _ in range(number):
        DEEDS[model.random.choice(sorted(only or DEEDS))](model)


# How it is done on a device.


def any_device(model):
    return model.random.choice(["laptop", "desk"])


def maildir(model, device, name):
    root = model.stage.root(device, model.provider)
    return root if name == "INBOX" else root / ("." + post.to_utf7(name))


def file(model, device, item, place):
    for part in ("new", "cur"):
        for path in (maildir(model, device, model.boxes[place]) / part).iterdir():
            if post.digest(path.read_bytes()) == item.name:
                return path
    model.stage.stop(f"{device} has no {item.name} in {model.boxes[place]}")


def named(path, letters):
    return path.name.partition(":2,")[0] + ":2," + "".join(sorted(letters))


def unique(model, device):
    model.number += 1
    return f"177253{model.number:04}.M{model.number}P1.{device}"


def put(model, device, place, raw, letters):
    """A file as a mail program writes it; it is new where nothing is marked on it."""
    name = unique(model, device)
    part, name = ("cur", f"{name}:2,{''.join(sorted(letters))}") if letters else ("new", name)
    (maildir(model, device, model.boxes[place]) / part / name).write_bytes(raw)


def put_new(model, device, place, raw, letters):
    put(model, device, place, raw, letters)
    model.stage.own(raw)
    new(model, None, raw, place, letters)


def new(model, id, raw, place, letters):
    item = Item(id, post.digest(raw), {place}, letters)
    model.made(item)
    return item
