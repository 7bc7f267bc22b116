"""What of a folder of calendar files comes back from each provider with the same occurrences.

    python corpus.py PROGRAM FOLDER     (with the packages of requirements.txt)

Every item that a strict reader accepts goes into a device folder, through each provider's sandbox, and onto a second device while
the hub is lost between; `recurring-ical-events` then lists five years of both. What does not come back is in NOT_HELD.md. With
JUDGE_KEEP=1 the folders stay, and what the strict reader refuses is told.
"""

import datetime
import os
import pathlib
import re
import sys
import time
import warnings
import zoneinfo
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import icalendar
import recurring_ical_events
from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from world import PROVIDERS, World, is_day

NOT_HELD = pathlib.Path(__file__).resolve().parents[2] / "tests/corpus/NOT_HELD.md"


def calendars_of(text):
    """The calendars of a file, as lists of lines with their ends."""
    calendars, depth = [], 0
    for line in text.splitlines(keepends=True):
        word = line.strip().upper()
        if depth == 0 and word == b"BEGIN:VCALENDAR":
            calendars.append([])
        if word.startswith(b"BEGIN:"):
            depth += 1
        if depth and calendars:
            calendars[-1].append(line)
        if word.startswith(b"END:"):
            depth -= 1
    return calendars


def items_of(lines):
    """The events of one calendar by UID, each a calendar of its own with what is not an item (zones, names)."""
    frame, items, component, depth = [], {}, None, 0
    for line in lines:
        word = line.strip().upper()
        if word.startswith(b"BEGIN:"):
            depth += 1
            if depth == 2:
                component = []
        (frame if component is None else component).append(line)
        if word.startswith(b"END:"):
            if depth == 2:
                name = component[0].strip().upper().removeprefix(b"BEGIN:")
                if name == b"VEVENT":
                    items.setdefault(uid_of(component), []).extend(component)
                elif name == b"VTIMEZONE":
                    frame.extend(component)
                component = None
            depth -= 1
    end = frame.pop() if frame else b""
    return [(uid, [*frame, *events, end]) for uid, events in items.items()]


def uid_of(lines):
    """The UID that the lines of one event state, unfolded; nothing where there is none."""
    found = re.search(rb"(?im)^UID(?:;[^:\r\n]*)?:(.*?)\s*$", unfolded(b"".join(lines)))
    return found.group(1).strip() if found else None


def unfolded(text):
    return re.sub(rb"\r?\n[ \t]", b"", text)


def with_uid(text, uid):
    """The same item under another UID (or its first), because one calendar holds one item of a UID."""
    text = re.sub(rb"(?im)^UID[;:].*\n", b"", unfolded(text))
    return re.sub(rb"(?im)^(BEGIN:VEVENT)[ \t\r]*$", b"\\1\r\nUID:" + uid.replace(b"\\", b"\\\\") + b"\r", text)


# What RFC 5545 allows once in an event (3.6.1).
ONCE = """DTSTAMP UID DTSTART CLASS CREATED DESCRIPTION GEO LAST-MODIFIED LOCATION ORGANIZER PRIORITY SEQUENCE STATUS SUMMARY
    TRANSP URL RECURRENCE-ID DTEND DURATION""".split()

# What a recurrence rule is made of (3.3.10).
RULE_PARTS = """FREQ UNTIL COUNT INTERVAL BYSECOND BYMINUTE BYHOUR BYDAY BYMONTHDAY BYYEARDAY BYWEEKNO BYMONTH BYSETPOS
    WKST""".split()


def strictly(text):
    """What the strict reader says of an item: nothing, or why it does not take it."""
    if not text.startswith(b"BEGIN:VCALENDAR"):
        return "does not begin with BEGIN:VCALENDAR (3.4)"
    try:
        calendar = icalendar.Calendar.from_ical(text.decode())
    except (ValueError, AttributeError) as error:
        return str(error)
    for component in calendar.walk():
        for name, error in component.errors:
            return f"{name}: {error}"
    # What the package lets pass, and RFC 5545 does not.
    if str(calendar.get("VERSION", "2.0")) != "2.0":
        return "no iCalendar 2.0 (3.7.4)"
    for rule in re.findall(r"(?im)^RRULE(?:;[^:]*)?:(.*?);?\s*$", unfolded(text).decode()):
        for part in rule.split(";"):
            if part.split("=")[0].upper() not in RULE_PARTS:
                return f"a recurrence rule with {part} (3.3.10)"
    zones = {str(zone.get("TZID")) for zone in calendar.walk("VTIMEZONE")}
    seen = set()
    for event in calendar.walk("VEVENT"):
        for name in ONCE:
            if isinstance(event.get(name), list):
                return f"{name} more than once (3.6.1)"
        if "DTSTART" not in event:
            return "no DTSTART (3.6.1)"
        if "DTEND" in event and "DURATION" in event:
            return "DTEND and DURATION (3.6.1)"
        start, end = event["DTSTART"].dt, event["DTEND"].dt if "DTEND" in event else None
        if end is not None and is_day(start) != is_day(end):
            return "DTSTART and DTEND of different types (3.8.2.2)"
        if end is not None and (day(end) < day(start) or (not is_day(start) and instant(end) < instant(start))):
            return "DTEND before DTSTART (3.8.2.2)"
        for name in ("DTSTART", "DTEND", "RECURRENCE-ID"):
            if name in event:
                parameters, value = event[name].params, event[name].dt
                if parameters.get("VALUE") == "DATE" and not is_day(value):
                    return f"{name} is no DATE (3.2.20)"
                zone = parameters.get("TZID")
                if zone and not is_day(value) and zone not in zones and not is_known(zone):
                    return f"{name} in a zone that is neither defined nor known (3.2.19)"
        for rule in event["RRULE"] if isinstance(event.get("RRULE"), list) else [event.get("RRULE", {})]:
            for until in rule.get("UNTIL", []):
                if is_day(until) != is_day(start) or (not is_day(start) and (until.tzinfo is None) != (start.tzinfo is None)):
                    return "UNTIL and DTSTART of different types (3.3.10)"
        one = (str(event.get("UID")), str(event["RECURRENCE-ID"].dt) if "RECURRENCE-ID" in event else None)
        if one in seen:
            return "two events of one UID and RECURRENCE-ID (3.8.4.7)"
        seen.add(one)
    return None


