"""Real files in, and what comes out equals what Python computes from the same files by the definitions of the metrics."""

import collections
import csv
import datetime
import gzip
import random
import unittest
from decimal import Decimal

from home import DATA, Home, needs_data

MONTHS = ["2010-12", "2011-01", "2011-02", "2011-03", "2011-04", "2011-05", "2011-06", "2011-07", "2011-08"]


def retail_rows():
    for month in MONTHS:
        with gzip.open(DATA / "online_retail" / f"{month}.csv.gz", "rt", encoding="utf-8", newline="") as file:
            yield month, list(csv.DictReader(file))


def buyer_of(row):
    text = row["CustomerID"].strip("' ")
    return text.removesuffix(".0")


def retail_oracle():
    """By (store, day): what contract's definitions give."""
    invoices = collections.defaultdict(list)
    for _, rows in retail_rows():
        for row in rows:
            invoices[(row["Country"], row["InvoiceNo"])].append(row)
    cells = collections.defaultdict(lambda: {"paid_amount": Decimal(0), "orders": 0, "units": 0, "refund_amount": Decimal(0), "buyers": set()})
    for (country, invoice), rows in invoices.items():
        if invoice.startswith("A"):
            continue
        if invoice.startswith("C"):
            day = min(row["InvoiceDate"] for row in rows)[:10]
            cells[country, day]["refund_amount"] += sum(-int(row["Quantity"]) * Decimal(row["UnitPrice"]) for row in rows)
            continue
        lines = [row for row in rows if int(row["Quantity"]) > 0]
        if not lines:
            continue
        amount = sum(int(row["Quantity"]) * Decimal(row["UnitPrice"]) for row in lines)
        cell = cells[country, min(row["InvoiceDate"] for row in lines)[:10]]
        cell["paid_amount"] += amount
        if amount > 0:
            cell["orders"] += 1
            cell["units"] += sum(int(row["Quantity"]) for row in lines)
            cell["buyers"] |= {buyer_of(row) for row in lines} - {""}
    return cells


@needs_data
class OnlineRetail(unittest.TestCase):
    def compare(self, home):
        names = ["paid_amount", "orders", "units", "refund_amount", "buyers"]
        answered = collections.defaultdict(dict)
        for row in home.metrics(names, "2010-12-01", "2011-08-31", grain="day", by="store"):
            answered[row["store"], row["from"]][row["metric"]] = row["value"]
        oracle = retail_oracle()
        wrong = []
        for cell in set(oracle) | set(answered):
            expected, got = oracle.get(cell), answered.get(cell, {})
            for name in names:
                want = Decimal(0) if expected is None else len(expected["buyers"]) if name == "buyers" else expected[name]
                if Decimal(str(got.get(name) or 0)) != want:
                    wrong.append((cell, name, str(want), got.get(name)))
        self.assertEqual([], wrong[:10], f"{len(wrong)} cells differ of {len(oracle)}")
        self.assertGreater(len(oracle), 700)

    def rewrite(self, home):
        """The same files in reverse order, split between invoices, rows shuffled."""
        dice = random.Random(11)
        paths = []
        for month, rows in reversed(list(retail_rows())):
            invoices = collections.defaultdict(list)
            for row in rows:
                invoices[row["InvoiceNo"]].append(row)
            names = list(invoices)
            dice.shuffle(names)
            for part in range(3):
                lines = [row for name in names[part::3] for row in invoices[name]]
                dice.shuffle(lines)
                path = home.folder / f"{month}.{part}.csv"
                with open(path, "w", encoding="utf-8", newline="") as file:
                    writer = csv.DictWriter(file, rows[0].keys())
                    writer.writeheader()
                    writer.writerows(lines)
                paths.append(path)
        return paths

    def test_nine_months_in_any_order(self):
        files = [DATA / "online_retail" / f"{month}.csv.gz" for month in MONTHS]
        with Home() as home, Home() as other:
            first = home.json("import", *files)["total"]
            self.assertEqual(320705, first["rows"])
            self.assertEqual(0, first["rejected"])
            self.assertEqual(first["facts"], first["new"] + first["unchanged"])  # Each file speaks of its stores again.
            self.compare(home)
            fingerprint = home.json("fingerprint")["services"]
            shuffled = self.rewrite(home)
            again = home.json("import", *shuffled)["total"]
            self.assertEqual((320705, 0, 0), (again["rows"], again["new"], again["updated"]))
            self.assertEqual(fingerprint, home.json("fingerprint")["services"])
            other.json("import", *shuffled)
            self.assertEqual(fingerprint, other.json("fingerprint")["services"])
            self.compare(other)


