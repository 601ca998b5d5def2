"""The figures as a table of ratios in Markdown, and as a chart."""

import os
import platform
import statistics
import subprocess
import time
from xml.sax.saxutils import escape


class Row:
    """One comparison: `goal` is the least ratio wanted, or the negative of the greatest; None: only reported."""

    def __init__(self, name, goal, unit, peer):
        self.name, self.goal, self.unit, self.peer = name, goal, unit, peer
        self.ours, self.theirs = [], []

    def ratios(self):
        return [a / b for a, b in zip(self.ours, self.theirs) if b]

    def met(self):
        middle = statistics.median(self.ratios())
        return None if self.goal is None else middle >= self.goal if self.goal > 0 else middle <= -self.goal

    def goal_text(self):
        return "" if self.goal is None else f"≥ {self.goal:g}" if self.goal > 0 else f"≤ {-self.goal:g}"


class Table:
    def __init__(self):
        self.rows = {}

    def add(self, name, goal, ours, theirs, unit, peer="nginx"):
        row = self.rows.setdefault(name, Row(name, goal, unit, peer))
        row.ours.append(ours)
        row.theirs.append(theirs)
        print(f"  {name}: {number(ours)} : {number(theirs)} {unit} = {ours / theirs if theirs else 0:.2f}", flush=True)


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def first_line(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True)
        return (done.stdout + done.stderr).strip().splitlines()[0]
    except (OSError, IndexError):
        return f"{command[0]}: not to be had"


def machine():
    with open("/proc/cpuinfo") as file:
        model = next((line.partition(":")[2].strip() for line in file if line.startswith("model name")), platform.machine())
    with open("/proc/meminfo") as file:
        memory = int(file.readline().split()[1]) / (1 << 20)
    return f"{os.cpu_count()} × {model}, {memory:.0f} GiB, {platform.system()} {platform.release()}; " \
           f"{first_line('/usr/sbin/nginx', '-v')}; {first_line('openssl', 'version')}"


def markdown(table, rounds, load):
    lines = ["# doipd beside its peers", "",
             f"Made by `bench/compare` on {time.strftime('%Y-%m-%d')}, {rounds} rounds; load average before it {load:.2f}.", "",
             f"Machine: {machine()}.", "",
             "A ratio is doipd's figure to the peer's in the same round; the generator (`doip-bench`, for both sides) runs on the same cores.", "",
             "![ratios](results.svg)", "",
             "| what | goal | median | min | max | doipd | peer | of |", "|---|---|---|---|---|---|---|---|"]
    for row in table.rows.values():
        ratios = row.ratios()
        mark = {True: "", False: " ✗", None: ""}[row.met()]
        lines.append(f"| {row.name} | {row.goal_text()} | **{statistics.median(ratios):.2f}**{mark} | {min(ratios):.2f} | {max(ratios):.2f} | "
                     f"{number(statistics.median(row.ours))} {row.unit} | {number(statistics.median(row.theirs))} {row.unit} | {row.peer} |")
    return "\n".join(lines) + "\n"


HEIGHT, LEFT, WIDTH = 22, 470, 380


def chart(table):
    """A bar for each row: its median to its goal, so that the line at 1 is where all should end; whiskers from least to most."""
    rows = [row for row in table.rows.values() if row.goal is not None]
    most = 2.0
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 90}" height="{HEIGHT * len(rows) + 50}" '
           'font-family="sans-serif" font-size="12">', '<rect width="100%" height="100%" fill="white"/>',
           f'<text x="{LEFT}" y="16">how far each goal is passed (1 = just reached; up to {most:g} shown)</text>']

    def at(value):
        return LEFT + WIDTH * min(value, most) / most

    for index, row in enumerate(rows):
        goals = [ratio / row.goal if row.goal > 0 else -row.goal / ratio for ratio in row.ratios() if ratio]
        middle, y = statistics.median(goals), 30 + HEIGHT * index
        colour = "#4a8f5c" if row.met() else "#b5523b"
        out.append(f'<text x="{LEFT - 8}" y="{y + 12}" text-anchor="end">{escape(row.name)}</text>')
        out.append(f'<rect x="{LEFT}" y="{y + 2}" width="{at(middle) - LEFT:.1f}" height="13" fill="{colour}"/>')
        out.append(f'<line x1="{at(min(goals)):.1f}" x2="{at(max(goals)):.1f}" y1="{y + 8.5}" y2="{y + 8.5}" stroke="#222"/>')
        out.append(f'<text x="{at(max(middle, max(goals))) + 6:.1f}" y="{y + 12}">{statistics.median(row.ratios()):.2f} ({row.goal_text()})</text>')
    bottom = 30 + HEIGHT * len(rows)
    out.append(f'<line x1="{at(1):.1f}" x2="{at(1):.1f}" y1="26" y2="{bottom}" stroke="#222" stroke-dasharray="4 3"/>')
    return "\n".join(out + ["</svg>"]) + "\n"


def write(table, rounds, load, directory):
    for name, text in (("results.md", markdown(table, rounds, load)), ("results.svg", chart(table))):
        with open(os.path.join(directory, name), "w") as file:
            file.write(text)
