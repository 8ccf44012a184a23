# SPDX-License-Identifier: Apache-2.0
"""How a bar's value follows from the samples of a run."""

from dataclasses import dataclass

from bars.quantiles import interval, median, quantile


@dataclass(frozen=True)
class Outcome:
    value: float
    interval: tuple
    runs: int
    against: str = ""


class NoSamples(Exception):
    """The run lacks a series that the bar's value needs."""


def _needed(run, series, figure):
    if not run.series.get(series, {}).get(figure):
        raise NoSamples(f"no samples of {figure} of {series}")
    return run.series[series][figure]


def _against(run, rule):
    """The series to compare with, and its factor: of those named that took part, the one that `pick` says."""
    figure = rule["figure"]
    factors = dict(zip(rule["to"], rule.get("factors", [1.0] * len(rule["to"]))))
    present = [name for name in rule["to"] if run.series.get(name, {}).get(figure)]
    if "factors" in rule and len(present) < len(rule["to"]):
        present = []  # The lesser of two is not known from one.
    if not present:
        raise NoSamples(f"no samples of {' or '.join(rule['to'])}")
    if "reaching" in rule:
        reached = rule["reaching"]["figure"]
        rates = {name: median(run.values(name, reached)) for name in present}
        wanted = rule["reaching"]["share"] * median(run.values(rule["of"], reached))
        present = [name for name in present if rates[name] >= wanted] or [max(rates, key=rates.get)]
    pick = min if rule.get("pick") == "lowest" else max
    name = pick(present, key=lambda name: factors[name] * median(run.values(name, figure)))
    return name, factors[name]


def _compare(run, rule, combine):
    ours = _needed(run, rule["of"], rule["figure"])
    name, factor = _against(run, rule)
    theirs = run.series[name][rule["figure"]]
    pairs = sorted(set(ours) & set(theirs))
    if not pairs:
        raise NoSamples(f"{rule['of']} and {name} share no pair")
    compared = [combine(ours[pair], factor * theirs[pair]) for pair in pairs]
    return Outcome(median(compared), interval(compared), len(pairs), name)


def evaluate(bar, run):
    """The bar's value in this run with its 95 % interval. Raises NoSamples."""
    rule = bar.value
    kind = rule["kind"]
    if kind == "ratio":
        return _compare(run, rule, lambda ours, theirs: ours / theirs)
    if kind == "difference":
        return _compare(run, rule, lambda ours, theirs: ours - theirs)
    _needed(run, rule["of"], rule["figure"])
    values = run.values(rule["of"], rule["figure"])
    if kind == "highest":
        return Outcome(max(values), (min(values), max(values)), len(values))
    q = rule.get("q", 0.5)
    return Outcome(quantile(values, q), interval(values, q), len(values))


def peers(bar, run):
    """The median of the bar's figure for every series that has it, ours too."""
    figure = bar.value["figure"]
    return {name: median(run.values(name, figure)) for name in sorted(run.series) if run.series[name].get(figure)}
