"""The service for a while, as an administrator leaves it: it looks every second, things change everywhere, and all goes wrong that can.

    python soak.py PROGRAM [SECONDS [SEED]]     (default 300; 3600 for an hour. Root, or sudo, makes the small disk on which it lives)

In turn: requests that fail by chance, a restart, a kill, no network, a sign-in that was revoked and comes back, a disk that is full and is
not. The service has to be there all the time, must not spin (`Meter`: runs, requests and CPU of each part), tells of each trouble once wherever it
tells of any, and once that it is over (`TROUBLES`), and has at the end what each provider has, once, and nothing to tell. Where nothing may be
mounted the full disk is left out, and TWOFOLD_REQUIRE_MOUNT=1 insists on it.
"""

import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import time
from collections import Counter

import post
from post import Mailboxes, differences, letter, verdict
from told import Told
from world import PROVIDERS, World

# What a run that meets chance may meet.
WEATHER = {
    "drop_before": 0.01, "drop_after": 0.005, "throttled": 0.005, "throttled_silent": 0.002, "unavailable": 0.01, "internal": 0.005,
    "internal_executed": 0.003, "html": 0.003, "truncate": 0.005, "content_type": 0.002, "delay": 0.02, "sign_in_too": False,
}
DISK_MB = 96
STOP_WITHIN_S = 10
# What a service takes that cannot reach anybody, a share of one core, and how often it asks in a minute.
IDLE_CPU, IDLE_REQUESTS = 0.1, 120
# How often it looks, by its configuration.
EVERY_S = 1
# What changes on a device makes it look at once, also where it wrote that itself; so do a start, a sign-in, and a provider that is asked again.
LOOKS_A_CHANGE, LOOKS_A_PHASE = 1, 4
# Twenty services that look every five minutes may take 2 % of one core (rest.py): that is a look.
LOOK_CPU_S = 0.02 * 300 / 20
# What a look asks: each collection of each provider, and for each kind which collections there are: for mail a tree, for contacts groups too.
LISTS_A_KIND = 3
# What a change asks at its provider at most, and at the other one: it is read, written, read again, and each part is looked for by its mark.
REQUESTS_A_CHANGE = 10
# A write whose reply was lost is looked for in each look: by its mark, and by what it says.
REQUESTS_A_LOST_REPLY = 2
# At most so much more memory at the end than after a while.
MEMORY_GROWTH = 1.2
# A create at Google whose fate is not known is looked for during six minutes before it is made again.
CALM_S = 480
# So long nothing happens at all.
REST_S = 30
# A provider that was out of reach is asked again after one minute, two, or four where it stumbled before.
RETURN_S = 400
# What a part is to be told by, while it lasts: the exit code and words of `status`, the line for the manager, `/healthz`, and the message. A
# network that is away for minutes is nothing for [notify].
TROUBLES = {
    "no network": (75, ("google: ", "microsoft365: "), "google: ", ("503", "google: ", "microsoft365: "), None),
    "no sign-in": (3, ("google: somebody has to sign in",), "login google", ("503", "login google"), ("sign-in", "google")),
    "full disk": (75, ("is nearly full: ",), "disk: ", ("503", "is nearly full: "), ("disk", None)),
}
KILLED = "no service is running: the last one was killed"
# What stands in the way is told within this time, and so is that it is over.
TOLD_S = 60
CARD = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{uid}\r\nFN:{name}\r\nN:{name};;;;\r\nEND:VCARD\r\n"


class Service:
    """`twofold daemon`, started again and again; what it says goes into one file."""

    def __init__(self, world, told):
        self.world, self.told, self.log = world, told, open(world.dir / "service.log", "ab")
        self.process = None

    def begin(self):
        world = self.world
        self.process = world.start([world.program, "--config", world.config, "-v", "daemon"], stdout=self.log, stderr=self.log,
                                   env={"NOTIFY_SOCKET": str(self.told.manager)})
        self.pid, self.memory = self.process.pid, []
        while world.person and self.pid == self.process.pid:
            # What runs as another user is a child of what lets it.
            self.require()
            children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
            if children and "daemon" in pathlib.Path(f"/proc/{children[0]}/cmdline").read_text().split("\0"):
                self.pid = int(children[0])
            time.sleep(0.01)

    def require(self):
        if self.process.poll() is not None:
            raise SystemExit(f"WRONG: the service ended with {self.process.returncode}:\n{self.told.log()[-3000:]}")

    def cpu_s(self):
        with open(f"/proc/{self.pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def note_memory(self):
        with open(f"/proc/{self.pid}/status") as status:
            kib = next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
        self.memory.append(kib / 1024)

    def stop(self):
        began = time.monotonic()
        os.kill(self.pid, signal.SIGTERM)
        code = self.process.wait(timeout=60)
        took = time.monotonic() - began
        if code != 0 or took > STOP_WITHIN_S:
            raise SystemExit(f"WRONG: a stop took {took:.1f} s and ended with {code}")
        return took

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)
        self.process.wait()


