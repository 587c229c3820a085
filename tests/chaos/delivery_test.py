"""Alerts on their way out: receivers that are down, lie or ask for time; the service, the gateway and the snapshots killed under them."""

import base64
import collections
import glob
import http.client
import json
import os
import shutil
import signal
import socketserver
import struct
import threading
import time
import unittest

import chaos
from chaos import Services, stock_fact, store_fact, wait_until


class Receiver(socketserver.ThreadingTCPServer):
    """Reads whole requests, keeps their webhook-id, and answers with what `answer(number of this id's attempts)` gives: raw bytes, which
    may be no HTTP; then the connection is closed."""

    allow_reuse_address = daemon_threads = True
    ok = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

    def __init__(self, answer=lambda attempt: Receiver.ok, port=0):
        self.got, self.times, self.lock, self.answer = collections.Counter(), [], threading.Lock(), answer
        super().__init__(("127.0.0.1", port), None)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def finish_request(self, request, address):
        with request.makefile("rb") as lines:
            headers = {}
            while (line := lines.readline().strip()):
                name, _, value = line.partition(b":")
                headers[name.lower()] = value.strip().decode()
            length = int(headers.get(b"content-length", -1))
            if length < 0 or len(lines.read(length)) < length:
                return  # Its sender was killed before it had said all.
        with self.lock:
            notice = headers[b"webhook-id"]
            self.got[notice] += 1
            self.times.append(time.monotonic())
            attempt = self.got[notice]
        answer = self.answer(attempt)
        if answer:
            request.sendall(answer)

    def close(self):
        self.shutdown()
        self.server_close()


def subscribe(test, home, name, port):
    path = home.folder / f"secret.{name}"
    path.write_text("whsec_" + base64.b64encode(os.urandom(32)).decode())
    path.chmod(0o600)
    code, out, err = home.run("subscribers", "set", name, "--url", f"http://127.0.0.1:{port}/hook", "--secret-file", path, "--allow-private")
    test.assertEqual(0, code, out + err)


def low_stock(home, skus, now):
    """Each of these SKUs has an alert of its own."""
    home.put_facts([store_fact("s1", now)] + [stock_fact("s1", f"sku{index}", 3, now, policy=True) for index in skus])


