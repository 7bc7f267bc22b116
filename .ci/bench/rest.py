"""How much of a processor many services take that have nothing to do but look every five minutes.

    python rest.py PROGRAM [INSTANCES [SECONDS]]     (default: 20 for 300 s, in which each has looked once)

Each is one person's: mail, calendars and contacts of both providers (the sandbox's demo data), one device, the usual schedule. What is counted is
user and system time of the services alone; more than two in a hundred of one core is too much.
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
# What a start takes is not what rest takes.
SETTLE_S = 30


def cpu_s(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mib(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def measure(program, instances="20", seconds="300"):
    instances, seconds = int(instances), int(seconds)
    kinds = ("calendar", "contacts", "mail")
    with World(program, kinds=kinds) as world:
        # Each runs as whoever asks: nobody else has to be served.
        world.person, services = [], []
        world.serve_plainly()
        for number in range(instances):
            home = world.dir / str(number)
            world.config = home / "config.toml"
            home.mkdir()
            world.config.write_text(
                f'state_dir = "{home}/state"\n{world.tables}\n'
                f'[[device]]\nname = "laptop"\npath = "{home}/laptop"\nkinds = {json.dumps(list(kinds))}\n'
            )
            world.sign_in()
            world.sync()
            services.append(subprocess.Popen(
                [world.program, "--config", world.config, "--quiet", "daemon"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            ))
        time.sleep(SETTLE_S)
        before = [cpu_s(service.pid) for service in services]
        began = time.monotonic()
        time.sleep(seconds)
        took = time.monotonic() - began
        share = sum(cpu_s(service.pid) - cpu for service, cpu in zip(services, before)) / took
        memory = sum(memory_mib(service.pid) for service in services)
        for service in services:
            service.terminate()
        ended = {service.wait(timeout=20) for service in services}
        print(f"{instances} services for {took:.0f} s: {share:.2%} of a core, {memory / instances:.0f} MiB each; ended with {ended}")
        if share > MOST or ended != {0}:
            raise SystemExit(1)


if __name__ == "__main__":
    measure(*sys.argv[1:])