class Disk:
    """A small disk of its own, for the state and the device."""

    def __init__(self, world):
        self.path, self.sudo = world.dir / "disk", [] if os.geteuid() == 0 else ["sudo"]
        self.path.mkdir()
        self.path.chmod(0o777)
        mount = [*self.sudo, "mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=777", "tmpfs", self.path]
        self.is_small = subprocess.run(mount).returncode == 0
        if not self.is_small:
            if os.environ.get("TWOFOLD_REQUIRE_MOUNT") == "1":
                raise SystemExit("WRONG: no small disk can be mounted here, and TWOFOLD_REQUIRE_MOUNT=1 insists on the full one")
            print("left out: the full disk, because nothing may be mounted here")

    def fill(self):
        with open(self.path / "filler", "wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(b"\0" * 65536)
            except OSError:
                pass

    def clear(self):
        (self.path / "filler").unlink()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.is_small:
            subprocess.run([*self.sudo, "umount", "-l", self.path], check=True)


class Life:
    """What people do meanwhile, at the providers and on the device; and what has to be there in the end."""

    def __init__(self, world, seed):
        self.world, self.random = world, random.Random(seed)
        self.boxes = {provider: Mailboxes(world, provider) for provider in PROVIDERS}
        self.number, self.delivered, self.cards = 0, {provider: [] for provider in PROVIDERS}, []

    def deed(self):
        """One change somewhere; a disk that is full takes none on the device."""
        self.number += 1
        try:
            self.random.choice([self.deliver, self.deliver, self.flag, self.card, self.card])()
        except OSError:
            pass

    def deliver(self):
        provider = self.random.choice(PROVIDERS)
        subject = f"Soak {self.number}"
        self.boxes[provider].deliver(letter(subject, self.number))
        self.delivered[provider].append(subject)

    def flag(self):
        """Somebody marks a message on the device."""
        found = [path for provider in PROVIDERS for _, path in post.files(self.world.device / provider / "mail")]
        cold = [path for path in found if ":2," in path.name and "F" not in path.name.rpartition(":2,")[2]]
        if cold:
            path = self.random.choice(cold)
            base, _, letters = path.name.rpartition(":2,")
            path.rename(path.with_name(f"{base}:2,{''.join(sorted(letters + 'F'))}"))

    def card(self):
        """Somebody writes a card on the device, as khard does: under another name first."""
        folders = [path for path in self.world.device.glob("*/contacts/*") if path.is_dir()]
        if folders:
            name = f"Soak{self.number}"
            path = self.random.choice(folders) / f"{name}.vcf"
            hidden = path.with_name(f".{name}.tmp")
            hidden.write_text(CARD.format(uid=f"soak-{self.number}", name=name))
            self.world.own(hidden)
            hidden.rename(path)
            self.cards.append(name)

    def wrong(self):
        """What is not as it should be, once all is calm."""
        wrong = []
        for provider in PROVIDERS:
            told = self.boxes[provider].copies()
            wrong += differences(told, post.copies(self.world.device / provider / "mail"), f"the device ({provider})")
            for subject in self.delivered[provider]:
                if len(self.boxes[provider].find(subject)) != 1:
                    wrong.append(f"{provider}: {subject!r} is there {len(self.boxes[provider].find(subject))} times")
        people = Counter(self.people())
        wrong += [f"the card of {name} is there {people[name]} times" for name in self.cards if people[name] != 1]
        return wrong

    def people(self):
        """The names that both providers list."""
        whole = self.world.control("dump")
        for contact in whole["google"]["contacts"].values():
            names = contact["fields"].get("names") or [{}]
            yield names[0].get("familyName") or names[0].get("displayName", "")
        for folder in whole["microsoft"]["folders"]:
            for contact in folder["contacts"]:
                yield contact.get("surname") or contact.get("displayName") or ""


class Meter:
    """What a phase may take, and what it took: runs, requests, CPU. What changed in the phase `before` may have waited for this one."""

    def __init__(self, world, service, life, before):
        self.world, self.service, self.life = world, service, life
        self.began, self.cpu, self.asked = time.monotonic(), service.cpu_s(), requests(world)
        self.first, self.waiting = life.number, life.number - before.first if before else 0
        self.status = before and before.status
        self.status = self.look()

    def look(self):
        """What status says; on a disk that is full it says nothing, and no run begins."""
        said = self.world.run("status", "--json")[0]
        return json.loads(said) if said else self.status

    def judge(self, name):
        """Says it, and what was too much."""
        status = self.look()
        took, new = time.monotonic() - self.began, self.life.number - self.first
        cpu, asked, runs = self.service.cpu_s() - self.cpu, requests(self.world) - self.asked, number_of_runs(status) - number_of_runs(self.status)
        providers = [replica for replica in status["replicas"] if not replica["device"]]
        feeds = sum(len(replica["collections"]) for replica in providers) + LISTS_A_KIND * len(self.world.kinds) * len(providers)
        lost = max(one["unknown_writes"] for one in (self.status, status))
        # While nothing is new, what had waited is done.
        most_runs = took / EVERY_S + LOOKS_A_CHANGE * (new or self.waiting) + LOOKS_A_PHASE
        # What failed by chance was sent again.
        repeats = 1 / (1 - sum(chance for chance in WEATHER.values() if chance is not False))
        most_asked = (runs * (feeds + REQUESTS_A_LOST_REPLY * lost) + REQUESTS_A_CHANGE * (new + self.waiting)) * repeats
        most_cpu = max(IDLE_CPU * took, LOOK_CPU_S * runs)
        if name == "no network":
            most_asked, most_cpu = IDLE_REQUESTS * max(1, took / 60), IDLE_CPU * took
        print(
            f"{name}: {took:.0f} s, {new} changes, {runs} runs (at most {most_runs:.0f}), {asked} requests (at most {most_asked:.0f}), "
            f"{cpu / took:.1%} of a core (at most {most_cpu / took:.0%}), {self.service.memory[-1]:.0f} MiB", flush=True
        )
        if runs > most_runs or asked > most_asked or cpu > most_cpu:
            print(self.service.told.log()[-3000:])
            raise SystemExit(f"WRONG: it spins ({name}): {runs} runs, {asked} requests, {cpu / took:.1%} of a core")


def number_of_runs(status):
    return status["last_run"]["run"]


def requests(world):
    counts = world.control("stats")
    return counts["google"]["requests"] + counts["microsoft"]["requests"] - world.asked


def judge_soak(program, seconds="300", seed="1"):
    seconds = int(seconds)
    kinds = ("mail", "calendar", "contacts")
    with World(program, "--mails", "100", "--contacts", "50", "--events", "20", kinds=kinds) as world, Disk(world) as disk:
        world.state, world.device = disk.path / "state", disk.path / "laptop"
        device = f'[[device]]\nname = "laptop"\npath = "{world.device}"\nkinds = {json.dumps(list(kinds))}\n'
        told = Told(world)
        world.config.write_text(f'state_dir = "{world.state}"\n{world.tables}\n{device}[schedule]\nevery = "{EVERY_S}s"\n{told.tables}')
        world.sign_in()
        world.sync()
        life, service = Life(world, seed), Service(world, told)
        parts = [
            ("weather", 0.2, True), ("restart", 0.1, True), ("kill", 0.15, True), ("no network", 0.15, False),
            ("no sign-in", 0.15, True), ("full disk", 0.15, True), ("weather again", 0.1, True),
        ]
        if not disk.is_small:
            parts = [part for part in parts if part[0] != "full disk"]
        service.begin()
        meter = None
        for name, share, is_rough in parts:
            world.control("clear_faults")
            if is_rough:
                world.control("chances", seed=int(seed) * 1000 + life.number, **WEATHER)
            enter(name, world, service, disk, told)
            meter = Meter(world, service, life, meter)
            while time.monotonic() < meter.began + seconds * share:
                service.require()
                life.deed()
                service.note_memory()
                time.sleep(life.random.uniform(0.3, 1.5))
            meter.judge(name)
            leave(name, world, service, disk, told)
        world.control("clear_faults")
        meter = Meter(world, service, life, meter)
        calm(world, service, life, told)
        meter.judge("calm")
        # What had waited is done; now nothing makes it look but the schedule.
        meter = Meter(world, service, life, meter)
        while time.monotonic() < meter.began + REST_S:
            service.require()
            service.note_memory()
            time.sleep(1)
        meter.judge("rest")
        # It has run since the kill: what it had after a while against what it has now.
        early, late = (sorted(part)[len(part) // 2] for part in (service.memory[10:40], service.memory[-20:]))
        print(f"memory: {early:.1f} MiB after a while, {late:.1f} at the end")
        wrong = life.wrong() + told.wrong([TROUBLES[name][-1] for name, *_ in parts if name in TROUBLES and TROUBLES[name][-1]])
        if late > early * MEMORY_GROWTH:
            wrong.append(f"the memory grew from {early:.1f} to {late:.1f} MiB")
        if "panicked" in told.log():
            wrong.append("it panicked")
        print(f"a stop took {service.stop():.1f} s, after {life.number} changes")
        said, code = world.run("sync", "--json")
        if code != 0 or any(row[name] for row in json.loads(said)["replicas"] for name in post.MOVED):
            wrong.append(f"a run after it still has something to do ({code}): {said} {world.last_words[-1000:]}")
        verdict(wrong, "the service outlived all of it, and everything is everywhere once")


def enter(name, world, service, disk, told):
    if name == "restart":
        print(f"a stop took {service.stop():.1f} s")
        if KILLED in told.status()[0]:
            raise SystemExit(f"WRONG: the service was stopped, and status says: {told.status()}")
        service.begin()
    if name == "kill":
        service.kill()
        if KILLED not in told.status()[0] or told.status()[1] != 75:
            raise SystemExit(f"WRONG: the service was killed, and status says: {told.status()}")
        service.begin()
        told.await_signs("who was killed is there again", service, {"status": lambda: KILLED not in told.status()[0]}, TOLD_S)
    if name == "no network":
        world.control("fault", fault={"do": "drop_before"})
    if name == "no sign-in":
        world.control("end_sign_ins", provider="google", end="revoked", access_too=True)
    if name == "full disk":
        disk.fill()


def leave(name, world, service, disk, told):
    """The trouble was told while it lasted, ends, and that is told, too."""
    if name not in TROUBLES:
        return
    code, status, line, health, message = TROUBLES[name]
    # A sign-in is noticed when its provider is asked, which may still be left alone.
    told.await_signs(name, service, told.says(code, status, line, health, message), RETURN_S if name == "no sign-in" else TOLD_S)
    world.control("clear_faults")
    if name == "no sign-in":
        world.sign_in("google")
    if name == "full disk":
        disk.clear()
    if name == "no network":
        # A provider that was out of reach is left alone for minutes: it is asked again by itself.
        before, began = requests(world), time.monotonic()
        while requests(world) == before:
            service.require()
            if time.monotonic() - began > RETURN_S:
                raise SystemExit("WRONG: the network is back, and nobody is asked")
            time.sleep(0.5)
        print(f"the network was used again after {time.monotonic() - began:.0f} s")
    # The other provider may have been left alone later, and for longer.
    told.await_signs(f"over: {name}", service, told.is_over(status, line, message), RETURN_S if name == "no network" else TOLD_S)


def calm(world, service, life, told):
    """Waits until the places are the same, and nothing stands in the way."""
    until = time.monotonic() + CALM_S
    while True:
        service.require()
        service.note_memory()
        held = json.loads(world.run("held", "--json")[0])["held"]
        if held:
            raise SystemExit(f"WRONG: something is held: {held}")
        wrong = life.wrong()
        if not wrong and told.status() == ("", 0):
            return
        if time.monotonic() > until:
            said, code = world.run("status", "-v")
            print(f"status says, with {code}:\n{said}\nand the service, at last:\n{told.log()[-3000:]}")
            verdict(wrong or ["status says that it is not aligned"], "")
        time.sleep(2)


if __name__ == "__main__":
    judge_soak(*sys.argv[1:])
