"""What others put around a log's lines: launchers, containers, terminals, CI services, people."""

from __future__ import annotations

import json
import re

_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # colours and cursor movements
    r"|\x1b[\]_P^][^\x07\x1b]*(?:\x07|\x1b\\)"  # titles, links, Buildkite's time stamps
    r"|\x1b[ -/]*[0-~]"
    r"|\^\[\[[0-9;]*m"  # a colour as `less` or `cat -v` shows it
    r"|\ufeff"  # a byte-order mark, as GitHub Actions puts before its first line
)
_DATE = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?"
_END = r"(?:\s+|$)"
_LEVEL = r"(?:DEBUG|INFO|WARNING|ERROR|CRITICAL)"
# A named group tells whose line it is. What begins a line of a format that is read here is not
# among these: TorchSSL's '[2024-03-01 10:00:00,000 INFO] ', '[[0.5 0.5]', '{"kind"', 'Train Epoch'.
_WRAPPER = re.compile(
    "|".join(
        [
            r"\[(?P<launcher>[^\[\]\s]+)\](?:<\w+>)?:\s*",  # [default0]:  [rank0]:  [1,0]<stdout>:
            rf"[\[(<]?(?P<rank>[Rr][Aa][Nn][Kk][ _=:#-]?\d+)[\])>]?\s*[:|-]?{_END}",
            rf"(?P<task>\d+):{_END}",  # srun --label
            rf"\[(?P<process>\d+)\]{_END}",  # mpiexec -l
            # Docker, Kubernetes, GitHub Actions, GitLab:
            rf"{_DATE}(?: (?:stdout|stderr) [FP])?(?: \d\d[OE][+ ])?[\s:|-]*",
            rf"\[{_DATE}\][\s:|-]*",
            r"[^\t]*\t[^\t]*\t(?=\d{4}-\d\d-\d\dT)",  # gh run view --log
            r"(?:[A-Z][a-z]{2} )?[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d+)?(?: \d{4})?"
            r"(?: [\w.-]+ [\w./-]+\[\d+\]:)?\s*",  # ts, mpirun, journalctl
            rf"\[?\d\d:\d\d:\d\d(?:[.,]\d+)?\]?(?:\s*[|-])?{_END}",
            rf"{_LEVEL}(?::[\w.]*:|\s*\|{_END}|\s+-{_END})",  # Python's logging
            r"\((?:[\w.-]+ )?pid=\d+[^)]*\)\s*",  # Ray
            r"\[pod/[^\]\s]+\]\s*",  # kubectl logs --prefix
            rf"[A-Za-z][\w.-]*\s*\|{_END}",  # docker compose
            r"\d+\t|\d+:(?=[^\d\s])",  # cat -n, grep -n
            r"[>|│┃]\s*",  # quoted, or in a frame
        ]
    )
)


def unwrap(text: str) -> tuple[str, str]:
    """(whose line it is: '' where no rank is named, the line as the program wrote it).

    Space around it goes too: no format here means anything by it.
    """
    label, text = "", _ESCAPES.sub("", text).strip(" \t\0")
    while match := _WRAPPER.match(text):
        if not match[0]:
            break
        if match.lastgroup:
            label = f"{label} {match[match.lastgroup]}".strip()
        text = text[match.end() :].strip()
    return label, text


def open_envelope(text: str) -> str:
    """The line in a container engine's '{"log": "...", "stream": ...}', or the text itself."""
    if not text.lstrip().startswith('{"log":'):
        return text
    try:
        return str(json.loads(text)["log"])
    except ValueError:
        return text