@needs_data
class DoubleEleven(unittest.TestCase):
    def oracle(self):
        with gzip.open(DATA / "double11_cosmetics" / "double11_cosmetics_2016.csv.gz", "rt", encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        counters = collections.defaultdict(dict)
        for row in rows:
            if row["sale_count"]:
                counters[row["店名"], row["id"]][datetime.datetime.strptime(row["update_time"], "%Y/%m/%d").date().isoformat()] = int(float(row["sale_count"]))
        sales = collections.Counter()
        for (shop, _), days in counters.items():
            last = None
            for day in sorted(days):
                if last is not None and days[day] > last:
                    sales[shop, day] += days[day] - last
                last = days[day]
        return sales

    def test_daily_sales_of_each_shop(self):
        with Home() as home:
            home.json("import", DATA / "double11_cosmetics" / "double11_cosmetics_2016.csv.gz")
            answered = {(row["store"], row["from"]): row["value"]
                        for row in home.metrics(["snapshot_units"], "2016-11-05", "2016-11-14", grain="day", by="store") if row["value"]}
            self.assertEqual(dict(self.oracle()), answered)
            estimated = {(row["store"], row["from"]): row["value"]
                         for row in home.metrics(["units"], "2016-11-05", "2016-11-14", grain="day", by="store") if row["value"]}
            self.assertEqual(answered, estimated)


@needs_data
class SupportTweets(unittest.TestCase):
    def oracle(self):
        with gzip.open(DATA / "support_tweets" / "twcs_first5k.csv.gz", "rt", encoding="utf-8", newline="") as file:
            text = file.read().replace("\r", " ")
        tweets = {}
        for row in csv.DictReader(text.split("\n")):
            tweets[row["tweet_id"]] = (row["inbound"] == "True", row["author_id"],
                                       datetime.datetime.strptime(row["created_at"], "%a %b %d %H:%M:%S %z %Y"),
                                       row["in_response_to_tweet_id"].removesuffix(".0"))
        root = {tweet: tweet for tweet in tweets}

        def find(tweet):
            while root[tweet] != tweet:
                root[tweet] = root[root[tweet]]
                tweet = root[tweet]
            return tweet

        for tweet, (_, _, _, parent) in tweets.items():
            if parent in tweets:
                root[find(tweet)] = find(parent)
        trees = collections.defaultdict(list)
        for tweet in tweets:
            trees[find(tweet)].append(tweet)
        count, seconds = collections.Counter(), collections.Counter()
        for members in trees.values():
            answers = [t for t in members if not tweets[t][0] and tweets[t][3] in tweets and tweets[tweets[t][3]][0]]
            if not answers:
                continue
            first = min(answers, key=lambda t: (tweets[t][2], t))
            asked = min(tweets[t][2] for t in members if tweets[t][0])
            count[tweets[first][1]] += 1
            seconds[tweets[first][1]] += (tweets[first][2] - asked).total_seconds()
        return count, seconds

    def test_first_responses_of_each_account(self):
        with Home() as home:
            total = home.json("import", DATA / "support_tweets" / "twcs_first5k.csv.gz")["total"]
            self.assertEqual((5000, 0), (total["rows"], total["rejected"]))
            rows = home.metrics(["first_response_s"], "2000-01-01", "2030-01-01", by="agent")
            count, seconds = self.oracle()
            self.assertEqual(dict(count), {row["key"]: row["denominator"] for row in rows if row["denominator"]})
            self.assertEqual(dict(seconds), {row["key"]: row["numerator"] for row in rows if row["denominator"]})


if __name__ == "__main__":
    unittest.main()
