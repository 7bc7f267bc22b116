"""What a real Prometheus makes of the service's metrics, of the alert rules, and of the queries of the dashboard.

    python prometheus.py PROGRAM        (prometheus and promtool are on the path; no package is needed)
"""

import json
import pathlib
import socket
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request

from service import Service, require, soon
from world import World

MONITORING = pathlib.Path(__file__).resolve().parents[2] / "systemd" / "monitoring"


class Prometheus:
    """A Prometheus that scrapes a service every second under the alert rules."""

    def __init__(self, world, service):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.base = "http://127.0.0.1:%s" % free.getsockname()[1]
        target = service.address.removeprefix("http://").rstrip("/")
        config = world.dir / "prometheus.yml"
        config.write_text(json.dumps({
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(MONITORING / "twofold.rules.yml")],
            "scrape_configs": [{"job_name": "twofold", "static_configs": [{"targets": [target]}]}],
        }))
        subprocess.run(["promtool", "check", "config", config], check=True, stdout=subprocess.DEVNULL)
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={world.dir}/prometheus",
             f"--web.listen-address={self.base.removeprefix('http://')}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def get(self, path, **query):
        """What its interface answers; nothing where it does not answer yet."""
        try:
            with urllib.request.urlopen(f"{self.base}/api/v1/{path}?{urllib.parse.urlencode(query)}") as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            if error.code == 503:
                return None
            raise SystemExit(f"WRONG: {query}: {error.read().decode()}") from error
        except OSError:
            return None

    def values(self, query):
        """The samples of a query: labels and value."""
        found = self.get("query", query=query)
        return [(row["metric"], float(row["value"][1])) for row in found["result"]] if found else []


def judge_metrics(service):
    """What Prometheus' own tool says of the text; it has nothing to say of a good one."""
    with urllib.request.urlopen(service.address + "metrics") as answer:
        text = answer.read()
    judged = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True)
    require(judged.returncode == 0 and not judged.stdout + judged.stderr, f"promtool: {judged.stdout + judged.stderr}")
    return text.count(b"# TYPE ")


def queries():
    """Each query of the dashboard, with what Grafana would put in."""
    board = json.loads((MONITORING / "grafana.json").read_text())
    for panel in board["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"].replace("$instance", ".*").replace("$__rate_interval", "1m")


def judge_rules():
    for words in (["check", "rules", "twofold.rules.yml"], ["test", "rules", "twofold.rules.test.yml"]):
        judged = subprocess.run(["promtool", *words], cwd=MONITORING, capture_output=True, text=True)
        require(judged.returncode == 0, f"promtool {' '.join(words)}: {judged.stdout}{judged.stderr}")


def judge_prometheus(program):
    judge_rules()
    with World(program) as world:
        world.use_device("laptop")
        world.sign_in()
        world.sync()
        with Service(world) as service, Prometheus(world, service) as prometheus:
            soon("it is scraped", lambda: [value for _, value in prometheus.values('up{job="twofold"}')] == [1])
            soon("runs are counted", lambda: sum(value for _, value in prometheus.values('twofold_runs_total{exit="0"}')) > 1)
            families = judge_metrics(service)
            require([value for _, value in prometheus.values("twofold_healthy")] == [1], "all is well")
            # No provider of the sandbox says when a sign-in ends. A rate needs two samples.
            silent = lambda: [title for title, query in queries() if not prometheus.values(query)]
            soon("each panel has a value", lambda: silent() == ["Sign-ins end in"])
            groups = prometheus.get("rules")["groups"]
            rules = [rule for group in groups for rule in group["rules"]]
            wrong = [rule["name"] for rule in rules if rule["health"] != "ok" or rule["state"] != "inactive"]
            require(len(rules) > 5 and not wrong, f"rules that do not work, or fire though all is well: {wrong}")
            world.control("end_sign_ins", provider="google", end="revoked", access_too=True)
            name = "TwofoldSignInNeeded"
            soon("an alert", lambda: [labels["alertstate"] for labels, _ in prometheus.values(f'ALERTS{{alertname="{name}"}}')] == ["pending"])
    print(f"Prometheus reads {families} families of metrics, {len(rules)} rules and {len(list(queries()))} queries of the dashboard")


if __name__ == "__main__":
    judge_prometheus(*sys.argv[1:])
