"""What is asked of a bus beyond its means: too much at once, by one store, with few descriptors, with little memory."""

import re
import signal
import time
import unittest

import chaos
from chaos import Journal, wait_until

MIB = 1 << 20
CROWD = 45  # More than 64 descriptors are enough for, and fewer than twice as many.


class Limit_Row20_ABurstIsRefusedAndLosesNothing(unittest.TestCase):
    """Twenty producers offer far more than a slow disk takes: memory stays bounded, what is too much is refused until when, all comes in the end."""

    def test(self):
        credit = 8 * MIB
        with Journal(config=f"credit_bytes = {credit}\nvolume_bytes = 67_108_864\n", facts=20, fact_bytes=5_000) as journal:
            journal.disk.set(sync_delay_us=40_000)  # A group of about 1 MB each time: the disk takes 25 MB/s at most.
            journal.start_bus()
            calm = journal.bus.memory_bytes()
            partitions = list(range(16)) + list(range(16, 20))
            producers = {index: journal.produce(index % 16, name=f"burst/{index}", ledger=journal.folder / f"ledger.{index}", window=1000)
                         for index in partitions}
            ledgers = {index: journal.ledger(index) for index in partitions}
            wait_until("the burst begins", lambda: all(ledger.offered > 0 for ledger in ledgers.values()), 60)
            peak, end = 0, time.monotonic() + 6
            while time.monotonic() < end:
                peak = max(peak, journal.bus.memory_bytes())
                time.sleep(0.02)
            for ledger in ledgers.values():
                ledger.pause(True)
            over = time.monotonic()
            wait_until("all is acknowledged", lambda: all(ledger.acknowledged == ledger.offered for ledger in ledgers.values()), 60,
                       said=journal.bus.said)
            drained = time.monotonic() - over
            refusals = sum(ledger.refusals for ledger in ledgers.values())
            retries = [int(ms) for index in partitions for ms in
                       re.findall(r"why=REFUSAL_BUSY .*retry_after_ms=(\d+)", (journal.folder / f"producer.{index % 16}.log").read_text())]
            batches = sum(ledger.acknowledged for ledger in ledgers.values())
            print(f"memory {calm / MIB:.0f} MiB calm, {peak / MIB:.0f} MiB at most; {batches} batches of 100 kB acknowledged, {refusals} producers "
                  f"refused, to retry after {min(retries, default=0)} to {max(retries, default=0)} ms; all was in {drained:.1f} s after the burst")
            # What waits for the disk, and of each producer what its credit allows to be on its way.
            self.assertLess(peak - calm, credit + len(producers) * MIB + 64 * MIB)
            self.assertGreater(refusals, 0)
            self.assertTrue(retries and min(retries) > 0)
            for producer in producers.values():
                producer.send(signal.SIGTERM)
            self.assertEqual({0}, {producer.wait(60) for producer in producers.values()})
            facts = sum(found["facts"] for found in journal.check()["partitions"].values())
            self.assertEqual(batches * journal.facts, facts)


class Limit_Row21_AHotStoreSlowsItself(unittest.TestCase):
    def test(self):
        with Journal(config="volume_bytes = 268_435_456\n", facts=50, fact_bytes=200) as journal:
            journal.disk.set(sync_delay_us=10_000)  # So that what waits for the disk waits longer than for the processors.
            journal.start_bus()
            others = [journal.produce(partition, facts=1, window=1, every_us=4000) for partition in (2, 3, 4)]
            ledgers = [journal.ledger(partition) for partition in (2, 3, 4)]
            hot_partitions = (1, 5, 6)
            hot_acknowledged = lambda: sum(journal.ledger(partition).acknowledged for partition in hot_partitions)
            latency = []
            for hot in (False, True):
                if hot:
                    stores = [journal.produce(partition, window=1_000_000) for partition in hot_partitions]
                    wait_until("the hot stores are at work", lambda: hot_acknowledged() > 1000)
                for ledger in ledgers:
                    ledger.forget_times()
                before, hot_before = [ledger.acknowledged for ledger in ledgers], hot_acknowledged()
                wait_until("100 acknowledgements each", lambda: all(ledger.acknowledged > was + 100 for ledger, was in zip(ledgers, before)), 60)
                latency.append((max(ledger.latency_ms(50) for ledger in ledgers), max(ledger.latency_ms(99) for ledger in ledgers)))
            hot_facts = (hot_acknowledged() - hot_before) * journal.facts
            other_facts = sum(ledger.acknowledged - was for ledger, was in zip(ledgers, before))
            share = hot_facts / (hot_facts + other_facts)
            print(f"the others' acknowledgements: calm p50 {latency[0][0]:.1f} p99 {latency[0][1]:.1f} ms; beside hot stores with {100 * share:.1f} % of the "
                  f"facts p50 {latency[1][0]:.1f} p99 {latency[1][1]:.1f} ms")
            self.assertGreater(share, 0.95)
            self.assertLess(latency[1][1], 250)
            self.assertEqual([0] * len(stores), [store.end() for store in stores])
            self.assertEqual([0, 0, 0], [other.end() for other in others])


