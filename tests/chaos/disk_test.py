"""Bad disks under a journal: the power goes, a sync fails, the disk is full, slow, or forgets a bit."""

import os
import random
import re
import signal
import subprocess
import time
import unittest

import chaos
import power
from chaos import Failed, Journal, wait_until


class PowerCuts(unittest.TestCase):
    """A journal on a disk whose power is cut again and again, two producers that do not give up, and a ledger that no cut reaches."""

    def storm(self, seed, rounds, swallow=0):
        """Returns what was lost (empty = nothing) and how many writes and names were at stake in all cuts."""
        dice = power.dice_of("storm", seed)
        stake, recovery_ms = 0, []
        with Journal(fact_bytes=1500) as journal:
            journal.start_bus()
            journal.disk.set(swallow_sync=swallow)
            producers = {partition: journal.produce(partition, window=8, every_us=1500) for partition in (1, 2)}
            ledgers = {partition: journal.ledger(partition) for partition in producers}
            for cut in range(rounds):
                # Half the cuts fall at an operation of the disk, many of those into the recovery; half wherever the bus happens to be.
                if cut % 2 == 0:
                    wait_until("it dies", lambda: not journal.whole() or self.stuck(journal), 20, said=journal.said)
                else:
                    wanted = sum(ledger.acknowledged for ledger in ledgers.values()) + dice.randrange(1, 60)
                    wait_until("acknowledgements", lambda: sum(ledger.acknowledged for ledger in ledgers.values()) >= wanted or not journal.whole(), 20,
                               0.001, journal.said)
                ended = journal.power_off()
                self.assertTrue(ended == -signal.SIGKILL or swallow, f"seed {seed} cut {cut}: the bus ended with {ended}: {journal.said()}")
                recovery_ms += map(float, re.findall(r"recovery_ms=([0-9.]+)", journal.bus.said()))
                acknowledged = {partition: ledger.acknowledged for partition, ledger in ledgers.items()}
                stake += journal.cut(dice)
                if journal.redis:
                    for ledger in ledgers.values():
                        ledger.pause(True)
                    if cut % 3 == 0:  # And again inside the recovery.
                        journal.disk.set(swallow_sync=swallow, kill_at=journal.disk.get("operations") + dice.randrange(1, 3),
                                         kill_after=dice.randrange(2))
                        journal.start_bus(wait=False)
                        wait_until("it dies", lambda: not journal.whole(), 20, 0.001, journal.said)
                        journal.power_off()
                        stake += journal.cut(dice)
                    journal.start_bus()  # Which part of it counts only the bus can tell.
                lost = journal.losses(acknowledged)
                lost += [producer.said()[-300:] for producer in producers.values() if not producer.alive()]
                for ledger in ledgers.values():
                    ledger.pause(False)
                if lost:
                    return [f"seed {seed} cut {cut}: {what}" for what in lost], stake
                journal.disk.set(swallow_sync=swallow)
                if cut % 2 == 1:
                    journal.disk.set(kill_at=journal.disk.get("operations") + dice.randrange(1, 60), kill_after=dice.randrange(2))
                if not journal.redis:
                    journal.start_bus(wait=False)
            journal.disk.set(kill_at=0)
            lost = self.finish(journal, producers, ledgers)
            print(f"seed {seed}: {rounds} cuts, {stake} unsynced writes and names at stake, "
                  f"{sum(ledger.acknowledged for ledger in ledgers.values()) * journal.facts} facts acknowledged, "
                  f"recovery at most {max(recovery_ms):.0f} ms" + (f"; Redis's own file mended {journal.redis.mended} times" if journal.redis else ""))
            return lost, stake

    def stuck(self, journal):
        """The operation at which it dies came before it was set: it lives on."""
        return journal.disk.get("kill_at") == 0 and "bus_started" in journal.bus.said()

    def finish(self, journal, producers, ledgers):
        if not journal.whole():
            journal.power_off()
            journal.start_bus()
        for producer in producers.values():
            producer.send(signal.SIGTERM)
        ended = [producer.wait(60) for producer in producers.values()]
        lost = [f"the producers ended with {ended}"] if any(ended) else []
        lost += journal.losses({partition: ledger.acknowledged for partition, ledger in ledgers.items()})
        there = {partition: found["facts"] for partition, found in journal.check()["partitions"].items()}
        if there != {str(partition): ledger.acknowledged * journal.facts for partition, ledger in ledgers.items()}:
            lost.append(f"all was acknowledged in the end, and there are {there}")
        self.assertEqual(0, journal.bus.end())
        return lost


