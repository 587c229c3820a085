"""A whole home under stress: a full disk, a slow service, a fact that kills, clocks that lie, snapshots that are damaged."""

import datetime
import glob
import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
import unittest

import chaos
import power
from chaos import Services, stock_fact, store_fact, wait_until


class Row07_AFullDiskRefusesAndRecoversAlone(unittest.TestCase):
    def test(self):
        mount = self.enterContext(chaos.Folder()).folder / "disk"
        chaos.small_disk(self, mount, 48)
        with Services(under=mount, config="credit_bytes = 4_194_304\nvolume_bytes = 4_194_304\n") as home:
            filler = mount / "filler"
            filler.write_bytes(bytes(20 << 20))
            home.up()
            now = int(time.time() * 1000)
            home.put_facts([store_fact("s1", now), stock_fact("s1", "mug", 3, now, policy=True)])
            home.settle()
            producer = home.produce(1, bytes=4000, window=100)
            ledger = home.ledger(1)
            bus = home.running["bus"]
            wait_until("the disk is refused", lambda: "% full" in ledger.refusal() or not bus.alive(), 60, said=bus.said)
            self.assertTrue(bus.alive(), bus.said())
            self.assertIn("disk_filling", bus.said())
            used = shutil.disk_usage(mount)
            print(f"refused at {100 * used.used / used.total:.1f} %: {ledger.refusal()}")
            self.assertLess(used.used / used.total, 0.97)
            # Reads and queries go on; so does what the folds say.
            self.assertTrue(home.healthy())
            self.assertEqual(["below_reorder_point"], [alert["rule"] for alert in home.json("alerts", "list")["alerts"]])
            status, answer = home.ask("PutFacts", {"facts": [stock_fact("s1", "mug", 2, now + 1)]}, 2_000)
            self.assertEqual((429, "resource_exhausted"), (status, answer.get("code")), answer)
            self.assertIn("full", answer["message"])
            before = ledger.acknowledged
            filler.unlink()
            freed = time.monotonic()
            wait_until("it goes on alone", lambda: ledger.acknowledged > before + 20, 20, said=bus.said)
            print(f"goes on {1000 * (time.monotonic() - freed):.0f} ms after there is room")
            producer.end()
            home.put_facts([stock_fact("s1", "mug", 40, now + 2)])
            home.settle()
            self.assertEqual([], home.json("verify")["bad"])
            found = subprocess.run([chaos.TOOL, "check", "--home", home.home, "--bytes", "4000"], capture_output=True, text=True, check=True)
            self.assertIn(f'"facts": {ledger.acknowledged * 10}, "wrong": 0', found.stdout)


class Row09_ASlowServiceSlowsNobodyElse(unittest.TestCase):
    def test(self):
        with Services() as home:
            home.up()
            producers = [home.produce(partition, window=20, facts=200, bytes=50, every_us=10_000) for partition in (1, 2)]
            ledgers = [home.ledger(partition) for partition in (1, 2)]
            count = lambda: sum(ledger.acknowledged for ledger in ledgers) * 200
            wait_until("the load runs", lambda: count() > 10_000)
            for ledger in ledgers:
                ledger.forget_times()
            victim = home.running["inventory"]
            victim.send(signal.SIGSTOP)
            stopped, before = time.monotonic(), count()
            seen = []
            while time.monotonic() < stopped + 2:
                answer = home.status()[1]
                seen.append(answer)
                for service in answer.get("services", []):
                    if service["name"] not in ("inventory", "bus", "gateway"):
                        self.assertTrue(service.get("healthy"), service)
                        self.assertLess(int(service.get("lagFacts", 0)), 20_000, service)
            during = count() - before
            self.assertTrue(all("inventory" in answer.get("missing", []) and not answer.get("healthy") for answer in seen), "nobody says that it stands still")
            lags = []
            for again in range(5):  # It may have caught up before it is asked; then it stands still once more.
                if again:
                    victim.send(signal.SIGSTOP)
                    before_it = count()
                    wait_until("it lags", lambda: count() > before_it + 80_000)
                victim.send(signal.SIGCONT)
                resumed, lag = time.monotonic(), None
                while lag is None or lag > 5_000:
                    self.assertLess(time.monotonic(), resumed + 20, f"it does not catch up: {lags}")
                    service = home.service_status("inventory")
                    if service.get("healthy"):
                        lag = int(service.get("lagFacts", 0))
                        lags.append(lag)
                caught_up = time.monotonic() - resumed
                if max(lags) > 10_000:
                    break
            latency = max(ledger.latency_ms(99) for ledger in ledgers)
            print(f"{during} facts acknowledged in 2 s beside it, p99 {latency:.0f} ms; then it lagged {max(lags)} facts and had caught up after {caught_up:.2f} s")
            self.assertGreater(max(lags), 10_000, "nobody sees how far it lags")
            self.assertGreater(during, 10_000)
            self.assertLess(latency, 1_000)
            for producer in producers:
                self.assertEqual(0, producer.end())
            home.settle()
            self.assertEqual(0, int(home.service_status("inventory").get("lagFacts", 0)))


