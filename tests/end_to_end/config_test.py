"""Row 19 of the table of failures: whatever is wrong with the configuration, no service starts on it, and the message says where and what."""

import os
import pathlib
import subprocess
import tempfile
import unittest

from home import ROOT, Home

BIN = pathlib.Path(os.environ.get("XUNDIAN_BIN", ROOT / "build" / "release" / "bin"))
SERVICES = ["bus", "metrics", "campaigns", "inventory", "support", "alerts", "intake", "gateway"]


class Row19_ATypoIsRefused(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="xd.", dir="/tmp")
        self.file = pathlib.Path(self.folder.name) / "xundian.toml"
        self.env = {key: value for key, value in os.environ.items() if key == "XUNDIAN_MUTANT" or not key.startswith("XUNDIAN")}

    def tearDown(self):
        self.folder.cleanup()

    def run_service(self, service, *flags):
        return subprocess.run([BIN / f"xundian-{service}", *flags], capture_output=True, text=True, timeout=30, env=self.env, cwd=self.folder.name)

    def check(self, service, text):
        self.file.write_text(text)
        return self.run_service(service, "--config", self.file, "--check")

    def refused(self, service, lines, number, *words):
        done = self.check(service, "\n".join(lines))
        told = done.stdout + done.stderr
        self.assertEqual(2, done.returncode, f"{service} takes {lines[number]}: {told}")
        for word in (f"{self.file}:{number + 1}:", *words):
            self.assertIn(word, told, f"{service}: {lines[number]}")

    def test_every_key_of_every_service(self):
        keys = 0
        for service in SERVICES:
            printed = self.run_service(service, "--print-config")
            self.assertEqual(0, printed.returncode, printed.stderr)
            lines = printed.stdout.splitlines()
            self.assertEqual(0, self.check(service, printed.stdout).returncode, f"{service} refuses what it prints")
            for number, line in enumerate(lines):
                if "=" not in line or line.startswith("#"):
                    continue
                key, value = (part.strip() for part in line.split("=", 1))
                with_line = lambda text: [*lines[:number], text, *lines[number + 1:]]
                misspelt = key[:-1] + ("z" if key[-1] != "z" else "y")
                self.refused(service, with_line(f"{misspelt} = {value}"), number, misspelt, key)
                self.refused(service, with_line(f"{key} = {7 if value.startswith(chr(34)) else chr(34) + 'seven' + chr(34)}"), number, key)
                keys += 1
            self.refused(service, ["[metrix]"], 0, "metrix", "metrics")
            self.assertEqual(2, self.check(service, "[bus\n").returncode)
        print(f"{keys} keys misspelt and mistyped")
        self.assertGreater(keys, 30)

    def test_memory_ahead_of_the_environment(self):
        for wrong in ("many", "-1", "64 MB", "1025", ""):
            self.env["XUNDIAN_MEMORY_AHEAD_MB"] = wrong
            done = self.run_service("metrics", "--check")
            self.assertEqual(2, done.returncode, f"it takes '{wrong}'")
            self.assertIn(f"XUNDIAN_MEMORY_AHEAD_MB={wrong}:", done.stderr)
        self.env["XUNDIAN_MEMORY_AHEAD_MB"] = "64"
        self.assertIn("memory_ahead_mb = 64 ", self.run_service("metrics", "--print-config").stdout)
        self.assertEqual(0, self.check("metrics", "[metrics]\nmemory_ahead_mb = 0\n").returncode)


class Row23_ARuleHoldsFromItsOffsetOn(unittest.TestCase):
    """Rules are facts: what was said before them stands, and a replay from nothing says the same."""

    def level(self, units, at):
        return {"store": "shop", "key": "mug@", "asOfMs": at, "occurredMs": at, "stockLevel": {
            "count": {"sku": "mug", "availableUnits": units, "countedMs": at}, "policy": {"sku": "mug", "reorderPointUnits": 5}}}

    def said(self, home):
        facts = home.json("facts", "--store", "shop", "--kind", "finding")["facts"]
        return [(entry["offset"], entry["fact"]["key"], entry["fact"]["finding"]["terms"].get("holds", False)) for entry in facts]

    def test_before_and_after(self):
        with Home(clock="facts") as home:
            rules = home.folder / "team.toml"
            home.put_facts([self.level(8, 1_762_300_800_000)])
            self.assertEqual([], self.said(home))
            rules.write_text('[[rule]]\nid = "below_reorder_point"\nfire_at = 4\nclear_at = 6\n')
            home.json("rules", "put", rules)
            home.wait_until("the rule speaks", lambda: self.said(home), 20)
            said = self.said(home)
            rule_at = home.json("facts", "--kind", "rule_set")["facts"][0]["offset"]
            self.assertEqual([("below_reorder_point|mug", True)], [entry[1:] for entry in said])
            self.assertGreater(said[0][0], rule_at)
            before = home.json("fingerprint")["services"]
            # From nothing: the snapshots are gone, the journal alone is there.
            home.down()
            for snapshot in (home.home / "snapshots").rglob("*.snapshot"):
                snapshot.unlink()
            home.up()
            self.assertEqual(before, home.json("fingerprint")["services"])
            self.assertEqual(said, self.said(home))


if __name__ == "__main__":
    unittest.main()
