"""Results for people and machines: TAP 13 with YAML diagnostics as they come, and a JSON report at the end."""

import json
import sys

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"
LONGEST = 1200  # characters of a diagnostic's text


class Result:
    """How a case came out: `expected`, `got` and `sent` are texts, `exchange` lines of the transcript."""

    def __init__(self, case, outcome, seconds, transcript, expected="", got=""):
        self.case, self.outcome, self.seconds = case, outcome, seconds
        self.expected, self.got = expected[:LONGEST], got[:LONGEST]
        self.sent = transcript.last(">")
        self.exchange = transcript.shown()

    def as_json(self):
        out = {"id": self.case.name, "section": self.case.section, "level": self.case.level, "sentence": self.case.sentence,
               "outcome": self.outcome, "seconds": round(self.seconds, 3)}
        if self.outcome == SKIPPED:
            out["reason"] = self.got
        else:
            out.update(sent=self.sent, expected=self.expected, got=self.got, exchange=self.exchange)
        return out


def say(text=""):
    print(text, flush=True)


def one_line(text):
    return " ".join(text.replace("#", "\\#").split())


def quoted(text):
    """A YAML double-quoted scalar: JSON strings are."""
    return json.dumps(text, ensure_ascii=False)


class Tap:
    def __init__(self, count):
        say("TAP version 13")
        say(f"1..{count}")
        self.number = 0

    def result(self, result):
        self.number += 1
        case = result.case
        word = "not ok" if result.outcome == FAILED else "ok"
        skip = f" # SKIP {one_line(result.got)}" if result.outcome == SKIPPED else ""
        say(f"{word} {self.number} - {case.name}: {one_line(case.sentence)} [section {case.section}, {case.level}]{skip}")
        if result.outcome == FAILED:
            self.diagnostic(result)

    def diagnostic(self, result):
        say("  ---")
        for name in ("sent", "expected", "got"):
            say(f"  {name}: {quoted(getattr(result, name))}")
        say("  exchange:")
        for line in result.exchange[-12:]:
            say(f"    - {quoted(line)}")
        say("  ...")

    def done(self, results, left):
        for target in left:
            say(f"# left behind, for its Delete failed: {target}")
        say("# " + ", ".join(f"{n} {outcome}" for outcome, n in counts(results).items()))


def counts(results):
    return {outcome: sum(r.outcome == outcome for r in results) for outcome in (PASSED, FAILED, SKIPPED)}


def write_json(path, service, results):
    whole = {"service": {"host": service.endpoint.host, "port": service.endpoint.port, "id": service.id},
             "protocol": "DOIP 2.0", "counts": counts(results), "objectsLeft": service.left,
             "cases": [r.as_json() for r in results]}
    text = json.dumps(whole, indent=2, ensure_ascii=False) + "\n"
    if path == "-":
        sys.stdout.write(text)
        return
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def listing(cases):
    """For --list: a line per case."""
    width = max(len(c.name) for c in cases)
    for case in cases:
        needs = f" (needs {', '.join(case.needs)})" if case.needs else ""
        say(f"{case.name:{width}}  section {case.section}  {case.level:7}  {case.sentence}{needs}")
