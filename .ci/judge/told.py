"""What a service tells of what stands in its way: the line for its manager, its log, `[notify]`, `/healthz`, and `status`.

A *sign* is one of these places and what has to stand there, or must not.
"""

import json
import re
import socket
import threading
import time
import urllib.error
import urllib.request
from collections import Counter

# A line of the log of what stands in the way, and one that says that it is over.
SAID = re.compile(r" (WARN|INFO) twofold::cli::daemon: (over: )?(.*)")


class Told:
    """All that the services of a world tell, one after the other."""

    def __init__(self, world):
        self.world, self.notices, self.manager = world, world.dir / "troubles.jsonl", world.dir / "manager"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.manager))
        self.manager.chmod(0o777)
        self.line = ""
        threading.Thread(target=self.hear, daemon=True).start()

    @property
    def tables(self):
        """What the configuration needs for it."""
        return f'[notify]\nfile = "{self.notices}"\n[endpoint]\nlisten = "127.0.0.1:0"\n'

    def hear(self):
        """Keeps the last line that `systemctl status` would show."""
        while True:
            for said in self.socket.recv(65536).decode().splitlines():
                if said.startswith("STATUS="):
                    self.line = said.removeprefix("STATUS=")

    def status(self):
        """What stands in the way, and the exit code."""
        said, code = self.world.run("status", "--json")
        return "\n".join(json.loads(said)["troubles"]) if said else self.world.last_words, code

    def health(self):
        addresses = re.findall(r"the page is at (http://[^/\s]+)", self.log())
        if not addresses:
            return "nobody listens yet"
        try:
            with urllib.request.urlopen(f"{addresses[-1]}/healthz") as answer:
                return f"{answer.status} {answer.read().decode()}"
        except urllib.error.HTTPError as error:
            return f"{error.code} {error.read().decode()}"
        except OSError as error:
            return str(error)

    def log(self):
        return (self.world.dir / "service.log").read_text(errors="replace")

    def messages(self):
        """What people were told: trouble, place, and whether it had begun or was over."""
        lines = self.notices.read_text().splitlines() if self.notices.exists() else []
        return [(said["trouble"], said["replica"], said["state"]) for said in map(json.loads, lines)]

    def await_signs(self, name, service, signs, within_s):
        """Waits until each sign was there once; says how long that took."""
        began, missing = time.monotonic(), dict(signs)
        while missing := {what: is_there for what, is_there in missing.items() if not is_there()}:
            service.require()
            if time.monotonic() - began > within_s:
                seen = {"status": self.status(), "line": self.line, "health": self.health(), "messages": self.messages()}
                raise SystemExit(f"WRONG: {name}: not within {within_s} s: {', '.join(missing)}; what is told: {json.dumps(seen, indent=1)}")
            time.sleep(0.5)
        print(f"{name}: told after {time.monotonic() - began:.0f} s by {', '.join(signs)}", flush=True)

    def says(self, code, status, line, health, message):
        """The signs of a trouble that lasts."""
        signs = {
            "status": lambda: all(words in self.status()[0] for words in status),
            "status's exit code": lambda: self.status()[1] == code,
            "the manager's line": lambda: line in self.line,
            "/healthz": lambda: all(words in self.health() for words in health),
        }
        if message:
            signs["[notify]"] = lambda: self.messages().count((*message, "begun")) == 1
        return signs

    def is_over(self, status, line, message):
        """The signs that it is over."""
        signs = {
            "status": lambda: not any(words in self.status()[0] for words in status),
            "the manager's line": lambda: line not in self.line,
            "/healthz": lambda: not any(words in self.health() for words in status),
        }
        if message:
            signs["[notify]"] = lambda: self.messages().count((*message, "over")) == 1
        return signs

    def wrong(self, messages):
        """What is still told when all is well, or was not told once, and once when it was over; `messages`: of what people were told."""
        (troubles, code), health = self.status(), self.health()
        wrong = []
        if troubles or code != 0:
            wrong.append(f"all is well, and status says, with {code}: {troubles}")
        if health.strip() != "200 ok":
            wrong.append(f"all is well, and /healthz says: {health}")
        told = Counter(self.messages())
        expected = Counter((*message, state) for message in messages for state in ("begun", "over"))
        if told != expected:
            wrong.append(f"people were told {told}, where they were to be told {expected}")
        return wrong + self.unbalanced()

    def unbalanced(self):
        """What the log says twice without an end, or ends without a beginning; a service that begins knows of nothing."""
        wrong, open_ones, ended = [], set(), 0
        for line in self.log().splitlines():
            if "the service begins" in line:
                open_ones = set()
            if not (said := SAID.search(line)):
                continue
            level, over, words = said.groups()
            if over and words in open_ones:
                open_ones.remove(words)
                ended += 1
            elif not over and level == "WARN" and words not in open_ones:
                open_ones.add(words)
            elif over or level == "WARN":
                wrong.append(f"the log says once too often: {line}")
        print(f"the log tells that {ended} troubles were over")
        wrong += ["the log tells of no trouble"] if not ended else []
        return wrong + [f"the log does not say that it is over: {words}" for words in open_ones]