class Row04_PowerCutLosesNothingAcknowledged(PowerCuts):
    def test(self):
        for seed in map(int, os.environ.get("SEED", "1,2,3" if chaos.ENGINE == "lmdb" else "1").split(",")):
            lost, stake = self.storm(seed, int(os.environ.get("ROUNDS", 40)))
            self.assertEqual([], lost)
            self.assertGreater(stake, 40, "hardly anything was unsynced when the power went: this shows nothing")


class Row04_ADiskThatOnlySaysItSyncedIsCaught(PowerCuts):
    """The mutants "no sync" of either kind: this suite must see the loss."""

    def caught(self, swallow):
        for seed in range(1, 6):
            try:
                lost, _ = self.storm(seed, 12, swallow)
            except (Failed, AssertionError) as failed:  # The bus cannot start on what is left.
                lost = [str(failed)[:300]]
            if lost:
                print(f"caught: {lost[0]}")
                return True
        return False

    def test_fdatasync(self):
        self.assertTrue(self.caught(1))

    @unittest.skipUnless(chaos.ENGINE == "lmdb", "Redis knows one kind of sync")
    def test_durable_meta_write(self):
        self.assertTrue(self.caught(2))


class Row05_AWriteThatFailsEndsTheBusAndLosesNothing(PowerCuts):
    def test(self):
        dice = power.dice_of("faults")
        with Journal() as journal:
            journal.start_bus()
            producers = {partition: journal.produce(partition, window=8, every_us=1500) for partition in (1, 2)}
            ledgers = {partition: journal.ledger(partition) for partition in producers}
            # A short write Redis goes on with itself.
            faults = ["fail_sync_at", "space"] if journal.redis else ["fail_sync_at", "short_write_at", "space"]
            for round, fault in enumerate(faults * 5):
                at_start = round // len(faults) == 3
                if not at_start:
                    wanted = sum(ledger.acknowledged for ledger in ledgers.values()) + 10
                    wait_until("acknowledgements", lambda: sum(ledger.acknowledged for ledger in ledgers.values()) >= wanted, said=journal.bus.said)
                counter = {"fail_sync_at": "syncs", "short_write_at": "writes", "space": "bytes"}[fault]
                ahead = dice.randrange(1, 200_000) if fault == "space" else dice.randrange(1, 8)
                if at_start:  # The very first operations of the next life.
                    journal.power_off()
                    journal.cut(dice)
                    journal.disk.set(**{fault: 1})
                    journal.start_bus(wait=False)
                else:
                    journal.disk.set(**{fault: journal.disk.get(counter) + ahead})
                status = journal.keeper.wait()
                self.assertGreater(journal.disk.get("injected"), 0)
                self.assertEqual(1, status, f"{fault}: {journal.said()}")
                if journal.redis:  # The bus lives on, or is not there either when Redis comes back.
                    self.assertTrue(journal.bus.alive(), journal.said())
                    self.assertRegex(journal.redis.said(), "(?i)error .*AOF|AOF .*error", fault)
                    if round % 2 or at_start:
                        journal.bus.end(signal.SIGKILL)
                else:
                    self.assertRegex(journal.bus.said(), r"xundian-bus: .*(journal|volume|lock).*: .+", fault)
                acknowledged = {partition: ledger.acknowledged for partition, ledger in ledgers.items()}
                journal.disk.cut(dice)  # What a failed sync left behind is anybody's guess.
                journal.start_redis()
                if journal.redis and not journal.bus.alive():
                    journal.start_bus()
                self.assertEqual([], journal.losses(acknowledged), fault)
                if not journal.bus.alive():
                    journal.start_bus()
            self.assertEqual([], self.finish(journal, producers, ledgers))


