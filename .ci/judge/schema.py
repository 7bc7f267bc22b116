"""Whether `status --json` is as its schema says, in the eyes of Python's `jsonschema`.

    python schema.py PROGRAM     (with the packages of requirements.txt)

The schema itself has to be one (Draft 2020-12), each output of the program in many states has to be as it says, and no output
that lacks what is required, or has what is not foreseen, may pass.
"""

import copy
import json
import pathlib
import re
import sys

import jsonschema
from prompt import took
from world import World

SCHEMA = json.loads((pathlib.Path(__file__).parents[2] / "src/cli/status/schema.json").read_text())
JUDGE = jsonschema.Draft202012Validator(SCHEMA)


class States:
    """The outputs that were seen, and what was wrong with them."""

    def __init__(self):
        self.wrong, self.refused = [], 0

    def see(self, name, world, is_it):
        """What `status --json` says now, which has to be the state that is meant."""
        value = world.status()
        before = len(self.wrong)
        if not is_it(value):
            self.wrong.append(f"{name}: this state did not come about")
        self.wrong += [f"{name}: {fault.json_path}: {fault.message}" for fault in JUDGE.iter_errors(value)]
        mutilated = 0
        for what, mutant in mutants(value):
            mutilated += 1
            if JUDGE.is_valid(mutant):
                self.wrong.append(f"{name}: passes {what}")
        self.refused += mutilated
        print(f"{name}: {'as the schema says' if len(self.wrong) == before else 'WRONG'}; {mutilated} mutilated outputs", flush=True)


def mutants(value):
    """The output without each required member, and with a foreign one wherever none may be."""
    for path, schema in objects(value, SCHEMA, ()):
        for member in schema.get("required", ()):
            mutant = copy.deepcopy(value)
            del at(mutant, path)[member]
            yield f"without {member} at {path}", mutant
        if schema.get("additionalProperties") is False:
            mutant = copy.deepcopy(value)
            at(mutant, path)["foreign"] = 1
            yield f"with a foreign member at {path}", mutant


def at(value, path):
    for step in path:
        value = value[step]
    return value


def objects(value, schema, path):
    """Each object of an output, and what the schema says of it."""
    if "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    if isinstance(value, dict):
        for choice in schema.get("anyOf", ()):
            yield from objects(value, choice, path)
        yield path, schema
        for name, member in value.items():
            yield from objects(member, schema.get("properties", {}).get(name, {}), (*path, name))
    elif isinstance(value, list):
        for number, member in enumerate(value):
            yield from objects(member, schema.get("items", {}), (*path, number))


def edit(world, device, words):
    """Another note in the first card of a device."""
    card = sorted((world.dir / device).glob("*/contacts/*/*.vcf"))[0]
    text = re.sub(rb"(?m)^NOTE.*\r\n(?: .*\r\n)*", b"", card.read_bytes())
    card.write_bytes(text.replace(b"END:VCARD", f"NOTE:{words}\r\nEND:VCARD".encode()))


def judge_contacts(program, states):
    with World(program, kinds=("contacts", "calendar")) as world:
        world.person = []
        world.use_device("laptop", "phone")
        states.see("never synced, nobody signed in", world, lambda it: it["last_run"] is None and len(it["troubles"]) > 1)
        world.sign_in()
        world.sync()
        states.see("aligned", world, lambda it: it["last_run"]["exit"] == 0 and it["replicas"][0]["collections"] and not it["troubles"])
        edit(world, "laptop", "from the laptop")
        edit(world, "phone", "from the phone")
        world.sync()
        states.see("a conflict", world, lambda it: it["conflicts"] > 0)
        for card in (world.dir / "laptop").glob("*/contacts/*/*.vcf"):
            card.unlink()
        world.run("sync")
        states.see("held", world, lambda it: it["held"] > 0)
        (world.dir / "phone").rename(world.dir / "away")
        world.run("sync")
        states.see("a device is missing", world, lambda it: any(each["device"] and each["trouble"] for each in it["replicas"]))
        (world.dir / "away").rename(world.dir / "phone")
        world.run("logout", "google")
        world.run("sync")
        needs = lambda it: it["troubles"] and any(each["sign_in"] and not each["sign_in"]["ok"] for each in it["replicas"])  # noqa: E731
        states.see("a sign-in is needed", world, needs)


def judge_service(program, states):
    with World(program, "--mails", "3000", kinds=("mail",)) as world:
        world.person = []
        world.use_device("laptop")
        world.sign_in()
        with open(world.dir / "service.log", "ab") as log:
            service = world.start([world.program, "--config", world.config, "daemon"], stdout=log, stderr=log)
        lacks = lambda it: any((each["mail"] or {}).get("lacking") for each in it["replicas"])  # noqa: E731
        try:
            # While the hub is made nothing can look at it.
            took("the hub is there", lambda: world.run("status", "--json")[0])
            took("messages are still to be fetched", lambda: lacks(world.status()))
            states.see("a first sync of mail is under way", world, lambda it: it["service"]["state"] == "running")
            took("the service is at rest", lambda: world.status()["service"]["state"] == "waiting")
            states.see("the service is at rest", world, lambda it: it["service"]["runs"] > 0 and it["service"]["last"])
        finally:
            service.terminate()
            if service.wait(timeout=20) != 0:
                states.wrong.append(f"the service ended with {service.returncode}")


def judge_schema(program):
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    states = States()
    judge_contacts(program, states)
    judge_service(program, states)
    if states.wrong:
        raise SystemExit("\n".join(f"WRONG: {each}" for each in states.wrong))
    print(f"every output is as the schema says; {states.refused} mutilated ones were refused")


if __name__ == "__main__":
    judge_schema(*sys.argv[1:])
