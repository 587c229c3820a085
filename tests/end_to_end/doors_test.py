"""Catalogue N4. The doors as other people's programs use them: buf curl over gRPC and over Connect, plain curl, and nobody without a token."""

import json
import subprocess
import time
import unittest

from home import ROOT, Home

BUF = ROOT / "tests" / "node_modules" / ".bin" / "buf"


def buf(*args):
    done = subprocess.run([BUF, *map(str, args)], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


@unittest.skipUnless(BUF.exists(), "buf is not installed; tests/run installs it")
class Doors(unittest.TestCase):
    def test_lint(self):
        self.assertEqual((0, "", ""), buf("lint", ROOT / "proto"))

    def test_every_client_finds_in(self):
        with Home() as home:
            service = "xundian.gateway.v1.GatewayService"
            bearer = ["--header", f"Authorization: Bearer {home.token()}"]
            grpc = ["curl", "--protocol", "grpc", "--http2-prior-knowledge"]
            code, out, err = buf(*grpc, "--list-methods", f"http://{home.grpc}")
            self.assertEqual(0, code, err)
            self.assertIn(f"{service}/GetOverview", out)
            code, out, err = buf(*grpc, *bearer, "-d", "{}", f"http://{home.grpc}/{service}/GetStatus")
            self.assertEqual(0, code, err)
            self.assertTrue(json.loads(out)["healthy"])
            code, out, err = buf("curl", "--schema", ROOT / "proto", *bearer, "-d", "{}", f"http://{home.http}/{service}/GetStatus")
            self.assertEqual(0, code, err)
            self.assertTrue(json.loads(out)["healthy"])
            # Nobody without a token, on either door.
            for door in ([*grpc, "-d", "{}", f"http://{home.grpc}/{service}/GetStatus"],
                         ["curl", "--schema", ROOT / "proto", "-d", "{}", f"http://{home.http}/{service}/GetStatus"]):
                code, out, err = buf(*door)
                self.assertNotEqual(0, code)
                self.assertIn("unauthenticated", out + err)
            self.assertEqual(401, home.call("GetStatus", {}, token="")[0])
            self.assertEqual(401, home.call("GetStatus", {}, token="wrong")[0])

            curl = subprocess.run(["curl", "-sS", "-H", "Content-Type: application/json", "-H", f"Authorization: Bearer {home.token()}", "-d", "{}",
                                   f"http://{home.http}/{service}/ListStores"], capture_output=True, text=True, timeout=30)
            self.assertEqual(0, curl.returncode, curl.stderr)
            json.loads(curl.stdout)
            for path in ("healthz", "metrics", ""):
                page = subprocess.run(["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", f"http://{home.http}/{path}"], capture_output=True, text=True)
                self.assertEqual("200", page.stdout, path)

    def test_one_service_down_is_said(self):
        with Home() as home:
            subprocess.run(["supervisorctl", "-c", home.home / "run" / "supervisord.conf", "stop", "inventory"], check=True, capture_output=True)
            self.assertIn("inventory", home.json("metrics", "--metric", "paid_amount,stock_available", "--from", "2026-01-01", "--to", "2026-01-02")["missing"])
            self.assertFalse(home.healthy())


if __name__ == "__main__":
    unittest.main()
