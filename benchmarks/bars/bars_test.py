# SPDX-License-Identifier: Apache-2.0
"""How values follow from samples. Run by ctest."""

import random
import tempfile
import unittest
from pathlib import Path

from bars import catalogue, page, quantiles, results, rules, samples


def make_bar(**changes):
    fields = {"id": "a.b", "title": "t", "unit": "x", "goal": 0.9, "direction": "at least", "measurement": "a.b",
              "value": {"kind": "ratio", "figure": "gb_per_s", "of": "ours", "to": ["theirs"]}}
    return catalogue.Bar(**(fields | changes))


def make_run(*lines):
    run = samples.Run({"measurement": "a.b", "machine": "m", "commit": "c", "date": "d", "command": "x"})
    for series, pair, rest in lines:
        run.add(samples.json.dumps({"series": series, "pair": pair} | rest))
    return run


def timed(gigabytes_per_second, cpu=0.0):
    return {"seconds": 1.0, "cpu_seconds": cpu, "bytes": int(gigabytes_per_second * 1e9), "operations": 1}


class Quantiles(unittest.TestCase):
    def test_median_lies_between_the_middle_two(self):
        self.assertEqual(quantiles.median([4, 1, 3, 2]), 2.5)

    def test_interval_of_the_median_of_ten_is_the_second_to_the_ninth(self):
        # Binomial tables: P(2nd <= median <= 9th of 10) = 97.9 %, 3rd to 8th only 89.1 %.
        self.assertEqual(quantiles.interval(range(1, 11)), (2, 9))

    def test_interval_of_few_samples_is_their_range(self):
        self.assertEqual(quantiles.interval([3, 1, 2]), (1, 3))

    def test_intervals_hold_the_true_quantile_as_often_as_they_say(self):
        numbers = random.Random(1)
        for q, n in ((0.5, 25), (0.99, 2000)):
            held = 0
            for _ in range(400):
                low, high = quantiles.interval([numbers.random() for _ in range(n)], q)
                held += low <= q <= high
            self.assertGreaterEqual(held / 400, 0.93, (q, n))


class Rules(unittest.TestCase):
    def test_ratio_is_the_median_over_pairs_not_of_medians(self):
        run = make_run(("ours", 0, timed(1)), ("theirs", 0, timed(2)), ("ours", 1, timed(8)), ("theirs", 1, timed(8)),
                       ("ours", 2, timed(9)), ("theirs", 2, timed(3)))
        self.assertEqual(rules.evaluate(make_bar(), run).value, 1.0)

    def test_ratio_is_to_the_best_of_several(self):
        run = make_run(("ours", 0, timed(6)), ("slow", 0, timed(2)), ("fast", 0, timed(3)))
        value = {"kind": "ratio", "figure": "gb_per_s", "of": "ours", "to": ["slow", "fast", "absent"]}
        outcome = rules.evaluate(make_bar(value=value), run)
        self.assertEqual((outcome.value, outcome.against), (2.0, "fast"))

    def test_cheapest_counts_only_if_it_reaches_our_rate(self):
        run = make_run(("ours", 0, timed(10, 1)), ("cheap", 0, timed(5, 0.1)), ("good", 0, timed(10, 0.5)))
        value = {"kind": "ratio", "figure": "cpu_s_per_gb", "of": "ours", "to": ["cheap", "good"], "pick": "lowest",
                 "reaching": {"figure": "gb_per_s", "share": 0.97}}
        outcome = rules.evaluate(make_bar(value=value), run)
        self.assertEqual((outcome.value, outcome.against), (2.0, "good"))

    def test_lesser_of_two_scaled_goals_needs_both(self):
        value = {"kind": "ratio", "figure": "gb_per_s", "of": "ours", "to": ["peer", "limit"], "factors": [1.03, 0.97],
                 "pick": "lowest"}
        both = make_run(("ours", 0, timed(97)), ("peer", 0, timed(99)), ("limit", 0, timed(100)))
        self.assertAlmostEqual(rules.evaluate(make_bar(value=value), both).value, 1.0)
        with self.assertRaises(rules.NoSamples):
            rules.evaluate(make_bar(value=value), make_run(("ours", 0, timed(97)), ("limit", 0, timed(100))))

    def test_quantile_takes_the_lists_of_all_pairs(self):
        run = make_run(("ours", 0, {"ms": [1, 2]}), ("ours", 1, {"ms": [3, 4, 5]}))
        bar = make_bar(value={"kind": "quantile", "figure": "ms", "of": "ours", "q": 0.5})
        self.assertEqual(rules.evaluate(bar, run).value, 3)

    def test_trials_take_no_part(self):
        run = make_run(("ours", 0, timed(2)), ("theirs", 0, timed(2)))
        run.add('{"series": "theirs", "trial": true, "seconds": 1, "cpu_seconds": 0, "bytes": 9, "operations": 1}')
        self.assertEqual(rules.evaluate(make_bar(), run).value, 1.0)


class Results(unittest.TestCase):
    def test_a_rerun_appends_to_the_samples_and_replaces_the_result(self):
        bars = {"a.b": make_bar()}
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            for ours in (1, 2):
                results.keep(make_run(("ours", 0, timed(ours)), ("theirs", 0, timed(2))), bars, folder)
            self.assertEqual(len(samples.read_runs(folder / "a.b.samples.jsonl")), 2)
            (record,) = results.load(bars, folder)
            self.assertEqual((record["value"], record["met"]), (1.0, True))

    def test_page_says_what_is_missed_and_what_is_not_measured(self):
        bars = {"a.b": make_bar(), "a.b.c": make_bar(id="a.b.c")}
        record = results.result(bars["a.b"], make_run(("ours", 0, timed(1)), ("theirs", 0, timed(2))))
        text = page.markdown([record], bars)
        self.assertIn("| **no** |", text)
        self.assertIn("Not measured yet: `a.b.c`.", text)

    def test_page_shows_a_run_once_for_all_its_bars(self):
        bars = {"a.b": make_bar(), "a.b.c": make_bar(id="a.b.c")}
        run = make_run(("ours", 0, timed(1)), ("theirs", 0, timed(2)))
        text = page.markdown([results.result(bar, run) for bar in bars.values()], bars)
        self.assertEqual(text.count("| theirs |"), 1)
        self.assertEqual(text.count("### "), 1)
        self.assertIn("- `a.b.c`: compared with theirs", text)


if __name__ == "__main__":
    unittest.main()
