"""Tests whether a service speaks DOIP v2.0. See README.md beside this package; `../run --help` runs it."""
