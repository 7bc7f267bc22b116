"""The page of the service in a real Chromium: what stands there on a phone and on a desk, and a held plan that is approved by a click.

    python page.py PROGRAM FOLDER       (chromium is on the path; no package is needed; pictures come into FOLDER)
"""

import base64
import json
import os
import pathlib
import select
import shutil
import subprocess
import sys
import tempfile
import time

from service import Service, require, soon
from world import World

PATIENCE_S = 60
SIZES = {"phone": (390, 844, True), "desk": (1280, 900, False)}
# What a stranger may call a calendar.
EVIL = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
TITLE = "Quarterly <b>figures</b> & more"

# What reaches beyond the screen, and what a finger cannot hit.
MEASURE = """(() => {
  const wide = [...document.body.querySelectorAll('*')].filter(e => e.getBoundingClientRect().right > innerWidth + 1);
  const small = [...document.querySelectorAll('button')].filter(e => e.getBoundingClientRect().height < 44);
  return JSON.stringify({
    width: innerWidth, scroll: document.documentElement.scrollWidth, wide: wide.map(e => e.outerHTML.slice(0, 90)),
    small: small.length, text: document.body.innerText, title: document.title, scripts: document.scripts.length,
    images: document.images.length, paper: getComputedStyle(document.body).backgroundColor, bars: document.querySelectorAll('svg rect').length,
  });
})()"""


