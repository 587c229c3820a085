"""What the chaos tests share: processes that are started, killed, stopped and waited for; homes of them; ledgers of acknowledgements.

CHAOS_ENGINE says where the journals lie: lmdb, redis (one), or replica (one that has a replica)."""

import ctypes
import http.client
import json
import mmap
import os
import pathlib
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "end_to_end"))

import home as end_to_end

ROOT = end_to_end.ROOT
Failed = end_to_end.Failed
SERVICES = end_to_end.SERVICES
BIN = pathlib.Path(os.environ.get("XUNDIAN_BIN", ROOT / "build" / "release" / "bin"))
os.environ.setdefault("CHAOS_SHIM", str(BIN.parent / "tests" / "chaos" / "libchaos_power_shim.so"))
TOOL = BIN / "chaos_tool"
ENGINE = os.environ.get("CHAOS_ENGINE", "lmdb")
LIBC = ctypes.CDLL(None)

import power  # It needs the path of the shim.


def wait_until(what, condition, seconds=30, pause=0.01, said=lambda: ""):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise Failed(f"not within {seconds} s: {what}\n{said()}")
        time.sleep(pause)


class Process:
    """A child with a log; ended with its test, whatever becomes of that."""

    def __init__(self, arguments, log, env=None, limits=None):
        def limit():
            LIBC.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: a test that is ended from outside leaves nobody behind.
            for name, value in (limits or {}).items():
                resource.setrlimit(getattr(resource, name), (value, value))

        self.log = pathlib.Path(log)
        self.before = self.log.stat().st_size if self.log.exists() else 0
        with open(log, "ab") as file:
            self.child = subprocess.Popen([str(argument) for argument in arguments], stdout=file, stderr=file, stdin=subprocess.DEVNULL,
                                          env=dict(os.environ, **(env or {})), preexec_fn=limit)
        self.pid = self.child.pid

    def said(self):
        """What this life of it wrote."""
        with open(self.log, "rb") as file:
            file.seek(self.before)
            return file.read().decode(errors="replace")

    def alive(self):
        return self.child.poll() is None

    def send(self, number):
        if self.alive():
            os.kill(self.pid, number)

    def wait(self, seconds=30):
        """The exit status, or minus the signal that ended it."""
        try:
            return self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failed(f"process {self.pid} does not end:\n{self.said()}") from None

    def end(self, number=signal.SIGTERM, seconds=30):
        self.send(number)
        self.send(signal.SIGCONT)
        return self.wait(seconds)

    def memory_bytes(self, name="RssAnon"):
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(name + ":"):
                return int(line.split()[1]) * 1024
        return 0


class Ledger:
    """What a producer wrote the moment an acknowledgement came; chaos_tool.cpp has the layout."""

    def __init__(self, path):
        with open(path, "a+b") as file:
            file.truncate(4096)
            self.map = mmap.mmap(file.fileno(), 4096)

    def number(self, index):
        return struct.unpack_from("<Q", self.map, 8 * index)[0]

    acknowledged = property(lambda self: self.number(0))
    offered = property(lambda self: self.number(1))
    refusals = property(lambda self: self.number(2))
    wait_ms_max = property(lambda self: self.number(3) / 1000)

    def pause(self, paused):
        struct.pack_into("<Q", self.map, 32, int(paused))

    def refusal(self):
        return self.map[40:256].split(b"\0")[0].decode(errors="replace")

    def forget_times(self):
        struct.pack_into("<Q", self.map, 24, 0)
        self.map[256:4096] = bytes(3840)

    def latency_ms(self, percent):
        """The upper edge of the bucket that holds this percentile of the acknowledgements."""
        counts = struct.unpack_from("<480Q", self.map, 256)
        wanted = sum(counts) * percent / 100
        for bucket, count in enumerate(counts):
            wanted -= count
            if wanted <= 0 and sum(counts) > 0:
                return 2 ** ((bucket + 1) / 16) / 1000
        return 0.0


class Folder:
    """A temporary folder with its processes."""

    def __init__(self, under="/tmp"):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="xc.", dir=under))
        self.processes = []

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        for process in self.processes:
            if process.alive():
                process.end(signal.SIGKILL)
        if error is not None and os.environ.get("KEEP"):
            print(f"kept: {self.folder}")
            return
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, arguments, log, **options):
        process = Process(arguments, log, **options)
        self.processes = [one for one in self.processes if one.alive()] + [process]
        return process


