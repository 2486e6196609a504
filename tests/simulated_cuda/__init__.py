"""A CUDA device without a GPU: what a program asks of one is held to the rules of the real one.

Its tensors are the CPU's, so that values are right; which of them lie 'on the device' is known by
their storage, so that views, gradients, momentum and checkpoints follow. As on the real one

- tensors of the device and of the CPU do not mix, and NumPy takes none of the device;
- whatever makes the host wait for the device is counted, or an error as `set_sync_debug_mode` says;
- events must be recorded, and waited for, before their times are asked for;
- a process that was forked from one that uses CUDA cannot use it;
- a checkpoint says on which device its tensors were, and is refused where there is none;
- convolutions round their inputs to TF32 where torch's setting says so.

`install` does it for a process; `processes.environment` for whatever a command starts. What it
cannot show stands in CONTRIBUTING.md.
"""

from __future__ import annotations

from contextlib import ExitStack


def install() -> ExitStack:
    """From now on this process has the device; closing what is returned takes it away."""
    from tests.simulated_cuda import runtime
    from tests.simulated_cuda.mode import SimulatedDevice

    stack = ExitStack()
    runtime.patch(stack)
    stack.enter_context(SimulatedDevice())
    return stack