class Browser:
    """A Chromium that is told what to do through a pipe (Chrome DevTools Protocol)."""

    def __init__(self):
        self.profile = tempfile.mkdtemp(prefix="twofold-chromium-")
        (self.reads, told), (tells, self.writes) = os.pipe(), os.pipe()
        words = ["chromium", "--headless=new", "--remote-debugging-pipe", "--disable-gpu", "--no-first-run", f"--user-data-dir={self.profile}"]
        if os.geteuid() == 0:
            words.append("--no-sandbox")
        # It reads from 3 and writes to 4.
        script = f'exec "$@" 3<&{tells} 4>&{told}'
        self.process = subprocess.Popen(
            ["bash", "-c", script, "bash", *words, "about:blank"], pass_fds=(tells, told), stderr=subprocess.DEVNULL
        )
        os.close(tells)
        os.close(told)
        self.rest, self.number, self.events, self.session = b"", 0, [], None
        target = self.do("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.do("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.do(f"{domain}.enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.profile, ignore_errors=True)

    def message(self):
        """The next message that it sends."""
        until = time.monotonic() + PATIENCE_S
        while b"\0" not in self.rest:
            if not select.select([self.reads], [], [], max(0, until - time.monotonic()))[0]:
                raise SystemExit("Chromium does not answer")
            read = os.read(self.reads, 1 << 20)
            if not read:
                raise SystemExit("Chromium ended")
            self.rest += read
        text, _, self.rest = self.rest.partition(b"\0")
        return json.loads(text)

    def do(self, method, **params):
        """One command, and what it answers."""
        self.number += 1
        command = {"id": self.number, "method": method, "params": params}
        if self.session:
            command["sessionId"] = self.session
        os.write(self.writes, json.dumps(command).encode() + b"\0")
        while True:
            message = self.message()
            if message.get("id") == self.number:
                if "error" in message:
                    raise SystemExit(f"{method}: {message['error']}")
                return message["result"]
            self.events.append(message)

    def until(self, method):
        """Waits for an event."""
        while not any(event.get("method") == method for event in self.events):
            self.events.append(self.message())
        self.events = [event for event in self.events if event.get("method") != method]

    def look(self, width, height, is_phone, scheme):
        """What it is looked at with."""
        self.do("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=2, mobile=is_phone)
        self.do("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def open(self, address):
        self.do("Page.navigate", url=address)
        self.until("Page.loadEventFired")

    def value(self, expression):
        answer = self.do("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in answer:
            raise SystemExit(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def click(self, selector):
        """Clicks into the middle of the first thing that fits, as a hand does."""
        self.value(f"document.querySelector({selector!r}).scrollIntoView({{block: 'center'}})")
        place = json.loads(self.value(
            f"(() => {{ const b = document.querySelector({selector!r}).getBoundingClientRect();"
            " return JSON.stringify([b.x + b.width / 2, b.y + b.height / 2]); })()"
        ))
        for kind in ("mousePressed", "mouseReleased"):
            self.do("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1)

    def picture(self, path):
        """A picture of the whole page."""
        size = self.do("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        shot = self.do("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(shot["data"]))

    def complaints(self):
        """What it wrote into its console: a style or script that the page's policy does not let in, a file that is not there."""
        entries = [event["params"]["entry"] for event in self.events if event.get("method") == "Log.entryAdded"]
        return [f"{entry['level']}: {entry['text']} {entry.get('url', '')}" for entry in entries]


def held(world):
    return json.loads(world.run("held", "--json")[0])["held"]


def prepare(world):
    """Both providers' calendars on a device, one of them with a stranger's name; an event that both sides changed; and a meeting with
    guests that the device changed."""
    calendar = world.control("google/calendar/add", summary=EVIL)["calendar"]
    event = {"summary": "Lunch", "start": {"dateTime": "2026-03-02T12:00:00Z"}, "end": {"dateTime": "2026-03-02T13:00:00Z"}}
    lunch = world.control("google/calendar/add_event", calendar=calendar, event=event)["id"]
    world.use_device("laptop")
    world.sign_in()
    world.sync()
    world.control("google/calendar/edit_event", calendar=calendar, id=lunch, event={"summary": "Lunch at one"})
    change(world, "SUMMARY:Lunch", "SUMMARY:Lunch at two")
    change(world, "SUMMARY:Quarterly figures", f"SUMMARY:{TITLE}")
    world.run("sync")
    require(len(held(world)) == 1 and "would mail" in held(world)[0]["reason"], f"one plan that would mail people is held: {held(world)}")


def change(world, words, to):
    """Edits the event of a device that has these words, as another program would."""
    for path in world.device.glob("*/calendar/*/*.ics"):
        data = path.read_bytes()
        if words.encode() in data:
            path.write_bytes(data.replace(words.encode(), to.encode()))
            return
    raise SystemExit(f"no event has {words}")


def see(browser, service, folder, size, scheme):
    """The page as it is seen so."""
    browser.look(*SIZES[size], scheme)
    browser.open(service.address)
    browser.picture(folder / f"{size}-{scheme}.png")
    seen = json.loads(browser.value(MEASURE))
    where = f"{size}, {scheme}"
    require(seen["width"] == SIZES[size][0], f"{where}: the page takes the width of the screen: {seen['width']}")
    require(seen["scroll"] <= seen["width"] and not seen["wide"], f"{where}: wider than the screen: {seen['scroll']}, {seen['wide']}")
    require(seen["small"] == 0, f"{where}: a button that a finger cannot hit")
    require(seen["title"] == "twofold" and seen["scripts"] == 0 and seen["images"] == 0, f"{where}: a stranger's name is markup: {seen}")
    for words in ("google", "microsoft365", "laptop", "Held: 1", "In conflict: 1", EVIL, TITLE, "Mail 2 people", "The last runs", "The last days"):
        require(words in seen["text"], f"{where}: no {words!r}: {seen['text']}")
    require(seen["bars"] > 1, f"{where}: no bars")
    return seen["paper"]


def judge_page(program, folder):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with World(program) as world:
        prepare(world)
        with Service(world) as service, Browser() as browser:
            soon("a run is over", lambda: "next run is due" in page_text(browser, service))
            papers = [see(browser, service, folder, size, scheme) for size in SIZES for scheme in ("light", "dark")]
            require(papers[0] != papers[1], f"dark is not light: {papers}")
            # Nobody is mailed by one click.
            browser.look(*SIZES["phone"], "light")
            browser.open(service.address)
            browser.click("form[action='/approve'] button")
            require("Held: 1" in browser.value("document.body.innerText") and len(held(world)) == 1, "it stays held without a tick")
            browser.click("form[action='/approve'] input[type=checkbox]")
            browser.click("form[action='/approve'] button")
            browser.until("Page.loadEventFired")
            browser.picture(folder / "approved.png")
            said = browser.value("document.body.innerText")
            require("is approved" in said, f"it says what was done: {said}")
            titles = lambda: [event.get("summary") for event in world.control("google/calendar/events", calendar="primary")]
            soon("the title is at Google", lambda: TITLE in titles())
            browser.click("a")
            browser.until("Page.loadEventFired")
            require("Held:" not in browser.value("document.body.innerText"), "nothing is held any more")
            require(not browser.complaints(), f"Chromium complains: {browser.complaints()}")
    print(f"the page reads well in Chromium on {' and '.join(SIZES)}, light and dark, and a click approves; pictures are in {folder}")


def page_text(browser, service):
    browser.open(service.address)
    return browser.value("document.body.innerText")


if __name__ == "__main__":
    judge_page(*sys.argv[1:])
