"""Load from wrk, and what it says about it."""

import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

SCRIPT = Path(__file__).with_name("load.lua")
WARM_UP_S = 1
MEASURED_S = 3


@dataclass
class Load:
    per_second: float
    p50_ms: float
    p99_ms: float


def load(url, requests, clients, method="GET", token="", on_core=None):
    """Sends `requests` (paths, or paths with a body) again and again, over kept connections."""
    with tempfile.NamedTemporaryFile("w", suffix=".requests") as file:
        for request in requests:
            path, body = (request, None) if isinstance(request, str) else request
            file.write(path + ("\t" + json.dumps(body) if body else "") + "\n")
        file.flush()

        def run(seconds):
            command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--timeout", "30s"]
            command += ["-s", SCRIPT, url, "--", method, token, file.name]
            if on_core is not None:
                command = ["taskset", "-c", str(on_core), *command]
            said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            return json.loads(said.splitlines()[-1])

        run(WARM_UP_S)
        found = run(MEASURED_S)
    errors = found.pop("errors")
    if errors:
        raise SystemExit(f"{url}: {errors} requests failed, such as {requests[0]}")
    return Load(**found)


def alternate(rounds, *measures):
    """Each measure in turn, several times, so that what else the machine does meets all of them;
    the median of each."""
    results = [[measure() for measure in measures] for _ in range(rounds)]
    return [middle(column) for column in zip(*results)]


def middle(values):
    if isinstance(values[0], Load):
        columns = zip(*((one.per_second, one.p50_ms, one.p99_ms) for one in values))
        return Load(*(median(column) for column in columns))
    return median(values)