def is_known(zone):
    """An IANA zone, also as the end of a longer name, or one of Windows'."""
    return zone in WINDOWS_TO_OLSON or any(("/" + zone).endswith("/" + known) for known in zoneinfo.available_timezones())


def as_judged(text):
    """What the judge is told: of an item as it is, but for two things in which it follows something else than RFC 5545.

    A day has no zone (3.2.19), and X-WR-TIMEZONE is no zone of a time (it is no property of the standard).
    """
    text = re.sub(rb"(?im)^X-WR-TIMEZONE[;:].*\n", b"", unfolded(text))
    return re.sub(rb"(?im)^([A-Z-]+);(?:TZID=[^:;]*|VALUE=DATE|;)+:(\d{8})(?=\s*$)", rb"\1;VALUE=DATE:\2", text)


def occurrences(text, window=None):
    """All occurrences within a window (default: five years from the first start), and the window."""
    calendar = icalendar.Calendar.from_ical(as_judged(text))
    if window is None:
        first = min(day(event["DTSTART"].dt) for event in calendar.walk("VEVENT")) - datetime.timedelta(days=1)
        window = (first, first + datetime.timedelta(days=5 * 366))
    found = Counter()
    for event in recurring_ical_events.of(calendar).between(*window):
        is_cancelled = str(event.get("STATUS", "")).upper() == "CANCELLED"
        summary = " ".join(str(event.get("SUMMARY", "")).split())
        start, end = event.start, event.end
        if is_day(start):
            # A day that ends as it begins (3.8.2.2 forbids it) is that day.
            end = max(end, start + datetime.timedelta(days=1))
        found[(start.isoformat(), end.isoformat(), summary, is_cancelled)] += 1
    return found, window


def instant(value):
    return value if value.tzinfo else value.replace(tzinfo=datetime.timezone.utc)


def day(moment):
    return moment.date() if isinstance(moment, datetime.datetime) else moment


class Item:
    """One UID of one file."""

    def __init__(self, file, uid, text):
        self.file, self.uid, self.text = file, uid, text


def read_corpus(folder):
    """The items that the strict reader accepts, by file, and what it says of the others."""
    items, refused, seen = [], [], Counter()
    for path in sorted(pathlib.Path(folder).glob("*.ics")):
        found = [item for calendar in calendars_of(path.read_bytes()) for item in items_of(calendar)]
        if not found:
            refused.append((path.name, None, "no event"))
        for uid, lines in found:
            text = b"".join(lines)
            reason = strictly(as_judged(text))
            if reason is not None:
                refused.append((path.name, uid, reason))
                continue
            seen[uid] += 1
            if uid is None or seen[uid] > 1:
                uid = (uid or b"nameless") + b".%d" % seen[uid]
                text = with_uid(text, uid)
            items.append(Item(path.name, uid.decode(), text))
    return items, refused


