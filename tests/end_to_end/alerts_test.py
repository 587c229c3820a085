"""A stock level that falls below its reorder point reaches a real HTTP receiver and a watcher; how long that takes is printed."""

import base64
import hashlib
import hmac
import http.server
import json
import os
import subprocess
import threading
import time
import unittest

from home import ROOT, Home


class Receiver(http.server.ThreadingHTTPServer):
    """Keeps what it is sent; answers 500 to the first `failures`."""

    def __init__(self, failures=0):
        self.got, self.failures, self.changed = [], failures, threading.Condition()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(handler):
                body = handler.rfile.read(int(handler.headers["Content-Length"]))
                with self.changed:
                    self.got.append((time.time(), dict(handler.headers), body))
                    status = 500 if len(self.got) <= self.failures else 200
                    self.changed.notify_all()
                handler.send_response(status)
                handler.end_headers()

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def wait_for(self, count, seconds=30):
        with self.changed:
            return self.changed.wait_for(lambda: len(self.got) >= count, seconds)


def stock(units, at_ms, policy=False):
    level = {"count": {"sku": "mug", "availableUnits": str(units), "countedMs": str(at_ms)}}
    if policy:
        level["policy"] = {"sku": "mug", "reorderPointUnits": "10"}
    return {"store": "s1", "key": "mug@", "asOfMs": str(at_ms), "occurredMs": str(at_ms), "source": "test", "stockLevel": level}


class Alerts(unittest.TestCase):
    def subscribe(self, home, receiver):
        secret = base64.b64encode(os.urandom(32)).decode()
        path = home.folder / "secret"
        path.write_text("whsec_" + secret)
        path.chmod(0o600)
        code, out, err = home.run("subscribers", "set", "test", "--url", f"http://127.0.0.1:{receiver.server_port}/hook", "--secret-file", path,
                                  "--allow-private")
        self.assertEqual(0, code, out + err)
        return base64.b64decode(secret)

    def check_signature(self, secret, headers, body):
        headers = {name.lower(): value for name, value in headers.items()}
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        self.assertEqual("v1," + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode(), headers["webhook-signature"])
        return headers["webhook-id"]

    def test_low_stock_is_heard(self):
        receiver = Receiver(failures=1)
        with Home() as home:
            now = int(time.time() * 1000)
            home.put_facts([{"store": "s1", "key": "s1", "asOfMs": str(now - 10), "storeState": {
                "identity": {"platform": "tmall"}, "settings": {"currencyCode": "CNY", "timeZone": "Asia/Shanghai"}}}])
            secret = self.subscribe(home, receiver)
            # From the beginning: the alert may come before the watcher has come to listen.
            watcher = subprocess.Popen([ROOT / "deploy" / "xundian", "watch", "--json", "--from", "beginning", "--count", "1"], env=home.env,
                                       stdout=subprocess.PIPE, text=True)
            try:
                home.put_facts([stock(12, now, policy=True)])
                self.assertEqual([], home.json("alerts", "list")["alerts"])
                put = time.time()
                home.put_facts([stock(9, int(put * 1000))])
                accepted = time.time()
                self.assertTrue(receiver.wait_for(1), home.logs())
                print(f"accepted to receiver: {(receiver.got[0][0] - accepted) * 1000:.1f} ms, put to receiver: {(receiver.got[0][0] - put) * 1000:.1f} ms")
                line, _ = watcher.communicate(timeout=30)
            finally:
                watcher.kill()
                watcher.wait()
            print(home.logs()) if os.environ.get("LOGS") else None
            self.assertIn("below_reorder_point", line)
            # The first attempt was refused; the second carries the same id.
            self.assertTrue(receiver.wait_for(2), home.logs())
            ids = {self.check_signature(secret, headers, body) for _, headers, body in receiver.got}
            self.assertEqual(1, len(ids))
            data = json.loads(receiver.got[0][2])["data"]
            self.assertEqual(("below_reorder_point", "s1", "mug"), (data["rule"], data["store"], data["entity"]))
            self.assertTrue(data["text_zh"] and data["text_en"] and data["next"])
            # Said again it is not news; above the clear threshold it is resolved.
            home.put_facts([stock(9, int(put * 1000))])
            home.put_facts([stock(40, int(time.time() * 1000))])
            self.assertTrue(receiver.wait_for(3), home.logs())
            self.assertEqual("alert.resolved", json.loads(receiver.got[2][2])["type"])
            self.assertEqual(3, len(receiver.got))
        receiver.shutdown()


if __name__ == "__main__":
    unittest.main()
