"""Modules that are imported when something of them is used first."""

import subprocess
import sys

import numpy
import pytest

from automod_core import later


def test_numpy_is_imported_when_it_is_used() -> None:
    code = (
        "import sys; from automod_core.later import numpy as np; before = 'numpy' in sys.modules\n"
        "print(before, np.zeros(2).sum(), 'numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("False 0.0 True\n", "")


def test_what_is_asked_for_is_that_of_the_module_and_kept() -> None:
    assert later.numpy.ndarray is numpy.ndarray
    assert "ndarray" in vars(later.numpy)
    with pytest.raises(AttributeError, match="no_such_name"):
        later.numpy.no_such_name  # noqa: B018 - to read it is the test
