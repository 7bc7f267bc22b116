"""What is on the disk when, by the kernel's own account: a first sync of mail, and one that writes what came since.

    python durable.py PROGRAM     (strace is installed)

A message's bytes are durable before its file gets its name in `cur` or `new`, and its name is before the hub is made durable that says
where it stands: else a power cut leaves empty files, or a hub that takes for deleted what never came to be.
"""

import re
import sys

from post import Mailboxes, letter, verdict
from world import PROVIDERS, World

CALLS = "openat,fsync,fdatasync,syncfs,rename,renameat,renameat2,link,linkat"
CALL = re.compile(r"^\d+ +(?:<\.\.\. )?(\w+)(?: resumed>|\()(.*)$")
PATH = re.compile(r"<([^>]*)>")
NAME = re.compile(r'"([^"]*)"')


def calls(trace):
    """(Call, the paths of its descriptors, the names that it is given) of all calls that did not fail."""
    begun = {}
    for line in trace.read_text(errors="replace").splitlines():
        thread = line.split(" ", 1)[0]
        if line.endswith("<unfinished ...>"):
            begun[thread] = line.removesuffix("<unfinished ...>")
            continue
        if "resumed>" in line:
            line = begun.pop(thread, "") + line.partition("resumed>")[2]
        found = CALL.match(line)
        if found and " = -1 " not in line:
            yield found[1], PATH.findall(found[2]), NAME.findall(found[2])


def judge_trace(trace, device):
    """What is wrong in a trace; how many messages got their names in it."""
    wrong, unsynced, unnamed, named = [], {}, [], 0
    for call, paths, names in calls(trace):
        if call == "openat" and paths and names and "/tmp" in paths[0] and paths[0].startswith(device):
            unsynced[f"{paths[0]}/{names[0]}"] = True
        elif call == "syncfs" and paths[0].startswith(device):
            unsynced.clear()
            unnamed.clear()
        elif call in ("fsync", "fdatasync") and paths[0].startswith(device):
            unsynced.pop(paths[0], None)
            unnamed = [at for at in unnamed if not at.startswith(f"{paths[0]}/")]
        elif call in ("fsync", "fdatasync") and "/hub.sqlite" in paths[0] and unnamed:
            wrong.append(f"the hub was made durable before the name {unnamed[0]}")
            unnamed.clear()
        elif call.startswith(("rename", "link")) and len(paths) > 1 and paths[1].startswith(device):
            to = f"{paths[1]}/{names[1]}"
            if not re.search(r"/(cur|new)$", paths[1]):
                continue
            named += 1
            unnamed.append(to)
            if unsynced.pop(f"{paths[0]}/{names[0]}", None):
                wrong.append(f"{to} got its name before its bytes were durable")
    return wrong, named


def judge_durable(program):
    wrong = []
    with World(program, "--mails", "300", kind="mail") as world:
        world.use_device("laptop")
        world.sign_in()
        for at, least in ((0, 500), (1, 20)):
            trace = world.dir / f"trace-{at}"
            args = ["strace", "-f", "-y", "-qq", "-s", "300", "-e", f"trace={CALLS}", "-o", trace]
            world.command(*args, world.program, "--config", world.config, "--quiet", "sync")
            found, named = judge_trace(trace, str(world.device))
            wrong += found
            print(f"run {at}: {named} messages got their names")
            if named < least:
                wrong.append(f"run {at}: only {named} messages got their names")
            for provider in PROVIDERS:
                mailboxes = Mailboxes(world, provider)
                for number in range(10):
                    mailboxes.deliver(letter(f"later {at} {number}"))
    verdict(wrong, "what is named is durable, and what the hub says is so")


if __name__ == "__main__":
    judge_durable(*sys.argv[1:])
