"""A folder of mails through both providers, judged by Python's own reader of mail.

    python letters.py PROGRAM FOLDER

Every file goes into a device folder of each provider, as a program that delivers would put it, and comes onto a second device; and it is
delivered at each provider, and comes onto both. The bytes of the first device stay as they are; what Gmail holds, and what the second device
gets of it, is the same byte for byte (lines end as the network has it); what Graph makes of it says the same to Python's reader: subject, people,
date, texts, files. What is otherwise is listed in tests/corpus/MAIL_NOT_HELD.md, and the list is compared both ways.
"""

import base64
import email
import email.header
import email.utils
import os
import pathlib
import re
import sys
from collections import Counter

import post
from post import Mailboxes, verdict
from world import PROVIDERS, World

NOT_HELD = pathlib.Path(__file__).resolve().parents[2] / "tests/corpus/MAIL_NOT_HELD.md"

class Letter:
    """One file of the corpus."""

    def __init__(self, path, number):
        self.name, self.number, self.raw = path.name, number, path.read_bytes()


def tight(text):
    """A text without its white space, which is folded and unfolded on the way."""
    return "".join(str(text).split())


def reading(raw):
    """What a mail says, as Python reads it: nothing of it depends on how it is written."""
    message = email.message_from_bytes(raw)
    says = {"subject": tight(plain(message.get("subject", "")))}
    for name in ("from", "to", "cc"):
        found = email.utils.getaddresses([str(value) for value in message.get_all(name, [])])
        says[name] = sorted({address.lower() for _, address in found if "@" in address})
    date = email.utils.parsedate_tz(str(message.get("date", "")))
    says["date"] = date and email.utils.mktime_tz(date)
    texts, files = [], []
    for part in parts(message):
        body = part.get_payload(decode=True) or b""
        is_text = part.get_content_maintype() == "text" and part.get_content_disposition() != "attachment"
        if is_text and not part.get_filename():
            texts.append((part.get_content_type(), tight(text_of(part, body))))
        elif not part.is_multipart():
            files.append(post.digest(body))
        else:
            # A message in the message: what it says, not how it is written.
            files.append(tight(plain(inner(part).get("subject", ""))))
    # Graph holds one text: the HTML where there is one.
    html = [text for kind, text in texts if kind == "text/html"]
    says["text"] = html[-1] if html else texts[0][1] if texts else ""
    says["files"] = sorted(files)
    return says


def parts(message):
    """The parts that hold something, messages in the message as a whole."""
    if message.get_content_type() == "message/rfc822" or not message.is_multipart():
        yield message
        return
    for part in message.get_payload():
        yield from parts(part)


def inner(part):
    """The message in a part; some write it encoded, which RFC 2046 does not allow and everybody reads."""
    message = part.get_payload(0)
    if str(part.get("content-transfer-encoding", "")).lower() != "base64":
        return message
    return email.message_from_bytes(base64.b64decode(message.as_bytes()))


def plain(value):
    """A header's value with its encoded words read (RFC 2047), and what is written without any."""
    try:
        value = str(value).encode("ascii", "surrogateescape").decode("utf-8", "replace") if isinstance(value, str) else value
        return str(email.header.make_header(email.header.decode_header(value)))
    except (LookupError, ValueError):
        return str(value)


def text_of(part, body):
    charset = part.get_content_charset() or "utf-8"
    if charset in ("utf-8", "us-ascii") and "utf-8" not in str(part.get("content-type", "")).lower():
        # Nobody says what its 8-bit letters are.
        try:
            return body.decode("utf-8")
        except UnicodeDecodeError:
            return body.decode("cp1252", "replace")
    try:
        return body.decode(charset, "replace")
    except LookupError:
        return body.decode("latin-1")


def base(provider, letter):
    """The name of a file as a program that delivers would choose it. No two are the same, in whatever folder."""
    return f"1772442{letter.number:03}.M{letter.number}P{PROVIDERS.index(provider) + 1}.corpus"


def put(world, provider, letters):
    new = world.device / provider / "mail" / "new"
    for letter in letters:
        path = new / base(provider, letter)
        path.write_bytes(letter.raw)
        world.own(path)


class Two:
    """A world with nothing in it and two devices, which were met."""

    def __init__(self, program):
        self.world = World(program, kind="mail")

    def __enter__(self):
        world = self.world
        world.control("reset", seed="empty")
        world.serve_plainly()
        world.use_device("first", "second")
        world.sign_in()
        post.settle(world)
        return world

    def __exit__(self, *_):
        self.world.__exit__()


def reasons(world, provider, letters):
    """Why a letter is not made there, as the program says it."""
    by_uid = {base(provider, letter): letter for letter in letters}
    status, found = world.status(), {}
    for row in status["quarantine"] + status["not_representable"]:
        letter = by_uid.get(row["uid"])
        if row["replica"] == provider and letter:
            # Marks differ from run to run, and numbers with the corpus.
            reason = re.sub(r"^[0-9a-f]{32}:[0-9a-f]{32}:\d+: | [0-9a-f]{32}:[0-9a-f]{32}:\d+", "", row["reason"])
            found[letter.name] = reason.replace("|", "/")
    return found


