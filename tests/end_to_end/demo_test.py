"""deploy/up --demo: every service healthy, stores, numbers, alerts and a morning pack; a second call changes nothing; down leaves nothing."""

import json
import os
import pathlib
import subprocess
import unittest

from home import SERVICES, Home


class Demo(unittest.TestCase):
    def check_memory(self, home):
        """What is said to be held is what is known, and no more than the process has."""
        services = {service["name"]: service for service in home.json("status", "--memory")["services"]}
        counts = {}
        for name in ("metrics", "campaigns", "inventory", "support", "alerts", "intake"):
            held = services[name]["memory"]
            self.assertLess(sum(one["bytes"] for one in held), services[name]["resident_bytes"])
            for one in held:
                counts[name, one["name"]] = one["count"]
                self.assertGreaterEqual(one["bytes"], 8 * one["count"], one)
        orders = home.metrics(["orders"], "2026-09-01", "2026-12-01")
        self.assertGreaterEqual(counts["metrics", "orders"], sum(float(row["value"]) for row in orders))
        self.assertEqual(counts["metrics", "orders"], counts["inventory", "orders"])
        self.assertGreater(counts["campaigns", "report cells"], 100)
        self.assertGreater(counts["support", "conversations"], 100)

    def test_up_and_down(self):
        home = Home(clock="facts")
        try:
            out = home.up("--demo")
            self.assertRegex(out.splitlines()[-1], rf"^console http://{home.http}/  token \S+$")
            status = home.json("status")
            self.assertTrue(status["healthy"])
            self.assertEqual(sorted(SERVICES), sorted(service["name"] for service in status["services"]))
            facts, started = status["journal"]["facts"], [service["started"] for service in status["services"]]
            pids = {service: home.pid(service) for service in SERVICES}

            home.up("--demo")
            status = home.json("status")
            self.assertEqual((facts, started), (status["journal"]["facts"], [service["started"] for service in status["services"]]))

            self.check_memory(home)

            stores = {store["id"]: store["platform"] for store in home.json("stores", "list")["stores"]}
            self.assertEqual(["douyin-snack", "jd-audio", "shopify-outdoor", "tmall-home", "tmall-tea"], sorted(stores))
            self.assertEqual("jd", stores["jd-audio"])
            self.assertEqual("douyin", stores["douyin-snack"])

            # The eleventh of November is the year's best day.
            days = {row["from"]: float(row["value"]) for row in home.metrics(["paid_amount"], "2026-09-22", "2026-11-20", grain="day", store="tmall-home")}
            self.assertEqual("2026-11-11", max(days, key=days.get))
            self.assertGreater(len(days), 55)
            self.assertTrue(home.metrics(["cost_per_order", "roas"], "2026-10-01", "2026-10-31", by="channel"))

            alerts = home.json("alerts", "list", "--state", "firing")["alerts"]
            self.assertTrue({"out_of_stock", "below_reorder_point"} & {alert["rule"] for alert in alerts}, "no stock alert fires")
            for alert in alerts:
                self.assertTrue(alert["text"] and alert["evidence"] is not None)

            pack = home.json("report", "morning", "--date", "2026-11-12")
            self.assertEqual([], pack["missing"])
            self.assertEqual(5, len(pack["stores"]))
            code, text, _ = home.run("report", "morning", "--date", "2026-11-12", "--format", "md")
            self.assertEqual(0, code)
            self.assertIn("tmall-home", text)
            self.assertEqual([], home.json("verify")["bad"])

            home.down()
            left = [service for service, pid in pids.items() if pathlib.Path(f"/proc/{pid}").exists()]
            self.assertEqual([], left)
            # What is kept serves the next start.
            home.up("--demo")
            self.assertEqual(facts, home.json("status")["journal"]["facts"])
        finally:
            home.__exit__(None, None, None)


if __name__ == "__main__":
    unittest.main()
