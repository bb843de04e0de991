"""Many runs of the model of two programs: ``python -m tests.faults.two_programs --runs 1000``.

Prints how many random stories were played; the first one that goes wrong ends with its steps.
"""

from __future__ import annotations

import argparse
import time

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.engine.batches.test_two_programs import TwoPrograms


def main() -> None:
    """Play the stories."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=14)
    arguments = parser.parse_args()
    began = time.monotonic()
    run_state_machine_as_test(
        TwoPrograms,
        settings=settings(
            max_examples=arguments.runs,
            stateful_step_count=arguments.steps,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    seconds = time.monotonic() - began
    print(f"{arguments.runs:,} stories in {seconds:,.0f} s: none double, lost or foreign")


if __name__ == "__main__":
    main()
