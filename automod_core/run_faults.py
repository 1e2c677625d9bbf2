"""What can end a run against its will, told in one sentence, with a word for programs: the faults of run_state."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from automod_core.errors import UserError
from automod_core.run_state import FAULTS

DISK_FULL, DATA_GONE, OUT_OF_MEMORY, DEVICE_LOST, COLLAPSED, UNEXPECTED = FAULTS
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_DEVICE_WORDS = ("CUDA error", "CUDA driver", "cuDNN error", "CUBLAS_STATUS", "CUDNN_STATUS", "NCCL error")
_MEMORY_WORDS = ("out of memory", "can't allocate memory", "not enough memory")


class RunError(UserError):
    """A run has ended against its will; it can be resumed from its last checkpoint.

    Attributes:
        fault: one of run_state.FAULTS.
    """

    def __init__(self, fault: str, sentence: str) -> None:
        super().__init__(sentence)
        self.fault = fault


@contextmanager
def faults_told(folder: Path) -> Iterator[None]:
    """Turn what the machine does to a run into a RunError; bugs stay as they are, with their traceback.

    Args:
        folder: the run's folder, for the sentence.

    Raises:
        RunError: the disk is full, memory ran out, or the graphics card is gone.
        UserError: something else that a person can mend, as it was; also for a file that cannot be written.
    """
    try:
        yield
    except RunError:
        raise
    except UserError as error:
        if not is_full_disk(error):
            raise
        way_out = "" if "--resume" in str(error) else f" Free some space, and the run goes on with --resume {folder}."
        raise RunError(DISK_FULL, f"{error}{way_out}") from error
    except (OSError, MemoryError, RuntimeError) as error:
        told = _told(error, folder)
        if told is None:
            raise
        raise told from error


def fault_of(error: BaseException) -> str:
    """The fault that an error stands for: one of run_state.FAULTS."""
    if isinstance(error, RunError):
        return error.fault
    return DISK_FULL if is_full_disk(error) else UNEXPECTED


def is_full_disk(error: BaseException | None) -> bool:
    """Whether an error, or one that it came from, says that the disk is full, or that a quota is used up."""
    while error is not None:
        if isinstance(error, OSError) and (error.errno in _FULL or "disk is full" in str(error)):
            return True
        error = error.__cause__ or error.__context__
    return False


def is_of_device(error: BaseException) -> bool:
    """Whether an error says that a graphics card is full or does not answer, whatever was asked of it."""
    if isinstance(error, torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(word in str(error) for word in _DEVICE_WORDS)


def _told(error: OSError | MemoryError | RuntimeError, folder: Path) -> UserError | None:
    """What happened, for a person; None for a bug."""
    words = str(error)
    if isinstance(error, torch.OutOfMemoryError) or (is_of_device(error) and "out of memory" in words):
        return RunError(
            OUT_OF_MEMORY,
            "The graphics card ran out of memory; the run's last checkpoint is saved, to be resumed when the card "
            "has more room, with a smaller micro_batch in its settings, or with --device cpu.",
        )
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and _has(words, _MEMORY_WORDS)):
        return RunError(
            OUT_OF_MEMORY,
            "There is not enough memory; the run's last checkpoint is saved, to be resumed when other programs are "
            "closed, or with a smaller micro_batch in its settings.",
        )
    if is_of_device(error):
        return RunError(
            DEVICE_LOST,
            f"The graphics card does not answer any more ({_first_line(error)}); the run goes on from its last "
            f"checkpoint with --resume {folder}, once the card works again, or with --device cpu.",
        )
    if isinstance(error, OSError):  # of what is written beside the checkpoints
        sentence = (
            f"Training ended, since a file could not be written ({error.strerror or error}); the run goes on from its "
            f"last checkpoint with --resume {folder}."
        )
        return RunError(DISK_FULL, sentence) if is_full_disk(error) else UserError(sentence)
    return None


def _has(words: str, any_of: tuple[str, ...]) -> bool:
    return any(word in words for word in any_of)


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0].rstrip(".:")
