"""python -m harness <verb>."""

import os
import sys

from harness.commands.console import streams, unexpected


def start() -> int:
    """What is not caught in `main`, or before it can be imported, is told like all else."""
    streams.prepare()
    # Figures are files: of the user's backends none is needed, and an unknown one is an error.
    os.environ["MPLBACKEND"] = "agg"
    try:
        from harness.commands.cli import main

        code = main()
        sys.stdout.flush()  # at its end Python would only note that it cannot
        return code
    except KeyboardInterrupt:
        print("error: interrupted; the same command goes on from here", file=sys.stderr)
        return 3
    except Exception as error:
        return unexpected.report(error)


if __name__ == "__main__":
    sys.exit(start())