def judge_corpus(program, folder):
    """Puts the corpus into a device folder, through both providers, and back onto a second device; compares occurrences."""
    warnings.simplefilter("ignore")
    began = time.monotonic()
    say = lambda words: print(f"{words} ({time.monotonic() - began:.0f} s)", flush=True)
    items, refused = read_corpus(folder)
    say(f"{len(items)} items of {len({item.file for item in items})} files are accepted by the strict reader")
    for file, uid, reason in refused:
        if os.environ.get("JUDGE_KEEP"):
            print(f"    not accepted: {file}: {uid}: {reason[:150]}")
    # Google's budget is 600 requests a minute: with three accounts nothing has to wait.
    parts = [items[number::3] for number in range(3)]
    with ThreadPoolExecutor(len(parts)) as pool:
        answers = list(pool.map(lambda part: there_and_back(program, part), parts))
    say("they went through both providers onto a second device")
    rows, wrong, total = Counter(), [], 0
    for part, (reasons, backs) in zip(parts, answers):
        for provider, back in backs.items():
            lacking, differing = compare(part, back)
            must_see_a_change(part, back)
            wrong += [f"{provider}: {item.file}: {item.uid}: {words}" for item, words in differing]
            total += len(part) - len(lacking)
            for item in lacking:
                reason = reasons.get((provider, item.uid)) or reasons.get(("first", item.uid))
                if reason is None:
                    wrong.append(f"{provider}: {item.file}: {item.uid}: is lost, and nothing says why")
                else:
                    rows[(item.file, provider, reason)] += 1
    say(f"{total} copies are judged, {sum(rows.values())} are not held")
    wrong += compare_list(rows)
    for words in wrong:
        print(f"WRONG: {words}")
    if wrong:
        raise SystemExit(f"{len(wrong)} differences; what a provider cannot hold belongs into {NOT_HELD.name}")
    print(f"all occurrences of five years are the same; {len(rows)} rows of {NOT_HELD.name} hold")


def there_and_back(program, items):
    """Puts items into a device folder, and takes what comes back from each provider onto a second device with a new hub.

    Answers why items are not held, and for each provider what came back, by UID.
    """
    with World(program) as world:
        world.control("reset", seed="empty")
        world.use_device("first")
        world.sign_in()
        for provider in PROVIDERS:
            put = world.device / provider / "calendar" / "corpus"
            put.mkdir(parents=True)
            for number, item in enumerate(items):
                (put / f"{number:04}.ics").write_bytes(item.text)
        world.sync()
        reasons = reasons_of(world.status(), items)
        world.lose_the_hub()
        world.use_device("second")
        world.sync()
        mails = world.control("google/calendar/mails") + world.control("microsoft/mails")
        if mails:
            raise SystemExit(f"somebody was mailed: {mails[:3]}")
        backs = {}
        for provider in PROVIDERS:
            texts = [path.read_bytes() for path in (world.device / provider / "calendar" / "corpus").glob("*.ics")]
            backs[provider] = {(uid_of([text]) or b"").decode(): text for text in texts}
        return reasons, backs


def reasons_of(status, items):
    """Why an item is not held, by the replica that says so and the UID."""
    reasons = {}
    for row in status["not_representable"] + status["quarantine"]:
        number = re.fullmatch(r"(\w+)/calendar/corpus/(\d+)\.ics", row.get("item") or "")
        uid = items[int(number.group(2))].uid if number else row["uid"]
        # Marks and paths differ from run to run.
        reason = re.sub(r"^([0-9a-f]{32}:[0-9a-f]{32}:\d+|\S*\d{4}\.ics): | [0-9a-f]{32}:[0-9a-f]{32}:\d+", "", row["reason"])
        reasons[(row["replica"], uid)] = reason.replace("|", "/")
    return reasons


def compare(items, back):
    """The items that did not come back, and those that did with other occurrences."""
    lacking, differing = [], []
    for item in items:
        if item.uid not in back:
            lacking.append(item)
            continue
        was, window = occurrences(item.text)
        now, _ = occurrences(back[item.uid], window)
        if not was:
            differing.append((item, "has no occurrence in five years: it says nothing"))
        if was != now:
            differing.append((item, f"lost {list((was - now).items())[:2]}, new {list((now - was).items())[:2]}"))
    return lacking, differing


def must_see_a_change(items, back):
    """A judge that passes everything judges nothing: one start is moved by an hour, and has to be seen."""
    later = lambda found: found.group(1) + b"%02d" % ((int(found.group(2)) + 1) % 24)
    for item in items:
        was = back.get(item.uid, b"")
        head, event, body = was.partition(b"BEGIN:VEVENT")
        moved = head + event + re.sub(rb"(?m)^(DTSTART[^:\r\n]*:\d{8}T)(\d\d)", later, body)
        if moved != was:
            _, differing = compare([item], {item.uid: moved})
            if not differing:
                raise SystemExit(f"{item.file}: a start that was moved by an hour is not seen")
            return
    raise SystemExit("no item came back whose start could be moved")


def compare_list(rows):
    """What differs between what is not held and the checked-in list of it, both ways."""
    said = Counter()
    for line in NOT_HELD.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 4 and cells[0].endswith(".ics"):
            said[(cells[0], cells[1], cells[3])] += int(cells[2])
    wrong = []
    for row in sorted(rows.keys() | said.keys()):
        if rows[row] != said[row]:
            file, provider, reason = row
            wrong.append(f"not held: | {file} | {provider} | {rows[row]} | {reason} | (the list says {said[row]})")
    return wrong


if __name__ == "__main__":
    judge_corpus(*sys.argv[1:])
