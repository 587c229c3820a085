"""A home of its own for a test: services as deploy/up starts them, ports of their own, all gone afterwards."""

import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = pathlib.Path(os.environ.get("XUNDIAN_DATA", ROOT.parent / "shared" / "data"))
SERVICES = ["bus", "metrics", "campaigns", "inventory", "support", "alerts", "intake", "gateway"]


def needs_data(test):
    return unittest.skipUnless(DATA.is_dir(), f"there is no folder {DATA}")(test)


def free_port():
    """Below those that the system hands out, for connections too: one of another test's must not come between this and its use."""
    for port in random.sample(range(10_000, 32_000), 100):
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise Failed("of 100 ports none is free")


class Failed(Exception):
    pass


class Home:
    def __init__(self, clock="wall", config=""):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="xd.", dir="/tmp"))
        self.home = self.folder / "home"
        self.http = f"127.0.0.1:{free_port()}"
        self.grpc = f"127.0.0.1:{free_port()}"
        config_file = self.folder / "xundian.toml"
        config_file.write_text(f'[bus]\nclock = "{clock}"\n{config}')
        self.env = dict(os.environ, XUNDIAN_HOME=str(self.home), XUNDIAN_HTTP=self.http, XUNDIAN_GRPC=self.grpc,
                        XUNDIAN_CONFIG=str(config_file))

    def __enter__(self):
        self.up()
        return self

    def __exit__(self, kind, error, trace):
        if error is not None and os.environ.get("KEEP"):
            print(f"kept: {self.home}")
            subprocess.run([ROOT / "deploy" / "down"], env=self.env, capture_output=True)
            return
        self.down()
        shutil.rmtree(self.folder, ignore_errors=True)

    def up(self, *flags):
        done = subprocess.run([ROOT / "deploy" / "up", "--no-build", *flags], env=self.env, capture_output=True, text=True, timeout=120)
        if done.returncode != 0:
            raise Failed(done.stdout + done.stderr + self.logs())
        return done.stdout

    def down(self):
        subprocess.run([ROOT / "deploy" / "down"], env=self.env, check=True, capture_output=True, timeout=60)

    def logs(self):
        return "\n".join(f"{path.name}: {path.read_text(errors='replace')[-2000:]}" for path in (self.home / "logs").glob("*.log"))

    def run(self, *args, timeout=600, stdin=None):
        """The command line; (exit status, standard output, standard error)."""
        done = subprocess.run([ROOT / "deploy" / "xundian", *map(str, args)], env=self.env, capture_output=True, text=True,
                              timeout=timeout, input=stdin)
        return done.returncode, done.stdout, done.stderr

    def json(self, *args, status=0, timeout=600):
        code, out, err = self.run(*args, "--json", timeout=timeout)
        if code != status:
            raise Failed(f"xundian {' '.join(map(str, args))}: exit {code}, expected {status}\n{out}{err}")
        return json.loads(out)

    def metrics(self, metrics, first, last, **options):
        flags = [flag for name, value in options.items() for flag in (f"--{name}", value)]
        answer = self.json("metrics", "--metric", ",".join(metrics), "--from", first, "--to", last, *flags)
        if answer["missing"]:
            raise Failed(f"missing: {answer['missing']}")
        return answer["rows"]

    def token(self):
        return (self.home / "admin.token").read_text().strip()

    def call(self, method, request, token=None, timeout=30):
        """A unary call as plain curl makes it; (HTTP status, answer)."""
        import urllib.error
        import urllib.request
        headers = {"Content-Type": "application/json"}
        if token != "":
            headers["Authorization"] = f"Bearer {token or self.token()}"
        body = urllib.request.Request(f"http://{self.http}/xundian.gateway.v1.GatewayService/{method}", json.dumps(request).encode(), headers)
        try:
            with urllib.request.urlopen(body, timeout=timeout) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"{}")

    def put_facts(self, facts):
        status, answer = self.call("PutFacts", {"facts": facts})
        if status != 200:
            raise Failed(f"PutFacts: {status} {answer}")
        return answer

    def pid(self, service):
        done = subprocess.run(["supervisorctl", "-c", self.home / "run" / "supervisord.conf", "pid", service], env=self.env,
                              capture_output=True, text=True)
        return int(done.stdout) if done.stdout.strip().isdigit() else 0

    def kill(self, service):
        """kill -9; the supervisor starts it again. Returns whether there was something to kill."""
        pid = self.pid(service)
        if pid <= 0:
            return False
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True

    def wait_until(self, what, condition, seconds=60):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise Failed(f"not within {seconds} s: {what}\n{self.logs()}")
            time.sleep(0.05)

    def healthy(self):
        code, out, _ = self.run("status", "--json", timeout=30)
        return code == 0 and json.loads(out)["healthy"]
