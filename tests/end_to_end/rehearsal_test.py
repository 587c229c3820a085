"""A file of rules played on the past before it is in force: what it would have said, and nothing changes."""

import pathlib
import unittest

from home import Home

DAY = 1_762_300_800_000  # 2025-11-05 00:00 UTC.
HOUR = 3_600_000


def store():
    return {"store": "shop", "key": "shop", "asOfMs": DAY, "occurredMs": DAY, "storeState": {
        "identity": {"platform": "taobao", "name": "A shop"},
        "settings": {"currencyCode": "CNY", "timeZone": "Asia/Shanghai", "liveFromMs": DAY + 365 * 24 * HOUR}}}


def level(sku, units, at):
    return {"store": "shop", "key": f"{sku}@", "asOfMs": at, "occurredMs": at,
            "stockLevel": {"count": {"sku": sku, "availableUnits": units, "countedMs": at}}}


def sold(sku, at):
    """What never sold is not missed."""
    return {"store": "shop", "key": f"order-{sku}", "asOfMs": at, "occurredMs": at, "orderState": {
        "paid": {"paidMs": at}, "shipped": {"shippedMs": at}, "lines": [{"lineId": "1", "sku": sku, "quantity": 1}]}}


class Rehearsal(unittest.TestCase):
    def rules(self, home, text):
        file = pathlib.Path(home.folder) / "team.toml"
        file.write_text(text)
        return file

    def rehearse(self, home, text, first, last, status=0):
        return home.json("rules", "rehearse", self.rules(home, text), "--from", first, "--to", last, status=status)

    def test_the_past_is_played_and_nothing_changes(self):
        with Home(clock="wall") as home:
            # Stated late and in the wrong order; all of it before the store was live, so that nothing was news.
            home.put_facts([store(), sold("mug", DAY + HOUR), sold("cup", DAY + HOUR), level("cup", 5, DAY + 50 * HOUR), level("mug", 0, DAY + 2 * HOUR), level("mug", 9, DAY + 26 * HOUR),
                            level("cup", 0, DAY + 74 * HOUR)])
            before = home.json("fingerprint")
            self.assertEqual([], home.json("alerts", "list")["alerts"])

            off = '[[rule]]\nid = "out_of_stock"\ndisabled = true\n'
            on = '[[rule]]\nid = "out_of_stock"\nseverity = "critical"\n'
            found = self.rehearse(home, on, "2025-11-05", "2025-11-08")
            self.assertEqual([("out_of_stock", "mug"), ("out_of_stock", "cup")], [(alert["rule"], alert["entity"]) for alert in found["alerts"]])
            mug, cup = found["alerts"]
            self.assertTrue(mug["fired"].startswith("2025-11-05T02:"), mug)
            self.assertTrue(mug["resolved"].startswith("2025-11-06T02:"), mug)
            self.assertIsNone(cup["resolved"])
            self.assertEqual({"out_of_stock": {"alerts": 2, "alerts_now": 2}}, found["per_rule"])

            # Only what fired on the days asked for, by the store's clock: the cup ran out at 10:00 on the eighth there.
            self.assertEqual(["cup"], [alert["entity"] for alert in self.rehearse(home, on, "2025-11-08", "2025-11-08")["alerts"]])
            self.assertEqual({"out_of_stock": {"alerts": 0, "alerts_now": 2}}, self.rehearse(home, off, "2025-11-05", "2025-11-08")["per_rule"])

            self.assertEqual(before["services"], home.json("fingerprint")["services"])
            self.assertEqual([], home.json("alerts", "list")["alerts"])

    def test_what_is_wrong_is_said(self):
        with Home(clock="wall") as home:
            found = self.rehearse(home, '[[rule]]\nid = "out_of_stok"\n', "2025-11-05", "2025-11-08", status=2)
            self.assertEqual([2], [error["line"] for error in found["errors"]])
            good = self.rules(home, '[[rule]]\nid = "out_of_stock"\n')
            for first, last in (("2025-11-08", "2025-11-05"), ("yesterday", "2025-11-05")):
                code, out, err = home.run("rules", "rehearse", good, "--from", first, "--to", last, "--json")
                self.assertNotEqual(0, code)
                self.assertEqual("", out)
                self.assertIn("2025-11" if first != "yesterday" else "yesterday", err)


if __name__ == "__main__":
    unittest.main()
