"""The stage of a story: both providers, the program, two devices, and what all of them have."""

import os
import pathlib
import random
import re
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections import Counter

import post

from .gmail import Gmail
from .graph import Graph
from .oauth import SignIn
from .server import Server, Whims

PROVIDERS, DEVICES = ("google", "microsoft365"), ("laptop", "desk")
GRAPH_FOLDERS = ("inbox", "sentitems", "deleteditems", "junkemail")
PLAIN = b"From: Ada <ada@example.org>\r\nTo: bob@example.org\r\n"
# What a run says (exit code 75) while Graph's delta calls something gone that can still be read: it is asked for again later.
IS_ASKED = re.compile(r"microsoft365: \d+ items are said to be gone there and can still be read")


# What a run says (exit code 75) while the fate of a create is not known, and for how long that may be: Gmail's search may lag by two minutes.
IS_UNKNOWN, UNKNOWN_S = "a write's fate is not known yet; it is looked for, not repeated", 150


class Wrong(Exception):
    """A story cannot go on."""


def nasty(number):
    """A message as they come: number by number another trouble."""
    head = PLAIN + b"Subject: Stranger %d\r\n" % number
    name, date = b"Message-ID: <s.%d@stranger.example>\r\n" % number, b"Date: Tue, 3 Mar 2026 10:00:00 +0000\r\n"
    kinds = [
        head + name + date + b"\r\nNumber %d.\r\n" % number,
        head + name + b"\r\nno date\r\n",
        head + date + b"\r\nno name, %d\r\n" % number,
        head + b"Message-ID: <twice@stranger.example>\r\n" + date + b"\r\nanother of the same name, %d\r\n" % number,
        head + name + date + b"X-Large: " + b"x" * 60 + b"\r\n " + (b"y" * 70 + b"\r\n ") * 300 + b"z\r\n\r\nlarge head\r\n",
        head + name + date + b"\r\n",
        head + name + date + b"Content-Type: text/plain; charset=iso-8859-1\r\n\r\nGr\xfc\xdfe \xff\xfe\r\n",
        head + name + date + b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n\r\ntext\r\n--b\r\nContent-Type: application/octet-stream\r\n'
        b"Content-Disposition: attachment; filename=a\r\n\r\n\x80\x81\x82\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nin\r\n--b--\r\n",
    ]
    return kinds[number % len(kinds)]


def subject(raw):
    found = re.search(rb"(?im)^subject: *(.*?)\r?$", raw)
    return found[1].decode(errors="replace") if found else ""


