"""The program with its sandbox, driven as a user would, for judges that know nothing of its insides."""

import datetime
import http.client
import json
import os
import pathlib
import pwd
import re
import shutil
import subprocess
import tempfile
import urllib.request

PROVIDERS = ("google", "microsoft365")


class World:
    """The program, its sandbox, and one device at a time (or several)."""

    def __init__(self, program, *seed, kind="calendar", kinds=()):
        self.kinds = list(kinds or [kind])
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="twofold-judge-"))
        self.config = self.dir / "config.toml"
        self.program = os.path.abspath(program)
        self.person = []
        # How many requests were the judge's own.
        self.asked = 0
        self.sandbox = subprocess.Popen(
            [self.program, "--quiet", "sandbox", *seed], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        lines = []
        for line in self.sandbox.stdout:
            lines.append(f"kinds = {json.dumps(self.kinds)}\n" if line.startswith("kinds") else line)
            if line.startswith("gmail_url"):
                break
        self.tables = "".join(lines)
        self.base = re.search(r'gmail_url = "(https?://[^/"]+)', self.tables).group(1)
        self.wire = http.client.HTTPConnection(self.base.partition("//")[2])
        if "mail" in self.kinds:
            # Budgets are a matter of waiting, which no judge of mail looks at; nor can it look at bytes that differ each time.
            self.tables += "gmail_units = 4000000000\n"
            self.serve_plainly()
            self.serve_somebody()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.wire.close()
        self.sandbox.terminate()
        self.sandbox.wait()
        if os.environ.get("JUDGE_KEEP"):
            print(f"kept: {self.dir}")
        else:
            shutil.rmtree(self.dir)

    def serve_plainly(self):
        """Makes the sandbox ask for no pause, and give out the same bytes each time."""
        self.control("switches", mail_units_per_min=0, graph_requests=0, graph_mime_rewritten="once")

    def serve_somebody(self):
        """Where this is root, all that a user would start is another user's: Dovecot serves nobody as root."""
        if os.geteuid() != 0:
            return
        self.user = pwd.getpwnam("nobody")
        self.person = ["runuser", "-u", self.user.pw_name, "--"]
        # What nobody starts has to be where nobody may look.
        self.program = shutil.copy(self.program, self.dir / "twofold")
        self.own(self.dir)

    def serve_ourselves(self):
        """What a user would start is of whoever asks after all."""
        if self.person:
            self.person = []
            for path in (self.dir, self.program):
                os.chown(path, os.geteuid(), os.getegid())

    def own(self, path):
        """Gives a file that the judge made to the user."""
        if self.person:
            os.chown(path, self.user.pw_uid, self.user.pw_gid)

    def start(self, args, **more):
        """Starts a command as the user."""
        env = {**os.environ, "HOME": str(self.dir), "LC_ALL": "C.UTF-8", **more.pop("env", {})}
        return subprocess.Popen([*self.person, *map(str, args)], env=env, cwd=self.dir, **more)

    def command(self, *args, **more):
        """Runs a command as the user to its end, which has to be a good one; what it says."""
        started = self.start(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)
        out, errors = started.communicate()
        if started.returncode != 0:
            raise SystemExit(f"{args} ended with {started.returncode}: {out}{errors}")
        return out

    def control(self, action, **body):
        """One control request of the sandbox."""
        self.wire.request("POST", f"/_sandbox/{action}", json.dumps(body).encode())
        answer = self.wire.getresponse()
        said = json.load(answer)
        if answer.status != 200:
            raise SystemExit(f"{action}: {said}")
        return said

    def get(self, path, head):
        """The body of an answer of the sandbox."""
        self.asked += 1
        self.wire.request("GET", path, headers=head)
        answer = self.wire.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{path}: {answer.status} {body}")
        return body

    def use_device(self, *names):
        """The only devices from now on."""
        self.device = self.dir / names[0]
        devices = (f'[[device]]\nname = "{name}"\npath = "{self.dir / name}"\nkinds = {json.dumps(self.kinds)}\n' for name in names)
        self.config.write_text(f'state_dir = "{self.dir}/state"\n{self.tables}\n{"".join(devices)}')

    def run(self, *args):
        """Runs the program; its standard output and exit code."""
        started = self.start([self.program, "--config", self.config, "--quiet", *args], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
        out, self.last_words = started.communicate()
        return out, started.returncode

    def sign_in(self, *providers):
        """Signs in at these, or at both."""
        for provider in providers or PROVIDERS:
            login = self.start(
                [self.program, "--config", self.config, "--quiet", "login", provider, "--no-browser"],
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            )
            with urllib.request.urlopen(login.stdout.readline().strip()) as answer:
                answer.read()
            if login.wait() != 0:
                raise SystemExit(f"the sign-in at {provider} failed")

    def sync(self):
        """Syncs as a user would who approves what is held: many files on a first use, a folder that a new hub meets."""
        for _ in range(10):
            words, code = self.run("sync")
            held = json.loads(self.run("held", "--json")[0])["held"]
            for hold in held:
                print(f"    approved: {hold['replica']}: {hold['reason']}")
                self.run("approve", hold["id"])
            if not held:
                return words, code
        raise SystemExit(f"held again and again: {held}")

    def status(self):
        return json.loads(self.run("status", "--json")[0])

    def lose_the_hub(self):
        """All that the state directory holds but sign-ins and their key."""
        for path in (self.dir / "state").iterdir():
            if path.name.startswith("hub"):
                path.unlink()


def is_day(value):
    return not isinstance(value, datetime.datetime)
