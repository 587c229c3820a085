"""Two buses, each with its own journal, folds that fetch every record over the wire, and several tenants: the same numbers as in
one process that reads in place, and no tenant sees another."""

import hashlib
import os
import subprocess
import unittest

from home import ROOT, Home

TENANTS = ["mall", "north", "south", "west"]
HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
PULL = "".join(f"[{service}]\npull = true\n" for service in ("metrics", "campaigns", "inventory", "support", "alerts", "intake"))


def file_of(home, tenant):
    path = home.folder / f"{tenant}.csv"
    rows = (f"{500 + n},SKU{n % 5},THING,2,2011-03-0{1 + n % 5} 10:00:00,{1 + TENANTS.index(tenant)}.50,17{n % 9}.0,{tenant}-shop\n" for n in range(200))
    path.write_text(HEADER + "".join(rows))
    return path


class Spread(unittest.TestCase):
    def outcome(self, config):
        with Home(config=config) as home:
            (home.home / "tokens.toml").write_text("".join(
                f'[[token]]\nname = "{tenant}"\nsha256 = "{hashlib.sha256(tenant.encode()).hexdigest()}"\ntenant = "{tenant}"\n'
                f'stores = ["*"]\nverbs = ["read", "write", "admin"]\n' for tenant in TENANTS))
            os.chmod(home.home / "tokens.toml", 0o600)
            rows = {}
            for tenant in TENANTS:
                as_tenant = dict(home.env, XUNDIAN_TOKEN=tenant)
                command = lambda *args: subprocess.run([ROOT / "deploy" / "xundian", *map(str, args)], env=as_tenant, capture_output=True, text=True, timeout=120)
                home.wait_until("the token is known", lambda: command("stores", "list").returncode == 0)
                done = command("import", file_of(home, tenant), "--json")
                self.assertEqual(0, done.returncode, done.stderr + home.logs())
                # Which stores are a tenant's is looked up once a second.
                home.wait_until("the tenant's store is known", lambda: {f"{tenant}-shop"} == {store["id"] for store in self.stores(command)})
                rows[tenant] = command("metrics", "--metric", "paid_amount,orders,units,buyers", "--from", "2011-03-01", "--to", "2011-03-31",
                                       "--grain", "day", "--by", "store", "--json").stdout.split('"rows"')[1]
            used = [sum(path.stat().st_size > 100_000 for path in journal.rglob("data.mdb")) for journal in home.home.glob("journal*")]
            self.assertEqual([], home.json("verify")["bad"])
            partitions = {entry["partition"] for entry in home.json("facts", "--kind", "order_state", "--count", 10_000)["facts"]}
            return rows, home.json("fingerprint")["services"], len(used), partitions

    def stores(self, command):
        import json
        return json.loads(command("stores", "list", "--json").stdout)["stores"]

    def test_the_same_numbers(self):
        near = self.outcome("partitions = 8\n")
        far = self.outcome("partitions = 8\nbuses = 2\n" + PULL)
        self.assertEqual((1, 2), (near[2], far[2]))
        self.assertEqual({0, 1}, {partition % 2 for partition in far[3]}, "the tenants of this test all lie at one bus; name others")
        self.assertEqual(near[0], far[0])
        self.assertEqual(near[1], far[1])


if __name__ == "__main__":
    unittest.main()
