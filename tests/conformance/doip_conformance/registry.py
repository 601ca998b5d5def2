"""The list of cases: what each is called, what it is about, and what it needs from the service."""

import fnmatch

MUST = "MUST"        # what DOIP services and clients rely on
SHOULD = "SHOULD"    # what keeps clients out of trouble
INTEROP = "INTEROP"  # what only some clients expect, or a service may do otherwise

LEVELS = (MUST, SHOULD, INTEROP)

cases = []


class Case:
    def __init__(self, name, section, level, sentence, needs, run):
        self.name, self.section, self.level, self.sentence, self.needs, self.run = name, section, level, sentence, needs, run


def case(name, section, level, sentence, needs=()):
    """Registers a function of a trial as a case. `needs` names operations that the client must be allowed ("Create")."""
    def register(run):
        assert level in LEVELS and not any(c.name == name for c in cases), name
        cases.append(Case(name, section, level, sentence, tuple(needs), run))
        return run
    return register


def chosen(patterns, level):
    """The cases that match one of the patterns (shell style, or a part of the name), down to a level."""
    found = [c for c in cases if LEVELS.index(c.level) <= LEVELS.index(level)]
    if patterns:
        found = [c for c in found if any(p in c.name or fnmatch.fnmatchcase(c.name, p) for p in patterns)]
    return found
