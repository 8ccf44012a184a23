# SPDX-License-Identifier: Apache-2.0
"""What the peers in Python have in common: they read a line a sample, and answer with a line of JSON."""

import json
import os
import resource
import sys


def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def serve(answer_to):
    """Answers every line of standard input with `answer_to(name, *words)`, a dictionary."""
    # Packages that print must not print into the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        try:
            answer = answer_to(*line.split())
        except Exception as error:  # Whatever a package throws is its answer; the next request may work.
            answer = {"error": f"{type(error).__name__}: {error}"[:300]}
        print(json.dumps(answer), file=answers, flush=True)
