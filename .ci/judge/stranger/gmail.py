"""Gmail, the mail part of `users/me`, with its history."""

import base64
import email
import email.policy
import email.utils
import json
import re
import time

from .server import Answer, Ask

SYSTEM = ["INBOX", "SENT", "DRAFT", "SPAM", "TRASH", "UNREAD", "STARRED", "IMPORTANT", "CHAT", "CATEGORY_PERSONAL", "CATEGORY_FORUMS"]


class Gmail:
    def __init__(self, whims, user="ada@example.org"):
        self.whims, self.user, self.now = whims, user, 2470000
        self.labels = {name: name for name in SYSTEM}
        self.messages, self.drafts, self.history, self.uploads, self.pages, self.writes = {}, {}, [], {}, {}, []
        self.reads, self.gone, self.last_label, self.forgotten = {}, [], 0, 2470000

    def refuse(self, status):
        if status == 429:
            return self.error(429, "rateLimitExceeded", "Too many concurrent requests for user", self.whims.retry())
        return self.error(503, "backendError", "Backend Error", self.whims.retry())

    def error(self, status, reason, words, head=None):
        error = {"code": status, "message": words}
        if not self.whims.inner_lower or reason != "backendError":
            error["errors"] = [{"message": words, "domain": "global", "reason": reason}]
        names = {400: "INVALID_ARGUMENT", 404: "NOT_FOUND", 409: "ALREADY_EXISTS", 429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE"}
        error["status"] = names.get(status, "UNKNOWN")
        return Answer(status, {"error": error}, head)

    def missing(self):
        return self.error(404, "notFound", "Requested entity was not found.")

    # What happens to messages, whoever does it.

    def note(self, kind, message, **more):
        self.now += self.whims.random.randrange(1, 9)
        message["historyId"] = self.now
        record = {"id": message["id"], "threadId": message["threadId"], "labelIds": sorted(message["labels"])}
        if not record["labelIds"]:
            del record["labelIds"]
        self.history.append((self.now, time.monotonic(), {kind: [{"message": record, **more}]}))

    def add(self, raw, labels, draft=None):
        self.now += 1
        id = f"{0x19a0000000000000 + self.now * 0x10001:016x}"
        message = {"id": id, "threadId": id, "labels": set(labels), "raw": raw, "born": time.monotonic(), "date": self.now * 1000 + 1700000000000}
        self.messages[id] = message
        self.note("messagesAdded", message)
        if "DRAFT" in labels:
            draft = draft or f"r-{self.now}7711"
            self.drafts[draft] = id
        return id

    def change(self, id, add=(), remove=()):
        message = self.messages[id]
        add, remove = set(add) - message["labels"], set(remove) & message["labels"]
        message["labels"] = (message["labels"] | add) - remove
        if add:
            self.note("labelsAdded", message, labelIds=sorted(add))
        if remove:
            self.note("labelsRemoved", message, labelIds=sorted(remove))

    def destroy(self, id):
        message = self.messages.pop(id)
        self.gone.append((time.monotonic(), message))
        self.drafts = {draft: of for draft, of in self.drafts.items() if of != id}
        self.note("messagesDeleted", message)

    def forget(self):
        """What was until now is no part of the history any more."""
        self.forgotten = self.now + 1

    def make_label(self, name):
        self.last_label += 1
        id = f"Label_{self.last_label if not self.whims.long_ids else 8100000000000000000 + self.last_label}"
        self.labels[id] = name
        return id

    def drop_label(self, id):
        del self.labels[id]
        for message in self.messages.values():
            message["labels"].discard(id)

    # Requests.

    def answer(self, ask):
        steps = ask.steps()
        if steps == ["batch"] or steps[:1] == ["batch"]:
            return self.batch(ask)
        if steps[:1] == ["oauth2"]:
            return Answer(200, {"id": "1001", "email": self.user, "verified_email": True})
        if steps[:1] == ["upload"]:
            return self.upload(ask, steps[1:])
        if steps[:4] != ["gmail", "v1", "users", "me"]:
            return self.missing()
        ask.what = steps[4:]
        return self.route(ask, *ask.what)

    def written(self, ask):
        self.writes.append(f"{ask.method} {ask.path}")

    def route(self, ask, kind, id=None, action=None):
        if kind == "profile":
            return Answer(200, {"emailAddress": self.user, "messagesTotal": len(self.messages), "threadsTotal": 3, "historyId": str(self.visible())})
        if ask.method != "GET":
            self.written(ask)
        if kind == "history":
            return self.histories(ask)
        return getattr(self, f"on_{kind}")(ask, id, action)

    def visible(self):
        until = time.monotonic() - self.whims.lag_s
        return self.now if not self.whims.lag_s else max([2470000] + [seq for seq, at, _ in self.history if at <= until])

    def paged(self, ask, key, rows, most, **last):
        """A page of rows, short or empty as it pleases; a row may come again."""
        token = ask.one("pageToken")
        if token is None:
            token = f"t{len(self.pages)}~"
            self.pages[token] = rows
        elif token not in self.pages:
            return self.error(400, "invalidArgument", "Invalid pageToken")
        rows = self.pages[token]
        size = min(most, self.whims.page)
        if self.whims.empty_pages and self.whims.random.random() < 0.2 and rows:
            size = 0
        page, rest = rows[:size], rows[size:]
        if rest and page and self.whims.repeats:
            rest = page[-1:] + rest if size > 1 else rest
        body = {**({key: page} if page else {}), **last}
        if rest:
            body["nextPageToken"] = f"t{len(self.pages)}~"
            self.pages[body["nextPageToken"]] = rest
        return Answer(200, body)

    def histories(self, ask):
        kinds = ask.query.get("historyTypes", [])
        if set(kinds) - {"messageAdded", "messageDeleted", "labelAdded", "labelRemoved"}:
            return self.error(400, "invalidArgument", "Invalid value at 'history_types'")
        start = int(ask.one("startHistoryId"))
        if start < self.forgotten or start > self.now:
            return self.missing()
        names = {kind.replace("message", "messages").replace("label", "labels") for kind in kinds}
        rows, until = [], self.visible()
        for seq, _, record in self.history:
            if start < seq <= until and (not names or names & set(record)):
                message = next(iter(record.values()))[0]["message"]
                rows.append({"id": str(seq), "messages": [{"id": message["id"], "threadId": message["threadId"]}], **record})
        return self.paged(ask, "history", rows, int(ask.one("maxResults", 100)), historyId=str(until))

    def view(self, id, form):
        message = self.messages[id]
        view = {
            "id": id, "threadId": message["threadId"], "labelIds": sorted(message["labels"]), "snippet": "…", "sizeEstimate": len(message["raw"]) + 7,
            "historyId": str(message["historyId"]), "internalDate": str(message["date"]),
        }
        if not view["labelIds"]:
            del view["labelIds"]
        if form == "raw":
            self.reads[id] = self.reads.get(id, 0) + 1
            raw = base64.urlsafe_b64encode(message["raw"]).decode()
            view["raw"] = raw.rstrip("=") if self.whims.inner_lower else raw
        elif form != "minimal":
            parsed = email.message_from_bytes(message["raw"], policy=email.policy.compat32)
            wanted = lambda name: form == "full" or True
            view["payload"] = {"mimeType": parsed.get_content_type(), "headers": [
                {"name": name, "value": str(value)} for name, value in parsed.items() if wanted(name)
            ]}
        return view

    def on_labels(self, ask, id, _):
        row = lambda id: {"id": id, "name": self.labels[id], "type": "system" if id in SYSTEM else "user"}
        if ask.method == "GET":
            if id:
                return Answer(200, row(id)) if id in self.labels else self.missing()
            rows = [row(id) for id in self.labels]
            self.whims.random.shuffle(rows)
            return Answer(200, {"labels": rows})
        if ask.method == "DELETE":
            if id not in self.labels:
                return self.missing()
            self.drop_label(id)
            return Answer(204)
        name = ask.json().get("name")
        if name and name.lower() in [other.lower() for key, other in self.labels.items() if key != id]:
            return self.error(409, "aborted", "Label name exists or conflicts")
        if ask.method == "POST":
            return Answer(200, row(self.make_label(name)))
        if id not in self.labels:
            return self.missing()
        self.labels[id] = name or self.labels[id]
        return Answer(200, row(id))

    def on_messages(self, ask, id, action):
        if ask.method == "GET" and id is None:
            return self.listed(ask)
        if ask.method == "POST" and id in (None, "import"):
            return self.insert(ask, base64.urlsafe_b64decode(ask.json()["raw"] + "==="), ask.json().get("labelIds", []))
        if id in ("batchModify", "batchDelete"):
            said = ask.json()
            for each in said["ids"]:
                if each in self.messages and id == "batchModify":
                    if wrong := self.refused(said):
                        return wrong
                    self.change(each, said.get("addLabelIds", ()), said.get("removeLabelIds", ()))
            return Answer(204)
        if id not in self.messages:
            return self.missing()
        if ask.method == "GET":
            return Answer(200, self.view(id, ask.one("format", "full")))
        if action == "modify":
            said = ask.json()
            if wrong := self.refused(said):
                return wrong
            self.change(id, said.get("addLabelIds", ()), said.get("removeLabelIds", ()))
        elif action == "trash":
            self.change(id, ["TRASH"])
        elif action == "untrash":
            self.change(id, (), ["TRASH"])
        else:
            return self.error(403, "insufficientPermissions", "Insufficient Permission")
        return Answer(200, {key: value for key, value in self.view(id, "minimal").items() if key in ("id", "threadId", "labelIds")})

    def refused(self, said):
        both = set(said.get("addLabelIds", ())) | set(said.get("removeLabelIds", ()))
        for label in both:
            if label in ("SENT", "DRAFT", "CHAT") or label not in self.labels:
                return self.error(400, "invalidArgument", f"Invalid label: {label}")
        if len(set(said.get("addLabelIds", ())) & {"INBOX", "SPAM", "TRASH"}) > 1:
            return self.error(400, "invalidArgument", "Can only add one of: INBOX, SPAM, TRASH")
        return None

    def listed(self, ask):
        until = time.monotonic() - self.whims.lag_s
        there = [m for m in self.messages.values() if not self.whims.lag_s or m["born"] <= until]
        there += [m for at, m in self.gone if at > until] if self.whims.lag_s else []
        wanted = set(ask.query.get("labelIds", []))
        found = re.search(r'rfc822msgid:(\S+)', ask.one("q") or "")
        rows = []
        for message in sorted(there, key=lambda m: -m["date"]):
            if not wanted <= message["labels"]:
                continue
            if not {"SPAM", "TRASH"}.isdisjoint(message["labels"] - wanted) and ask.one("includeSpamTrash", "false") != "true":
                continue
            if found and found[1].strip('<>"') != name_of(message["raw"]):
                continue
            rows.append({"id": message["id"], "threadId": message["threadId"]})
        return self.paged(ask, "messages", rows, int(ask.one("maxResults", 100)), resultSizeEstimate=201)

    def insert(self, ask, raw, labels):
        if wrong := [label for label in labels if label not in self.labels]:
            return self.error(400, "invalidArgument", f"Invalid label: {wrong[0]}")
        same = [m for m in self.messages.values() if name_of(raw) and name_of(m["raw"]) == name_of(raw) and m["raw"] == raw]
        if same:
            self.change(same[0]["id"], labels, ["TRASH"])
            id = same[0]["id"]
        else:
            id = self.add(raw, labels)
        return Answer(200, {key: value for key, value in self.view(id, "minimal").items() if key in ("id", "threadId", "labelIds")})

    def on_drafts(self, ask, id, _):
        row = lambda draft: {"id": draft, "message": {"id": self.drafts[draft], "threadId": self.drafts[draft], "labelIds": ["DRAFT"]}}
        if ask.method == "GET" and id is None:
            found = re.search(r'rfc822msgid:(\S+)', ask.one("q") or "")
            drafts = [d for d in self.drafts if not found or found[1].strip('<>"') == name_of(self.messages[self.drafts[d]]["raw"])]
            rows = [{"id": d, "message": {"id": self.drafts[d], "threadId": self.drafts[d]}} for d in drafts]
            return self.paged(ask, "drafts", rows, int(ask.one("maxResults", 100)), resultSizeEstimate=len(rows))
        if ask.method == "GET":
            if id not in self.drafts:
                return self.missing()
            return Answer(200, {"id": id, "message": self.view(self.drafts[id], ask.one("format", "full"))})
        if ask.method == "DELETE":
            if id not in self.drafts:
                return self.missing()
            self.destroy(self.drafts[id])
            return Answer(204)
        raw = getattr(ask, "raw", None) or base64.urlsafe_b64decode(ask.json()["message"]["raw"] + "===")
        if ask.method == "POST":
            made = self.add(raw, ["DRAFT"])
            return Answer(200, row(next(d for d, of in self.drafts.items() if of == made)))
        if id not in self.drafts:
            return self.missing()
        labels = self.messages[self.drafts[id]]["labels"]
        self.destroy(self.drafts[id])
        self.add(raw, labels, id)
        return Answer(200, row(id))

    def upload(self, ask, steps):
        if steps[:4] == ["gmail", "v1", "users", "me"]:
            steps = steps[4:]
        kind = ask.one("uploadType")
        if ask.method == "PUT" and ask.one("upload_id"):
            said, steps, method = self.uploads[ask.one("upload_id")]
            raw, ask.method = ask.body, method
        elif kind == "resumable":
            id = f"ABg5-{len(self.uploads)}"
            self.uploads[id] = (ask.json(), steps, ask.method)
            return Answer(200, None, {"Location": f"http://{ask.head['host']}/google/upload{ask.path.partition('/upload')[2]}?uploadType=resumable&upload_id={id}"})
        elif kind == "media":
            said, raw = {}, ask.body
        else:
            boundary = re.search(r'boundary="?([^";]+)', ask.head["content-type"])[1].encode()
            parts = ask.body.split(b"--" + boundary)
            said = json.loads(parts[1].split(b"\r\n\r\n", 1)[1])
            raw = parts[2].split(b"\r\n\r\n", 1)[1][:-2]
        self.written(ask)
        if steps[0] == "drafts":
            ask.raw = raw
            return self.on_drafts(ask, steps[1] if len(steps) > 1 else None, None)
        return self.insert(ask, raw, said.get("labelIds", []))

    def batch(self, ask):
        boundary = re.search(r'boundary="?([^";]+)', ask.head["content-type"])[1].encode()
        out = []
        for part in ask.body.split(b"--" + boundary)[1:-1]:
            outer, _, inner = part.lstrip(b"\r\n").partition(b"\r\n\r\n")
            id = re.search(rb"(?i)content-id:\s*<?([^>\r\n]+)", outer)[1].decode()
            line, _, rest = inner.partition(b"\r\n")
            method, target = line.decode().split(" ")[:2]
            said = rest.partition(b"\r\n\r\n")[2].strip()
            if target.startswith("/google/"):
                target = target[7:]
            if self.whims.batch_troubles and self.whims.random.random() < 0.1:
                answer = self.refuse(429)
            else:
                answer = self.answer(Ask(method, target, {}, said))
            body = json.dumps(answer.body).encode() if answer.body is not None else b""
            head = "".join(f"{key}: {value}\r\n" for key, value in answer.head.items())
            out.append(f"--batch_x-1\r\nContent-Type: application/http\r\nContent-ID: <response-{id}>\r\n\r\nHTTP/1.1 {answer.status} Said\r\n"
                       f"content-type: application/json; charset=UTF-8\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body + b"\r\n")
        return Answer(200, b"".join(out) + b"--batch_x-1--", {"Content-Type": "multipart/mixed; boundary=batch_x-1"})


def name_of(raw):
    found = re.search(rb"(?im)^message-id:\s*<([^>\s]*)>", re.split(rb"\r?\n\r?\n", raw, maxsplit=1)[0])
    return found[1].decode("latin-1") if found else None
