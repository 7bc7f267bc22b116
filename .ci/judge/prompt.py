"""How soon a change is on the other side while the service is there.

    python prompt.py PROGRAM     (a release build, nothing else at work beside it)

What another client of the user does at a provider has to be in the device folder within the poll interval and a second; what is done in the
device folder has to be at its provider within two seconds and its reply, also where nothing is due for a day. Where the system tells nothing of
changes in folders, or only nothing of that one (a network's file system, more folders than fs.inotify allows), the next look has to find it, or
the one after that where it was under way: two poll intervals more. A user namespace may watch nothing there; where none can be had that is left out, and TWOFOLD_REQUIRE_UNWATCHED=1 insists.
"""

import json
import os
import random
import subprocess
import sys
import time
import urllib.request

import post
from post import Mailboxes, letter, verdict
from world import PROVIDERS, World

POLL_S, MARGIN_S, WATCHED_S = 3, 1, 2
TIMES = 3
PATIENCE_S = 60
# How the system is kept from telling of changes, and what the service says then.
UNWATCHED = {
    "max_inotify_watches": "is not watched",
    "max_inotify_instances": "changes in folders are not told",
}
KINDS = ("mail", "calendar", "contacts")
CARD = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{words}\r\nFN:{words}\r\nN:{words};;;;\r\nEND:VCARD\r\n"
EVENT = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//judge//EN\r\nBEGIN:VEVENT\r\nUID:{words}\r\nDTSTAMP:20270101T000000Z\r\n"
    "DTSTART:20270305T100000Z\r\nDTEND:20270305T110000Z\r\nSUMMARY:{words}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)
SPAN = {name: {"dateTime": f"2027-03-05T{hour}:00:00", "timeZone": "UTC"} for name, hour in (("start", 10), ("end", 11))}


