"""xundian bench prints its object, every leg counted what was said, and nothing of it is left behind."""

import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time
import unittest

BIN = pathlib.Path(os.environ["XUNDIAN_BIN"])
PEERS = ["straight", "redis_always", "zeromq_echo", "lmdb_raw", "raw_file"]  # Compared by facts a second.
ALWAYS = [*PEERS, "prometheus"]
SERVICES = ["metrics", "campaigns", "inventory", "support", "alerts", "intake"]


def bench(folder, *flags, **how):
    return subprocess.Popen([BIN / "xundian", "bench", *flags], env=dict(os.environ, TMPDIR=str(folder)), text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, **how)


def processes_that_know(folder):
    """Ids of processes whose command line names the folder."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and str(folder) in (entry / "cmdline").read_text(errors="replace"):
                found.append(entry.name)
        except OSError:
            pass
    return found


class Running(unittest.TestCase):
    def setUp(self):
        self.temp = tempfile.TemporaryDirectory(prefix="xd.", dir=os.environ.get("TMPDIR", "/tmp"))
        self.folder = pathlib.Path(self.temp.name)
        self.addCleanup(self.temp.cleanup)

    def check_nothing_left(self):
        self.assertEqual([], list(self.folder.iterdir()))
        self.assertEqual([], processes_that_know(self.folder))

    def check_figures(self, figures, *names):
        for name in names:
            self.assertGreater(figures[name], 0, name)
        low, high = figures["ranges"]["facts_per_s"]
        self.assertTrue(low <= figures["facts_per_s"] <= high)
        self.assertEqual(0, figures["facts"] % 1)


class Bench(Running):
    def test_object(self):
        running = bench(self.folder, "--secs", "1", "--rounds", "1", "--json")
        out, err = running.communicate(timeout=240)
        self.assertEqual(0, running.returncode, err)  # A leg that lost or doubled anything ends the bench with 1.
        self.assertEqual(1, out.count("\n"))
        told = json.loads(out)
        self.assertEqual(["machine", "ours", "peers", "ratio", "ratio_range"], list(told))
        for name in ("cpus", "model", "memory_gb", "kernel", "filesystem", "fdatasync_p50_us", "fdatasync_p99_us", "settings", "durability"):
            self.assertTrue(told["machine"][name], name)
        self.assertEqual(["ours", *ALWAYS], list(told["machine"]["durability"]))
        self.check_figures(told["ours"], "facts_per_s", "ack_p50_us", "ack_p99_us", "ack_one_batch_p50_us", "single_facts_per_s", "single_p99_us",
                           "shared_facts_per_s", "shared_p50_us", "shared_p99_us",
                           "alert_p50_us", "alert_p99_us", "alert_busy_p50_us", "alert_busy_p99_us", "alert_busy_beside_facts_per_s", "rule_checks_per_s",
                           "rule_facts_per_s", "overview_store_per_s", "overview_store_p50_us",
                           "overview_store_p99_us", "overview_beside_facts_per_s", "report_ms", "start_empty_ms", "replay_facts_per_s",
                           "start_snapshot_ms", "snapshot_facts", "snapshot_skus")
        self.assertLess({"overview_per_s", "overview_p50_us", "overview_p99_us"}, set(told["ours"]))
        self.assertLess(set(SERVICES) | {"bus"}, set(told["ours"]["cpu_us_per_fact"]))
        self.assertEqual(ALWAYS, list(told["peers"]))
        for peer in PEERS:
            self.check_figures(told["peers"][peer], "facts_per_s", "ack_p50_us", "ack_p99_us", "secs")
            ours = told["ours"]["single_facts_per_s" if peer in ("redis_always", "zeromq_echo") else "facts_per_s"]
            self.assertAlmostEqual(1, told["ratio"][peer] / (ours / told["peers"][peer]["facts_per_s"]), delta=0.05)
        for load in ("busy", "full"):
            self.check_figures(told["peers"]["straight"], *(f"alert_{load}_{figure}" for figure in ("p50_us", "p99_us", "beside_facts_per_s")))
        self.assertGreater(told["peers"]["redis_always"]["aof_reload_entries_per_s"], 0)
        self.assertGreater(told["peers"]["redis_always"]["sku_hash_bytes"], 0)
        self.check_prometheus(told)
        self.check_nothing_left()

    def check_prometheus(self, told):
        for name in ("prometheus", "alertmanager"):
            self.assertRegex(told["machine"]["settings"][name], r"^\d+\.\d+")
        ours, theirs = told["ours"], told["peers"]["prometheus"]
        for name in ("alert_p50_us", "alert_p99_us", "rule_checks_per_s", "one_rule_checks_per_s", "secs"):
            self.assertGreater(theirs[name], 0, name)
        self.assertLessEqual(theirs["alert_p50_us"], theirs["alert_p99_us"])
        self.assertGreaterEqual(theirs["alerts"], 8)
        for name, ratio in (("prometheus", theirs["alert_p50_us"] / ours["alert_p50_us"]),
                            ("prometheus.alert_p99_us", theirs["alert_p99_us"] / ours["alert_p99_us"]),
                            ("prometheus.rule_checks_per_s", ours["rule_checks_per_s"] / theirs["rule_checks_per_s"]),
                            ("prometheus.one_rule_checks_per_s", ours["rule_checks_per_s"] / theirs["one_rule_checks_per_s"])):
            self.assertAlmostEqual(1, told["ratio"][name] / ratio, delta=0.05)

    def test_interrupted_it_cleans_up(self):
        running = bench(self.folder, "--secs", "3", "--rounds", "9")
        # Its first leg works once the journal is there.
        end = time.monotonic() + 60
        while not list(self.folder.glob("*/home/journal/*")) and time.monotonic() < end and running.poll() is None:
            time.sleep(0.02)
        self.assertIsNone(running.poll())
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
        self.assertEqual((1, ""), (running.returncode, out))
        self.assertIn("interrupted", err)
        self.check_nothing_left()

    def test_wrong_use(self):
        for flags, said in ((["--peers", "oracle"], "oracle"), (["--secs", "none"], "none"), (["more"], "more"), (["--stores", "3"], "3 stores"),
                            (["--stores", "1002"], "1002")):
            running = bench(self.folder, *flags)
            out, err = running.communicate(timeout=60)
            self.assertEqual((2, ""), (running.returncode, out))
            self.assertIn(said, err)
        running = bench(self.folder, "--help")
        out, _ = running.communicate(timeout=60)
        self.assertEqual(0, running.returncode)
        self.assertIn("examples:", out)
        for peer in [*ALWAYS, "grpc_empty", "postgresql", "clickhouse"]:
            self.assertIn(peer, out)


class Peers(Running):
    def test_peers_by_name(self):
        self.folder.chmod(0o711)  # PostgreSQL refuses root: its user must come to what the bench gives it.
        running = bench(self.folder, "--secs", "1", "--rounds", "1", "--stores", "500", "--json",
                        "--peers", "grpc_empty,postgresql,clickhouse")
        out, err = running.communicate(timeout=240)
        self.assertEqual(0, running.returncode, err)
        told = json.loads(out)
        peers = told["peers"]
        self.assertEqual(["grpc_empty", "postgresql", "clickhouse"], list(peers))
        self.assertEqual(("500", "2000"), tuple(told["machine"]["settings"][name] for name in ("stores", "skus_of_store")))
        for name in ("unary_per_s", "unary_p50_us", "unary_p99_us"):
            self.assertGreater(peers["grpc_empty"][name], 0, name)
        # It is asked of as much as ours; seven facts of ten say something of orders, and rows are of those.
        self.assertAlmostEqual(0.7, peers["postgresql"]["rows"] / told["ours"]["overview_of_facts"], delta=0.02)
        self.assertGreater(peers["postgresql"]["store_dashboard_at_rest_p50_us"], 0)
        for peer in ("postgresql", "clickhouse"):
            self.check_figures(peers[peer], "facts_per_s", "ack_p50_us", "ack_p99_us", "rows", "store_dashboard_per_s", "store_dashboard_p50_us")
            self.assertTrue(told["machine"]["settings"][peer])
            times = peers[peer]["report_ms"] / told["ours"]["report_ms"]
            self.assertAlmostEqual(1, told["ratio"][f"{peer}.report_ms"] / times, delta=0.05)
        self.check_nothing_left()


if __name__ == "__main__":
    unittest.main()
