"""The program with its sandbox, driven as a user would, for judges that know nothing of its insides."""

import datetime
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import urllib.request

PROVIDERS = ("google", "microsoft365")


class World:
    """The program, its sandbox, and one device at a time."""

    def __init__(self, program, *seed):
        self.program = os.path.abspath(program)
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="twofold-judge-"))
        self.config = self.dir / "config.toml"
        self.sandbox = subprocess.Popen(
            [self.program, "--quiet", "sandbox", *seed], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        lines = []
        for line in self.sandbox.stdout:
            lines.append('kinds = ["calendar"]\n' if line.startswith("kinds") else line)
            if line.startswith("calendar_url"):
                break
        self.tables = "".join(lines)
        self.base = re.search(r'calendar_url = "(https?://[^/"]+)', self.tables).group(1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sandbox.terminate()
        self.sandbox.wait()
        if os.environ.get("JUDGE_KEEP"):
            print(f"kept: {self.dir}")
        else:
            shutil.rmtree(self.dir)

    def control(self, action, **body):
        """One control request of the sandbox."""
        request = urllib.request.Request(f"{self.base}/_sandbox/{action}", json.dumps(body).encode(), method="POST")
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def use_device(self, name):
        """The only device from now on."""
        self.device = self.dir / name
        device = f'[[device]]\nname = "{name}"\npath = "{self.device}"\nkinds = ["calendar"]\n'
        self.config.write_text(f'state_dir = "{self.dir}/state"\n{self.tables}\n{device}')

    def run(self, *args):
        """Runs the program; its standard output and exit code."""
        done = subprocess.run(
            [self.program, "--config", self.config, "--quiet", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.last_words = done.stderr
        return done.stdout, done.returncode

    def sign_in(self):
        for provider in PROVIDERS:
            login = subprocess.Popen(
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