class Stage:
    """The providers in the manners of a seed, with `count` messages each, the program, two devices; a folder of its own until the end."""

    def __init__(self, program, seed, count):
        self.program, self.random = os.path.abspath(program), random.Random(seed)
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="twofold-stranger-"))
        # `made`: by its subject, what a device had put into a message before Graph wrote it anew.
        self.whims, self.made, self.words = Whims(seed), {}, ""
        self.gmail, self.graph, signs = Gmail(self.whims), Graph(self.whims), SignIn()
        self.server = Server(self.whims, {"login": signs, "signin": signs, "google": self.gmail, "graph": self.graph})
        self.fill(count)
        base, devices = self.server.base, ""
        for name in DEVICES:
            devices += f'[[device]]\nname = "{name}"\npath = "{self.dir / name}"\nkinds = ["mail"]\n'
        self.config = self.dir / "config.toml"
        self.config.write_text(
            f'state_dir = "{self.dir}/state"\n[microsoft365]\nclient_id = "8d0a1f5e-3c1b-4f39-9d0e-5a5d7f0c2b11"\nkinds = ["mail"]\n'
            f'login_url = "{base}/login"\ngraph_url = "{base}/graph"\n[google]\nclient_id = "x.apps.googleusercontent.com"\nclient_secret = "x"\n'
            f'kinds = ["mail"]\nauth_url = "{base}/signin"\ntoken_url = "{base}/signin"\npeople_url = "{base}/google"\ncalendar_url = "{base}/google"\n'
            f'gmail_url = "{base}/google"\ngmail_units = 4000000000\n{devices}'
        )

    def fill(self, count):
        gmail, graph = self.gmail, self.graph
        labels = ["INBOX", "SENT", "TRASH", "SPAM"] + [gmail.make_label(name) for name in ("Kunden", "Kunden/Müller & Co", "日本/東京", "Wide")]
        folders = [graph.known[name] for name in GRAPH_FOLDERS]
        parent = graph.make_folder("Projekte", graph.root)
        folders += [parent, graph.make_folder("Größe/2026", parent), graph.make_folder("日本", graph.known["inbox"])]
        for number in range(count):
            chosen = {self.random.choice(labels)} | ({"UNREAD"} if number % 3 == 0 else set()) | ({"STARRED"} if number % 7 == 0 else set())
            if number % 5 == 0 and not chosen & {"TRASH", "SPAM"}:
                chosen.add(labels[4])
            if number % 11 == 0:
                chosen -= {"INBOX"}
            gmail.add(nasty(number), ["DRAFT"] if number % 40 == 1 else chosen)
            draft = number % 40 == 1
            folder = graph.known["drafts"] if draft else self.random.choice(folders)
            graph.add(nasty(number + 1000), folder, number % 3 != 0, draft, "flagged" if number % 7 == 0 else "notFlagged")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.http.shutdown()
        if os.environ.get("JUDGE_KEEP"):
            (self.dir / "requests.log").write_text("\n".join(self.server.log))
            print(f"kept: {self.dir}")
        else:
            shutil.rmtree(self.dir)

    # The program.

    def start(self, *args):
        return subprocess.Popen([self.program, "--config", self.config, "--quiet", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, *args):
        """What it prints, and its exit code; what it complains of is in `words`."""
        started = self.start(*args)
        out, self.words = started.communicate(timeout=400)
        return out, started.returncode

    def kill(self, most_s):
        """A run that is killed at some moment before `most_s`."""
        started = self.start("sync")
        time.sleep(self.random.uniform(0.05, most_s))
        started.kill()
        started.communicate()

    def bad_end(self, out, code):
        """Nothing, or how a run ended that should have ended well."""
        is_asked = code == 75 and self.whims.hole and IS_ASKED.search(self.words)
        return [] if code == 0 or is_asked else [f"a run ended with {code}: {out[-600:]} {self.words[-1200:]}"]

    def until_quiet(self, most):
        """Nothing, once a run ended well and wrote nothing; else what the last of them did. One that is to be waited for does not count."""
        until = time.monotonic() + UNKNOWN_S
        while most:
            before = len(self.writes())
            out, code = self.run("sync")
            bad, sent = self.bad_end(out, code), self.writes()[before:]
            if not bad and not sent:
                return []
            if IS_UNKNOWN in self.words and time.monotonic() < until:
                time.sleep(1)
            else:
                most -= 1
        return bad + [f"the last run still sent {line}" for line in sent]

    def pass_time(self):
        """What may happen at the providers while nobody does anything."""
        if self.whims.forgets:
            self.gmail.forget()
            self.graph.forget()
        if self.whims.housekeeping:
            self.graph.housekeep()

    def sign_in(self):
        for provider in PROVIDERS:
            login = self.start("login", provider, "--no-browser")
            with urllib.request.urlopen(login.stdout.readline().strip()) as answer:
                answer.read()
            login.stdout.read()
            words = login.stderr.read()
            if login.wait() != 0:
                self.stop(f"the sign-in at {provider} failed: {words}")

    def stop(self, words):
        tail = "\n".join(self.server.log[-15:])
        raise Wrong(f"{words}\nlast requests:\n{tail}")

    # What the providers have.

    def writes(self):
        return self.gmail.writes + self.graph.writes

    def misread(self):
        """Requests that the documentation does not know, and faults of the strangers."""
        return [line for line in self.server.log if "THE STRANGER" in line or "-> 501" in line or "-> 400" in line]

    def boxes(self, provider):
        """The mailboxes of an account by id (Gmail's archive has none), named as on devices."""
        if provider == "google":
            own = {id: post.boxed(name.split("/")) for id, name in self.gmail.labels.items() if not post.HIDDEN.fullmatch(id)}
            return {**own, **post.GMAIL_NAMES}
        return {id: self.graph_box(id) for id in self.graph.folders if id != self.graph.known["outbox"]}

    def graph_box(self, id):
        path = []
        while id not in (self.graph.root, self.graph.known["inbox"]):
            path.insert(0, self.graph.folders[id]["displayName"])
            id = self.graph.folders[id]["parentFolderId"]
        if id != self.graph.root:
            path.insert(0, "_INBOX" if path else "INBOX")
        return post.boxed(path)

    def messages(self, provider):
        """The messages of an account: id, bytes, the ids of its mailboxes, letters."""
        if provider == "google":
            for id, message in self.gmail.messages.items():
                labels = message["labels"]
                places = labels & {"TRASH", "SPAM"} or {label for label in labels if not post.HIDDEN.fullmatch(label)} or {None}
                letters = post.said([("S", "UNREAD" not in labels), ("F", "STARRED" in labels), ("D", "DRAFT" in labels)])
                yield id, message["raw"], places, letters
        else:
            for id, message in self.graph.messages.items():
                letters = post.said([("S", message["isRead"]), ("F", message["flag"] == "flagged"), ("D", message["isDraft"])])
                yield id, message["raw"], {message["folder"]}, letters

    def named(self, provider, raw):
        """What a message is called here: by its bytes, but by those of the device where Graph wrote it anew."""
        made = self.made.get(subject(raw)) if provider == "microsoft365" else None
        return made or post.digest(raw)

    def own(self, raw):
        """A device made this: Graph writes it anew, and the subject tells."""
        self.made[subject(raw)] = post.digest(raw)

    def disown(self, raw):
        """Somebody wrote at the provider what has this subject: its bytes count from now on."""
        self.made.pop(subject(raw), None)

    def told(self, provider):
        """How often each copy is at a provider."""
        boxes = self.boxes(provider)
        return Counter((boxes[place], self.named(provider, raw), letters) for _, raw, places, letters in self.messages(provider) for place in places)

    # What the devices have.

    def root(self, device, provider):
        return self.dir / device / provider / "mail"

    def differences(self, provider, told):
        """Where the devices have something else than this of an account."""
        wrong = []
        for device in DEVICES:
            wrong += post.differences(told, post.copies(self.root(device, provider)), f"{device} ({provider})")
        return wrong

    def wrong(self):
        return [line for provider in PROVIDERS for line in self.differences(provider, self.told(provider))]
