"""Systemd's watchdog is fed by a service that waits and by one that goes on slowly, and not by one that is alive and stuck.

    python stuck.py PROGRAM [MINUTES]     (default 17: what makes no step for 15 minutes is stuck)

The stuck one has its first thread, which does the runs, held by ptrace(2); all others go on. The slow one is in its first sync of mail, at a
provider whose answers take twenty seconds each. Each has a socket for its manager, on which the judge listens.
"""

import ctypes
import json
import os
import socket
import subprocess
import sys
import threading
import time

from world import World

KINDS = ("mail", "calendar", "contacts")
STUCK_S = 15 * 60
WATCHDOG_S = 6
# linux/ptrace.h
PTRACE_SEIZE, PTRACE_INTERRUPT = 0x4206, 0x4207
# It is fed three times as often; a busy machine may be late.
FED_WITHIN_S = WATCHDOG_S + 4


class Service:
    """One service, and when it fed its watchdog."""

    def __init__(self, world, name, schedule):
        self.name, self.fed, self.status, home = name, [], "", world.dir / name
        home.mkdir(exist_ok=True)
        self.config, path = home / "config.toml", home / "manager"
        self.config.write_text(
            f'state_dir = "{home}/state"\n{world.tables}\n'
            f'[[device]]\nname = "laptop"\npath = "{home}/laptop"\nkinds = {json.dumps(KINDS)}\n[schedule]\nevery = "{schedule}"\n'
        )
        world.config = self.config
        world.sign_in()
        if name != "slow":
            world.sync()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        threading.Thread(target=self.listen, daemon=True).start()
        world.config = self.config
        self.process = world.start(
            [world.program, "--config", self.config, "-v", "daemon"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": str(WATCHDOG_S * 1_000_000)},
        )

    def listen(self):
        while True:
            for line in self.socket.recv(4096).decode().splitlines():
                if line == "WATCHDOG=1":
                    self.fed.append(time.monotonic())
                if line.startswith("STATUS="):
                    self.status = line.removeprefix("STATUS=")

    def require(self):
        # To wait for a process that is traced answers when it stands still.
        with open(f"/proc/{self.process.pid}/stat") as stat:
            if stat.read().rpartition(")")[2].split()[0] in "ZX":
                raise SystemExit(f"WRONG: the {self.name} service ended")

    def hungry_s(self, now):
        """How long it fed nobody."""
        return now - self.fed[-1] if self.fed else now

    def longest_s(self, began, now):
        moments = [began, *[at for at in self.fed if at > began], now]
        return max(later - earlier for earlier, later in zip(moments, moments[1:]))


def judge_stuck(program, minutes="17"):
    span_s = float(minutes) * 60
    with World(program, "--mails", "200", kinds=KINDS) as world:
        world.person = []
        resting, stuck, slow = Service(world, "resting", "1d"), Service(world, "stuck", "1s"), None
        try:
            time.sleep(5)
            hold(stuck.process.pid)
            slow = begin_slowly(world)
            began = time.monotonic()
            while time.monotonic() < began + span_s:
                for service in (resting, stuck, slow):
                    service.require()
                time.sleep(1)
            judge(began, resting, stuck, slow)
        finally:
            for service in filter(None, (resting, stuck, slow)):
                service.process.kill()
                service.process.wait()


def hold(thread):
    """Lets one thread stand still, for as long as this process lives."""
    libc = ctypes.CDLL(None, use_errno=True)
    for request in (PTRACE_SEIZE, PTRACE_INTERRUPT):
        if libc.ptrace(request, thread, None, None) != 0:
            raise SystemExit(f"WRONG: the first thread cannot be held: {os.strerror(ctypes.get_errno())}")


def begin_slowly(world):
    slow = Service(world, "slow", "1d")
    world.control("fault", fault={"do": "delay", "ms": 20_000})
    return slow


def judge(began, resting, stuck, slow):
    now, wrong = time.monotonic(), []
    print(f"the stuck one fed its watchdog last {stuck.hungry_s(now):.0f} s ago, after {stuck.fed[-1] - began:.0f} s; "
          f"the longest pause at rest {resting.longest_s(began, now):.1f} s, of the slow one {slow.longest_s(began, now):.1f} s, "
          f"which says: {slow.status}")
    if not slow.status.startswith("at work"):
        wrong.append(f"the slow service is not at work any more: {slow.status}")
    if stuck.hungry_s(now) < FED_WITHIN_S:
        wrong.append("a service that is stuck feeds its watchdog")
    if stuck.fed[-1] - began < STUCK_S / 2:
        wrong.append("the stuck service starved its watchdog long before it was stuck")
    for service in (resting, slow):
        if service.longest_s(began, now) > FED_WITHIN_S:
            wrong.append(f"the {service.name} service let its watchdog starve for {service.longest_s(began, now):.0f} s")
    if wrong:
        raise SystemExit("WRONG: " + "; ".join(wrong))
    print("the watchdog is fed by who waits and by who goes on, and by nobody who is stuck")


if __name__ == "__main__":
    judge_stuck(*sys.argv[1:])
