"""What khal lists from a device folder, against what each provider's sandbox lists of itself.

    python khal.py PROGRAM              (khal is on the path; no package is needed)
"""

import datetime
import json
import os
import re
import subprocess
import sys
import urllib.parse
import urllib.request
import zoneinfo

from world import World, is_day

ZONE = "Europe/Berlin"


def judge_khal(program):
    """Lists two years with khal from a device folder, and with each provider's own listing of occurrences."""
    now = datetime.date.today()
    first, last = now - datetime.timedelta(days=365), now + datetime.timedelta(days=365)
    # khal means its last day as a whole, a provider the moment at which it begins.
    after = last + datetime.timedelta(days=1)
    wrong, total = [], 0
    for seed in ([], ["--contacts", "0", "--events", "200"]):
        with World(program, *seed) as world:
            world.use_device("laptop")
            world.sign_in()
            world.sync()
            listed = khal_lists(world, first, last)
            told = google_lists(world, first, after) | microsoft_lists(world, first, after)
            total += len(told)
            wrong += [f"khal lacks {row}" for row in sorted(told - listed)]
            wrong += [f"khal alone has {row}" for row in sorted(listed - told)]
    for words in wrong:
        print(f"WRONG: {words}")
    if wrong or total == 0:
        raise SystemExit(f"{len(wrong)} differences between khal and the providers, of {total} occurrences")
    print(f"khal lists the same {total} occurrences of two years as the providers")


def khal_lists(world, first, last):
    """Rows of provider, calendar, title, start and end, as khal shows them."""
    calendars = []
    for number, folder in enumerate(sorted(world.device.glob("*/calendar/*/"))):
        name = folder / "displayname"
        calendars.append((folder.parts[-3], name.read_text().strip() if name.exists() else folder.name, folder))
    config = world.dir / "khal.conf"
    config.write_text(
        "[calendars]\n"
        + "".join(f"[[c{number}]]\npath = {folder}\n" for number, (_, _, folder) in enumerate(calendars))
        + f"[locale]\nlocal_timezone = {ZONE}\ndefault_timezone = {ZONE}\ntimeformat = %H:%M\ndateformat = %Y-%m-%d\n"
        + "longdateformat = %Y-%m-%d\ndatetimeformat = %Y-%m-%d %H:%M\nlongdatetimeformat = %Y-%m-%d %H:%M\n"
        + f"[sqlite]\npath = {world.dir}/khal.db\n"
    )
    form = "\t".join(("{calendar}", "{title}", "{all-day}", "{start-long-full}", "{end-long-full}")) + "\t"
    answer = subprocess.run(
        ["khal", "-c", config, "list", "--format", form, "--day-format", "", str(first), str(last)],
        stdout=subprocess.PIPE, text=True, check=True, env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    rows = set()
    for line in answer.stdout.splitlines():
        if line.strip():
            number, title, is_day, start, end, *_ = line.split("\t")
            provider, name, _ = calendars[int(number[1:])]
            rows.add((provider, name, " ".join(title.split()), is_day == "True", start, end))
    return rows


def row_of(provider, calendar, title, start, end):
    """A row as khal shows it: times on the clocks of the zone, the last day of whole days."""
    if is_day(start):
        shown = [f"{day} 00:00" for day in (start, end - datetime.timedelta(days=1))]
    else:
        shown = [f"{at.astimezone(zoneinfo.ZoneInfo(ZONE)):%Y-%m-%d %H:%M}" for at in (start, end)]
    return (provider, calendar, " ".join(title.split()), is_day(start), *shown)


def pages(world, provider, path, more):
    """All items of a listing of the sandbox."""
    token = world.control("token", provider=provider)["access_token"]
    link, items = world.base + path, []
    while link:
        request = urllib.request.Request(link, headers={"Authorization": f"Bearer {token}", "Prefer": 'outlook.timezone="UTC"'})
        with urllib.request.urlopen(request) as answer:
            page = json.load(answer)
        items += page.get("items", page.get("value", []))
        link = more(link, page)
    return items


def google_lists(world, first, after):
    def more(link, page):
        token = page.get("nextPageToken")
        return token and re.sub(r"&pageToken=.*", "", link) + "&pageToken=" + urllib.parse.quote(token, safe="")

    def when(value):
        return datetime.date.fromisoformat(value["date"]) if "date" in value else datetime.datetime.fromisoformat(value["dateTime"])

    rows, zone = set(), zoneinfo.ZoneInfo(ZONE)
    low, high = (urllib.parse.quote(datetime.datetime.combine(day, datetime.time(), zone).isoformat()) for day in (first, after))
    for calendar in pages(world, "google", "/google/calendar/v3/users/me/calendarList?maxResults=250", more):
        path = f"/google/calendar/v3/calendars/{urllib.parse.quote(calendar['id'], safe='')}/events"
        events = pages(world, "google", f"{path}?singleEvents=true&maxResults=250&timeMin={low}&timeMax={high}", more)
        for event in events:
            name = calendar.get("summaryOverride") or calendar["summary"]
            rows.add(row_of("google", name, event.get("summary", ""), when(event["start"]), when(event["end"])))
    return rows


def microsoft_lists(world, first, after):
    def when(event, name):
        at = datetime.datetime.fromisoformat(event[name]["dateTime"][:19]).replace(tzinfo=datetime.timezone.utc)
        return at.date() if event["isAllDay"] else at

    def more(_, page):
        return page.get("@odata.nextLink")

    rows, zone = set(), zoneinfo.ZoneInfo(ZONE)
    midnights = (datetime.datetime.combine(day, datetime.time(), zone) for day in (first, after))
    low, high = (f"{at.astimezone(datetime.timezone.utc):%Y-%m-%dT%H:%M:%SZ}" for at in midnights)
    for calendar in pages(world, "microsoft", "/microsoft/v1.0/me/calendars?$top=100", more):
        path = f"/microsoft/v1.0/me/calendars/{urllib.parse.quote(calendar['id'], safe='')}/calendarView"
        for event in pages(world, "microsoft", f"{path}?startDateTime={low}&endDateTime={high}&$top=500", more):
            rows.add(row_of("microsoft365", calendar["name"], event["subject"], when(event, "start"), when(event, "end")))
    return rows


if __name__ == "__main__":
    judge_khal(*sys.argv[1:])
