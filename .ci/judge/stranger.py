"""The program against two providers that were written from their documentation alone (`stranger/`), over mail.

    python3 stranger.py PROGRAM [SEEDS [FIRST]]     (default: 3 seeds from 1)

For each seed, once as it comes and once with three kills: a first sync writes nothing; both devices are exactly what the providers have; the
next run writes nothing. Without a kill each message is read once. What is done afterwards is not tried here.
"""

import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter

import post
from stranger.gmail import Gmail
from stranger.graph import Graph
from stranger.oauth import SignIn
from stranger.server import Server, Whims

PLAIN = b"From: Ada <ada@example.org>\r\nTo: bob@example.org\r\n"
GRAPH_FOLDERS = ("inbox", "sentitems", "deleteditems", "junkemail")


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


class Stage:
    """The providers, the program, two devices."""

    def __init__(self, program, seed, count=160):
        self.program, self.random = os.path.abspath(program), random.Random(seed)
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="twofold-stranger-"))
        self.whims = Whims(seed)
        self.gmail, self.graph, signs = Gmail(self.whims), Graph(self.whims), SignIn()
        self.server = Server(self.whims, {"login": signs, "signin": signs, "google": self.gmail, "graph": self.graph})
        self.fill(count)
        base, devices = self.server.base, ""
        for name in ("laptop", "desk"):
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

    def start(self, *args):
        return subprocess.Popen([self.program, "--config", self.config, "--quiet", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, *args):
        started = self.start(*args)
        out, self.words = started.communicate(timeout=400)
        return out, started.returncode

    def sign_in(self):
        for provider in ("google", "microsoft365"):
            login = self.start("login", provider, "--no-browser")
            with urllib.request.urlopen(login.stdout.readline().strip()) as answer:
                answer.read()
            login.stdout.read()
            words = login.stderr.read()
            if login.wait() != 0:
                self.stop(f"the sign-in at {provider} failed: {words}")

    def stop(self, words):
        tail = "\n".join(self.server.log[-15:])
        raise SystemExit(f"WRONG: {words}\nlast requests:\n{tail}")

    def writes(self):
        return self.gmail.writes + self.graph.writes

    def told(self):
        """What the providers have, as mailboxes and letters."""
        google, microsoft = Counter(), Counter()
        names = {id: post.boxed(name.split("/")) for id, name in self.gmail.labels.items()}
        for message in self.gmail.messages.values():
            labels = message["labels"]
            places = labels & {"TRASH", "SPAM"} or {label for label in labels if not post.HIDDEN.fullmatch(label)} or {None}
            letters = post.said([("S", "UNREAD" not in labels), ("F", "STARRED" in labels), ("D", "DRAFT" in labels)])
            for place in places:
                google[post.GMAIL_NAMES.get(place) or names[place], post.digest(message["raw"]), letters] += 1
        for message in self.graph.messages.values():
            letters = post.said([("S", message["isRead"]), ("F", message["flag"] == "flagged"), ("D", message["isDraft"])])
            microsoft[self.graph_box(message["folder"]), post.digest(message["raw"]), letters] += 1
        return google, microsoft

    def graph_box(self, id):
        path = []
        while id not in (self.graph.root, self.graph.known["inbox"]):
            path.insert(0, self.graph.folders[id]["displayName"])
            id = self.graph.folders[id]["parentFolderId"]
        if id != self.graph.root:
            path.insert(0, "_INBOX" if path else "INBOX")
        return post.boxed(path)

    def wrong(self):
        wrong = []
        for provider, told in zip(("google", "microsoft365"), self.told()):
            for device in ("laptop", "desk"):
                wrong += post.differences(told, post.copies(self.dir / device / provider / "mail"), f"{device} ({provider})")
        return wrong


def first_sync(program, seed, kills=0):
    with Stage(program, seed) as stage:
        stage.sign_in()
        for number in range(kills):
            started = stage.start("sync")
            time.sleep(stage.random.uniform(0.05, 0.6))
            started.kill()
            started.communicate()
        for _ in range(6):
            out, code = stage.run("sync")
            if code != 0 or not stage.wrong():
                break
        if code != 0:
            stage.stop(f"seed {seed}: sync ended with {code}: {out[-600:]} {stage.words[-1200:]}")
        failed = [line for line in stage.server.log if "THE STRANGER" in line or "-> 501" in line or "-> 400" in line]
        wrong = failed[:5] + stage.wrong()
        wrong += [f"a first sync sent {line}" for line in stage.writes()]
        # A kill loses what came in the last second, and these come in the first one: then nothing is claimed of how often a message was read.
        for provider in (stage.gmail, stage.graph):
            again = sum(count - 1 for count in provider.reads.values())
            if again and not kills:
                wrong.append(f"{again} messages were read again")
        before = len(stage.server.log)
        out, code = stage.run("sync")
        if code != 0 or stage.writes():
            wrong.append(f"the second run ended with {code}, writes: {stage.writes()}")
        shown = {key: value for key, value in vars(stage.whims).items() if key != "random"}
        print(f"seed {seed}, {kills} kills: {before} requests, then {len(stage.server.log) - before}; {shown}", flush=True)
        return [f"seed {seed}: {line}" for line in wrong]


def judge(program, seeds="3", first="1"):
    wrong = []
    for seed in range(int(first), int(first) + int(seeds)):
        wrong += first_sync(program, seed)
        wrong += first_sync(program, seed, kills=3)
    post.verdict(wrong, "the program and the strangers have the same")


if __name__ == "__main__":
    judge(*sys.argv[1:])
