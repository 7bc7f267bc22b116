"""The program against two providers that were written from their documentation alone (`stranger/`), over mail.

    python3 stranger.py PROGRAM [--stories first,killed,rounds,weather,storm] [--seeds 1-3] [--rounds N] [--deeds N]
                                [--only p_move,d_copy] [--let-in NAME,NAME] [--lag S] [--jobs N]

first    a first sync writes nothing and reads each message once; both devices are exactly what the providers have; the next run writes nothing
killed   the same with three kills, but for how often a message is read
rounds   after each round of deeds at providers and devices one run, and all places have what they must; the next two write nothing
weather  the same deeds while 15 of 100 requests fail: in the end, when none fails any more, all is as if nothing had been
storm    the same, and three runs of each round are killed

`--let-in all`, or names of `stranger/model.py` (KNOWN_RED), tries what is known to go wrong as well. A failure prints the command that repeats
it: the deeds are the same again, but which request fails, and where a kill falls, may differ.
"""

import argparse
import concurrent.futures
import sys
import time

import post
from stranger import deeds
from stranger.model import KNOWN_RED, GmailModel, GraphModel
from stranger.stage import Stage, Wrong

# How many of 100 requests fail in bad weather, and how many runs may be needed afterwards.
TROUBLE, MOST_RUNS = 0.15, 12
# Messages at each provider.
MANY, FEW = 160, 60


def first_sync(seed, args, kills=0):
    with Stage(args.program, seed, MANY) as stage:
        stage.sign_in()
        for _ in range(kills):
            stage.kill(0.6)
        for _ in range(6):
            out, code = stage.run("sync")
            if code != 0 or not stage.wrong():
                break
        if code != 0:
            stage.stop(f"sync ended with {code}: {out[-600:]} {stage.words[-1200:]}")
        wrong = stage.misread()[:5] + stage.wrong()
        wrong += [f"a first sync sent {line}" for line in stage.writes()]
        # A kill loses what came in the last second, and these come in the first one: then nothing is claimed of how often a message was read.
        again = sum(count - 1 for provider in (stage.gmail, stage.graph) for count in provider.reads.values())
        if again and not kills:
            wrong.append(f"{again} messages were read again")
        before = len(stage.server.log)
        out, code = stage.run("sync")
        if code != 0 or stage.writes():
            wrong.append(f"the second run ended with {code}, writes: {stage.writes()}")
        return wrong, f"{before} requests, then {len(stage.server.log) - before}; {stage.whims}"


def killed(seed, args):
    return first_sync(seed, args, kills=3)


def rounds(seed, args):
    with Stage(args.program, seed, FEW) as stage:
        models = begun(stage, args, args.let_in)
        # A write that is refused for now takes another run, which is no subject here.
        stage.whims.lag_s, stage.whims.batch_troubles = args.lag, False
        for turn in range(args.rounds):
            act(stage, models, args)
            time.sleep(args.lag)
            if wrong := one_run(stage, models) or quiet_runs(stage, models, args.lag):
                return after(turn, stage, models, wrong)
        return stage.misread()[:5], f"{args.rounds} rounds, {len(stage.writes())} writes; {stage.whims}"


def one_run(stage, models):
    out, code = stage.run("sync")
    return stage.bad_end(out, code) + unlike(models, "after one run")


def quiet_runs(stage, models, lag_s):
    wrong, before = [], len(stage.writes())
    for wait_s in (0, lag_s):
        time.sleep(wait_s)
        out, code = stage.run("sync")
        wrong += stage.bad_end(out, code) + [f"the next run sent {line}" for line in stage.writes()[before:]] + unlike(models, "after the next run")
    return wrong


