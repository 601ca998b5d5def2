"""What the documentation shows, as text to be tried: the blocks of README.md and of the man pages."""

import os
import re

from daemon import TREE


def text(path):
    with open(os.path.join(TREE, path)) as file:
        return file.read()


def readme(language):
    """The blocks of README.md in that language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text("README.md"), re.M | re.S)


def page(path):
    """The literal blocks of a man page, in order."""
    blocks = re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed$", text(path), re.M | re.S)
    return [re.sub(r"\\(e|\(dq|&)", lambda found: {"e": "\\", "(dq": '"', "&": ""}[found[1]], block) for block in blocks]


def session(block):
    """The (command, what it prints) of a block in which commands follow `$ `."""
    for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
        command, _, output = part.partition("\n")
        yield command, output


def pattern(output, port):
    """A regular expression for what a command may print where the manual shows that: a line `...` stands for any lines."""
    lines = re.escape(output.replace("port 9000", f"port {port}"))
    return re.sub("[0-9a-f]{64}", "[0-9a-f]{64}", re.sub(r"(?m)^\\\.\\\.\\\.\\?\n", "(?:.*\n)*", lines)) + r"\Z"
