"""A static file and a small page against nginx, both on one core, the load on the other. The page
is rendered for each request; nginx copies it from a file."""

import re
import urllib.request

import table
from load import alternate, load
from servers import FOLDER, Appliance, Nginx

CLIENTS = 32
ROUNDS = 5


def measure(folder):
    table.heading(f"Static files and pages, {CLIENTS} clients, one core")
    copies = FOLDER / "nginx"
    copies.mkdir(exist_ok=True)
    with Appliance(folder, on_core=0) as appliance, Nginx(copies, on_core=0) as nginx:
        page = fetch(appliance, "/sign-in")
        style = re.search(rb'href="(/static/[^"]+\.css)"', page).group(1).decode()
        (copies / "page.html").write_bytes(page)
        (copies / "style.css").write_bytes(fetch(appliance, style))
        pairs = [("style sheet", style, "/style.css"), ("page", "/sign-in", "/page.html")]
        for what, path, copy in pairs:
            ours, theirs = alternate(
                ROUNDS,
                lambda: load(appliance.url, [path], CLIENTS, on_core=1),
                lambda: load(nginx.url, [copy], CLIENTS, on_core=1),
            )
            size = f"{(copies / copy[1:]).stat().st_size / 1024:.1f} KiB"
            pair = (ours.per_second, theirs.per_second, "nginx", table.per_second)
            table.more_is_better(f"{what}, {size}", *pair)
            table.less_is_better(f"{what}, p99", ours.p99_ms, theirs.p99_ms, "nginx", table.ms)


def fetch(server, path):
    with urllib.request.urlopen(server.url + path) as answer:
        return answer.read()