def weather(seed, args, kills=0):
    with Stage(args.program, seed, FEW) as stage:
        models = begun(stage, args, args.let_in)
        for turn in range(args.rounds):
            act(stage, models, args)
            stage.whims.trouble = TROUBLE
            for _ in range(kills):
                stage.kill(1.0)
            for _ in range(2):
                stage.run("sync")
            stage.whims.trouble = 0.0
            if wrong := stage.until_quiet(MOST_RUNS) + unlike(models, "when all is quiet"):
                return after(turn, stage, models, wrong)
        return stage.misread()[:5], f"{args.rounds} rounds, {len(stage.writes())} writes; {stage.whims}"


def storm(seed, args):
    return weather(seed, args, kills=3)


def begun(stage, args, let_in):
    """Models of both accounts, after a first sync that is over."""
    stage.sign_in()
    wrong = stage.until_quiet(5) + stage.wrong()
    if wrong:
        stage.stop(f"the first sync: {wrong[:5]}")
    return [GmailModel(stage, let_in), GraphModel(stage, let_in)]


def act(stage, models, args):
    for model in models:
        deeds.do(model, args.deeds, args.only)
    stage.pass_time()


def unlike(models, words):
    return [line for model in models for line in model.differences(words)]


def after(turn, stage, models, wrong):
    """A story that ends here: what was done in this round, and what is wrong after it."""
    done = [line for model in models for line in model.done]
    return [f"round {turn + 1}: {line}" for line in done + stage.misread()[:5] + wrong], None


STORIES = {"first": first_sync, "killed": killed, "rounds": rounds, "weather": weather, "storm": storm}


def tell(story, seed, args):
    """What is wrong with a story, each line with how to repeat it, and what is told of a good one."""
    begun_s = time.monotonic()
    try:
        wrong, told = STORIES[story](seed, args)
    except Wrong as error:
        wrong, told = [str(error)], None
    if wrong:
        wrong.append(f"repeat: {repeat(story, seed, args)}")
    return [f"{story}, seed {seed}: {line}" for line in wrong], f"{story}, seed {seed}, {time.monotonic() - begun_s:.0f} s: {told}"


def repeat(story, seed, args):
    said = [f"--{name} {','.join(sorted(value))}" for name, value in (("only", args.only), ("let-in", args.let_in)) if value]
    said += [f"--lag {args.lag}"] if args.lag else []
    said += [f"--rounds {args.rounds} --deeds {args.deeds}"] if story not in ("first", "killed") else []
    return " ".join([f"python3 {sys.argv[0]} {args.program} --stories {story} --seeds {seed}", *said])


def names(known):
    def read(text):
        chosen = set(known) if text == "all" else set(text.split(","))
        if chosen - set(known):
            raise argparse.ArgumentTypeError(f"{', '.join(sorted(chosen - set(known)))}: there are {', '.join(known)}")
        return chosen
    return read


def numbers(text):
    """`3`, `1,2,5` or `1-7`."""
    return [number for part in text.split(",") for number in range(int(part.partition("-")[0]), int(part.rpartition("-")[2]) + 1)]


def arguments():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("program")
    parser.add_argument("--stories", type=names(STORIES), default=set(STORIES))
    parser.add_argument("--seeds", type=numbers, default=[1, 2, 3])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--deeds", type=int, default=8)
    parser.add_argument("--only", type=names(deeds.DEEDS), default=set())
    parser.add_argument("--let-in", type=names(KNOWN_RED), default=set())
    parser.add_argument("--lag", type=float, default=0.0)
    # A run mostly waits.
    parser.add_argument("--jobs", type=int, default=8)
    return parser.parse_args()


def judge(args):
    wrong = []
    with concurrent.futures.ProcessPoolExecutor(args.jobs) as pool:
        told = [pool.submit(tell, story, seed, args) for seed in args.seeds for story in STORIES if story in args.stories]
        for each in concurrent.futures.as_completed(told):
            bad, words = each.result()
            print(words if not bad else bad[-1], flush=True)
            wrong += bad
    post.verdict(wrong, "the program and the strangers have the same")


if __name__ == "__main__":
    judge(arguments())
