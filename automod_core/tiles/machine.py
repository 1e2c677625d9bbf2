"""From written code to functions that Python can call, made for the processor at hand."""

import ctypes
import inspect
import mmap
import os
import threading
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir

from automod_core.tiles.writer import INT_BYTES, Int, Writer, write_function

if TYPE_CHECKING:
    from automod_core.tiles.recording import Recording

NUMBER_BYTES = INT_BYTES


class Now(threading.local):
    """What happens on a thread.

    Attributes:
        recording: notes down what is called, if there is one.
    """

    recording: "Recording | None" = None


now = Now()


class Function:
    """Machine code that takes whole numbers; lets other threads run meanwhile."""

    def __init__(self, engine: llvm.ExecutionEngine, name: str, count: int) -> None:
        self._engine = engine  # owns the code
        self._address: int = engine.get_function_address(name)
        self._run = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(self._address)
        self._numbers = ctypes.c_int64 * count

    def __call__(self, *numbers: int) -> None:
        """Call it with as many numbers as it takes."""
        if now.recording is not None:
            now.recording.note(self._address, numbers)
        self._run(self._numbers(*numbers))


@cache
def can_compile() -> bool:
    """Whether machine code can be made and run here; some systems forbid it, and LLVM would end the program there."""
    try:
        if not _may_run_own_memory():
            return False
        compile_function(_nothing)()
    except (OSError, RuntimeError):
        return False
    return True


@cache
def can_multiply_pairs() -> bool:
    """Whether the processor has the instruction for products of whole numbers of 16 bits in pairs."""
    return bool(llvm.get_host_cpu_features().get("avx2")) and can_compile()


def _may_run_own_memory() -> bool:
    """Whether the system lets a program make a page that it has written one that it runs, as LLVM does."""
    if os.name != "posix":
        return True
    page = mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    library = ctypes.CDLL(None)
    allowed: int = library.mprotect(
        ctypes.c_void_p(address), ctypes.c_size_t(mmap.PAGESIZE), mmap.PROT_READ | mmap.PROT_EXEC
    )
    library.mprotect(ctypes.c_void_p(address), ctypes.c_size_t(mmap.PAGESIZE), mmap.PROT_READ | mmap.PROT_WRITE)
    return allowed == 0


def _nothing(writer: Writer) -> None:
    """Write a function that does nothing."""


def compile_function(body: Callable[..., None]) -> Function:
    """Compile body(writer, *numbers), which writes a function of as many whole numbers.

    Raises:
        OSError, RuntimeError: the system does not let programs make code, or LLVM does not know the processor.
    """
    count = len(inspect.signature(body).parameters) - 1
    module = ir.Module(name=body.__name__)
    module.triple = llvm.get_process_triple()
    write_function(module, body.__name__, count, body)
    machine = _target_machine()
    parsed = llvm.parse_assembly(str(module))
    engine = llvm.create_mcjit_compiler(parsed, machine)
    engine.finalize_object()
    return Function(engine, body.__name__, count)


def play(calls: np.ndarray) -> None:
    """Call functions, one after the other: (N, 2), int64, each the address of a function and that of its numbers."""
    _player()(calls.ctypes.data, len(calls))


@cache
def _player() -> Function:
    return compile_function(_play)


def _play(w: Writer, calls: Int, count: Int) -> None:
    with w.loop(count) as i:
        row = calls + i * (2 * NUMBER_BYTES)
        w.call(w.load_int(row), w.load_int(row + NUMBER_BYTES))


def _target_machine() -> llvm.TargetMachine:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_default_triple()
    features = llvm.get_host_cpu_features().flatten()
    return target.create_target_machine(cpu=llvm.get_host_cpu_name(), features=features, opt=1, jit=True)