class Row11_AFactThatKillsIsPutAside(unittest.TestCase):
    """A fold with a bug dies of one fact; after the third time that fact is skipped, people are told, and all the rest is folded."""

    def test(self):
        with Services() as home:
            home.up()
            now = int(time.time() * 1000)
            poison = dict(stock_fact("s1", "cup", 5, now), key="poison")
            home.put_facts([store_fact("s1", now), stock_fact("s1", "mug", 3, now, policy=True)])
            fold = home.start("poison", chaos.BIN / "chaos_poison_fold")
            wait_until("it folds", lambda: "replay_started" in fold.said(), said=fold.said)
            home.put_facts([poison, stock_fact("s1", "mug", 2, now + 1)])
            crashes = 0
            wait_until("it dies", lambda: not fold.alive(), said=fold.said)
            while not fold.alive():
                crashes += 1
                self.assertEqual(-signal.SIGABRT, fold.wait())
                self.assertLess(crashes, 4, "it dies again and again")
                fold = home.start("poison", chaos.BIN / "chaos_poison_fold")
                wait_until("it dies or folds on", lambda: not fold.alive() or "fact_quarantined" in fold.said(), said=fold.said)
            self.assertEqual(3, crashes)
            self.assertIn("fact_quarantined", fold.said())
            told = lambda: [alert for alert in home.alerts() if alert["rule"] == "fact_skipped"]
            wait_until("people are told", told, 20, 0.1, fold.said)
            self.assertEqual(1, len(told()))
            self.assertIn("poison cannot fold fact", told()[0]["text_en"])
            # The rest flows, in this fold and in all others; another life does not stumble again.
            home.put_facts([stock_fact("s1", "mug", 1, now + 2)])
            home.settle()
            self.assertEqual(0, home.stop("poison"))
            again = home.start("poison", chaos.BIN / "chaos_poison_fold")
            wait_until("it starts", lambda: "replay_started" in again.said(), said=again.said)
            self.assertEqual(0, home.stop("poison"), again.said())
            self.assertEqual(1, len(told()))
            self.assertEqual([0] * 6, [int(home.service_status(name).get("skipped", 0)) for name in ("metrics", "campaigns", "inventory", "support", "alerts", "intake")])


