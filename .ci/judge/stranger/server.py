"""HTTP for the stand-ins: requests as data, answers in the manners of the seed, and faults by chance."""

import email.utils
import http.server
import json
import random
import re
import socket
import threading
import time
import urllib.parse
from collections import Counter


class Ask:
    """A request, outer or a part of a batch."""

    def __init__(self, method, target, head, body):
        parts = urllib.parse.urlsplit(target)
        self.method, self.path, self.head, self.body = method, parts.path, {k.lower(): v for k, v in head.items()}, body
        self.query = urllib.parse.parse_qs(parts.query, keep_blank_values=True)

    def one(self, name, default=None):
        return self.query.get(name, [default])[0]

    def json(self):
        return json.loads(self.body or b"{}")

    def steps(self):
        return [urllib.parse.unquote(step) for step in self.path.strip("/").split("/")]


class Answer:
    def __init__(self, status=200, body=None, head=None):
        self.status, self.body, self.head = status, body, dict(head or {})


class Whims:
    """What the documentation leaves open, chosen by the seed."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        pick = self.random.random
        self.page = self.random.choice([3, 7, 40, 500])
        self.empty_pages, self.repeats, self.chunked, self.strange_case = (pick() < 0.5 for _ in range(4))
        self.unknown_fields, self.shuffled, self.inner_lower, self.batch_troubles = (pick() < 0.5 for _ in range(4))
        self.hole, self.sparse_read, self.long_ids = (pick() < 0.5 for _ in range(3))
        self.retry_after = self.random.choice(["seconds", "date", "absent"])
        # Between two rounds: tokens and history are too old, and change keys move though nobody changed anything.
        self.forgets, self.housekeeping = (pick() < 0.3 for _ in range(2))
        self.lag_s, self.trouble = 0.0, 0.0
        # Whether what makes a message is refused or done, and the reply comes: the program waits for minutes where it does not.
        self.sure_creates = True

    def __str__(self):
        return ", ".join(f"{name}={value}" for name, value in vars(self).items() if name != "random")

    def retry(self):
        if self.retry_after == "absent":
            return {}
        return {"Retry-After": "1" if self.retry_after == "seconds" else email.utils.formatdate(time.time() + 1, usegmt=True)}

    def dress(self, value):
        """An object in another order, with a key nobody knows."""
        if not isinstance(value, dict):
            return value
        items = list(value.items())
        if self.shuffled:
            self.random.shuffle(items)
        if self.unknown_fields:
            items.append(("somethingNew2027", {"level": 3, "names": [None]}))
        return dict(items)


class Server:
    """All of it on one port of loopback: a part of the path says who is asked."""

    def __init__(self, whims, parts):
        self.whims, self.parts, self.lock = whims, parts, threading.RLock()
        self.writes, self.reads, self.log = [], Counter(), []
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1

            def log_message(self, *_):
                pass

            def run(self):
                length = self.headers.get("Content-Length")
                body = self.rfile.read(int(length)) if length else b""
                if "chunked" in self.headers.get("Transfer-Encoding", ""):
                    while size := int(self.rfile.readline(), 16):
                        body += self.rfile.read(size)
                        self.rfile.readline()
                    self.rfile.readline()
                server.serve(self, Ask(self.command, self.path, dict(self.headers), body))

            do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = run

        class Threads(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, *_):
                import sys
                if not isinstance(sys.exc_info()[1], (ConnectionError, OSError)):
                    import traceback
                    server.log.append("THE STRANGER FAILED: " + traceback.format_exc())

        self.http = Threads(("127.0.0.1", 0), Handler)
        self.base = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def serve(self, wire, ask):
        part = ask.path.strip("/").partition("/")[0]
        ask.path = "/" + ask.path.strip("/").partition("/")[2]
        target = self.parts[part]
        trouble = None
        with self.lock:
            if self.whims.trouble and part in ("graph", "google") and self.whims.random.random() < self.whims.trouble:
                trouble = self.whims.random.choice(["503", "429", "before", "after", "lost"])
                is_create = ask.method == "POST" and (re.search("/(messages|drafts|copy)$", ask.path) or re.search(b"/(copy|messages)\"", ask.body))
                trouble = "429" if is_create and self.whims.sure_creates else trouble
            if trouble in ("503", "429"):
                answer = target.refuse(int(trouble))
            elif trouble == "before":
                answer = None
            else:
                answer = target.answer(ask)
                if isinstance(answer.body, dict) and part in ("graph", "google"):
                    answer.body = self.whims.dress(answer.body)
            self.log.append(f"{part} {ask.method} {ask.path} {ask.query} {trouble or ''} -> {answer and answer.status}")
        if trouble in ("before", "after", "lost"):
            if trouble == "lost":
                wire.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n{\"id\":")
                wire.wfile.flush()
            wire.close_connection = True
            wire.connection.shutdown(socket.SHUT_RDWR)
            return
        self.write(wire, answer)

    def write(self, wire, answer):
        head, body = dict(answer.head), answer.body
        if isinstance(body, (dict, list)):
            body = json.dumps(body, ensure_ascii=self.whims.shuffled).encode()
            head.setdefault("Content-Type", "application/json; charset=UTF-8")
        body = body or b""
        chunked = self.whims.chunked and body
        head.update({"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": str(len(body))})
        lines = [f"HTTP/1.1 {answer.status} Said"]
        lines += [f"{name.lower() if self.whims.strange_case else name.upper()}: {value}" for name, value in head.items()]
        if answer.status == 204:
            lines = [line for line in lines if "ength" not in line.lower()]
        raw = "\r\n".join(lines).encode() + b"\r\n\r\n"
        if chunked:
            middle = len(body) // 2
            for piece in (body[:middle], body[middle:]):
                if piece:
                    raw += b"%x\r\n%s\r\n" % (len(piece), piece)
            raw += b"0\r\n\r\n"
        else:
            raw += body
        wire.wfile.write(raw)
        wire.wfile.flush()
