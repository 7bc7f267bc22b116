"""Microsoft Graph v1.0, the mail part of `/me`, with a delta for each folder and one for folders."""

import base64
import email
import email.message
import email.policy
import email.utils
import json
import re
import time
import urllib.parse

from .server import Answer, Ask
from .gmail import name_of

WELL_KNOWN = {
    "inbox": "Posteingang", "drafts": "Entwürfe", "sentitems": "Gesendet", "deleteditems": "Gelöscht", "junkemail": "Junk", "outbox": "Postausgang",
}


class Graph:
    def __init__(self, whims):
        self.whims, self.now, self.number = whims, 100, 0
        self.folders, self.messages, self.tokens, self.writes, self.reads = {}, {}, {}, [], {}
        self.journal, self.folder_journal, self.known = [], [], {}
        self.root = self.new_id("F")
        for name, shown in WELL_KNOWN.items():
            self.known[name] = self.make_folder(shown, self.root)
        self.known["msgfolderroot"] = self.root

    def new_id(self, kind):
        self.number += 1
        text = f"{kind}{self.number:06}"
        return "AQMk" + text + ("-_" * (50 if self.whims.long_ids else 2)) + ("=" if self.whims.inner_lower else "AAA=")

    def refuse(self, status):
        words = {429: ("ApplicationThrottled", "Application is over its MailboxConcurrency limit.")}.get(status, ("serviceNotAvailable", "Busy."))
        return self.error(status, *words, self.whims.retry())

    def error(self, status, code, words, head=None):
        code = code[0].lower() + code[1:] if self.whims.inner_lower else code
        inner = "innererror" if self.whims.inner_lower else "innerError"
        return Answer(status, {"error": {"code": code, "message": words, inner: {"request-id": "1", "date": "2026-11-28T00:00:00"}}}, head)

    def missing(self):
        return self.error(404, "ErrorItemNotFound", "The specified object was not found in the store.")

    # What happens, whoever does it.

    def make_folder(self, name, parent):
        id = self.new_id("F")
        self.folders[id] = {"id": id, "displayName": name, "parentFolderId": parent}
        self.note_folder(id)
        return id

    def note_folder(self, id):
        self.now += 1
        self.folder_journal.append((self.now, time.monotonic(), id))

    def touch(self, id, *folders):
        """A message changed in these folders (it is there no more, or it is)."""
        self.now += 1
        message = self.messages.get(id)
        if message:
            message["change"] = f"CQAAAB{self.now}"
        for folder, how in folders:
            self.journal.append((self.now, time.monotonic(), folder, id, how))

    def add(self, raw, folder, is_read=False, is_draft=False, flag="notFlagged", at=None, properties=None):
        id = self.new_id("M")
        self.messages[id] = {
            "id": id, "raw": raw, "folder": folder, "isRead": is_read, "isDraft": is_draft, "flag": flag, "properties": dict(properties or {}),
            "at": at or f"2026-03-{1 + self.number % 27:02}T10:00:00Z",
        }
        self.touch(id, (folder, "here"))
        return id

    def patch(self, id, **said):
        self.messages[id].update(said)
        self.touch(id, (self.messages[id]["folder"], "read" if set(said) == {"isRead"} else "here"))

    def move(self, id, folder):
        old = self.messages[id]["folder"]
        if old != folder:
            self.messages[id]["folder"] = folder
            self.touch(id, (old, "gone"), (folder, "here"))

    def housekeep(self):
        """A change key moves now and then without a change that anybody sees. (Not of drafts: what of them is another writing is not told.)"""
        for id in self.whims.random.sample(sorted(self.messages), min(5, len(self.messages))):
            if not self.messages[id]["isDraft"]:
                self.touch(id, (self.messages[id]["folder"], "here"))

    def forget(self):
        """All tokens of deltas and pages are too old by now."""
        self.tokens = dict.fromkeys(self.tokens)

    def destroy(self, id):
        old = self.messages.pop(id)["folder"]
        self.touch(id, (old, "gone"))

    def drop_folder(self, id):
        """To the deleted items, or away from there."""
        bin = self.known["deleteditems"]
        if self.inside(id, bin):
            for each in [other for other in self.folders if self.inside(other, id)]:
                for message in [m["id"] for m in self.messages.values() if m["folder"] == each]:
                    self.destroy(message)
                del self.folders[each]
                self.note_folder(each)
        else:
            self.folders[id]["parentFolderId"] = bin
            self.note_folder(id)

    def inside(self, id, above):
        while id in self.folders:
            if id == above:
                return True
            id = self.folders[id]["parentFolderId"]
        return False

    # Requests.

    def answer(self, ask):
        steps = ask.steps()
        if steps[:1] == ["v1.0"]:
            steps = steps[1:]
        steps = [piece for step in steps for piece in re.sub(r"^(\w+)\('(.*)'\)$", "\\1\0\\2", step).split("\0")]
        if steps == ["$batch"]:
            return self.batch(ask)
        if steps[:1] != ["me"]:
            return self.missing()
        if 'immutableid' not in ask.head.get("prefer", "").lower():
            return self.error(400, "BadRequest", f"THE STRANGER: without immutable ids: {ask.path}") if len(steps) > 1 else self.me()
        if ask.method != "GET":
            self.writes.append(f"{ask.method} {ask.path}")
        if steps == ["me"]:
            return self.me()
        if steps[1] == "mailFolders":
            return self.on_folders(ask, steps[2:])
        if steps[1] == "messages":
            return self.on_messages(ask, steps[2:])
        return self.error(501, "NotImplemented", f"THE STRANGER has no {ask.method} {ask.path}")

    def me(self):
        return Answer(200, {"id": "7a1c", "displayName": "Ada", "mail": "ada@example.org", "userPrincipalName": "ada@example.org"})

    def folder(self, name):
        return self.known.get(name.lower(), name)

    def show_folder(self, id):
        return {**self.folders[id], "childFolderCount": sum(f["parentFolderId"] == id for f in self.folders.values()),
                "totalItemCount": sum(m["folder"] == id for m in self.messages.values()), "unreadItemCount": 0, "isHidden": False, "@odata.type": "#microsoft.graph.mailFolder"}

    def on_folders(self, ask, steps):
        if ask.method == "GET" and ask.one("$skiptoken"):
            return self.go_on(ask)
        if steps[:1] == ["delta"]:
            return self.folder_delta(ask)
        id = self.folder(steps[0]) if steps else self.root
        if steps and id == self.root and ask.method == "GET" and len(steps) == 1:
            return Answer(200, {"id": id, "displayName": "Oberste Ebene", "parentFolderId": "none", "isHidden": False})
        if id != self.root and id not in self.folders:
            return self.missing()
        if len(steps) == 1:
            if ask.method == "GET":
                return Answer(200, self.show_folder(id))
            if ask.method == "DELETE":
                if id in self.known.values():
                    return self.error(400, "ErrorDeleteDistinguishedFolder", "Distinguished folders cannot be deleted.")
                self.drop_folder(id)
                return Answer(204)
            name = ask.json()["displayName"]
            if self.same_name(self.folders[id]["parentFolderId"], name, id):
                return self.error(409, "ErrorFolderExists", "A folder with the specified name already exists.")
            self.folders[id]["displayName"] = name
            self.note_folder(id)
            return Answer(200, self.show_folder(id))
        below = steps[1] if steps else "childFolders"
        if below == "childFolders":
            if ask.method == "GET":
                rows = [self.show_folder(each) for each, f in self.folders.items() if f["parentFolderId"] == id]
                return self.paged(ask, rows, int(ask.one("$top", 10)))
            name = ask.json()["displayName"]
            if self.same_name(id, name):
                return self.error(409, "ErrorFolderExists", "A folder with the specified name already exists.")
            return Answer(201, self.show_folder(self.make_folder(name, id)))
        if below == "move":
            target = self.folder(ask.json()["destinationId"])
            if self.same_name(target, self.folders[id]["displayName"], id):
                return self.error(409, "ErrorFolderExists", "A folder with the specified name already exists.")
            self.folders[id]["parentFolderId"] = target
            self.note_folder(id)
            return Answer(201, self.show_folder(id))
        if steps[2:] == ["delta"]:
            return self.message_delta(ask, id)
        if below == "messages" and len(steps) == 2:
            if ask.method == "POST":
                if "json" not in ask.head.get("content-type", ""):
                    return self.error(400, "UnableToDeserializePostBody", "were unable to deserialize")
                return self.create(ask, id)
            return self.listed(ask, id)
        return self.error(501, "NotImplemented", f"THE STRANGER has no {ask.method} {ask.path}")

    def same_name(self, parent, name, but=None):
        return any(f["parentFolderId"] == parent and f["displayName"].lower() == name.lower() and each != but for each, f in self.folders.items())

    def link(self, ask, name, value):
        return f"http://{ask.head['host']}/graph{ask.path}?{name}={value}&zone={self.number}"

    def paged(self, ask, rows, size, last=None, token=None):
        """A page, short or empty as it pleases; `last` is what the last one carries."""
        size = min(size, self.whims.page)
        wanted = re.search(r"maxpagesize=(\d+)", ask.head.get("prefer", ""))
        if wanted:
            size = min(int(wanted[1]), self.whims.page)
        if self.whims.empty_pages and rows and self.whims.random.random() < 0.2:
            size = 0
        page, rest = rows[:size], rows[size:]
        if rest and len(page) > 1 and self.whims.repeats:
            rest = page[-1:] + rest
        body = {"@odata.context": "x", "value": page}
        if rest:
            token = f"s{len(self.tokens)}"
            self.tokens[token] = (rest, last)
            body["@odata.nextLink"] = self.link(ask, "$skiptoken", token)
        elif last is not None:
            token = f"d{len(self.tokens)}"
            self.tokens[token] = last
            body["@odata.deltaLink"] = self.link(ask, "$deltatoken", token)
        return Answer(200, body)

    def go_on(self, ask):
        kept = self.tokens.get(ask.one("$skiptoken"))
        if kept is None:
            return self.gone(ask)
        rows, last = kept
        return self.paged(ask, rows, 500, last)

    def seen_until(self):
        until = time.monotonic() - self.whims.lag_s
        return until if self.whims.lag_s else float("inf")

    def folder_delta(self, ask):
        if ask.one("$deltatoken"):
            since = self.tokens.get(ask.one("$deltatoken"))
            if since is None:
                return self.gone(ask)
            ids = dict.fromkeys(id for seq, _, id in self.folder_journal if seq > since)
        else:
            ids = dict.fromkeys(self.folders)
        rows = [self.show_folder(id) if id in self.folders else {"id": id, "@removed": {"reason": "deleted"}} for id in ids]
        self.whims.random.shuffle(rows)
        return self.paged(ask, rows, 10, self.now)

    def gone(self, ask):
        if self.whims.inner_lower:
            return self.error(400, "SyncStateNotFound", "The sync state generation is not found.")
        return self.error(410, "resyncRequired", "Resync.", {"Location": self.link(ask, "$deltatoken", "")})

    def message_delta(self, ask, folder):
        until = self.seen_until()
        last = max([0] + [seq for seq, at, *_ in self.journal if at <= until])
        select, expand = ask.one("$select"), ask.one("$expand")
        if ask.one("$deltatoken"):
            kept = self.tokens.get(ask.one("$deltatoken"))
            if kept is None:
                return self.gone(ask)
            since, select, expand = kept
            entries = [(id, how) for seq, at, where, id, how in self.journal if since < seq <= last and where == folder]
        else:
            entries = [(id, "here") for id, m in self.messages.items() if m["folder"] == folder]
        rows = []
        for id in dict.fromkeys(id for id, _ in entries):
            hows = [how for other, how in entries if other == id]
            is_here = id in self.messages and self.messages[id]["folder"] == folder
            if not is_here or (self.whims.hole and "gone" in hows):
                rows.append({"id": id, "@removed": {"reason": "changed" if self.whims.hole and is_here else "deleted"}})
            elif set(hows) == {"read"} and self.whims.sparse_read:
                rows.append({"id": id, "isRead": self.messages[id]["isRead"]})
            else:
                rows.append(self.show(id, select, expand))
        self.whims.random.shuffle(rows)
        return self.paged(ask, rows, int(ask.one("$top", 10)), (last, select, expand))

    def show(self, id, select=None, expand=None):
        m = self.messages[id]
        parsed = email.message_from_bytes(m["raw"], policy=email.policy.compat32)
        row = {
            "id": id, "@odata.etag": f'W/"{m["change"]}"', "changeKey": m["change"], "parentFolderId": m["folder"], "isRead": m["isRead"], "isDraft": m["isDraft"],
            "flag": {"flagStatus": m["flag"]}, "receivedDateTime": m["at"], "sentDateTime": m["at"], "createdDateTime": m["at"], "lastModifiedDateTime": m["at"],
            "internetMessageId": f"<{name_of(m['raw']) or 'made-' + str(len(id)) + id[4:11] + '@exchange.example'}>", "subject": str(parsed.get("Subject", "")),
            "hasAttachments": b"attachment" in m["raw"], "categories": m.get("categories", []), "importance": "normal", "isReadReceiptRequested": False,
            "isDeliveryReceiptRequested": False, "internetMessageHeaders": [{"name": n, "value": str(v)} for n, v in parsed.items()],
        }
        if select:
            row = {key: value for key, value in row.items() if key in select.split(",") + ["id", "@odata.etag"]}
        else:
            del row["internetMessageHeaders"]
        if expand:
            wanted = [name.lower() for name in re.findall(r"id eq '([^']*)'", expand)]
            size = {"Integer 0x0E08": str(len(m["raw"]))}
            found = [{"id": key, "value": value} for key, value in {**m["properties"], **size}.items() if key.lower() in wanted]
            if found:
                row["singleValueExtendedProperties"] = found
        return row

    def listed(self, ask, folder=None):
        if ask.one("$skiptoken"):
            return self.go_on(ask)
        rows, filter = [], ask.one("$filter") or ""
        for id, m in self.messages.items():
            if folder and m["folder"] != folder:
                continue
            name = re.search(r"internetMessageId eq '([^']*)'", filter)
            if name and self.show(id)["internetMessageId"] != name[1]:
                continue
            own = re.search(r"ep/id eq '([^']*)' and ep/value eq '([^']*)'", filter)
            if own and m["properties"].get(own[1]) != own[2]:
                continue
            rows.append(self.show(id, ask.one("$select"), ask.one("$expand")))
        if filter and not re.search(r"internetMessageId eq|ep/id eq", filter):
            return self.error(501, "NotImplemented", f"THE STRANGER has no filter {filter}")
        return self.paged(ask, rows, int(ask.one("$top", 10)))

    def on_messages(self, ask, steps):
        if not steps:
            if ask.method == "POST":
                return self.create(ask, self.known["drafts"])
            return self.listed(ask)
        id, action = steps[0], steps[1] if len(steps) > 1 else None
        if id not in self.messages:
            return self.missing()
        m = self.messages[id]
        match = ask.head.get("if-match")
        if match and match != f'W/"{m["change"]}"':
            return self.error(412, "ErrorIrresolvableConflict", "The change key passed in the request does not match the current change key.")
        if action == "$value":
            self.reads[id] = self.reads.get(id, 0) + 1
            return Answer(200, m["raw"], {"Content-Type": "text/plain"})
        if action in ("move", "copy"):
            target = self.folder(ask.json()["destinationId"])
            if target not in self.folders:
                return self.missing()
            if action == "move":
                self.move(id, target)
                return Answer(201, self.show(id))
            return Answer(201, self.show(self.add(m["raw"], target, m["isRead"], m["isDraft"], m["flag"], m["at"], m["properties"])))
        if action is not None:
            return self.error(501, "NotImplemented", f"THE STRANGER has no {ask.method} {ask.path}")
        if ask.method == "GET":
            return Answer(200, self.show(id, ask.one("$select"), ask.one("$expand")))
        if ask.method == "DELETE":
            bin = self.known["deleteditems"]
            self.destroy(id) if m["folder"] == bin else self.move(id, bin)
            return Answer(204)
        said = ask.json()
        change = {key: said[key] for key in ("isRead", "categories") if key in said}
        if "flag" in said:
            change["flag"] = said["flag"]["flagStatus"]
        if "singleValueExtendedProperties" in said:
            change["properties"] = {**m["properties"], **{p["id"]: p["value"] for p in said["singleValueExtendedProperties"]}}
        if {"subject", "body", "toRecipients"} & set(said):
            if not m["isDraft"]:
                return self.error(400, "ErrorInvalidRequest", "not a draft")
            change["raw"] = rebuilt(said, m["raw"])
        self.patch(id, **change)
        return Answer(200, self.show(id))

    def create(self, ask, folder):
        if "json" not in ask.head.get("content-type", ""):
            return Answer(201, self.show(self.add(base64.b64decode(ask.body), folder, True, True)))
        said = ask.json()
        properties = {p["id"]: p["value"] for p in said.get("singleValueExtendedProperties", [])}
        flags = int(properties.get("Integer 0x0E07", "8"))
        id = self.add(rebuilt(said), folder, said.get("isRead", bool(flags & 1)), bool(flags & 8), said.get("flag", {}).get("flagStatus", "notFlagged"),
                      properties.get("SystemTime 0x0E06"), properties)
        return Answer(201, self.show(id))

    def batch(self, ask):
        out = []
        for part in ask.json()["requests"]:
            if self.whims.batch_troubles and self.whims.random.random() < 0.1:
                answer = self.refuse(self.whims.random.choice([429, 503]))
            else:
                body = part.get("body")
                body = json.dumps(body).encode() if isinstance(body, (dict, list)) else base64.b64decode(body or "")
                target = "/v1.0/" + part["url"].lstrip("/")
                answer = self.answer(Ask(part["method"], target, {**part.get("headers", {}), "host": ask.head["host"]}, body))
            body = base64.b64encode(answer.body).decode() if isinstance(answer.body, bytes) else answer.body
            out.append({"id": part["id"], "status": answer.status, "headers": answer.head, **({"body": body} if body is not None else {})})
        self.whims.random.shuffle(out)
        return Answer(200, {"responses": out})


def rebuilt(said, old=b""):
    """What Exchange makes of JSON: headers of its own."""
    message = email.message.EmailMessage(policy=email.policy.SMTP)
    name = said.get("internetMessageId") or (f"<{name_of(old)}>" if name_of(old) else None)
    if name:
        message["Message-ID"] = name
    message["Subject"] = re.sub(r"[\r\n]", " ", said.get("subject") or "")
    for line, key in (("From", "from"), ("To", "toRecipients"), ("Cc", "ccRecipients"), ("Bcc", "bccRecipients"), ("Reply-To", "replyTo")):
        people = [said[key]] if isinstance(said.get(key), dict) else said.get(key) or []
        if people:
            named = [(person["emailAddress"].get("name", ""), person["emailAddress"]["address"]) for person in people]
            message[line] = re.sub(r"[\r\n]", " ", ", ".join(email.utils.formataddr(person) for person in named))
    for line in said.get("internetMessageHeaders", []):
        message[line["name"]] = re.sub(r"[\r\n]", " ", line["value"])
    body = said.get("body") or {}
    message.set_content(body.get("content", ""), subtype="html" if body.get("contentType") == "html" else "plain")
    return message.as_bytes()