class Row12_ClocksThatLieChangeNothing(unittest.TestCase):
    day_s = 86_400

    def setUp(self):
        found = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
        self.assertTrue(found, "libfaketime is not installed; tests/run installs it")
        self.library = found[0]

    def lying(self, home, service):
        """Its clock is what a file says, now and later."""
        path = home.folder / f"clock.{service}"
        path.write_text("+0\n")
        home.service_env[service] = {"LD_PRELOAD": self.library, "FAKETIME_TIMESTAMP_FILE": str(path), "FAKETIME_NO_CACHE": "1",
                                     "DONT_FAKE_MONOTONIC": "1"}
        return path

    def step(self, path, seconds):
        draft = path.with_suffix(".new")
        draft.write_text(f"{seconds:+d}\n")
        os.rename(draft, path)

    def facts(self, round):
        base = 1_700_000_000_000 + round * 3_600_000
        return [store_fact("s1", base)] + [stock_fact("s1", f"sku{index}", (index + round) % 20, base + index, policy=True) for index in range(40)] + [
            {"store": "s1", "key": f"tmall/{index}", "asOfMs": str(base + index), "occurredMs": str(base + index), "source": "test",
             "orderState": {"placed": {"createdMs": str(base + index), "buyer": str(index % 7)}, "paid": {"paidMs": str(base + index), "amountMicros": str(1_000_000 * (index + round))}}}
            for index in range(30)]

    def test_under_the_facts_clock(self):
        """The same facts, once with true clocks and once with every clock a day off, some stepping: the same numbers."""
        outcomes = []
        for lies in (False, True):
            with Services(clock="facts") as home:
                clocks = {service: self.lying(home, service) for service in ("bus", "metrics", "inventory", "alerts")} if lies else {}
                for service, path in clocks.items():
                    self.step(path, -self.day_s if service == "inventory" else self.day_s)
                home.up()
                for round in range(6):
                    home.put_facts(self.facts(round))
                    for service, path in clocks.items():
                        self.step(path, (self.day_s, -self.day_s, 0)[round % 3])
                home.settle()
                # All that an alert says, times too; but for the offset of its cause, which is chance.
                outcomes.append((home.fingerprints(), sorted(json.dumps(dict(alert, cause=0)) for alert in home.alerts())))
        self.assertEqual(outcomes[0], outcomes[1])
        self.assertTrue(outcomes[0][1], "no alert at all: this shows little")

    def test_under_the_wall_clock(self):
        """The bus's clock steps a day ahead and back, a service's is a day late: time in the journal never steps back, and a replay by true
        clocks gives the same numbers."""
        with Services() as home:
            bus, late = self.lying(home, "bus"), self.lying(home, "inventory")
            self.step(late, -self.day_s)
            made = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
            home.up()
            for round, seconds in enumerate((0, self.day_s, -self.day_s, 3_600, 0)):
                self.step(bus, seconds)
                home.put_facts(self.facts(round))
            home.settle()
            live = home.fingerprints()
            self.assertGreaterEqual(min(alert["since"] for alert in home.alerts()), made, "an alert bears the time of the service's own clock")
            found = subprocess.run([chaos.TOOL, "check", "--home", home.home], capture_output=True, text=True, check=True)
            self.assertNotRegex(found.stdout, r'"backward": [1-9]')
            home.down()
            shutil.rmtree(home.home / "snapshots")
            home.service_env = {}
            home.up()
            self.assertEqual(live, home.fingerprints())


class Row24_ADamagedSnapshotIsPassedOver(unittest.TestCase):
    def test(self):
        dice = power.dice_of("snapshots")
        with Services(config="[inventory]\nsnapshot_facts = 1000\n") as home:
            home.up()
            folder = home.home / "snapshots" / "inventory.0"
            snapshots = lambda: sorted(folder.glob("*.snapshot"))
            pressing = 120  # Batches of 100 facts: more than eight times as many as ask for a snapshot in a calm, so it waits for none.
            self.assertEqual(0, home.produce(1, bytes=100, facts=100, until=40).wait(60))
            wait_until("a snapshot in a calm", lambda: len(snapshots()) == 1)
            for part in range(1, 4):
                self.assertEqual(0, home.produce(1, bytes=100, facts=100, until=40 + part * pressing).wait(60))
                home.settle()
                wait_until("a snapshot", lambda: len(snapshots()) >= min(part + 1, 3))
            true = home.fingerprints()

            def restarted():
                process = home.start("inventory")
                home.wait_healthy()
                home.settle()
                self.assertEqual(true, home.fingerprints())
                return process

            def go_on(batches):
                self.assertEqual(0, home.produce(1, bytes=100, facts=100, until=home.ledger(1).acknowledged + batches).wait(60))

            def damage(path, how):
                whole = bytearray(path.read_bytes())
                if how == "bit":
                    whole[dice.randrange(len(whole))] ^= 1 << dice.randrange(8)
                path.write_bytes({"bit": whole, "cut": whole[:dice.randrange(len(whole))], "empty": b"", "noise": dice.randbytes(len(whole))}[how])

            for how in ("bit", "cut", "empty", "noise", "bit"):
                home.stop("inventory")
                damage(snapshots()[-1], how)
                process = restarted()
                said = process.said()
                self.assertIn("snapshot_passed_over", said, how)
                self.assertIn("replay_started service=inventory.0 snapshot=true", said, how)
                last = snapshots()[-1]
                for more in (1, 2):  # One is written at a time, beside the loop.
                    go_on(pressing)
                    home.settle()
                    # Twenty times as long as one took passes before the next: on a disk that stalls for two seconds, 40.
                    wait_until("one more snapshot", lambda: len([path for path in snapshots() if path > last]) >= more, 60, said=process.said)
                true = home.fingerprints()
            home.stop("inventory")
            for path in snapshots():
                damage(path, "bit")
            self.assertIn("replay_started service=inventory.0 snapshot=false", restarted().said())
            # Killed at every step of writing one, and what was not synced is lost by chance.
            disk = power.Disk(home.home / "snapshots", home.folder / "disk")
            kills = 0
            for operation in range(1, 6):
                for after in (0, 1):
                    home.stop("inventory", signal.SIGKILL)
                    disk.reset(kill_at=operation, kill_after=after)
                    victim = home.start("inventory", env=disk.env())
                    go_on(pressing)
                    wait_until("the service dies while a thread of it writes one", lambda: not victim.alive(), 20, said=victim.said)
                    self.assertNotIn("snapshot_written", victim.said())
                    kills += 1
                    home.stop("inventory", signal.SIGKILL)
                    disk.cut(dice)
                    home.start("inventory")
                    home.wait_healthy()
                    home.settle()
            print(f"{kills} kills inside a snapshot")
            self.assertEqual(10, kills)
            true = home.fingerprints()
            home.stop("inventory")
            shutil.rmtree(folder)
            self.assertIn("snapshot=false", restarted().said())


