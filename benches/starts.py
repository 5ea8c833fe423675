"""From the start of the process to its first answer, and the memory it holds when nobody asks."""

import signal
import time

import table
from load import alternate
from servers import Appliance, PocketBase

ROUNDS = 5
REST_S = 10


def measure(folder, documents):
    table.heading(f"Start and rest with {documents:,} documents")
    for how, name in [(signal.SIGTERM, "a clean stop"), (signal.SIGKILL, "kill -9")]:
        ours, theirs = alternate(
            ROUNDS, lambda: start(Appliance(folder), how), lambda: start(PocketBase(folder), how)
        )
        what = f"start to first answer after {name}"
        table.less_is_better(what, ours, theirs, "PocketBase", table.ms)
    with Appliance(folder) as appliance, PocketBase(folder) as pocketbase:
        time.sleep(REST_S)
        ours, theirs = appliance.memory_mib(), pocketbase.memory_mib()
        table.less_is_better("memory at rest", ours, theirs, "PocketBase", table.mib)
        table.alone("of that, not in files", table.mib(appliance.memory_mib("RssAnon")))


def start(server, how):
    """Milliseconds of a start that follows an end like this."""
    with server:
        server.end(how)
    with server:
        return server.start_ms
