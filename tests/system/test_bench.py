"""What doip-bench says of a service that is known: counts, not rates."""

import json
import os
import subprocess

from base import Case
from daemon import BUILD

BENCH = os.path.join(BUILD, "doip-bench")


class Handshakes(Case):
    def report(self, *options):
        done = subprocess.run([BENCH, "-s", f"127.0.0.1:{self.daemon.port}", "-c", "2", "-d", "0.5", "-w", "0.5", *options],
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def handshakes(self, *options):
        report = json.loads(self.report("-j", *options))
        self.assertEqual((report["failures"], report["brokenConnections"], report["firstProblem"]), (0, 0, ""))
        return report["handshakes"], report["resumedHandshakes"]

    def test_resumed_ones_are_told(self):
        self.make()
        count, resumed = self.handshakes("-C")
        self.assertGreater(count, 0)
        self.assertEqual(resumed, 0)
        count, resumed = self.handshakes("-C", "-r")
        self.assertGreater(count, 0)
        self.assertEqual(resumed, count)  # each of them: every resumption brings the ticket for the next
        self.assertEqual(self.handshakes("-r"), (0, 0))
        self.assertRegex(self.report("-C"), r" \d+ handshakes \(0 resumed\),")
