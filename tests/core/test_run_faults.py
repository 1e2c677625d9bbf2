"""What an error means for a run."""

import errno

from automod_core.errors import UserError
from automod_core.run_faults import RunError, fault_of


def test_faults_of_errors() -> None:
    full = UserError("The log cannot be written.")
    full.__cause__ = OSError(errno.EDQUOT, "Disk quota exceeded")
    assert fault_of(full) == "disk-full"
    assert fault_of(UserError("?")) == "unexpected"
    assert fault_of(RunError("data-gone", "?")) == "data-gone"
