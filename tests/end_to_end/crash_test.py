"""Each service in turn is killed with -9, twenty times in all, while an import runs: everything is as in the calm run."""

import itertools
import json
import random
import threading
import time
import unittest

from home import DATA, Failed, Home, needs_data
import alerts_test

VICTIMS = ["bus", "metrics", "campaigns", "inventory", "support", "alerts", "intake", "gateway"]
KILLS = 20


@needs_data
class Crashes(unittest.TestCase):
    files = [DATA / "online_retail" / f"{month}.csv.gz" for month in ("2010-12", "2011-01")]

    def import_all(self, home):
        """Again and again until it is done, as people do when a service was killed under them."""
        for _ in range(100):
            code, out, err = home.run("import", *self.files, "--json")
            if code == 0:
                return json.loads(out)
            home.wait_until("healthy again", home.healthy)
        raise Failed(f"the import never ends well: {err}")

    def outcome(self, home):
        findings = home.json("facts", "--kind", "finding", "--count", 10_000_000)["facts"]
        self.assertTrue(findings)
        # In their order, for each thing; a fact's place in the log depends on what others said meanwhile.
        said = {}
        for entry in findings:
            fact = entry["fact"]
            terms = fact["finding"]["terms"]
            said.setdefault((fact.get("store"), fact["key"]), []).append((terms.get("holds"), terms.get("valueMicros"), terms["judgedMs"], terms.get("sinceMs")))
        rows = home.metrics(["paid_amount", "orders", "units", "buyers", "refund_amount"], "2010-12-01", "2011-02-28", grain="day", by="store")
        alerts = {(alert["key"], alert["condition"]) for alert in self.alerts(home)}
        return rows, home.json("fingerprint")["services"], alerts, said

    def run_home(self, kills):
        receiver = alerts_test.Receiver()
        with Home(clock="facts") as home:
            alerts_test.Alerts().subscribe(home, receiver)
            done = threading.Event()
            killed = []

            def kill():
                dice = random.Random(3)
                for victim in itertools.islice(itertools.cycle(VICTIMS), kills):
                    if done.wait(dice.uniform(0.05, 0.4)):
                        return
                    if home.kill(victim):
                        killed.append(victim)

            killer = threading.Thread(target=kill)
            killer.start()
            self.import_all(home)
            if kills:
                killer.join()  # Those that remain hit an idle home.
            done.set()
            killer.join()
            home.wait_until("healthy again", home.healthy)
            self.import_all(home)
            outcome = self.outcome(home)
            self.assertEqual([], home.json("verify")["bad"])
            home.wait_until("all alerts delivered", lambda: self.delivered(home))
        receiver.shutdown()
        sends = {}
        for _, headers, _ in receiver.got:
            name = {key.lower(): value for key, value in headers.items()}["webhook-id"]
            sends[name] = sends.get(name, 0) + 1
        return outcome, sends, killed

    def alerts(self, home):
        return [alert for state in ("pending", "firing", "resolved") for alert in home.json("alerts", "list", "--state", state)["alerts"]]

    def delivered(self, home):
        return all(alert["delivery"] in ("delivered", "none") for alert in self.alerts(home))

    def test_kills_change_nothing(self):
        calm, calm_sends, _ = self.run_home(0)
        stormy, sends, killed = self.run_home(KILLS)
        print(f"killed {len(killed)}: {' '.join(killed)}; alerts sent {len(sends)}, repeats {sum(sends.values()) - len(sends)}")
        self.assertGreaterEqual(len(killed), KILLS - 2)
        self.assertEqual(calm[1], stormy[1])
        self.assertEqual(calm[0], stormy[0])
        self.assertEqual(calm[2], stormy[2])
        self.assertEqual(calm[3], stormy[3])
        self.assertEqual(set(calm_sends), set(sends))
        self.assertLessEqual(sum(sends.values()) - len(sends), len(killed))


if __name__ == "__main__":
    unittest.main()