def judge_put(program, letters):
    """From a device to the providers and to a second device: what is wrong, and what is not held."""
    wrong, rows = [], Counter()
    with Two(program) as world:
        for provider in PROVIDERS:
            put(world, provider, letters)
        for allowed in ((0, PARTLY, LATER), (0, PARTLY)):
            _, code = world.run("sync")
            if code not in allowed or "panicked" in world.last_words:
                wrong.append(f"sync ended with {code}: {world.last_words[-1000:]}")
        for provider in PROVIDERS:
            first = {path.name.partition(":2,")[0].partition(",")[0]: path for _, path in post.files(world.dir / "first" / provider / "mail")}
            second = Counter(post.digest(path.read_bytes()) for _, path in post.files(world.dir / "second" / provider / "mail"))
            for letter in letters:
                path = first.get(base(provider, letter))
                if path is None or path.read_bytes() != letter.raw:
                    wrong.append(f"{provider}: {letter.name}: the file on the first device is not as it was")
            lost = Counter(post.digest(letter.raw) for letter in letters) - second
            wrong += [f"{provider}: {letter.name}: not on the second device in its bytes" for letter in letters if post.digest(letter.raw) in lost]
            if len(first) != len(letters) or second.total() != len(letters):
                wrong.append(f"{provider}: {len(letters)} files became {len(first)} on the first device and {second.total()} on the second")
            said = reasons(world, provider, letters)
            there = Mailboxes(world, provider)
            held = held_by_gmail if provider == "google" else held_by_graph
            # Those that were not made are looked for last: what is there is not theirs.
            for letter, otherwise in held(sorted(letters, key=lambda letter: letter.name in said), [there.bytes(id) for id in there.messages()]):
                rows[letter.name, provider, said.get(letter.name) or otherwise] += 1
            print(f"{provider}: {len(letters)} files were put on a device, {len(there.messages())} messages are there", flush=True)
    return wrong, rows


def held_by_gmail(letters, there):
    """The letters that Gmail does not hold byte for byte (lines end as the network has it)."""
    held = Counter(post.digest(raw) for raw in there)
    for letter in letters:
        if not held[post.digest(re.sub(rb"\r?\n", b"\r\n", letter.raw))]:
            yield letter, "another message of the same Message-ID stands for it"


def held_by_graph(letters, there):
    """The letters of which no message at Graph says the same, and what it says otherwise."""
    readings = [reading(raw) for raw in there]
    left = [letter for letter in letters if not take(readings, lambda says, want=reading(letter.raw): says == want)]
    for letter in left:
        want = reading(letter.raw)
        # A mail without a date gets that of its coming.
        differ = lambda says: [name for name in want if says[name] != want[name] and (name, want[name]) != ("date", None)]
        nearest = min(readings, key=lambda says: len(differ(says)), default=None)
        if nearest is None:
            yield letter, "is not there"
            continue
        readings.remove(nearest)
        if not differ(nearest):
            continue
        yield letter, f"says otherwise: {', '.join(differ(nearest))}"
        if os.environ.get("JUDGE_KEEP"):
            for name in differ(nearest):
                print(f"    {letter.name}: {name}: {str(want[name])[:300]!r} became {str(nearest[name])[:300]!r}")


def take(readings, fits):
    """Takes the first that fits out of a list; whether there was one."""
    found = next((says for says in readings if fits(says)), None)
    if found is not None:
        readings.remove(found)
    return found is not None


def judge_delivered(program, letters):
    """Delivered at the providers: on both devices byte for byte what the provider gives out."""
    wrong = []
    with Two(program) as world:
        boxes = {provider: Mailboxes(world, provider) for provider in PROVIDERS}
        for letter in letters:
            for box in boxes.values():
                box.deliver(letter.raw)
        post.settle(world)
        for provider, box in boxes.items():
            told = box.copies()
            if told.total() != len(letters):
                wrong.append(f"{provider}: of {len(letters)} delivered letters {told.total()} are there")
            if provider == "google":
                raws = Counter(post.digest(letter.raw) for letter in letters)
                given = Counter(post.digest(box.bytes(id)) for id in box.messages())
                wrong += [f"{provider}: gives out other bytes than came" for _ in (raws - given)]
            for device in ("first", "second"):
                wrong += post.differences(told, post.copies(world.dir / device / provider / "mail"), f"{device} ({provider})")
            print(f"{provider}: {told.total()} delivered letters are on both devices", flush=True)
    return wrong


def compare_list(rows):
    """What differs between what is not held and the checked-in list of it, both ways."""
    said = Counter()
    for line in NOT_HELD.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 3 and cells[0].endswith(".eml"):
            said[tuple(cells)] += 1
    if os.environ.get("JUDGE_KEEP"):
        print("\n".join(f"| {' | '.join(row)} |" for row in sorted(rows)))
    differ = sorted(row for row in rows.keys() | said.keys() if rows[row] != said[row])
    return [f"not held: | {' | '.join(row)} | {rows[row]} times (the list says {said[row]})" for row in differ]


# The exit code of a run that did all but what it lists.
PARTLY = 5
LATER = 75


def judge_letters(program, folder):
    letters = [Letter(path, number) for number, path in enumerate(sorted(pathlib.Path(folder).glob("*.eml")))]
    if not letters:
        raise SystemExit(f"{folder} holds no .eml")
    wrong, rows = judge_put(program, letters)
    wrong += judge_delivered(program, letters)
    wrong += compare_list(rows)
    verdict(wrong, f"{len(letters)} files come through both providers; {rows.total()} rows of {NOT_HELD.name} hold")


if __name__ == "__main__":
    judge_letters(*sys.argv[1:])
