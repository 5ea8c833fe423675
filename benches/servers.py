"""The servers that are measured: each from its start to its end, on a free port of this machine."""

import json
import os
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

TARGET = Path(os.environ.get("CARGO_TARGET_DIR", "target"))
FOLDER = TARGET / "benches"
# Another build, to see whether the measures themselves work.
APPLIANCE = Path(os.environ.get("BENCH_PROGRAM", TARGET / "dist" / "appliance"))
PASSWORD = "a tall green kettle"
START_S_MAX = 120


class Server:
    def __init__(self, command, port, health, environment=None, on_core=None):
        self.command = [str(part) for part in command]
        if on_core is not None:
            self.command = ["taskset", "-c", str(on_core), *self.command]
        self.url = f"http://127.0.0.1:{port}"
        self.port, self.health, self.environment = port, health, environment or {}
        self.process, self.start_ms = None, None

    def __enter__(self):
        begin = time.perf_counter()
        log = open(FOLDER / "servers.log", "ab")
        self.process = subprocess.Popen(
            self.command, stdout=log, stderr=log, env={**os.environ, **self.environment}
        )
        while not self.answers():
            if self.process.poll() is not None or time.perf_counter() - begin > START_S_MAX:
                raise SystemExit(f"{self.command[0]} does not start: see {log.name}")
            time.sleep(0.001)
        self.start_ms = (time.perf_counter() - begin) * 1e3
        return self

    def __exit__(self, *_):
        self.end(signal.SIGTERM)

    def end(self, how):
        self.process.send_signal(how)
        self.process.wait()

    def answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
                head = f"GET {self.health} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
                connection.sendall(head.encode())
                return connection.recv(12).endswith(b" 200")
        except OSError:
            return False

    def memory_mib(self, field="VmRSS"):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith(field + ":"))
        return int(line.split()[1]) / 1024

    def ask(self, path, body=None, method=None, token=""):
        """The JSON that this address answers."""
        request = urllib.request.Request(self.url + path, method=method)
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(request) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as fault:
            raise SystemExit(f"{path} answered {fault.code}: {fault.read().decode()}")


class Memory:
    """The most that a process held while something went on, apart from the files it looked at."""

    def __init__(self, server):
        self.server, self.most_mib, self.is_over = server, 0, threading.Event()
        self.thread = threading.Thread(target=self.look)

    def __enter__(self):
        self.before_mib = self.server.memory_mib("RssAnon")
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        self.thread.join()

    def look(self):
        while not self.is_over.wait(0.1):
            self.most_mib = max(self.most_mib, self.server.memory_mib("RssAnon"))

    def grown_mib(self):
        return max(0, self.most_mib - self.before_mib)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Appliance(Server):
    name = "Appliance"

    def __init__(self, folder, on_core=None):
        port = free_port()
        environment = {
            "APPLIANCE_DATA": str(folder / "data"),
            "APPLIANCE_LISTEN": f"127.0.0.1:{port}",
        }
        super().__init__([APPLIANCE, "serve"], port, "/healthz", environment, on_core)

    def sign_in(self, user):
        answer = self.ask("/api/login", {"username": user, "password": PASSWORD})
        return answer["access_token"]


class Nginx(Server):
    name = "nginx"

    def __init__(self, folder, on_core=None):
        port = free_port()
        configuration = folder / "nginx.conf"
        configuration.write_text(
            f"""
            user root;
            worker_processes {1 if on_core is not None else "auto"};
            pid {folder.absolute()}/nginx.pid;
            error_log {folder.absolute()}/error.log;
            events {{ worker_connections 1024; }}
            http {{
              include /etc/nginx/mime.types;
              sendfile on;
              tcp_nopush on;
              keepalive_requests 1000000;
              access_log {folder.absolute()}/access.log;
              server {{ listen 127.0.0.1:{port}; root {folder.absolute()}; }}
            }}
            """
        )
        (folder / "health").write_text("ok\n")
        command = ["nginx", "-c", configuration.absolute(), "-g", "daemon off;"]
        super().__init__(command, port, "/health", None, on_core)


class PocketBase(Server):
    name = "PocketBase"

    def __init__(self, folder):
        port = free_port()
        at = ["--dir", folder / "pocketbase", f"--http=127.0.0.1:{port}"]
        super().__init__([self.program(), "serve", *at], port, "/api/health")

    @staticmethod
    def program():
        return FOLDER / "python" / "bin" / "pocketbase"

    def sign_in(self, user, collection="users"):
        credentials = {"identity": f"{user}@example.com", "password": PASSWORD}
        path = f"/api/collections/{collection}/auth-with-password"
        return self.ask(path, credentials)["token"]
