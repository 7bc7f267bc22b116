"""A large mailbox: the memory of its first sync, and what a run with nothing to do then costs.

    python large.py PROGRAM [MESSAGES [PROVIDER]]     (a release build)

twofold reads so many messages of a provider (default 50,000 of Gmail) and a tenth of them from its sandbox, each to a device folder of its own. It fails
where the first sync takes 100 MB, or 600 bytes (at Graph, whose ids are longer, 700) more for each message more (names are compared in memory), or a run with nothing
to do a tenth of a second of CPU, or another number of requests than two. The first run after a first sync is not counted: it notes how the folders look.
Graph's own budget is 10,000 requests in ten minutes: what is asked to be waited for is, an hour for 50,000.
"""

import os
import pathlib
import re
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "judge"))

import post
from world import World

# Labels and history; the tree, and its folders in one batch.
MOST_MB, MOST_BYTES_EACH, MOST_CPU_S, REQUESTS = 100, {"google": 600, "microsoft365": 700}, 0.1, 2
OTHER = {"google": "microsoft365", "microsoft365": "google"}


def asked(world, provider):
    """How many requests have reached the provider."""
    return world.control("stats")[provider.removesuffix("365")]["requests"]


def run(world):
    """A run of `sync`: its exit code, its peak of memory in MB, its CPU in seconds (user and system), and for how long it asks to be waited."""
    args = [world.program, "--config", world.config, "--quiet", "sync"]
    errors = world.dir / "errors"
    with errors.open("w") as said:
        started = world.start(args, stdout=subprocess.DEVNULL, stderr=said)
    _, status, usage = os.wait4(started.pid, 0)
    started.returncode = os.waitstatus_to_exitcode(status)
    left_s = re.search(r"(\d+) s are left", errors.read_text())
    return started.returncode, usage.ru_maxrss * 1024 / 1e6, usage.ru_utime + usage.ru_stime, left_s and int(left_s[1])


def first(world, count):
    """A first sync, in as many runs as the provider's budget asks for: the highest peak, and all CPU."""
    peak_mb, first_s = 0, 0
    while True:
        code, run_mb, cpu_s, left_s = run(world)
        peak_mb, first_s = max(peak_mb, run_mb), first_s + cpu_s
        if left_s is None:
            if code != 0:
                raise SystemExit(f"the first sync of {count} messages ended with {code}")
            return peak_mb, first_s
        time.sleep(left_s + 1)


def measure(program, count, provider):
    """The peak of the first sync in MB, and the dearest of three runs with nothing to do: CPU in seconds, requests."""
    with World(program, "--contacts", "0", "--events", "0", "--mails", str(count), kind="mail") as world:
        tables = re.split(r"(?m)^(?=\[)", world.tables)
        world.tables = "".join(table for table in tables if not table.startswith(f"[{OTHER[provider]}"))
        world.control("switches", mail_parts_at_a_time=0)
        world.use_device("laptop")
        world.sign_in(provider)
        peak_mb, first_s = first(world, count)
        files = sum(1 for _ in post.files(world.device / provider / "mail"))
        if files < count:
            raise SystemExit(f"{files} files of {count} messages")
        run(world)
        idle = []
        for _ in range(3):
            before = asked(world, provider)
            code, _, cpu_s, _ = run(world)
            idle.append((cpu_s, asked(world, provider) - before))
            if code != 0:
                raise SystemExit(f"a run with nothing to do ended with {code}")
        cpu_s, requests = max(cpu for cpu, _ in idle), max(count for _, count in idle)
        print(f"{provider}: {count} messages, {files} files: first sync {peak_mb:.1f} MB at most, {first_s:.1f} s of CPU; "
              f"nothing to do: {cpu_s:.3f} s of CPU, {requests} requests", flush=True)
        return peak_mb, cpu_s, requests


def bench(program, messages="50000", provider="google"):
    few, many = int(messages) // 10, int(messages)
    small_mb, _, _ = measure(program, few, provider)
    large_mb, cpu_s, requests = measure(program, many, provider)
    each = (large_mb - small_mb) * 1e6 / (many - few)
    if large_mb >= MOST_MB or each > MOST_BYTES_EACH[provider]:
        raise SystemExit(f"memory: {large_mb:.1f} MB, {each:.0f} bytes for each message more")
    if cpu_s >= MOST_CPU_S or requests != REQUESTS:
        raise SystemExit(f"nothing to do: {cpu_s:.3f} s of CPU, {requests} requests")


if __name__ == "__main__":
    bench(*sys.argv[1:])