class Redis:
    """The Redis in which a home's journal lies, as deploy/redis sets it up, and its replica; `run` starts a process with a log."""

    def __init__(self, home, run):
        self.home, self.run, self.servers, self.mended = home, run, {}, 0
        self.log, self.before = home / "redis" / "redis.log", 0
        flags = ["--replica"] if ENGINE == "replica" else []
        subprocess.run([ROOT / "deploy" / "redis", "configure", *flags], env=dict(os.environ, XUNDIAN_HOME=str(home)), check=True, capture_output=True)

    primary = property(lambda self: self.servers.get("redis"))

    def start(self, env=None):
        """Starts who is not there; `env` is for the one that is written to. Returns when that answers, or has ended."""
        self.before = self.log.stat().st_size if self.log.exists() else 0
        for name in ["redis"] + ["redis-replica"] * (ENGINE == "replica"):
            if name not in self.servers or not self.servers[name].alive():
                self.servers[name] = self.run(["redis-server", self.home / name / "redis.conf"], self.home.parent / f"{name}.log",
                                              env=env if name == "redis" else None)
        wait_until("Redis answers", lambda: self.answers() or not self.primary.alive(), said=self.said)
        if not self.primary.alive() and "Bad file format reading the append only file" in self.said():
            self.mend()
            self.start(env)

    def mend(self):
        """What an operator does whose Redis does not start because its file ends in the middle of something."""
        files = sorted((self.home / "redis" / "appendonlydir").glob("*.incr.aof"))
        subprocess.run(["redis-check-aof", "--fix", files[-1]], input="y\n", text=True, check=True, capture_output=True)
        self.mended += 1

    def answers(self):
        password = self.home / "redis" / "password"
        login = f"AUTH {password.read_text().strip()}\r\n" if password.exists() else ""
        try:
            with socket.socket(socket.AF_UNIX) as link:
                link.settimeout(2)
                link.connect(str(self.home / "redis" / "redis.sock"))
                link.sendall(f"{login}PING\r\nQUIT\r\n".encode())
                return b"PONG" in b"".join(iter(lambda: link.recv(1000), b""))
        except OSError:
            return False

    def said(self):
        """What it wrote since it was started last."""
        return self.log.read_bytes()[self.before:].decode(errors="replace") if self.log.exists() else ""

    def end(self, number=signal.SIGTERM):
        for server in self.servers.values():
            server.end(number)


def engine_config():
    return "" if ENGINE == "lmdb" else 'engine = "redis"\nredis_window_bytes = 2_097_152\n'


