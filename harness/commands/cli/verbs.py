"""The verbs in the order of `--help`, and exit codes.

`make <verb>` calls `python -m harness <verb>`.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from types import FrameType

import typer

from harness.commands.cli import evidence, machine, others, outputs, training
from harness.commands.console.streams import prepare
from harness.commands.console.unexpected import report as report_unexpected
from harness.errors import HarnessError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Shows whether a FixMatch implementation is as good as TorchSSL's.\n\n"
    "Exit codes: 0 done; 1 a check found a difference; 2 bad input; 3 incomplete; "
    "70 unexpected, a defect of this program.",
)
INTERRUPTED = 130  # what Typer makes of Ctrl-C
VERBS: dict[str, Callable[..., None]] = {
    "compare": training.compare,
    "table": outputs.table,
    "parity": evidence.parity,
    "read": others.read,
    "report": outputs.report,
    "import": others.import_log,
    "verify": evidence.verify,
    "diff": evidence.diff,
    "publish": evidence.publish,
    "accuracy-check": evidence.check_accuracy,
    "status": outputs.status,
    "tensorboard": outputs.tensorboard,
    "bench": machine.bench,
    "gpu-check": machine.check_gpu,
    "study": training.study,
    "try": others.try_,
    "new-spec": others.new_spec,
}
for verb, does in VERBS.items():
    app.command(verb)(does)


def main() -> int:
    """Run a command; every expected error is one line on stderr and an exit code."""
    prepare()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        code = app(standalone_mode=False)
    except HarnessError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except Exception as error:
        # Click's own complaints about options; anything else is a defect, and kept for us.
        if not hasattr(error, "format_message"):
            return report_unexpected(error)
        if error.__class__.__name__ == "NoArgsIsHelpError":
            print(error.format_message())
            return 2
        print(f"error: {error.format_message()}; see --help", file=sys.stderr)
        return 2
    if code == INTERRUPTED:
        print("error: interrupted; the same command goes on from here", file=sys.stderr)
        return 3
    return code if isinstance(code, int) else 0


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
