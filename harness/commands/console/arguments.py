"""What the user typed, as numbers and names: an error names the option and the remedy."""

from __future__ import annotations

from collections.abc import Mapping

from harness.errors import BadInput

MOST = 2**32 - 1  # what NumPy takes as a seed


def whole_numbers(name: str, text: str) -> list[int]:
    """`"40 250"` -> [40, 250], each once; `name` is the option's. Raises BadInput."""
    words = text.replace(",", " ").split()
    if not words:
        raise BadInput(f"{name}: empty; give whole numbers, as {name}=40")
    for word in words:
        if not word.isascii() or not word.isdigit():
            raise BadInput(f"{name} {word}: not a whole number of 0 or more")
        if int(word) > MOST:
            raise BadInput(f"{name} {word}: at most {MOST}")
    return list(dict.fromkeys(int(word) for word in words))


def names(text: str) -> list[str]:
    """`"own torchssl"` or `"own,torchssl"` -> ["own", "torchssl"], each once."""
    return list(dict.fromkeys(text.replace(",", " ").split()))


def iterations(text: str) -> int | None:
    """A number above 0; None where nothing is given. Raises BadInput."""
    if not text:
        return None
    number = one_number("ITERATIONS", text)
    if number == 0:
        raise BadInput(f"ITERATIONS {text}: one whole number above 0")
    return number


def one_number(name: str, text: str) -> int:
    """`"40"` -> 40. Raises BadInput for anything else."""
    (number, *rest) = whole_numbers(name, text)
    if rest:
        raise BadInput(f"{name} {text}: give one whole number")
    return number


def none_given(options: Mapping[str, str], why: str) -> None:
    """Raise BadInput for the first of the options that was given a value."""
    for name, text in options.items():
        if text:
            raise BadInput(f"{name} {text}: {why}; leave {name} out")
