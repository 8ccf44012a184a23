# SPDX-License-Identifier: Apache-2.0
"""docs/performance.md and its figure, from the results alone."""

from xml.sax.saxutils import escape

from bars.results import sides

HEAD = """<!-- Generated from benchmarks/results by benchmarks/report; write nothing here. -->
# Performance

What is promised, and what was measured. Each value is the median of its samples or, where two sides are compared, of
the ratios of pairs: both sides take short slices in turn (A B B A), so that drift of the machine falls on both. The
interval is that of 95 % confidence by order statistics; of a highest value, the range. GB are 10^9 bytes; CPU time
counts the kernel's. `benchmarks/bars.toml` has the goals, `benchmarks/results` the raw samples of every run, and
`benchmarks/run` makes them anew. A miss says why in its note.

![Each value as a share of its goal; the line is the goal.](figures/performance.svg)
"""
SCORE_MAX = 2.0
BAR_WIDTH, ROW_HEIGHT, LABEL_WIDTH = 420, 20, 230


def number(value):
    """Four digits, without an exponent where people read one badly."""
    if value == 0:
        return "0"
    if abs(value) >= 1e4:
        return f"{value:,.0f}"
    return f"{value:.4g}" if abs(value) >= 1e-3 else f"{value:.2e}"


def _row(record):
    low, high = record["interval"]
    goal = f"{record['direction']} {number(record['goal'])} {record['unit']}"
    value = f"**{number(record['value'])}** ({number(low)} to {number(high)}; {record['runs']})"
    met = "yes" if record["met"] else "**no**"
    return f"| `{record['id']}` | {record['title']} | {goal} | {value} | {met} |"


def _by_run(records):
    """The records of each run, in the order of the bars."""
    runs = {}
    for record in records:
        runs.setdefault((record["samples"], record["date"]), []).append(record)
    return runs.values()


def _details(records):
    """One run: what it measured, and what is said of each of its bars."""
    first = records[0]
    lines = [f"### {first['samples'].removesuffix('.samples.jsonl')}", ""]
    lines += [f"{first['date']}, commit {first['commit']}; {first['machine']}.", f"`{first['command']}`", ""]
    for name_of_figure, medians in sides(records).items():
        lines += [f"| {name_of_figure} | median |", "|---|---|"]
        lines += [f"| {name} | {number(value)} |" for name, value in medians.items()] + [""]
    compared = [f"- `{record['id']}`: compared with {record['against']}" for record in records if record["against"]]
    if compared:
        lines += compared + [""]
    for record in records:
        if record["note"]:
            lines += [f"**`{record['id']}`**: {record['note']}", ""]
    return lines


def markdown(records, bars):
    """The page."""
    lines = [HEAD, "| bar | what | goal | value (95 % interval; samples) | met |", "|---|---|---|---|---|"]
    lines += [_row(record) for record in records]
    known = {record["id"] for record in records}
    missing = [bar.id for bar in bars.values() if bar.id not in known]
    if missing:
        lines += ["", "Not measured yet: " + ", ".join(f"`{id}`" for id in missing) + "."]
    lines += ["", "## In detail", ""]
    for of_run in _by_run(records):
        lines += _details(of_run)
    return "\n".join(lines).rstrip("\n") + "\n"


def score(record):
    """1 where the goal is just met, more where it is bettered, at most SCORE_MAX."""
    value, goal = record["value"], record["goal"]
    if record["direction"] == "at least":
        return min(value / goal, SCORE_MAX) if goal else SCORE_MAX
    if value <= 0:
        return SCORE_MAX
    return min(goal / value, SCORE_MAX)


def figure(records):
    """The picture: a bar a record, as a share of its goal."""
    width, height = LABEL_WIDTH + BAR_WIDTH + 60, ROW_HEIGHT * len(records) + 30
    goal_x = LABEL_WIDTH + BAR_WIDTH / SCORE_MAX
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{goal_x:g}" y="14" text-anchor="middle">goal</text>',
    ]
    for index, record in enumerate(records):
        y = 20 + index * ROW_HEIGHT
        length = max(score(record), 0) / SCORE_MAX * BAR_WIDTH
        colour = "#3a7d44" if record["met"] else "#c0392b"
        parts += [
            f'<text x="{LABEL_WIDTH - 8}" y="{y + 13}" text-anchor="end">{escape(record["id"])}</text>',
            f'<rect x="{LABEL_WIDTH}" y="{y + 3}" width="{length:.1f}" height="{ROW_HEIGHT - 6}" fill="{colour}"/>',
            f'<text x="{LABEL_WIDTH + length + 5:.1f}" y="{y + 13}">{number(record["value"])} '
            f'{escape(record["unit"])}</text>',
        ]
    parts += [f'<line x1="{goal_x:g}" x2="{goal_x:g}" y1="18" y2="{height - 6}" stroke="black"/>', "</svg>"]
    return "\n".join(parts) + "\n"
