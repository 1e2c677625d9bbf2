"""From written code to functions that Python can call, made for the processor at hand."""

import ctypes
import inspect
import mmap
import os
from collections.abc import Callable
from functools import cache
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir

from automod_core.tiles.writer import Writer, write_function

Function = Callable[..., None]  # of whole numbers; lets other threads run meanwhile
_kept: list[Any] = []  # what owns the code of functions in use


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
    names = list(inspect.signature(body).parameters)[1:]
    module = ir.Module(name=body.__name__)
    module.triple = llvm.get_process_triple()
    write_function(module, body.__name__, names, body)
    machine = _target_machine()
    parsed = llvm.parse_assembly(str(module))
    engine = llvm.create_mcjit_compiler(parsed, machine)
    engine.finalize_object()
    _kept.append(engine)
    return ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * len(names))(engine.get_function_address(body.__name__))


def _target_machine() -> llvm.TargetMachine:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_default_triple()
    features = llvm.get_host_cpu_features().flatten()
    return target.create_target_machine(cpu=llvm.get_host_cpu_name(), features=features, opt=1, jit=True)