class Hands:
    """What a user does at both sides, and what is seen there."""

    def __init__(self, world):
        self.world = world
        self.boxes = {provider: Mailboxes(world, provider) for provider in PROVIDERS}

    def ask(self, provider, path, body=None):
        """A request as another program of the user sends it."""
        name = provider.removesuffix("365")
        head = {"Authorization": f"Bearer {self.world.control('token', provider=name)['access_token']}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(f"{self.world.base}/{name}{path}", data, head)) as answer:
            return json.load(answer)

    def at_provider(self, provider, kind, words):
        if kind == "mail":
            self.boxes[provider].deliver(letter(words))
        elif (provider, kind) == ("google", "contacts"):
            self.ask(provider, "/v1/people:createContact?personFields=names", {"names": [{"familyName": words}]})
        elif (provider, kind) == ("google", "calendar"):
            self.ask(provider, "/calendar/v3/calendars/primary/events", {"summary": words, **SPAN})
        elif kind == "contacts":
            self.ask(provider, "/v1.0/me/contacts", {"surname": words})
        else:
            self.ask(provider, "/v1.0/me/events", {"subject": words, **SPAN})

    def on_device(self, provider, kind, words):
        """A file, under another name first, as all programs do it."""
        root = self.world.device / provider / kind
        if kind == "mail":
            folder, hidden, name, text = root / "cur", root / "tmp" / words, f"{words}:2,S", letter(words)
        else:
            folder = self.folders[provider, kind]
            suffix, text = (".vcf", CARD) if kind == "contacts" else (".ics", EVENT)
            hidden, name, text = folder / f".{words}.tmp", f"{words}{suffix}", text.format(words=words).encode()
        hidden.write_bytes(text)
        self.world.own(hidden)
        hidden.rename(folder / name)

    def find_folders(self):
        """The folder of each main collection: where what is made at a provider comes to stand."""
        self.folders = {}
        for provider in PROVIDERS:
            for kind in KINDS[1:]:
                self.at_provider(provider, kind, "Where")
        self.world.sync()
        for provider in PROVIDERS:
            for kind in KINDS[1:]:
                [path] = [path for path in self.files(provider, kind) if b"Where" in path.read_bytes()]
                self.folders[provider, kind] = path.parent

    def files(self, provider, kind):
        root = self.world.device / provider / kind
        return [path for _, path in post.files(root)] if kind == "mail" else list(root.glob("*/*.[vi]c[fs]"))

    def is_on_device(self, provider, kind, words):
        known = self.seen.setdefault((provider, kind), set())
        for path in self.files(provider, kind):
            if path not in known:
                known.add(path)
                if words.encode() in path.read_bytes():
                    return True
        return False

    def is_at_provider(self, provider, kind, words):
        if kind == "mail":
            return len(self.boxes[provider].find(words)) == 1
        return words in json.dumps(self.world.control("dump")[provider.removesuffix("365")])

    def forget(self):
        """What is on the device by now is not new."""
        self.seen = {(provider, kind): set(self.files(provider, kind)) for provider in PROVIDERS for kind in KINDS}


def took(what, holds):
    began = time.monotonic()
    while not holds():
        if time.monotonic() > began + PATIENCE_S:
            raise SystemExit(f"WRONG: not within {PATIENCE_S} s: {what}")
        time.sleep(0.02)
    return time.monotonic() - began


def serve(world, every, unwatched=None):
    """The service; `unwatched`: the limit by which the system keeps all changes in folders to itself."""
    tables = world.config.read_text().partition("[schedule]")[0]
    world.config.write_text(f'{tables}[schedule]\nevery = "{every}"\n')
    log = open(world.dir / "service.log", "wb")
    limits = within(unwatched, 'exec "$@"') if unwatched else []
    service = world.start([*limits, world.program, "--config", world.config, "-v", "daemon"], stdout=log, stderr=log)
    rest(world)
    return service


def within(limit, command):
    """What runs a command of the shell where a limit of inotify's is nought."""
    return ["unshare", "--user", "--map-root-user", "sh", "-c", f"echo 0 >/proc/sys/user/{limit} && {command}", "sh"]


def can_unwatch():
    if all(subprocess.run(within(limit, "true"), stderr=subprocess.DEVNULL).returncode == 0 for limit in UNWATCHED):
        return True
    if os.environ.get("TWOFOLD_REQUIRE_UNWATCHED") == "1":
        raise SystemExit("WRONG: no user namespace can be had here, and TWOFOLD_REQUIRE_UNWATCHED=1 insists on it")
    print("left out: changes that the system keeps to itself, because no user namespace can be had here")
    return False


def rest(world):
    """Waits until the service is there and has waited for a moment."""
    is_at_rest = lambda: (world.status()["service"] or {}).get("state") == "waiting"  # noqa: E731
    took("the service is at rest", is_at_rest)
    time.sleep(0.5)
    took("the service is at rest", is_at_rest)


def judge_prompt(program):
    wrong, chance = [], random.Random(1)
    with World(program, "--mails", "50", "--contacts", "50", "--events", "20", kinds=KINDS) as world:
        # It runs as whoever asks: nobody else has to be served, and a namespace with one user sees no files of another.
        world.serve_ourselves()
        world.use_device("laptop")
        world.sign_in()
        world.sync()
        hands = Hands(world)
        hands.find_folders()
        ways = [
            (f"{POLL_S}s", POLL_S + MARGIN_S, "to the device", hands.at_provider, hands.is_on_device, None),
            ("1d", WATCHED_S, "from the device", hands.on_device, hands.is_at_provider, None),
        ]
        ways += [
            (f"{POLL_S}s", 2 * POLL_S + WATCHED_S, f"unwatched ({limit})", hands.on_device, hands.is_at_provider, limit)
            for limit in (UNWATCHED if can_unwatch() else ())
        ]
        for every, limit_s, side, act, seen, unwatched in ways:
            service = serve(world, every, unwatched)
            if unwatched and UNWATCHED[unwatched] not in (world.dir / "service.log").read_text():
                wrong.append(f"{side}: nothing is watched, and the service does not say so")
            for provider in PROVIDERS:
                for kind in KINDS:
                    times = []
                    for number in range(1 if unwatched else TIMES):
                        words = f"Prompt{''.join(filter(str.isalpha, side))}{kind}{provider}{number}"
                        # Its own writes may have a run of their own: only then it is at rest, and somewhere between two looks.
                        rest(world)
                        time.sleep(chance.uniform(0, POLL_S))
                        hands.forget()
                        act(provider, kind, words)
                        times.append(took(f"{words} {side}", lambda: seen(provider, kind, words)))
                    print(f"{provider}, {kind}, {side}: {', '.join(f'{each:.2f}' for each in times)} s of {limit_s}", flush=True)
                    wrong += [f"{provider}, {kind}, {side}: {each:.2f} s" for each in times if each > limit_s]
            service.terminate()
            if service.wait(timeout=20) != 0:
                wrong.append(f"the service ended with {service.returncode}")
    verdict(wrong, "every change was on the other side in time")


if __name__ == "__main__":
    judge_prompt(*sys.argv[1:])