def put_in_inventorys_place(home, reads):
    """A service that knows nothing yet, and whose work of that kind a pipe holds up; the pipe, and what tells its children."""
    gate = home.folder / "gate"
    os.mkfifo(gate)
    home.stop("inventory")
    shutil.rmtree(home.home / "snapshots" / "inventory.0", ignore_errors=True)
    fold = home.start("inventory", chaos.BIN / "chaos_poison_fold", env={"CHAOS_SERVICE": "inventory", reads: str(gate)})
    return fold, gate, lambda: pathlib.Path(f"/proc/{fold.pid}/task/{fold.pid}/children").read_text().split()


class ALoadEndsASnapshotThatBeganInACalm(unittest.TestCase):
    """Its child runs only where a processor rests: beside a load that leaves none it would live on, and each page that the
    service changes be copied first. So it is given up, and made anew once there is a calm again."""

    def test(self):
        with Services(config="[inventory]\nsnapshot_facts = 2000\n") as home:
            home.up()
            fold, gate, children = put_in_inventorys_place(home, "CHAOS_SAVE_READS")
            snapshots = lambda: list((home.home / "snapshots" / "inventory.0").glob("*.snapshot"))
            wait_until("it folds", lambda: "replay_started" in fold.said(), said=fold.said)
            self.assertEqual(0, home.produce(1, bytes=100, facts=100, until=40).wait(60))  # Too few to be pressing.
            wait_until("a child in a calm", children, said=fold.said)
            self.assertEqual(0, home.produce(1, bytes=100, facts=100, until=60).wait(60))  # Fewer than ask for one.
            wait_until("it is given up", lambda: "snapshot_given_up service=inventory.0" in fold.said(), said=fold.said)
            wait_until("and ends", lambda: not children(), said=fold.said)
            self.assertEqual([], snapshots())
            gate.unlink()
            gate.touch()
            wait_until("one in the calm that follows", snapshots, said=fold.said)
            self.assertNotIn("snapshot_failed", fold.said())
            self.assertEqual(0, home.stop("inventory"), fold.said())


class ALongQuestionKeepsNoFoldFromItsFacts(unittest.TestCase):
    """A child answers it, from the state as it stood: what is known to take long, and what is found to."""

    def question(self, home, method):
        asker = self.enterContext(socket.socket(socket.AF_UNIX))
        asker.settimeout(30)
        asker.connect(str(home.home / "run" / "inventory.0.query"))
        asker.sendall(struct.pack("<II", 4 + len(method), len(method)) + method)
        return asker

    def test(self):
        with Services() as home:
            home.up()
            fold, gate, children = put_in_inventorys_place(home, "CHAOS_ANSWER_READS")
            self.assertEqual(0, home.produce(1, bytes=100, facts=100, until=10).wait(60))
            home.settle()
            for until, method in [(20, b"GetFingerprint"), (30, b"Much")]:
                asker = self.question(home, method)
                wait_until("a child answers", children, said=fold.said)
                self.assertEqual(0, home.produce(1, bytes=100, facts=100, until=until).wait(60))
                home.settle()  # What came meanwhile is folded.
                self.assertEqual(1, len(children()), fold.said())
                with open(gate, "w") as told:
                    told.write("go on")
                length, code = struct.unpack("<II", asker.recv(8, socket.MSG_WAITALL))
                self.assertEqual((0, True), (code, length > 4), fold.said())
                wait_until("its child has ended", lambda: not children(), said=fold.said)
            self.assertEqual(0, home.stop("inventory"), fold.said())


if __name__ == "__main__":
    if not any(argument.startswith("Row") and not argument.startswith("Row07") for argument in sys.argv[1:]):
        chaos.in_namespace()
    chaos.main()
