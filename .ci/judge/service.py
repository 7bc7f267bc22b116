"""`twofold daemon` with its endpoint, for judges of what it tells of itself."""

import re
import subprocess
import time

PATIENCE_S = 60


class Service:
    """`twofold daemon` of a world, with an endpoint wherever there is room."""

    def __init__(self, world):
        with open(world.config, "a") as config:
            config.write('[schedule]\nevery = "5s"\n[endpoint]\nlisten = "127.0.0.1:0"\n')
        self.process = world.start(
            [world.program, "--config", world.config, "-v", "daemon"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        for line in self.process.stderr:
            found = re.search(r"the page is at (http://\S+)", line)
            if found:
                self.address = found.group(1)
                break
        else:
            raise SystemExit("the service does not say where its page is")
        # Nobody reads on: what it says next has to fit into the pipe, or go nowhere.
        self.drain = subprocess.Popen(["cat"], stdin=self.process.stderr, stdout=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        if self.process.wait(timeout=20) != 0:
            raise SystemExit(f"the service ended with {self.process.returncode}")
        self.drain.wait()


def soon(what, holds):
    until = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > until:
            raise SystemExit(f"not within {PATIENCE_S} s: {what}")
        time.sleep(0.1)


def require(holds, words):
    if not holds:
        raise SystemExit(f"WRONG: {words}")
