"""python -m own_impl: train FixMatch or MixMatch from the command line."""

from __future__ import annotations

import sys

from own_impl.config import parse


def main() -> int:
    """Exit code 0 when trained, 1 when the loss was not finite, 2 for input that is wrong."""
    config = parse()
    # Not before: --help and a wrong option need not wait for torch.
    from own_impl.checkpoint import CheckpointError
    from own_impl.data import DataError
    from own_impl.finite import NonFiniteLoss
    from own_impl.network.compiled import CompileError
    from own_impl.train import train

    print(" ".join(f"{k}={v}" for k, v in config.model_dump(mode="json").items()), file=sys.stderr)
    try:
        result = train(config)
    except (DataError, CheckpointError, CompileError) as error:
        print(f"own_impl: {error}", file=sys.stderr)
        return 2
    except NonFiniteLoss as error:
        print(f"own_impl: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\nown_impl: stopped; --resume goes on from {config.out}", file=sys.stderr)
        return 130
    print(f"top1 {result.top1:.2f}, top5 {result.top5:.2f}: {config.out}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
