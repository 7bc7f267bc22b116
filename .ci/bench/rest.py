"""How much of a processor many services take that have nothing to do but look every five minutes.

    python rest.py PROGRAM [INSTANCES [SECONDS]]     (default: 20 for 330 s: one look of the usual schedule is in it, whenever it falls)

Each is one person's: mail, calendars and contacts of both providers (the sandbox's demo data), one device, the usual schedule. What is counted is
user and system time of the services alone, so that others may work beside them; more than two in a hundred of one core is too much. Each has to
have looked at both providers meanwhile, or nothing was measured.
"""

import json
import os
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "judge"))
from world import World  # noqa: E402

MOST = 0.02
# What a start takes is not what rest takes: it is over when the first run is, which comes at once.
START_WITHIN_S = 120


def cpu_s(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mib(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


class Instance:
    """The service of one person."""

    def __init__(self, world, number, kinds):
        self.world, self.number, home = world, number, world.dir / str(number)
        self.config = home / "config.toml"
        home.mkdir()
        self.config.write_text(
            f'state_dir = "{home}/state"\n{world.tables}\n'
            f'[[device]]\nname = "laptop"\npath = "{home}/laptop"\nkinds = {json.dumps(list(kinds))}\n'
        )
        world.config = self.config
        world.sign_in()
        world.sync()
        before = self.last_run()["run"]
        self.process = subprocess.Popen(
            [world.program, "--config", self.config, "--quiet", "daemon"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until = time.monotonic() + START_WITHIN_S
        while (run := self.last_run())["run"] == before or run["exit"] is None:
            if self.process.poll() is not None or time.monotonic() > until:
                raise SystemExit(f"WRONG: service {number} came to no first run: {run}, it ended with {self.process.poll()}")
            time.sleep(0.2)

    def last_run(self):
        self.world.config = self.config
        return self.world.status()["last_run"]


def measure(program, instances="20", seconds="330"):
    instances, seconds = int(instances), int(seconds)
    kinds = ("calendar", "contacts", "mail")
    with World(program, kinds=kinds) as world:
        # Each runs as whoever asks: nobody else has to be served.
        world.person = []
        world.serve_plainly()
        services = []
        try:
            for number in range(instances):
                services.append(Instance(world, number, kinds))
            wrong = rest(world, services, seconds)
        finally:
            for service in services:
                service.process.terminate()
            ended = {service.process.wait(timeout=20) for service in services}
        if ended != {0}:
            wrong.append(f"they ended with {ended}")
        if wrong:
            raise SystemExit("WRONG: " + "; ".join(wrong))


def rest(world, services, seconds):
    """Lets them rest for so long; what is not as it should be."""
    seen = [service.last_run()["run"] for service in services]
    asked = requests(world)
    before = [cpu_s(service.process.pid) for service in services]
    began = time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - began
    share = sum(cpu_s(service.process.pid) - cpu for service, cpu in zip(services, before)) / took
    asked = requests(world) - asked
    memory = sum(memory_mib(service.process.pid) for service in services)
    looks = [service.last_run()["run"] - run for service, run in zip(services, seen)]
    print(
        f"{len(services)} services for {took:.0f} s: {share:.2%} of a core, {memory / len(services):.0f} MiB each; "
        f"{min(looks)} to {max(looks)} looks each, {asked / sum(looks) if sum(looks) else 0:.0f} requests a look", flush=True
    )
    wrong = [f"they took more than {MOST:.0%} of a core: {share:.2%}"] if share > MOST else []
    lazy = [service.number for service, looked in zip(services, looks) if looked == 0]
    if lazy or asked == 0:
        wrong.append(f"nothing was measured: of these none looked: {lazy}, and {asked} requests came")
    return wrong


def requests(world):
    counts = world.control("stats")
    return counts["google"]["requests"] + counts["microsoft"]["requests"]


if __name__ == "__main__":
    measure(*sys.argv[1:])
