"""A fact costs as many instructions as instructions.tsv says, give or take a tenth: in each fold, and in the bus.

usage: guard_test.py [--update]     XUNDIAN_BIN: the folder of the release build's programs

Instructions do not hang on what else the machine does, so a tenth is a change of the code (or of the compiler). One that is meant
goes into the table with --update, and the commit that makes it says why.
"""

import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

BIN = pathlib.Path(os.environ.get("XUNDIAN_BIN", pathlib.Path(__file__).resolve().parents[2] / "build/release/bin"))
TABLE = pathlib.Path(__file__).with_name("instructions.tsv")
# By their names in the table, how fold_bench is called. Of two stores' campaigns each has its part of many reports a day.
CALLS = {
    "inventory": ["inventory"],
    "metrics": ["metrics"],
    "support": ["support"],
    "campaigns": ["campaigns"],
    "campaigns_of_two_stores": ["--stores", "2", "campaigns"],
    "bus": ["bus"],
}
COUNTED = ["xundian::bench::fold_commit(*", "xundian::bench::put_batch(*"]
FACTS = 20_000
TOLERANCE = 0.1
UPDATE = "XUNDIAN_BIN=build/release/bin python3 tests/bench/guard_test.py --update"


def instructions_of_a_fact(service):
    with tempfile.TemporaryDirectory(prefix="xd.") as folder:
        out = pathlib.Path(folder) / "counts"
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", *(f"--toggle-collect={name}" for name in COUNTED),
                   BIN / "fold_bench", "--facts", str(FACTS), "--repeat", "1", *CALLS[service]]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=240)
        total = re.search(r"^totals: (\d+)", out.read_text(), re.M) if out.exists() else None
        if done.returncode != 0 or total is None or int(total[1]) == 0:
            sys.exit(f"{service}: nothing was counted; is one of {COUNTED} inlined or renamed?\n{done.stdout}")
        return int(total[1]) / FACTS


def read_table():
    rows = [line.split("\t") for line in TABLE.read_text().splitlines()[1:]]
    return {service: float(count) for service, count in rows}


def write_table(counted):
    TABLE.write_text("service\tinstructions_of_a_fact\n" + "".join(f"{service}\t{count:.0f}\n" for service, count in counted.items()))


def complaint(service, count, held):
    change = count / held - 1
    if change > TOLERANCE:
        return f"{service} takes {change:.0%} more instructions a fact than the table says. If that is meant: {UPDATE}"
    if change < -TOLERANCE:
        return f"{service} takes {-change:.0%} fewer: update the table, it got faster: {UPDATE}"
    return None


def main():
    if shutil.which("valgrind") is None:
        sys.exit("valgrind is not there; tests/run installs it")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        counted = dict(zip(CALLS, pool.map(instructions_of_a_fact, CALLS)))
    if sys.argv[1:] == ["--update"]:
        write_table(counted)
    elif sys.argv[1:]:
        sys.exit(__doc__)
    table = read_table()
    if list(table) != list(CALLS):
        sys.exit(f"{TABLE.name} is to name {list(CALLS)}: {UPDATE}")
    for service, count in counted.items():
        print(f"{service:<24} {count:8.0f} instructions a fact, {count / table[service] - 1:+.1%} of {table[service]:.0f}")
    complaints = [found for service, count in counted.items() if (found := complaint(service, count, table[service]))]
    sys.exit("\n".join(complaints) or 0)


if __name__ == "__main__":
    main()