class Limit_Row26_FewDescriptors(unittest.TestCase):
    """With 64 descriptors a bus keeps whom it has; those too many wait until there is room."""

    def test(self):
        with Journal() as journal:
            journal.start_bus(bad_disk=False, limits={"RLIMIT_NOFILE": 64})
            old = journal.produce(1, window=5, every_us=2000)
            ledger = journal.ledger(1)
            wait_until("acknowledgements", lambda: ledger.acknowledged > 20, said=journal.bus.said)
            crowd = [journal.produce(2 + index % 8, name=f"crowd/{index}", ledger=journal.folder / f"crowd.{index}", every_us=50_000)
                     for index in range(CROWD)]
            ledgers = [chaos.Ledger(journal.folder / f"crowd.{index}") for index in range(CROWD)]
            wait_until("some of the crowd are in", lambda: sum(one.acknowledged > 0 for one in ledgers) >= 10, 60, said=journal.bus.said)
            now = ledger.acknowledged
            ledger.forget_times()
            wait_until("whom it has goes on", lambda: ledger.acknowledged > now + 200, 30, said=journal.bus.said)
            inside = sum(one.acknowledged > 0 for one in ledgers)
            print(f"64 descriptors: {inside} of {CROWD} more producers came in; the first was acknowledged all along, p99 {ledger.latency_ms(99):.0f} ms")
            for process, one in zip(crowd, ledgers):
                if one.acknowledged > 0:
                    process.end(signal.SIGKILL)
            # Those that are left find room now.
            wait_until("the rest come in", lambda: all(one.acknowledged > 0 for one in ledgers), 60, said=journal.bus.said)
            self.assertTrue(journal.bus.alive() and old.alive(), journal.bus.said())
            self.assertEqual(0, old.end())
            self.assertEqual([], journal.losses({1: ledger.acknowledged}))


class Limit_Row26_LittleMemory(unittest.TestCase):
    """Where there is too little memory the bus says so and ends, or works; what was acknowledged stays."""

    def test(self):
        with Journal(config="volume_bytes = 268_435_456\n") as journal:
            journal.start_bus(bad_disk=False)
            self.assertEqual(0, journal.produce(1, until=200).wait(60))
            self.assertEqual(0, journal.bus.end())
            worked, refused = [], []
            for mebibytes in (2000, 1000, 700, 500, 400, 300, 200, 150):
                journal.start_bus(bad_disk=False, limits={"RLIMIT_AS": mebibytes * MIB}, wait=False)
                wait_until("it works or ends", lambda: "bus_started" in journal.bus.said() or not journal.bus.alive(), said=journal.bus.said)
                if journal.bus.alive():
                    until = journal.ledger(1).acknowledged + 200
                    self.assertEqual(0, journal.produce(1, until=until).wait(60), journal.bus.said())
                    self.assertEqual(0, journal.bus.end())
                    worked.append(mebibytes)
                else:
                    self.assertGreater(journal.bus.wait(), 0, f"{mebibytes} MiB: it crashed: {journal.bus.said()}")
                    self.assertRegex(journal.bus.said(), "(?i)memory")
                    refused.append(mebibytes)
                self.assertEqual([], journal.losses({1: journal.ledger(1).acknowledged}))
            print(f"a bus works with {min(worked)} MiB of addresses and refuses to start with {max(refused, default=0)} MiB")
            self.assertTrue(refused, "none of these was too little: the test shows nothing")


if __name__ == "__main__":
    chaos.main()