class Row16_ReceiversThatAreDownOrLie(unittest.TestCase):
    """One receiver is down for days, one answers garbage, one hangs up, one asks for time, one is gone for good; the sixth notices nothing
    of that. Time is moved on by the clock of the services, not waited for."""

    def test(self):
        library = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
        self.assertTrue(library, "libfaketime is not installed; tests/run installs it")
        down = Receiver()
        port = down.server_address[1]
        down.close()  # Nobody listens there now.
        busy = b"HTTP/1.1 429 Too Many\r\nRetry-After: 7200\r\nContent-Length: 0\r\n\r\n"
        receivers = {
            "fine": Receiver(), "garbage": Receiver(lambda attempt: b"\0\xff no http \n\n" if attempt < 3 else Receiver.ok),
            "cut": Receiver(lambda attempt: b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf" if attempt < 2 else Receiver.ok),
            "silent": Receiver(lambda attempt: b"" if attempt < 2 else Receiver.ok),
            "busy": Receiver(lambda attempt: busy if attempt < 2 else Receiver.ok),
            "gone": Receiver(lambda attempt: b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n")}
        with Services() as home:
            clock = home.folder / "clock"
            clock.write_text("+0\n")
            lying = {"LD_PRELOAD": library[0], "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1", "DONT_FAKE_MONOTONIC": "1"}
            home.service_env = {"bus": lying, "alerts": lying}
            home.up()
            for name, receiver in receivers.items():
                subscribe(self, home, name, receiver.server_address[1])
            subscribe(self, home, "down", port)
            count = 5
            low_stock(home, range(count), int(time.time() * 1000))
            log = home.running["alerts"].said
            attempts = lambda name: log().count(f"subscriber={name} ")
            wait_until("the fine one hears all at once", lambda: len(receivers["fine"].got) == count, 20, said=home.logs)
            wait_until("each of the others was tried", lambda: all(attempts(name) >= count for name in ("down", "garbage", "cut", "silent", "busy", "gone")), 20,
                       said=home.logs)
            # 5 s, 5 min, 30 min, 2 h, 5 h: what is said to be a day and more passes while the receiver is down.
            hours, tried = 0.0, attempts("down")
            for step_s in (6, 340, 2_000, 7_950, 19_850, 60_000):
                hours += step_s / 3600
                if step_s == 7_950:
                    self.assertEqual({1}, set(receivers["busy"].got.values()), "it asked for two hours")
                draft = clock.with_suffix(".new")
                draft.write_text(f"+{int(hours * 3600)}\n")
                os.rename(draft, clock)
                wait_until(f"tried again after {hours:.1f} h", lambda: attempts("down") >= tried + count, 20, said=home.logs)
                tried = attempts("down")
            self.assertLessEqual(tried, 7 * count + count, "a storm of attempts")
            receivers["down"] = Receiver(port=port)
            draft.write_text(f"+{int(hours * 3600) + 300_000}\n")
            os.rename(draft, clock)
            for name in ("down", "garbage", "cut", "silent", "busy"):
                wait_until(f"{name} hears all in the end", lambda: len(receivers[name].got) == count, 20, said=home.logs)
            wait_until("all is settled", lambda: log().count("notice_delivered notice=") == 6 * count, 20, said=home.logs)
            self.assertEqual({1: count}, collections.Counter(receivers["fine"].got.values()))
            self.assertEqual({1: count}, collections.Counter(receivers["gone"].got.values()), "asked again who said that it is gone")
            self.assertEqual(1, len({frozenset(receiver.got) for receiver in receivers.values()}), "all heard of the same notices")
            print(f"down for {hours:.0f} h, {tried} attempts for {count} alerts, all heard; attempts of the others "
                  f"{ {name: sum(receiver.got.values()) for name, receiver in receivers.items()} }")
        for receiver in receivers.values():
            receiver.close()


class Row17_KilledBetweenTheAnswerAndItsRecord(unittest.TestCase):
    def test(self):
        kills = []

        def answer(attempt):
            # The receiver has taken it; the service dies before it can note that.
            if attempt == 1 and len(kills) < 8:
                kills.append(self.home.stop("alerts", signal.SIGKILL))
            return Receiver.ok

        receiver = Receiver(answer)
        with Services() as home:
            self.home = home
            home.up()
            subscribe(self, home, "test", receiver.server_address[1])
            now = int(time.time() * 1000)
            for index in range(12):
                low_stock(home, [index], now + index)
                wait_until("it is heard, and the service killed", lambda: len(receiver.got) == index + 1 and len(kills) == min(index + 1, 8), 20,
                           said=home.logs)
                if not home.running["alerts"].alive():
                    home.start("alerts")
                home.wait_healthy()
                # Each notice meets one crash alone.
                wait_until("all is delivered", lambda: all(alert["delivery"] == "delivered" for alert in home.alerts()), 30, 0.02, home.logs)
            repeats = sum(receiver.got.values()) - len(receiver.got)
            print(f"{len(kills)} kills, {len(receiver.got)} notices, {repeats} repeats")
            self.assertEqual([-signal.SIGKILL] * 8, kills)
            self.assertEqual(12, len(receiver.got))
            self.assertLessEqual(max(receiver.got.values()), 2, "more than one repeat of a crash")
            self.assertLessEqual(repeats, len(kills))
            self.assertGreater(repeats, 0, "no kill hit the moment: this shows nothing")
        receiver.close()


class Watcher(threading.Thread):
    """A stream of alerts as a program reads it: after each break it goes on from the last position."""

    def __init__(self, home):
        super().__init__(daemon=True)
        self.home, self.seen, self.position, self.breaks, self.done = home, [], "beginning", 0, False
        self.open = False  # Something was read on this connection.

    def run(self):
        while not self.done:
            connection = http.client.HTTPConnection(self.home.http, timeout=30)
            try:
                self.read(connection)
            except (OSError, http.client.HTTPException, struct.error):
                self.breaks += self.open
                self.open = False
                time.sleep(0.02)
            finally:
                connection.close()

    def read(self, connection):
        body = json.dumps({"position": self.position}).encode()
        connection.request("POST", "/xundian.gateway.v1.GatewayService/WatchAlerts", struct.pack(">BI", 0, len(body)) + body,
                                {"Content-Type": "application/connect+json", "Authorization": f"Bearer {self.home.token()}"})
        answer = connection.getresponse()
        while not self.done:
            flag, length = struct.unpack(">BI", answer.read(5))
            message = json.loads(answer.read(length))
            if flag & 2:
                raise http.client.HTTPException(str(message))
            self.position, self.open = message["position"], True
            if "alert" in message:
                self.seen.append((message["alert"]["key"], message["alert"]["condition"], message["time"]))


class Row18_StreamsGoOnWhereTheGatewayDied(unittest.TestCase):
    def test(self):
        with Services() as home:
            home.up()
            watchers = [Watcher(home) for _ in range(20)]
            for watcher in watchers:
                watcher.start()
            now, kills = int(time.time() * 1000), 0

            def put(facts):
                for _ in range(100):
                    try:
                        return home.put_facts(facts)
                    except (OSError, chaos.Failed):
                        time.sleep(0.05)
                raise chaos.Failed(f"the facts are not taken: {home.logs()}")

            put([store_fact("s1", now)])
            for round in range(6):
                # Each SKU falls below its reorder point, or rises above it.
                put([stock_fact("s1", f"sku{index}", 3 if round % 2 == 0 else 40, now + 10 * round, policy=True) for index in range(30)])
                if round in (1, 2, 4):
                    wait_until("all streams are open", lambda: all(watcher.open for watcher in watchers), 20)
                    home.stop("gateway", signal.SIGKILL)
                    kills += 1
                    home.start("gateway")
                put([stock_fact("s1", f"more{round}.{index}", 3, now + round, policy=True) for index in range(5)])
            home.wait_healthy()
            home.settle()
            last = Watcher(home)  # One that was never interrupted.
            last.start()
            expected = 6 * 30 + 6 * 5
            wait_until("the calm one has all", lambda: len(last.seen) >= expected, 20, said=lambda: f"{len(last.seen)} {home.logs()}")
            wait_until("all have all", lambda: all(len(watcher.seen) >= len(last.seen) for watcher in watchers), 20,
                       said=lambda: f"{[len(watcher.seen) for watcher in watchers]}")
            for watcher in watchers + [last]:
                watcher.done = True
            breaks = sum(watcher.breaks for watcher in watchers)
            print(f"{kills} kills, 20 streams broken {breaks} times in all, {len(last.seen)} changes of alerts each")
            for watcher in watchers:
                self.assertEqual(last.seen, watcher.seen)
            self.assertEqual({kills}, {watcher.breaks for watcher in watchers})


class Row22_AReplayTellsNobodyAgain(unittest.TestCase):
    def test(self):
        receiver = Receiver()
        with Services() as home:
            home.up()
            subscribe(self, home, "test", receiver.server_address[1])
            now = int(time.time() * 1000)
            low_stock(home, range(8), now)
            wait_until("all are heard", lambda: len(receiver.got) == 8, 20, said=home.logs)
            home.settle()
            wait_until("and recorded", lambda: all(alert["delivery"] == "delivered" for alert in home.alerts()), 20, 0.1)
            facts, fingerprints = home.status()[1]["journal"]["facts"], home.fingerprints()
            for _ in range(2):
                home.down()
                shutil.rmtree(home.home / "snapshots")
                home.up()
                self.assertEqual(fingerprints, home.fingerprints())
                home.settle()
            self.assertEqual(facts, home.status()[1]["journal"]["facts"], "the replay said something again")
            # One more alert goes the same way, behind whatever a replay might have sent.
            low_stock(home, [100], now + 1)
            wait_until("the new one is heard", lambda: len(receiver.got) == 9, 20, said=home.logs)
            self.assertEqual(9, sum(receiver.got.values()))
            print("8 alerts, two replays of all, 0 new deliveries")
        receiver.close()


if __name__ == "__main__":
    chaos.main()
