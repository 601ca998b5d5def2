"""The command line, and the run over the cases that it chose."""

import argparse
import sys
import time

from . import cases, registry, report  # noqa: F401 (cases registers them)
from .message import Malformed
from .service import Service
from .transcript import Transcript
from .trial import Failed, Skipped, Trial
from .wire import Connection, Ended, Endpoint, NoConnection, Silent

ABOUT = """Tests whether a service speaks DOIP v2.0: what it answers to good requests, to bad ones, and to odd but legal bytes.

It needs nothing but Python, and works with any service. The cases make objects of their own and delete
them again; --read-only keeps to cases that change nothing. Results are TAP on standard output.
"""

EXAMPLES = """examples:
  run localhost:9000 --service 35.TEST/DOIP -k
  run doip.example.org:9000 --service 20.500.123/service --user alice --password-file pw --json report.json
  run localhost:9000 --service 35.TEST/DOIP -k --level MUST 'create.*' segment

exit status: 0 all passed, 1 some failed, 2 usage, 3 no connection
"""


def parser():
    made = argparse.ArgumentParser(prog="run", description=ABOUT, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("address", nargs="?", metavar="HOST:PORT", help="where the service listens; [::1]:9000 for IPv6")
    made.add_argument("patterns", nargs="*", metavar="CASE-PATTERN", help="only cases whose id matches (shell pattern) or has it as a part")
    made.add_argument("--service", metavar="ID", help="the service's own identifier, the target of Hello")
    who = made.add_argument_group("who we are (sent with each request)")
    who.add_argument("--user", metavar="U", help="user name, with --password-file")
    who.add_argument("--password-file", metavar="F", help="file whose first line is the password")
    who.add_argument("--token", metavar="T", help="a token instead of a password")
    who.add_argument("--client-id", metavar="C", help="the clientId to send")
    who.add_argument("--cert", metavar="F", help="client certificate for TLS (PEM)")
    who.add_argument("--key", metavar="F", help="its key, where it is not in the same file")
    trust = made.add_argument_group("how the service is trusted (default: the system's authorities)")
    how = trust.add_mutually_exclusive_group()
    how.add_argument("--ca", metavar="F", help="certificates that may have signed the service's (PEM)")
    how.add_argument("--pin", metavar="HEX", help="SHA-256 of the service's public key (SubjectPublicKeyInfo)")
    how.add_argument("-k", "--insecure", action="store_true", help="any certificate will do")
    made.add_argument("--json", metavar="FILE", help="write a report of all cases in JSON, too")
    made.add_argument("--list", action="store_true", help="list the cases and end")
    made.add_argument("--level", choices=registry.LEVELS, default=registry.INTEROP, help="least level to run (default: all)")
    made.add_argument("--read-only", action="store_true", help="no Create, Update or Delete: their cases are skipped")
    made.add_argument("--prefix", metavar="P", help="what ids of objects begin with (default: the service's prefix)")
    made.add_argument("--type", metavar="T", default="Document", help="type of the objects made (default: %(default)s)")
    made.add_argument("--timeout", metavar="SECONDS", type=float, default=10.0, help="longest wait for the service (default: %(default)g)")
    return made


def address(text, fail):
    """(host, port) of HOST:PORT."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        fail(f"{text!r} is not HOST:PORT")
    return host.strip("[]"), int(port)


def properties(options, fail):
    """What tells the service who we are, for the head of each request."""
    out = {"clientId": options.client_id} if options.client_id else {}
    if options.token and (options.user or options.password_file):
        fail("--token excludes --user and --password-file")
    if options.token:
        out["authentication"] = {"token": options.token}
    elif options.password_file:
        if not options.user and not options.client_id:
            fail("--password-file needs --user or --client-id")
        with open(options.password_file, encoding="utf-8") as file:
            password = file.readline().rstrip("\n")
        out["authentication"] = {"username": options.user, "password": password} if options.user else {"password": password}
    elif options.user:
        fail("--user needs --password-file")
    return out


def service(options, fail):
    host, port = address(options.address, fail)
    if not options.service:
        fail("--service is needed: the service's identifier")
    if options.key and not options.cert:
        fail("--key needs --cert")
    pin = options.pin.lower().replace(":", "") if options.pin else None
    endpoint = Endpoint(host, port, options.timeout, options.ca, pin, options.insecure, options.cert, options.key)
    try:
        endpoint.context()
        who = properties(options, fail)
        if options.json and options.json != "-":
            open(options.json, "w", encoding="utf-8").close()  # now rather than after the run
    except (OSError, UnicodeDecodeError) as error:
        fail(f"can't use a file that an option names: {error}")
    return Service(endpoint, options.service, who, options.prefix, options.type, options.read_only)


def judge(trial, case):
    """Runs a case: (outcome, expected, got)."""
    why = trial.service.why_not(case.needs)
    if why:
        return report.SKIPPED, "", why
    try:
        case.run(trial)
        return report.PASSED, case.sentence, "just that"
    except Skipped as error:
        return report.SKIPPED, "", str(error)
    except Failed as error:
        return report.FAILED, error.expected, error.got
    except NoConnection as error:
        return report.FAILED, "a connection", str(error)
    except (Ended, Malformed, Silent) as error:
        return report.FAILED, case.sentence, str(error)
    except (AttributeError, IndexError, KeyError, TypeError) as error:  # a case took what is not there out of an answer
        return report.FAILED, case.sentence, f"an answer of another shape ({type(error).__name__}: {error}): {trial.transcript.last('<')}"


def run_case(tested, case):
    transcript = Transcript(tested.secrets())
    trial, begun = Trial(tested, transcript), time.monotonic()
    try:
        outcome, expected, got = judge(trial, case)
    finally:
        try:
            trial.finish()
        except NoConnection:
            tested.left += trial.objects
    return report.Result(case, outcome, time.monotonic() - begun, transcript, expected, got)


def run(tested, selected, json_path):
    """The exit status."""
    Connection(tested.endpoint, Transcript()).close()
    tested.probe()
    tap, results = report.Tap(len(selected)), []
    for case in selected:
        results.append(run_case(tested, case))
        tap.result(results[-1])
    tap.done(results, tested.left)
    if json_path:
        report.write_json(json_path, tested, results)
    return 1 if any(r.outcome == report.FAILED for r in results) else 0


def main(arguments=None):
    made = parser()
    options = made.parse_intermixed_args(arguments)
    if options.list and options.address and ":" not in options.address:
        options.patterns.insert(0, options.address)
    selected = registry.chosen(options.patterns, options.level)
    if not selected:
        made.error("no case matches")
    if options.list:
        report.listing(selected)
        return 0
    if not options.address:
        made.error("HOST:PORT is needed")
    tested = service(options, made.error)
    try:
        return run(tested, selected, options.json)
    except NoConnection as error:
        print(f"{made.prog}: {error}", file=sys.stderr)
        return 3
