# SPDX-License-Identifier: Apache-2.0
"""Quantiles of samples with intervals that assume nothing about how the samples are distributed."""

import math

CONFIDENCE = 0.95


def quantile(values, q):
    """The q-quantile, linear between the two samples around it."""
    ordered = sorted(values)
    position = q * (len(ordered) - 1)
    low = math.floor(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)


def median(values):
    return quantile(values, 0.5)


def _probabilities(n, q):
    """P(exactly k of n samples lie below the q-quantile) for each k; by logarithms, since n may be large."""
    logs = [
        math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) + k * math.log(q) + (n - k) * math.log1p(-q)
        for k in range(n + 1)
    ]
    return [math.exp(log) for log in logs]


def interval(values, q=0.5):
    """The narrowest-tailed 95 % interval of the q-quantile that order statistics give: the number of samples below the
    quantile is binomial, whatever the distribution. Too few samples for 95 %: all of their range."""
    ordered = sorted(values)
    n = len(ordered)
    tail = (1 - CONFIDENCE) / 2
    low, high, below = 0, n - 1, 0.0
    for k, probability in enumerate(_probabilities(n, q)):
        if below + probability <= tail:
            low = min(k + 1, n - 1)
        if below < 1 - tail:
            high = min(k, n - 1)
        below += probability
    # P(quantile below the low-th sample) is that of at most `low` samples below it.
    return ordered[max(low - 1, 0)], ordered[high]
