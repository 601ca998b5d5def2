"""The cases, by topic. Importing this registers them all, in the order in which they run."""

from . import (transport, segments, framing, requests, faults, responses, hello, listing, create, objects,  # noqa: F401
               retrieve, update, delete, search, extended, identity)