class Limit_ASlowDiskSlowsAndLosesNothing(PowerCuts):
    def test(self):
        with Journal() as journal:
            journal.disk.set(sync_delay_us=50_000)
            journal.start_bus()
            producers = {partition: journal.produce(partition, window=50, until=400) for partition in (1, 2, 3)}
            ledgers = {partition: journal.ledger(partition) for partition in producers}
            self.assertEqual([0, 0, 0], [producer.wait(60) for producer in producers.values()])
            slowest = max(ledger.latency_ms(99) for ledger in ledgers.values())
            print(f"a sync of 50 ms: acknowledgement p50 {ledgers[1].latency_ms(50):.0f} ms, p99 {slowest:.0f} ms")
            self.assertGreater(ledgers[1].latency_ms(50), 45)  # The disk was slow indeed.
            self.assertLess(slowest, 2_000)
            self.assertEqual([], self.finish(journal, producers, ledgers))


@unittest.skipUnless(chaos.ENGINE == "lmdb", "Redis checks its own file; what is archived lies in the same volumes")
class Row25_AFlippedBitIsNeverReadAsAFact(unittest.TestCase):
    def setUp(self):
        self.journal = self.enterContext(Journal())
        self.journal.start_bus(bad_disk=False)
        self.journal.produce(1, until=600).wait(60)
        self.journal.bus.end()
        self.extents = []
        listed = subprocess.run([chaos.TOOL, "extents", "--home", self.journal.home], capture_output=True, text=True, check=True)
        for line in listed.stdout.splitlines():
            path, offset, length = line.rsplit(" ", 2)
            self.extents.append((path, int(offset), int(length)))
        self.volumes = sorted({path for path, _, _ in self.extents})
        self.assertGreaterEqual(len(self.volumes), 3)
        self.sealed = [extent for extent in self.extents if extent[0] != self.volumes[-1]]

    def flip(self, path, at, bit):
        with open(path, "r+b") as file:
            file.seek(at)
            byte = file.read(1)[0]
            file.seek(at)
            file.write(bytes([byte ^ 1 << bit]))

    def test_anywhere(self):
        dice = random.Random(25)
        self.assertEqual([], self.journal.losses({1: 600}))
        read, found_elsewhere, elsewhere = 0, 0, 0
        for number in range(160):
            live = number % 2 == 0
            if live:
                path, offset, length = dice.choice(self.sealed)
                at = offset + dice.randrange(length)
            else:
                path = dice.choice(self.volumes[:-1])
                at = dice.randrange(os.stat(path).st_size)
            bit = dice.randrange(8)
            self.flip(path, at, bit)
            where = f"{path} byte {at} bit {bit}"
            found = self.journal.check()
            for partition in found["partitions"].values():
                self.assertEqual(0, partition["wrong"], where)
                read += 1
            if found["whole"]:
                self.assertEqual(6000, found["partitions"]["1"]["facts"], f"{where}: facts are missing and nobody says so")
            bad = self.journal.verify()
            if live:
                self.assertNotEqual([], bad, f"{where}: a flip inside a record, and verify finds nothing")
            else:
                elsewhere += 1
                found_elsewhere += bool(bad)
            self.flip(path, at, bit)
        self.assertEqual([], self.journal.losses({1: 600}))
        print(f"160 flips: of 80 inside records verify found 80, of {elsewhere} anywhere {found_elsewhere}")

    def test_a_fold_stops_and_says_where(self):
        """A service that replays stops in front of the record, and does not fold a changed fact."""
        dice = random.Random(26)
        self.journal.start_bus(bad_disk=False)
        for number in range(5):
            path, offset, length = dice.choice(self.sealed[1:])
            at, bit = offset + length - 1 - dice.randrange(300), dice.randrange(8)
            self.flip(path, at, bit)
            fold = self.journal.run([chaos.BIN / "xundian-inventory", "--home", self.journal.home], self.journal.folder / "inventory.log")
            self.assertEqual(1, fold.wait(10), f"{path} byte {at} bit {bit}: {fold.said()}")
            self.assertRegex(fold.said(), r"position \d+, byte \d+: ")
            self.flip(path, at, bit)


if __name__ == "__main__":
    chaos.main()
