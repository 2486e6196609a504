"""What an interpreter lacks of what a script surely imports; none of the script's code is run.

    python imports.py '{"script": "/mine/train.py", "source": "/mine", "stubs": ["wandb"]}'
    python imports.py '{"modules": ["numpy", "torch"]}'

Followed are the imports that stand by themselves at the top of the script and of the modules beside
it: what is imported in a function, an `if` or a `try` may never be. Code that changes where modules
are sought may find what is not found here, so of such code nothing is said.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SEEKS = ("path", "modules", "meta_path", "path_hooks")  # of sys: what decides where modules are


def main() -> None:
    asked = json.loads(sys.argv[1])
    if "modules" in asked:
        print(json.dumps(broken(asked["modules"])))
        return
    script = Path(asked["script"]) if asked["script"] else None
    place = script.parent if script else Path(asked["source"])
    sys.path[0] = str(place)  # instead of this file's folder, see `entry.begin_at`
    walk = Walk(place, asked["stubs"])
    if script:
        walk.read(script, "")
    else:
        walk.follow(asked["module"])
    print(json.dumps({} if walk.is_unsure else walk.missing))


def broken(names: list[str]) -> dict[str, str]:
    """Those that cannot be imported, with what is said of it."""
    found = {}
    for name in names:
        try:
            importlib.import_module(name)
        except Exception as error:  # whatever its code raises
            found[name] = f"{type(error).__name__}: {' '.join(str(error).split())}"
    return found


class Walk:
    """From file to file of one folder; `missing` is name -> where it is imported."""

    def __init__(self, place: Path, stubs: list[str]) -> None:
        self.place = place
        self.stubbed = {name.split(".")[0] for name in stubs}
        self.missing: dict[str, str] = {}
        self.is_unsure = False
        self._read: set[Path] = set()

    def read(self, path: Path, package: str) -> None:
        """Go through one file, a module of `package`."""
        if path in self._read or not path.is_file():
            return
        self._read.add(path)
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError):  # its own run will say so best
            self.is_unsure = True
            return
        self.is_unsure = self.is_unsure or any(map(_seeks, ast.walk(tree)))
        for node in tree.body:
            for name, parts in _imported(node, package):
                if not self._is_there(name):
                    line = f"{path.relative_to(self.place)}, line {node.lineno}"
                    self.missing.setdefault(name.split(".")[0], line)
                else:
                    self.follow(name)
                    for part in parts:
                        self.follow(f"{name}.{part}")

    def follow(self, name: str) -> None:
        """Read the module, and the packages that it is in, where they lie beside the script."""
        parts = name.split(".")
        for depth in range(1, len(parts) + 1):
            package = ".".join(parts[:depth])
            inside = self.place.joinpath(*parts[:depth])
            self.read(inside / "__init__.py", package)
            self.read(inside.with_suffix(".py"), ".".join(parts[: depth - 1]))

    def _is_there(self, name: str) -> bool:
        top = name.split(".")[0]
        if top in self.stubbed or top in sys.modules:
            return True
        try:
            return importlib.util.find_spec(top) is not None
        except (ImportError, ValueError, AttributeError):  # not asked in a way that has an answer
            return True


def _seeks(node: ast.AST) -> bool:
    """Whether it is about `sys.path` or the like."""
    if isinstance(node, ast.ImportFrom):
        return node.module == "sys" and any(alias.name in SEEKS for alias in node.names)
    is_of_sys = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    return is_of_sys and node.value.id == "sys" and node.attr in SEEKS  # type: ignore[attr-defined]


def _imported(node: Any, package: str) -> Iterator[tuple[str, list[str]]]:
    """(module, what is imported from it) of one statement; nothing for one that imports none."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield alias.name, []
    if isinstance(node, ast.ImportFrom):
        base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
        name = ".".join(filter(None, (*base, node.module)))
        if name:
            yield name, [alias.name for alias in node.names]


if __name__ == "__main__":
    main()
