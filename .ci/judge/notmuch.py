"""notmuch on device folders, against what each provider's sandbox lists of itself, also while syncs write.

    python notmuch.py PROGRAM [COUNT]     (notmuch is installed; COUNT messages at each provider, default 100)

Messages and files as `notmuch new` counts them, tags from flags and flags from tags (`maildir.synchronize_flags`), one message with two
labels, and an index that is made while messages come, move and go.
"""

import json
import sys
from collections import Counter, defaultdict

import post
from post import Mailboxes, letter, name_of, verdict
from world import PROVIDERS, World

# What both providers hold. That a message was answered is kept on the device and in the hub.
TAGS = {"F": "flagged", "D": "draft"}


class Notmuch:
    """One index, in the Maildir itself, as most people have it."""

    def __init__(self, world, root, name):
        self.world = world
        self.config = world.dir / f"notmuch-{name}"
        self.config.write_text(
            f"[database]\npath={root}\n[user]\nname=Ada\nprimary_email=ada@example.com\n"
            "[new]\ntags=unread\n[maildir]\nsynchronize_flags=true\n"
        )
        world.own(self.config)

    def say(self, *args):
        return self.world.command("notmuch", *args, env={"NOTMUCH_CONFIG": str(self.config)})

    def count(self, what, query="*"):
        return int(self.say("count", f"--output={what}", query))

    def tags(self):
        """The tags of each message, and how many files it has."""
        found = {}
        for message in messages_of(json.loads(self.say("show", "--format=json", "--body=false", "--entire-thread=false", "*"))):
            found[f"<{message['id']}>"] = set(message["tags"]), len(message["filename"])
        return found


def messages_of(tree):
    """All messages of notmuch's threads."""
    if isinstance(tree, dict):
        yield tree
    elif isinstance(tree, list):
        for part in tree:
            yield from messages_of(part)


def told(box):
    """What the provider says of each Message-ID: the tags that follow, and in how many mailboxes it stands."""
    tags, copies = defaultdict(set), Counter()
    for id, (mailboxes, letters) in box.messages().items():
        name = name_of(box.bytes(id))
        copies[name] += len(mailboxes)
        tags[name] |= {TAGS[letter] for letter in letters if letter in TAGS}
        tags[name] |= set() if "S" in letters else {"unread"}
    return tags, copies


def compare(notmuch, box, when):
    notmuch.say("new", "--quiet")
    tags, copies = told(box)
    # A message without a Message-ID, or with several, goes by a name that notmuch gives it.
    named = {name for name in tags if name.startswith("<") and "twice" not in name}
    wrong = []
    files, messages = notmuch.count("files"), notmuch.count("messages")
    if (files, messages) != (copies.total(), len(tags)):
        wrong.append(f"{when}: notmuch counts {messages} messages in {files} files, {box.provider} {len(tags)} in {copies.total()}")
    found = notmuch.tags()
    for name in sorted(named):
        has = found.get(name)
        if has is None:
            wrong.append(f"{when}: notmuch lacks {name} of {box.provider}")
            continue
        has = has[0] & {"unread", *TAGS.values()}, has[1]
        if has != (tags[name], copies[name]):
            wrong.append(f"{when}: {name} is {has} for notmuch, {tags[name], copies[name]} at {box.provider}")
    print(f"{box.provider}, {when}: notmuch has {messages} messages in {files} files", flush=True)
    return wrong


def judge_notmuch(program, count="100"):
    wrong = []
    for seeds in ([], ["--mails", count]):
        with World(program, *seeds, kind="mail") as world:
            world.use_device("laptop")
            world.sign_in()
            post.settle(world)
            boxes = {provider: Mailboxes(world, provider) for provider in PROVIDERS}
            indexes = {provider: Notmuch(world, world.device / provider / "mail", provider) for provider in PROVIDERS}
            for provider in PROVIDERS:
                wrong += compare(indexes[provider], boxes[provider], "after the first sync")
            wrong += judge_tags(world, boxes, indexes)
            if seeds:
                wrong += judge_meanwhile(world, boxes, indexes)
    verdict(wrong, "notmuch sees what the providers list, and they what it tagged")


def judge_tags(world, boxes, indexes):
    """Tags go out as flags, flags come in as tags, and two labels are two files of one message."""
    wrong = []
    ids = {}
    for provider, box in boxes.items():
        ids[provider] = [box.deliver(letter(f"Tagged {number}")) for number in range(4)]
    box = boxes["google"]
    world.control("google/mail/label", id=ids["google"][1], add=[world.control("google/mail/add_label", name="Second")["label"]])
    post.settle(world)
    for provider, box in boxes.items():
        index = indexes[provider]
        wrong += compare(index, box, "after messages came")
        ours = [f"id:{name_of(box.bytes(id))[1:-1]}" for id in ids[provider]]
        index.say("tag", "-unread", "--", ours[0])
        index.say("tag", "-unread", "+flagged", "--", ours[1])
        index.say("tag", "+replied", "--", ours[2])
        if provider == "google" and index.count("files", ours[1]) != 2:
            wrong.append(f"a message with two labels has {index.count('files', ours[1])} files")
        if index.count("messages", ours[1]) != 1:
            wrong.append(f"{provider}: {ours[1]} is {index.count('messages', ours[1])} messages")
    post.settle(world)
    for provider, box in boxes.items():
        letters = [box.messages()[id][1] for id in ids[provider]]
        if letters[:2] != ["S", "FS"] or letters[3] != "":
            wrong.append(f"{provider}: tags are {letters[:2]} there, and what was left alone is {letters[3]!r}")
    world.control("google/mail/label", id=ids["google"][0], add=["UNREAD", "STARRED"])
    world.control("microsoft/mail/edit", id=ids["microsoft365"][0], message={"isRead": False, "flag": {"flagStatus": "flagged"}})
    post.settle(world)
    for provider, box in boxes.items():
        index = indexes[provider]
        index.say("new", "--quiet")
        tags = index.tags()
        unread, replied = (tags[name_of(box.bytes(ids[provider][number]))][0] for number in (0, 2))
        if not {"unread", "flagged"} <= unread:
            wrong.append(f"{provider}: marked as unread there, and notmuch has {unread}")
        if "replied" not in replied:
            wrong.append(f"{provider}: an answered message is not one any more: {replied}")
    return wrong


def judge_meanwhile(world, boxes, indexes):
    """`notmuch new` while syncs write what came, moved and went."""
    def look():
        for index in indexes.values():
            index.say("new", "--quiet")

    rounds, wrong = post.look_meanwhile(world, boxes, look)
    for provider in PROVIDERS:
        wrong += compare(indexes[provider], boxes[provider], f"after {rounds} times `notmuch new` while syncs wrote")
    return wrong


if __name__ == "__main__":
    judge_notmuch(*sys.argv[1:])
