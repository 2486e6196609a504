from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.own_impl.conftest import TINY_SETTINGS, as_options

REPOSITORY = Path(__file__).parents[3]
TRAIN_AND_TELL_IMPORTS = """
import json, sys
from own_impl.__main__ import main
code = main()
print(json.dumps([name for name in sys.modules if name.startswith("own_impl")]))
sys.exit(code)
"""


def test_a_run_from_start_to_end_imports_nothing_of_answers(tmp_path: Path, data_dir: Path) -> None:
    """What training imports is the source that a run's numbers belong to."""
    options = as_options(TINY_SETTINGS | {"data_dir": data_dir, "out": tmp_path / "out"})
    done = subprocess.run(
        [sys.executable, "-c", TRAIN_AND_TELL_IMPORTS, *options],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    imported = json.loads(done.stdout)
    assert {"own_impl.train", "own_impl.algorithms.fixmatch"} <= set(imported)
    assert [name for name in imported if name.startswith("own_impl.answers")] == []