class Journal(Folder):
    """A bus alone, and producers: the event path without its readers."""

    def __init__(self, under="/tmp", config="volume_bytes = 1_048_576\n", facts=10, fact_bytes=400):
        super().__init__(under)
        self.facts, self.fact_bytes = facts, fact_bytes  # Of a batch; of a fact.
        self.home = self.folder / "home"
        self.config = self.folder / "xundian.toml"
        self.config.write_text("[bus]\n" + engine_config() + config)
        self.bus, self.redis = None, None
        # The disk under what is acknowledged; with Redis the bus has one more, for what it archives.
        self.disk = power.Disk(self.folder, self.folder / "disk")
        self.disks = [self.disk]
        if ENGINE != "lmdb":
            self.redis = Redis(self.home, self.run)
            self.disk = power.Disk(self.home / "redis", self.folder / "redis.disk")
            self.disks.append(self.disk)

    # Whose disk that is.
    keeper = property(lambda self: self.redis.primary if self.redis else self.bus)

    def start_redis(self, bad_disk=True):
        if self.redis:
            self.redis.start(self.disk.env() if bad_disk else None)

    def whole(self):
        """Everything lives on which an acknowledgement hangs."""
        return self.bus.alive() and self.keeper.alive()

    def power_off(self):
        """Kills whatever has a disk; how the bus ended."""
        if self.redis:
            self.redis.primary.end(signal.SIGKILL)
        return self.bus.end(signal.SIGKILL)

    def cut(self, dice):
        return sum(disk.cut(dice) for disk in self.disks)

    def said(self):
        return self.bus.said() + (self.redis.said() if self.redis else "")

    def start_bus(self, bad_disk=True, limits=None, env=None, wait=True):
        self.start_redis(bad_disk)
        env = dict(env or {}, **(self.disks[0].env() if bad_disk else {}))
        self.bus = self.run([BIN / "xundian-bus", "--home", self.home, "--config", self.config], self.folder / "bus.log", env=env, limits=limits)
        if wait:
            wait_until("the bus is up", lambda: "bus_started" in self.bus.said() or not self.bus.alive(), said=self.bus.said)
            if not self.bus.alive():
                raise Failed(f"the bus ended with {self.bus.wait()}: {self.bus.said()}")
        return self.bus

    def produce(self, partition, **options):
        name = options.pop("name", f"chaos/{partition}")
        settings = dict(home=self.home, name=name, partition=partition, ledger=self.ledger_path(partition), facts=self.facts, bytes=self.fact_bytes)
        settings.update(options)
        flags = [part for key, value in settings.items() for part in (f"--{key.replace('_', '-')}", value)]
        return self.run([TOOL, "produce", *flags], self.folder / f"producer.{partition}.log", env={"XUNDIAN_LOG": "debug"})

    def ledger_path(self, partition):
        return self.folder / f"ledger.{partition}"

    def ledger(self, partition):
        return Ledger(self.ledger_path(partition))

    def check(self):
        """What the journal holds of each partition, read by a process of its own."""
        asks = ["--bus", "1"] if self.redis and self.bus.alive() else []
        done = subprocess.run([TOOL, "check", "--home", self.home, "--bytes", str(self.fact_bytes), *asks], capture_output=True, text=True,
                              timeout=60)
        if done.returncode not in (0, 1):
            return {"whole": False, "partitions": {}, "why": f"reading it ended with {done.returncode}"}
        return dict(json.loads(done.stdout), why=done.stderr.strip())

    def verify(self):
        """The records that `xundian verify` calls bad."""
        done = subprocess.run([BIN / "xundian", "verify", "--json"], env=dict(os.environ, XUNDIAN_HOME=str(self.home)), capture_output=True,
                              text=True, timeout=60)
        try:
            return json.loads(done.stdout)["bad"]
        except (ValueError, KeyError):
            return [f"verify ended with {done.returncode}: {done.stderr}"]

    def losses(self, acknowledged):
        """What is wrong with the journal, given how many batches each partition's producer saw acknowledged; empty = nothing."""
        found = self.check()
        wrong = [] if found["whole"] else [f"the journal cannot be read: {found['why']}"]
        for partition, batches in acknowledged.items():
            there = found["partitions"].get(str(partition), {"facts": 0, "wrong": 0})
            if there["wrong"]:
                wrong.append(f"partition {partition}: {there['wrong']} facts are not those that were put")
            if there["facts"] < batches * self.facts:
                wrong.append(f"partition {partition}: {batches * self.facts} facts were acknowledged, {there['facts']} are there")
        if not self.redis or self.bus.alive():  # What lies in Redis is verified through the bus.
            wrong += [f"verify: {bad}" for bad in self.verify()]
        return wrong


