"""Producers and buses that are killed and stopped; two buses that want one journal."""

import pathlib
import re
import signal
import time
import unittest

import chaos
import power
from chaos import Journal, wait_until


class Row01_AProducerKilledLosesAndRepeatsNothing(unittest.TestCase):
    """The source can be replayed; where to begin is what the journal says. kill -9 at any time, also right after the start."""

    def test(self):
        dice = power.dice_of("producers")
        with Journal(facts=7) as journal:
            journal.start_bus(bad_disk=False)
            kills = 0
            for round in range(30):
                before = {partition: journal.ledger(partition).acknowledged for partition in (1, 2, 3)}
                producers = [journal.produce(partition, window=dice.randrange(1, 60), every_us=200) for partition in (1, 2, 3)]
                if round % 3:  # Into the work; else into the Hello.
                    wait_until("acknowledgements", lambda: journal.ledger(1).acknowledged > before[1] + dice.randrange(5), pause=0.001)
                else:
                    time.sleep(dice.uniform(0, 0.02))
                kills += sum(producer.end(signal.SIGKILL) == -signal.SIGKILL for producer in producers)
            acknowledged = {partition: journal.ledger(partition).acknowledged for partition in (1, 2, 3)}
            self.assertEqual([], journal.losses(acknowledged))  # Numbers are dense: a repeat would be as wrong as a hole.
            until = max(acknowledged.values()) + 1000
            for partition in (1, 2, 3):
                self.assertEqual(0, journal.produce(partition, until=until).wait(60))
            self.assertEqual([], journal.losses(dict.fromkeys((1, 2, 3), until)))
            self.assertEqual({until * journal.facts}, {found["facts"] for found in journal.check()["partitions"].values()})
            print(f"{kills} producers killed, {until * 3 * journal.facts} facts")


class Row03_ABusKilledComesBackWithAllItAcknowledged(unittest.TestCase):
    """kill -9 while it works and while it recovers; producers that notice nothing but a pause."""

    def test(self):
        dice = power.dice_of("bus")
        with Journal() as journal:
            journal.start_bus(bad_disk=False)
            producers = {partition: journal.produce(partition, window=30, every_us=1000) for partition in (1, 2, 3)}
            ledgers = {partition: journal.ledger(partition) for partition in producers}
            total = lambda: sum(ledger.acknowledged for ledger in ledgers.values())
            kills, in_recovery, recovery_ms, again_ms = 0, 0, [], []
            for round in range(25):
                wanted = total() + dice.randrange(1, 150)
                wait_until("acknowledgements", lambda: total() >= wanted, pause=0.001, said=journal.bus.said)
                if round % 5 == 4:
                    journal.bus.send(signal.SIGSTOP)
                    time.sleep(0.6)  # Longer than a producer's patience.
                    journal.bus.send(signal.SIGCONT)
                    continue
                acknowledged = {partition: ledger.acknowledged for partition, ledger in ledgers.items()}
                self.assertEqual(-signal.SIGKILL, journal.bus.end(signal.SIGKILL))
                kills += 1
                for _ in range(round % 3):  # Killed inside the recovery, again and again.
                    if journal.redis:
                        journal.start_bus(wait=False)
                        time.sleep(dice.uniform(0, 0.03))
                        self.assertEqual(-signal.SIGKILL, journal.bus.end(signal.SIGKILL))
                    else:  # At one of its operations on the disk.
                        journal.disk.reset(kill_at=dice.randrange(1, 6), kill_after=dice.randrange(2))
                        journal.start_bus(wait=False)
                        self.assertEqual(-signal.SIGKILL, journal.bus.wait())
                    in_recovery += 1
                killed = time.monotonic()
                journal.disk.reset()
                journal.start_bus(bad_disk=False)
                recovery_ms += map(float, re.findall(r"recovery_ms=([0-9.]+)", journal.bus.said()))
                now = total()
                wait_until("the producers go on", lambda: total() > now, 10, 0.001, journal.bus.said)
                again_ms.append(1000 * (time.monotonic() - killed))
                read = journal.check()
                self.assertTrue(read["whole"], read["why"])
                there = {int(partition): found["facts"] for partition, found in read["partitions"].items()}
                for partition, batches in acknowledged.items():
                    self.assertGreaterEqual(there.get(partition, 0), batches * journal.facts)
            for producer in producers.values():
                producer.send(signal.SIGTERM)
            self.assertEqual([0, 0, 0], [producer.wait(60) for producer in producers.values()])
            self.assertEqual([], journal.losses({partition: ledger.acknowledged for partition, ledger in ledgers.items()}))
            self.assertEqual({partition: ledger.acknowledged * journal.facts for partition, ledger in ledgers.items()},
                             {int(partition): found["facts"] for partition, found in journal.check()["partitions"].items()})
            print(f"{kills} kills, {in_recovery} more inside the recovery; recovery at most {max(recovery_ms):.0f} ms, from start to the next "
                  f"acknowledgement p50 {sorted(again_ms)[len(again_ms) // 2]:.0f} ms, at most {max(again_ms):.0f} ms")
            self.assertLess(max(recovery_ms), 2_000)


class Row15_TwoBusesNeverShareAJournal(unittest.TestCase):
    def test(self):
        with Journal() as journal:
            first = journal.start_bus(bad_disk=False)
            producer = journal.produce(1, window=10)
            ledger = journal.ledger(1)
            wait_until("acknowledgements", lambda: ledger.acknowledged > 20)
            for stopped in (False, True):
                if stopped:
                    first.send(signal.SIGSTOP)
                    wait_until("stopped", lambda: "State:\tT" in pathlib.Path(f"/proc/{first.pid}/status").read_text())
                began = time.monotonic()
                second = journal.start_bus(bad_disk=False, wait=False)
                self.assertEqual(1, second.wait(10))
                print(f"the second ended after {1000 * (time.monotonic() - began):.0f} ms, the first {'stopped' if stopped else 'at work'}")
                self.assertIn(f"is being written by process {first.pid}", second.said())
            first.send(signal.SIGCONT)
            now = ledger.acknowledged
            wait_until("the first goes on", lambda: ledger.acknowledged > now + 20, said=first.said)
            # Killed, it holds nothing any longer.
            self.assertEqual(-signal.SIGKILL, first.end(signal.SIGKILL))
            journal.start_bus(bad_disk=False)
            now = ledger.acknowledged
            wait_until("the next goes on", lambda: ledger.acknowledged > now + 20, said=journal.bus.said)
            self.assertEqual(0, producer.end())
            self.assertEqual([], journal.losses({1: ledger.acknowledged}))


if __name__ == "__main__":
    chaos.main()
