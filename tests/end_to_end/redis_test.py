"""A home whose journal lies in Redis with a replica: the same numbers as on LMDB, though both are killed under an import; and a
backup that comes to life on a Redis of its own."""

import json
import threading
import unittest

from home import DATA, Failed, Home, needs_data


class RedisHome(Home):
    def __init__(self):
        super().__init__(clock="facts", config="redis_window_bytes = 1_048_576\n")

    def up(self, *flags):
        return super().up("--engine", "redis", "--replica", *flags)


def import_all(home, file):
    """Again and again until it is done, as people do when a service was killed under them."""
    for _ in range(100):
        code, out, err = home.run("import", file, "--json")
        if code == 0:
            return json.loads(out)
        home.wait_until("healthy again", home.healthy)
    raise Failed(f"the import never ends well: {err}")


def fingerprint(home):
    home.wait_until("healthy", home.healthy)
    return home.json("fingerprint")["services"]


@needs_data
class Redis(unittest.TestCase):
    file = DATA / "online_retail" / "2010-12.csv.gz"

    def test_redis_tells_what_lmdb_tells(self):
        with Home(clock="facts") as home:
            import_all(home, self.file)
            import_all(home, self.file)
            expected = fingerprint(home)
        with RedisHome() as home:
            done, killed = threading.Event(), []

            def kill():
                for victim in ["redis", "bus", "redis-replica", "redis", "metrics", "bus", "redis"]:
                    if done.wait(0.4):
                        return
                    killed.append((victim, home.kill(victim)))

            killer = threading.Thread(target=kill)
            killer.start()
            import_all(home, self.file)
            killer.join()
            done.set()
            import_all(home, self.file)
            self.assertEqual(expected, fingerprint(home))
            self.assertGreaterEqual(sum(hit for _, hit in killed), 5, killed)
            verified = home.json("verify")
            self.assertEqual([], verified["bad"])
            self.assertGreater(verified["facts"], 0)
            self.assert_backup_lives(home, expected)

    def assert_backup_lives(self, home, expected):
        copy = home.folder / "copy"
        home.json("backup", copy)
        restored = RedisHome()
        restored.json("restore", copy)
        with restored:
            restored.wait_until("the same again", lambda: fingerprint(restored) == expected)
            self.assertEqual([], restored.json("verify")["bad"])
            import_all(restored, self.file)
            self.assertEqual(expected, fingerprint(restored))


if __name__ == "__main__":
    unittest.main()
