"""What all tests share: reproducible hypothesis, floating point that complains, and one thread count for numba.

The hypothesis profile is `ci` (derandomised, so that one commit gives one answer); `HYPOTHESIS_PROFILE=deep` searches longer and
anew every time.
"""

import os

os.environ.setdefault("NUMBA_NUM_THREADS", "2")  # before numba is imported

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("ci", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("deep", settings.get_profile("ci"), derandomize=False, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture(autouse=True)
def _strict_floating_point():
    """An overflow, a division by zero or an invalid operation of numpy that nobody expects is an error."""
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        yield
