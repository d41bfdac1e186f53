import os
import unittest

try:
    import pendulum
except ImportError:
    pendulum = None

LIST = os.path.join(os.path.dirname(__file__), "..", "..", "zones.txt")


@unittest.skipUnless(pendulum and pendulum.__version__ == "2.1.2", "no pendulum of the lock")
class Zones(unittest.TestCase):
    def test_list(self):
        """The list that stack files are checked against is that of the locked version."""
        with open(LIST) as f:
            names = [line.strip() for line in f if not line.startswith("#")]
        self.assertEqual(names, sorted(pendulum.tz.timezones))


if __name__ == "__main__":
    unittest.main()
