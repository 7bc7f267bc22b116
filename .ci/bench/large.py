"""A large mailbox: the memory of its first sync, and what a run with nothing to do then costs.

    python large.py PROGRAM [MESSAGES]     (a release build)

twofold reads so many messages of Gmail (default 50,000) and a tenth of them from its sandbox, each to a device folder of its own. It fails where the
first sync takes 100 MB, or 600 bytes more for each message more (the names of a folder's files are compared in memory), or a run with nothing to
do a tenth of a second of CPU, or another number of requests than two. The first run after a first sync is not counted: it notes how the folders look.
"""

import os
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "judge"))

import post
from world import World

MOST_MB, MOST_BYTES_EACH, MOST_CPU_S, REQUESTS = 100, 600, 0.1, 2


def asked(world):
    """How many requests have reached Google."""
    return world.control("stats")["google"]["requests"]


def run(world):
    """A run of `sync`: its exit code, its peak of memory in MB, its CPU in seconds (user and system)."""
    args = [world.program, "--config", world.config, "--quiet", "sync"]
    started = world.start(args, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(started.pid, 0)
    started.returncode = os.waitstatus_to_exitcode(status)
    return started.returncode, usage.ru_maxrss * 1024 / 1e6, usage.ru_utime + usage.ru_stime


def measure(program, count):
    """The peak of the first sync in MB, and the dearest of three runs with nothing to do: CPU in seconds, requests."""
    with World(program, "--contacts", "0", "--events", "0", "--mails", str(count), kind="mail") as world:
        tables = re.split(r"(?m)^(?=\[)", world.tables)
        world.tables = "".join(table for table in tables if not table.startswith("[microsoft365"))
        world.control("switches", mail_parts_at_a_time=0)
        world.use_device("laptop")
        world.sign_in("google")
        code, peak_mb, first_s = run(world)
        if code != 0:
            raise SystemExit(f"the first sync of {count} messages ended with {code}")
        files = sum(1 for _ in post.files(world.device / "google" / "mail"))
        if files < count:
            raise SystemExit(f"{files} files of {count} messages")
        run(world)
        idle = []
        for _ in range(3):
            before = asked(world)
            code, _, cpu_s = run(world)
            idle.append((cpu_s, asked(world) - before))
            if code != 0:
                raise SystemExit(f"a run with nothing to do ended with {code}")
        cpu_s, requests = max(cpu for cpu, _ in idle), max(count for _, count in idle)
        print(f"{count} messages, {files} files: first sync {peak_mb:.1f} MB at most, {first_s:.1f} s of CPU; "
              f"nothing to do: {cpu_s:.3f} s of CPU, {requests} requests", flush=True)
        return peak_mb, cpu_s, requests


def bench(program, messages="50000"):
    few, many = int(messages) // 10, int(messages)
    small_mb, _, _ = measure(program, few)
    large_mb, cpu_s, requests = measure(program, many)
    each = (large_mb - small_mb) * 1e6 / (many - few)
    if large_mb >= MOST_MB or each > MOST_BYTES_EACH:
        raise SystemExit(f"memory: {large_mb:.1f} MB, {each:.0f} bytes for each message more")
    if cpu_s >= MOST_CPU_S or requests != REQUESTS:
        raise SystemExit(f"nothing to do: {cpu_s:.3f} s of CPU, {requests} requests")


if __name__ == "__main__":
    bench(*sys.argv[1:])