class Services(end_to_end.Home):
    """A whole home whose processes are this test's own children: each may have an environment, a limit and a death of its own."""

    def __init__(self, clock="wall", config="", under=None):
        super().__init__(clock, engine_config() + config)
        if under is not None:
            self.home = pathlib.Path(under) / "home"
            self.env["XUNDIAN_HOME"] = str(self.home)
        self.running = {}
        self.service_env = {}
        self.redis = None if ENGINE == "lmdb" else Redis(self.home, Process)

    def __enter__(self):
        return self

    def up(self, *flags):
        if self.redis:
            self.redis.start()
        for service in SERVICES:
            self.start(service)
        self.wait_healthy()

    def wait_healthy(self, seconds=60):
        self.wait_until("healthy", self.healthy, seconds)

    def start(self, service, program=None, env=None, limits=None):
        (self.home / "logs").mkdir(parents=True, exist_ok=True)
        os.chmod(self.home, 0o700)
        env = dict(self.env, **(self.service_env.get(service, {}) if env is None else env))
        self.running[service] = Process([program or BIN / f"xundian-{service}", "--home", self.home], self.home / "logs" / f"{service}.log",
                                        env=env, limits=limits)
        return self.running[service]

    def stop(self, service, number=signal.SIGTERM):
        return self.running[service].end(number)

    def down(self):
        """The bus last: what the others still have to say is taken."""
        others = [process for name, process in self.running.items() if name != "bus"]
        for group in (others, [self.running[name] for name in self.running if name == "bus"]):
            for number in (signal.SIGTERM, signal.SIGKILL):
                for process in group:
                    process.send(number)
                    process.send(signal.SIGCONT)
                for process in group:
                    try:
                        process.wait(20)
                    except Failed:
                        pass
        if self.redis:
            self.redis.end()

    def __exit__(self, kind, error, trace):
        self.down()
        if error is not None and os.environ.get("KEEP"):
            print(f"kept: {self.home}")
            return
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, *args, timeout=120, stdin=None):
        done = subprocess.run([BIN / "xundian", *map(str, args)], env=self.env, capture_output=True, text=True, timeout=timeout, input=stdin)
        return done.returncode, done.stdout, done.stderr

    def healthy(self):
        status, answer = self.status()
        return status == 200 and answer.get("healthy", False)

    def status(self):
        try:
            return self.call("GetStatus", {}, timeout=10)
        except (OSError, ValueError):
            return 0, {}

    def ask(self, method, request, timeout_ms):
        """A call that wants its answer within so long."""
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token()}", "Connect-Timeout-Ms": str(timeout_ms)}
        connection = http.client.HTTPConnection(self.http, timeout=60)
        try:
            connection.request("POST", f"/xundian.gateway.v1.GatewayService/{method}", json.dumps(request), headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def service_status(self, name):
        return next((service for service in self.status()[1].get("services", []) if service["name"] == name), {})

    def fingerprints(self):
        status, answer = self.call("GetFingerprint", {}, timeout=60)
        if status != 200:
            raise Failed(f"GetFingerprint: {status} {answer}")
        return answer["services"]

    def settle(self):
        status, answer = self.call("WaitFolded", {"settled": True}, timeout=60)
        if status != 200:
            raise Failed(f"WaitFolded: {status} {answer}")

    def produce(self, partition, **options):
        """Load: stock levels of a tenant of their own."""
        settings = dict(home=self.home, name=f"chaos/{partition}", partition=partition, ledger=self.folder / f"ledger.{partition}", facts=10)
        settings.update(options)
        flags = [part for key, value in settings.items() for part in (f"--{key.replace('_', '-')}", value)]
        self.running[f"producer.{partition}"] = Process([TOOL, "produce", *flags], self.folder / f"producer.{partition}.log", env=self.env)
        return self.running[f"producer.{partition}"]

    def ledger(self, partition):
        return Ledger(self.folder / f"ledger.{partition}")

    def alerts(self):
        return [alert for state in ("pending", "firing", "resolved") for alert in self.json("alerts", "list", "--state", state)["alerts"]]


def store_fact(name, now):
    return {"store": name, "key": name, "asOfMs": str(now), "occurredMs": str(now), "storeState": {
        "identity": {"platform": "tmall"}, "settings": {"currencyCode": "CNY", "timeZone": "Asia/Shanghai"}}}


def stock_fact(store, sku, units, at, policy=False):
    level = {"count": {"sku": sku, "availableUnits": str(units), "countedMs": str(at)}}
    if policy:
        level["policy"] = {"sku": sku, "reorderPointUnits": "10"}
    return {"store": store, "key": f"{sku}@", "asOfMs": str(at), "occurredMs": str(at), "source": "test", "stockLevel": level}


def in_namespace():
    """Runs this program again in a mount namespace of its own, where a small disk can be made; False if it is in one already."""
    if os.environ.get("CHAOS_NAMESPACE"):
        return False
    flags = ["-m"] if os.geteuid() == 0 else ["-rm"]
    done = subprocess.run(["unshare", *flags, sys.executable, *sys.argv], env=dict(os.environ, CHAOS_NAMESPACE="1"))
    sys.exit(done.returncode)


def small_disk(test, folder, megabytes):
    """A tmpfs on `folder`; the test fails where that is not permitted."""
    pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "chaos", str(folder)], capture_output=True, text=True)
    if done.returncode != 0:
        test.fail(f"a small disk cannot be mounted here: {done.stderr.strip()}; it takes root, or a user namespace")
    test.addCleanup(subprocess.run, ["umount", "--lazy", str(folder)])


def main():
    unittest.main(verbosity=2)
