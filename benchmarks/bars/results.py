# SPDX-License-Identifier: Apache-2.0
"""benchmarks/results: a JSON file a bar, and the raw samples of every run of a measurement."""

import json
import sys
from pathlib import Path

from bars.rules import NoSamples, evaluate, peers

BENCHMARKS = Path(__file__).resolve().parents[1]
FOLDER = BENCHMARKS / "results"
NOTES = BENCHMARKS / "notes"


def note(bar_id):
    """What a person wrote about a bar: why it is missed, and the profile that shows it."""
    path = NOTES / f"{bar_id}.md"
    return path.read_text(encoding="utf-8").strip() if path.is_file() else ""


def result(bar, run):
    """The record of one bar from one run. Raises NoSamples."""
    outcome = evaluate(bar, run)
    return {
        "id": bar.id,
        "title": bar.title,
        "value": outcome.value,
        "unit": bar.unit,
        "goal": bar.goal,
        "direction": bar.direction,
        "met": bar.met(outcome.value),
        "figure": bar.value["figure"],
        "against": outcome.against,
        "peers": peers(bar, run),
        "interval": list(outcome.interval),
        "runs": outcome.runs,
        **{key: run.description[key] for key in ("machine", "commit", "date", "command")},
        "note": note(bar.id),
        "samples": f"{bar.measurement}.samples.jsonl",
    }


def work_out(run, bars):
    """(results, problems) of all bars that follow from a run."""
    found, problems = [], []
    for bar in bars.values():
        if bar.measurement == run.description["measurement"]:
            try:
                found.append(result(bar, run))
            except NoSamples as error:
                problems.append(f"{bar.id}: {error}")
    return found, problems


def write(run, bars, folder=FOLDER):
    """Writes the results of all bars that follow from a run."""
    for record in work_out(run, bars)[0]:
        text = json.dumps(record, indent=2) + "\n"
        (folder / f"{record['id']}.json").write_text(text, encoding="utf-8")


def keep(run, bars, folder=FOLDER):
    """Appends a run's samples to those there are and writes its results."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{run.description['measurement']}.samples.jsonl"
    with open(path, "a", encoding="utf-8") as file:
        file.write(run.text())
    write(run, bars, folder)


def sides(found):
    """Of each figure, the medians of all who took part in a run, by name."""
    of_figure = {}
    for record in found:
        of_figure.setdefault(record["figure"], {}).update(record["peers"])
    return of_figure


def print_table(found, problems):
    """A run's results for the terminal."""
    for record in found:
        low, high = record["interval"]
        print(f"{record['id']:28} {record['value']:12.4g} {record['unit']:<8} ({low:.4g} .. {high:.4g})  "
              f"{record['direction']} {record['goal']:g}: {'met' if record['met'] else 'MISSED'}")
    for figure, peers_of in sides(found).items():
        for name, value in peers_of.items():
            print(f"    {name:42} {value:12.5g} {figure}")
    for problem in problems:
        print(problem)
    sys.stdout.flush()


def load(bars, folder=FOLDER):
    """The results there are, in the order of the bars."""
    found = []
    for bar in bars.values():
        path = folder / f"{bar.id}.json"
        if path.is_file():
            found.append(json.loads(path.read_text(encoding="utf-8")))
    return found


def strangers(bars, folder=FOLDER):
    """Results that no bar asks for, or whose goal is another than the bar's."""
    found = []
    for path in sorted(folder.glob("*.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        bar = bars.get(path.stem)
        if bar is None:
            found.append(f"{path}: no bar of that id in bars.toml")
        elif (record["goal"], record["direction"], record["note"]) != (bar.goal, bar.direction, note(bar.id)):
            found.append(f"{path}: goal or note has changed since; run benchmarks/record --again")
    return found
