"""Files as people really have them: broken, mislabelled, hostile, partial; each is answered clearly and nothing else is lost."""

import gzip
import pathlib
import unittest
import zipfile

from home import Home

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"


def invoice(number, day="2011-03-01", price="2.50"):
    return f"{number},SKU{number % 7},THING,2,{day} 10:00:00,{price},17850.0,Germany\n"


class Imports(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = Home()
        cls.home.up()

    @classmethod
    def tearDownClass(cls):
        cls.home.__exit__(None, None, None)

    def file(self, name, content):
        path = self.home.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def refused(self, path, *words):
        code, out, err = self.home.run("import", path, "--json")
        self.assertEqual(2, code, out + err)
        for word in words:
            self.assertIn(word, err)

    def test_truncated_gzip_keeps_its_whole_rows(self):
        whole = gzip.compress((HEADER + "".join(invoice(1000 + n) for n in range(20000))).encode())
        answer = self.home.json("import", self.file("cut.csv.gz", whole[:len(whole) // 2]), status=3)
        self.assertGreater(answer["total"]["new"], 1000)
        self.assertEqual(1, answer["total"]["rejected"])

    def test_gbk_file_named_utf8(self):
        text = "订单编号,买家会员名,总金额,买家实际支付金额,订单状态,订单创建时间,订单付款时间,店铺名称,退款金额\n3515313147329,买家,20.00,20.00,交易成功,2026-03-01 10:00:00,2026-03-01 10:01:00,测试店,0.00\n"
        answer = self.home.json("import", self.file("orders.utf8.csv", text.encode("gb18030")))
        self.assertEqual(("taobao.order_list", 0), (answer["files"][0]["format"], answer["total"]["rejected"]))
        self.assertIn("gb", answer["files"][0]["encoding"].lower())
        rows = self.home.metrics(["paid_amount"], "2026-03-01", "2026-03-01", store="测试店")
        self.assertEqual(["20"], [row["value"].rstrip("0").rstrip(".") for row in rows])

    def test_missing_column_names_it(self):
        self.refused(self.file("missing.csv", HEADER.replace("InvoiceDate,", "") + "1,2,3,4,5,6,7\n"), "InvoiceDate")

    def test_damaged_ids_are_rejected_alone(self):
        text = "订单编号,买家会员名,总金额,买家实际支付金额,订单状态,订单创建时间,订单付款时间,店铺名称\n3.51531E+16,甲,1,1,交易成功,2026-03-02 10:00:00,2026-03-02 10:00:00,测试店\n3515313147330,乙,2,2,交易成功,2026-03-02 10:00:00,2026-03-02 10:00:00,测试店\n"
        answer = self.home.json("import", self.file("excel.csv", text), status=3)
        self.assertEqual((2, 1), (answer["total"]["rows"], answer["total"]["rejected"]))
        rejects = pathlib.Path(answer["files"][0]["rejects_file"]).read_text(encoding="utf-8")
        self.assertIn("3.51531E+16", rejects)
        self.assertNotIn("甲", rejects)

    def test_second_header_in_mid_file(self):
        first = "订单编号,买家会员名,总金额,买家实际支付金额,订单状态,订单创建时间,订单付款时间,店铺名称\n"
        second = "订单编号,店铺名称,订单付款时间,订单创建时间,订单状态,买家实际支付金额,总金额,买家会员名\n"
        rows = lambda n, day: (str(3515313148000 + n), "甲", f"{n}.00", f"{n}.00", "交易成功", f"{day} 10:00:00", f"{day} 10:01:00", "双头店")
        below = lambda row: (row[0], row[7], row[6], row[5], row[4], row[3], row[2], row[1])
        text = first + ",".join(rows(1, "2026-04-01")) + "\n" + second + ",".join(below(rows(2, "2026-04-02"))) + "\n"
        answer = self.home.json("import", self.file("two_headers.csv", text))
        self.assertEqual((2, 0), (answer["total"]["rows"], answer["total"]["rejected"]))
        paid = self.home.metrics(["paid_amount"], "2026-04-01", "2026-04-02", store="双头店", grain="day")
        self.assertEqual([("2026-04-01", 1.0), ("2026-04-02", 2.0)], [(row["from"][:10], float(row["value"])) for row in paid])
        # Below a header that cannot be used no row can be read; those above it are kept.
        broken = first + ",".join(rows(3, "2026-04-03")) + "\n" + second.replace("订单编号", "备注") + ",".join(below(rows(4, "2026-04-04"))) + "\n"
        answer = self.home.json("import", self.file("broken_header.csv", broken), status=3)
        self.assertEqual((1, 1), (answer["total"]["new"], answer["total"]["rejected"]))

    def test_zip_bomb(self):
        path = self.home.folder / "bomb.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("bomb.csv", "w", force_zip64=True) as member:
            for _ in range(300):
                member.write(b"0" * (1 << 20))
        self.refused(path, "bomb")

    def test_binary(self):
        self.refused(self.file("picture.csv", bytes(range(256)) * 400), "picture.csv")

    def test_two_partial_sources_give_the_union(self):
        facts = lambda key, state, as_of: {"store": "parts", "key": key, "asOfMs": str(as_of), "occurredMs": str(as_of), "source": "test", "orderState": state}
        day = 1772330400000  # 2026-03-01T02:00:00Z
        listed = lambda key: facts(key, {"placed": {"createdMs": str(day)}, "paid": {"paidMs": str(day), "amountMicros": "30000000"}, "shipped": {}}, day)
        lines = lambda key: facts(key, {"lines": [{"lineId": "1", "sku": "a", "quantity": "3", "amountMicros": "30000000"}]}, day - 5)
        shipped = lambda key: facts(key, {"shipped": {"shippedMs": str(day + 1000)}}, day + 1000)
        for key, order in (("x", (listed, lines, shipped)), ("y", (shipped, lines, listed))):
            for make in order:
                self.home.put_facts([make(key)])
        rows = {row["metric"]: row["value"] for row in self.home.metrics(["units", "orders"], "2026-03-01", "2026-03-01", store="parts")}
        self.assertEqual({"units": 6, "orders": 2}, rows)
        self.assertFalse([row for row in self.home.metrics(["unshipped"], "2026-03-01", "2026-03-01", store="parts") if row["value"]])

    def test_reports_of_two_cuts_are_not_added(self):
        def cell(dimensions, item, cost):
            body = {"cut": {"dimensions": dimensions, "grain": "day", "attributionDays": 7}, "period": {"from": "2026-03-05"}, "channel": "search", "campaign": "c",
                    "item": item, "costMicros": str(cost * 1000000)}
            return {"store": "ads", "key": f"{dimensions}|search|c|{item}|2026-03-05", "asOfMs": "1772700000000", "source": "test", "adReport": {"cell": body}}
        self.home.put_facts([cell("campaign", "", 100), cell("campaign+item", "a", 60), cell("campaign+item", "b", 40)])
        cost = lambda **by: [float(row["value"]) for row in self.home.metrics(["ad_cost"], "2026-03-05", "2026-03-05", store="ads", **by)]
        self.assertEqual([100.0], cost())
        self.assertEqual([40.0, 60.0], sorted(cost(by="sku")))

    def test_undo_restores_what_stood_before(self):
        first = self.file("first.csv", HEADER + "".join(invoice(5000 + n, "2011-05-01") for n in range(30)))
        second = self.file("second.csv", HEADER + "".join(invoice(5010 + n, "2011-05-02", "9.99") for n in range(30)))
        self.home.json("import", first)
        before = self.home.json("fingerprint")["services"]
        done = self.home.json("import", second)
        after = self.home.json("fingerprint")["services"]
        self.assertNotEqual(before, after)
        self.home.json("import", "--undo", done["import"])
        self.home.wait_until("what stood before", lambda: self.home.json("fingerprint")["services"] == before, 20)
        self.home.json("import", second)
        self.assertEqual(after, self.home.json("fingerprint")["services"])


if __name__ == "__main__":
    unittest.main()
