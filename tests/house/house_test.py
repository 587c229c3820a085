"""The house keeps its rules: layers, README tables, a scenario on both sides of every threshold, proofs of the catalogue."""

import csv
import pathlib
import re
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDS = ["metrics", "campaigns", "inventory", "support", "alerts", "intake"]
JUDGES = ["metrics", "campaigns", "inventory", "support"]
README = (ROOT / "README.md").read_text()


def table(heading):
    section = README.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line.startswith("|")]
    return rows[2:]


def tracked(*patterns):
    return subprocess.run(["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()


class House(unittest.TestCase):
    def test_readme_names_every_fact(self):
        proto = (ROOT / "proto/xundian/facts/v1/fact.proto").read_text().split("oneof fact {")[1]
        facts = re.findall(r"^\s+\w+ (\w+) = (\d+);", proto, re.M)
        self.assertEqual([list(fact) for fact in facts], [row[:2] for row in table("Facts")])

    def test_readme_says_who_folds_what(self):
        wrong = []
        for name, _, folders in table("Facts"):
            if name in ("tick", "store_state", "alert_state", "import_state"):
                continue  # All, as time; all; a stream; intake by way of everything outside.
            kind = "kTick" if name == "tick" else "k" + "".join(part.capitalize() for part in name.split("_"))
            for service in ["metrics", "campaigns", "inventory", "support", "alerts"]:
                files = [ROOT / path for path in tracked(f"services/{service}/*.cpp", f"services/{service}/*.h")]
                used = any(re.search(rf"(case|==) v1::Fact::{kind}\b", path.read_text()) for path in files)
                if used != (service in re.split(r", ", folders)):
                    wrong.append(f"{name}: {service} {'folds' if used else 'does not fold'} it")
        self.assertEqual([], wrong)

    def test_readme_paths_exist(self):
        paths = re.findall(r"`((?:services|common|proto|tests|deploy)/[\w./-]*)`", README)
        self.assertEqual([], [path for path in paths if not (ROOT / path).exists()])
        services = {row[0] for row in table("Services")}
        self.assertEqual(services, {path.name for path in (ROOT / "services").iterdir() if path.is_dir()})

    def test_core_files_know_no_world(self):
        allowed = re.compile(r'#include (<(?!zmq|grpc|curl|httplib|thread|mutex|random|iostream|fstream|filesystem)[\w./]+>'
                             r'|"(services/\w+/[\w/]+\.h|xundian/\w+/v1/\w+\.pb\.h'
                             r'|common/(service|rules|stores|orders_ahead|ahead|time|money|version|fact_view|hash|mix_hash|prefetch|shared|things|timers|bytes|batch|error)\.h)")')
        words = re.compile(r"\b(system_clock|steady_clock|wall_ms|steady_ms|sleep_for|mutex|std::thread|getenv|std::rand)\b")
        wrong = []
        for service in JUDGES + ["alerts"]:
            for room in ("state.h", "fold.cpp", "rules.cpp"):
                path = ROOT / "services" / service / room
                for number, line in enumerate(path.read_text().splitlines(), 1):
                    if line.startswith("#include") and not allowed.match(line) or words.search(line.split("//")[0]):
                        wrong.append(f"{path.relative_to(ROOT)}:{number}: {line}")
        self.assertEqual([], wrong)

    def test_every_rule_has_a_scenario_on_both_sides(self):
        missing = []
        for service in JUDGES:
            text = (ROOT / f"services/{service}/rules.cpp").read_text()
            rules = set(re.findall(r'\.id = "(\w+)"', text)) | {name for name in re.findall(r'\b(\w+) = "\1"', text)}
            self.assertGreaterEqual(len(rules), 2, service)
            for rule in rules:
                path = ROOT / f"tests/scenarios/{service}/{rule}.txt"
                text = path.read_text() if path.exists() else ""
                for side in ("holds", "clears"):
                    if not re.search(rf"^{rule} .* {side} ", text, re.M):
                        missing.append(f"{service}/{rule}: {side}")
                if "----\n\n" not in text and not text.endswith("----\n"):
                    missing.append(f"{service}/{rule}: a block in which nothing is said")
        self.assertEqual([], missing)

    def test_catalogue_proofs_exist(self):
        with open(ROOT / "tests/catalogue.tsv", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
        self.assertTrue(rows)
        for row in rows:
            path = ROOT / row["proof"]
            self.assertTrue(path.exists(), row)
            self.assertRegex(path.read_text(), rf"\b{row['id']}\b", f"{row['proof']} does not name {row['id']}")

    def test_nothing_speaks_of_elsewhere(self):
        wrong = []
        for name in tracked():
            path = ROOT / name
            if path.suffix in (".json", ".md", ".h", ".cpp", ".proto", ".py", ".toml", ".txt", ""):
                text = path.read_text(errors="replace")
                if re.search(r"/wo" r"rk/|registry\.npm|TO" r"DO|FIX" r"ME", text):
                    wrong.append(name)
        self.assertEqual([], wrong)


class Failures(unittest.TestCase):
    def test_every_row_of_the_table_has_a_test(self):
        readme = (ROOT / "README.md").read_text()
        rows = re.findall(r"^\| (\d\d) \| ", readme[readme.index("## What fails"):readme.index("## Decisions")], re.M)
        self.assertEqual([f"{row:02}" for row in range(1, 27)], rows)
        named = set()
        for path in [*ROOT.glob("tests/*/*.cpp"), *ROOT.glob("tests/*/*_test.py")]:
            named |= set(re.findall(r"\b(?:Limit_)?Row(\d\d)_\w+", path.read_text()))
        self.assertEqual([], sorted(set(rows) - named), "rows without a test named after them")


if __name__ == "__main__":
    unittest.main()
