"""What is measured while the crowd is there: the workers' memory, descriptors and threads, as the system shows them, and connections as
doipctl does."""

import json
import os
import re
import subprocess
import time

from daemon import BUILD

STATES = ("handshake", "idle", "reading", "running", "writing", "closing")


# What a worker may have more after the crowd than before it. The store keeps as many connections of its catalog and index open as were in use at
# once: at most eight of each, with two files. malloc keeps 4 MiB at the end of each of its two arenas.
LEFT = (("threads", "threads", 0), ("descriptors", "descriptors", 32), ("pss", "KiB of PSS", 10240))
GROWTH = 0.05, 4096  # what all workers' PSS may grow from the first half of the crowd's time to the second: a share of it, and KiB


def judges_memory(pid):
    """Not in a build with a sanitizer that keeps what is freed: those take terabytes of addresses."""
    with open(f"/proc/{pid}/status") as file:
        return int(re.search(r"^VmSize:\s+(\d+)", file.read(), re.M)[1]) < 1 << 30


class Worker:
    """A process at one moment; memory in KiB."""

    def __init__(self, pid):
        with open(f"/proc/{pid}/smaps_rollup") as file:
            rollup = file.read()
        with open(f"/proc/{pid}/status") as file:
            status = file.read()
        self.pid = pid
        self.rss, self.pss = (int(re.search(rf"^{name}:\s+(\d+)", rollup, re.M)[1]) for name in ("Rss", "Pss"))
        self.threads = int(re.search(r"^Threads:\s+(\d+)", status, re.M)[1])
        self.descriptors = len(os.listdir(f"/proc/{pid}/fd"))

    def __str__(self):
        return f"{self.rss / 1024:7.1f} {self.pss / 1024:7.1f} {self.descriptors:6} {self.threads:4}"


class Sample:
    """The service at one moment. `counts` has of each kind of client how many are there, what they have done, and errors."""

    def __init__(self, made, begun, counts):
        self.seconds = time.monotonic() - begun
        self.workers = [Worker(pid) for pid in made.workers()]
        self.connections = json.loads(subprocess.run([f"{BUILD}/doipctl", "-s", made.path("state/control/socket"), "-j", "status"],
                                                     capture_output=True, check=True, timeout=60).stdout)["connections"]
        self.counts = counts

    def differences(self, before):
        """What of the service is not as it was, when nobody was there; empty: it is as before."""
        found = [f"{self.connections['open']} connections are open"] if self.connections["open"] else []
        for old, new in zip(before.workers, self.workers):
            found += [f"worker {new.pid} had {getattr(old, name)} {what}, and has {getattr(new, name)}" for name, what, spare in LEFT
                      if getattr(new, name) > getattr(old, name) + spare and (name != "pss" or judges_memory(new.pid))]
        return found

    def sum(self, name):
        return sum(getattr(worker, name) for worker in self.workers)

    @staticmethod
    def heading(workers):
        states = " ".join(f"{state:>9}" for state in STATES)
        each = "   ".join(f"{f'RSS {n}':>7} {f'PSS {n}':>7} {'fds':>6} {'thr':>4}" for n in range(1, workers + 1))
        return f"{'s':>6} {'open':>6} {states}   {'busy/s':>7} {'errors':>6}   {each}"

    def line(self, before):
        """The table's line: requests of busy clients per second since the sample before, errors of all so far."""
        span = self.seconds - before.seconds if before else 0
        rate = (self.counts["busy"].done - before.counts["busy"].done) / span if span > 0 else 0
        errors = sum(count.errors for count in self.counts.values())
        states = " ".join(f"{self.connections[state]:9}" for state in STATES)
        return (f"{self.seconds:6.0f} {self.connections['open']:6} {states}   {rate:7.0f} {errors:6}   "
                + "   ".join(str(worker) for worker in self.workers))


class Verdict:
    """What must hold of a run, judged by its samples: before the crowd, `full` (while all are there), and after it."""

    def __init__(self, before, full, after, log):
        self.held, self.findings = True, []
        self.judge_clients(after.counts)
        self.judge_service([worker.pid for worker in before.workers], (*full, after), log)
        self.judge_crowd(full)
        left = after.differences(before)
        self.say(not left, "after the crowd all is as before" + "".join(f"; {what}" for what in left))

    def say(self, holds, text):
        self.held = self.held and holds
        self.findings.append(f"{'held' if holds else 'NOT '}  {text}")

    def judge_clients(self, counts):
        for name, count in counts.items():
            self.say(count.errors == 0 and count.done > 0, f"{name}, {count.clients} clients: {count.done} done, {count.errors} errors")

    def judge_service(self, pids, samples, log):
        self.say(all([worker.pid for worker in sample.workers] == pids for sample in samples), "no worker died or was replaced")
        complaints = re.findall(r"^.*: (?:warning|error): (?!.*\[workers-are-root\]).*$", log, re.M)
        self.say(not complaints, "nothing to complain about in the log" + "".join(f"; {line}" for line in complaints[:5]))

    def judge_crowd(self, full):
        counts = full[-1].counts
        present = sum(count.clients for count in counts.values())
        opens = [sample.connections["open"] for sample in full]
        self.say(min(opens) >= present * 0.99 and max(opens) <= present * 1.01, f"connections open: {min(opens)} to {max(opens)} of {present}")
        self.flat(full, "descriptors", present // 50 + 2 * LEFT[1][2])
        self.flat(full, "threads", counts["slow reader"].clients + counts["slow upload"].clients)  # each has one or none
        if judges_memory(full[-1].workers[0].pid):
            share, spare = GROWTH
            self.flat(full, "pss", int(full[0].sum("pss") * share) + spare, " KiB")

    def flat(self, full, name, spare, unit=""):
        """Of all workers together, the most in the second half of the time must be no more than in the first, but for what comes and goes."""
        values = [sample.sum(name) for sample in full]
        middle = len(values) // 2
        first, second = max(values[:middle]), max(values[middle:])
        self.say(second <= first + spare, f"{name} of the workers: at most {first}{unit} in the first half, {second}{unit} in the second")
