"""CPU of a first sync to a Maildir, and of a run with nothing to do: twofold beside mbsync's default, for the same mails in the same run.

    python mbsync.py PROGRAM [GMAIL [GRAPH]]     (a release build; isync and dovecot-imapd are installed)

twofold reads so many messages from its sandbox, one provider at a time (default: 20,000 at Gmail, 9,500 at Graph, whose own budget is 10,000
requests in ten minutes). mbsync then reads the same messages from a Dovecot that shows that very Maildir, into another tree, with its own
defaults (FSync yes). What the servers use (sandbox, Dovecot) is not counted. User and system time of the process, in seconds.
"""

import os
import pathlib
import re
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "judge"))

import imap
import post
from world import World

FILES = {"google": "[google]", "microsoft365": "[microsoft365]"}


class Used:
    """What a command used."""

    def __init__(self, world, args, codes=(0,)):
        began = time.monotonic()
        errors = world.dir / "errors"
        with errors.open("w") as said:
            started = world.start(args, stdout=subprocess.DEVNULL, stderr=said)
            _, status, usage = os.wait4(started.pid, 0)
        started.returncode = os.waitstatus_to_exitcode(status)
        self.code, self.words = started.returncode, errors.read_text()
        self.wall_s = time.monotonic() - began
        self.cpu_s = usage.ru_utime + usage.ru_stime
        self.user_s, self.sys_s = usage.ru_utime, usage.ru_stime
        if self.code not in codes:
            raise SystemExit(f"{args} ended with {self.code}: {self.words[-2000:]}")

    def add(self, other):
        self.cpu_s += other.cpu_s
        self.user_s += other.user_s
        self.sys_s += other.sys_s
        self.wall_s += other.wall_s


def serve(dovecot):
    """Sessions of a Dovecot at a port of this machine; the port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept():
        while True:
            wire, _ = listener.accept()
            subprocess.Popen(dovecot.command(*dovecot.world.person), shell=True, stdin=wire, stdout=wire)
            wire.close()

    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


def sync(world):
    """A first sync, in as many runs as the provider's budget asks for."""
    command, used = [world.program, "--config", world.config, "--quiet", "sync"], None
    while True:
        # A run that was told to wait ends with 75 or 5, and says for how long.
        run = Used(world, command, codes=range(0, 100))
        used = run if used is None else used.add(run) or used
        left_s = re.search(r"(\d+) s are left", run.words)
        if left_s is None:
            if run.code != 0:
                raise SystemExit(run.words[-2000:])
            return used
        time.sleep(int(left_s[1]) + 1)


def measure(program, provider, count):
    with World(program, "--contacts", "0", "--events", "0", "--mails", str(count), kind="mail") as world:
        other = next(table for name, table in FILES.items() if name != provider)
        tables = re.split(r"(?m)^(?=\[)", world.tables)
        world.tables = "".join(table for table in tables if not table.startswith(other))
        world.use_device("laptop")
        world.sign_in(provider)
        first = sync(world)
        again = sync(world)
        nothing = sync(world)
        root = world.device / provider / "mail"
        files = sum(1 for _ in post.files(root))
        dovecot = imap.Dovecot(world, root, "bench")
        session = dovecot.session()
        for name in session.mailboxes():
            session.must("select", '"' + name.replace("\\", "\\\\") + '"')
        session.logout()
        tree = world.dir / "tree"
        tree.mkdir()
        config = world.dir / "mbsyncrc"
        config.write_text(
            f"IMAPStore there\nHost 127.0.0.1\nPort {serve(dovecot)}\nSSLType None\nUser nobody\nPass none\nAuthMechs *\n\n"
            f"MaildirStore here\nPath {tree}/\nInbox {tree}/INBOX\nSubFolders Verbatim\n\n"
            "Channel all\nFar :there:\nNear :here:\nPatterns *\nCreate Near\nSyncState *\n"
        )
        for path in (tree, config):
            world.own(path)
        theirs = Used(world, ["mbsync", "-q", "-c", config, "-a"])
        theirs_again = Used(world, ["mbsync", "-q", "-c", config, "-a"])
        copied = sum(1 for path in tree.rglob("*") if path.parent.name in ("new", "cur"))
        if files != copied:
            raise SystemExit(f"twofold has {files} files, mbsync {copied}")
        print(f"{provider}: {files} files")
        for name, used, beside in (
            ("twofold, first sync", first, theirs), ("mbsync, first sync", theirs, theirs),
            ("twofold, second run", again, theirs_again), ("twofold, nothing to do", nothing, theirs_again),
            ("mbsync, nothing to do", theirs_again, theirs_again),
        ):
            print(f"    {name:24} {used.cpu_s:7.2f} s CPU ({used.user_s:.2f} user, {used.sys_s:.2f} system), {used.wall_s:7.1f} s, "
                  f"{used.cpu_s / beside.cpu_s:5.2f} of mbsync", flush=True)
        return first.cpu_s / theirs.cpu_s


def bench(program, gmail="20000", graph="9500"):
    ratios = [measure(program, provider, int(count)) for provider, count in (("google", gmail), ("microsoft365", graph))]
    print(f"one after the other: {', '.join(f'{ratio:.2f}' for ratio in ratios)} of mbsync's CPU")


if __name__ == "__main__":
    bench(*sys.argv[1:])
