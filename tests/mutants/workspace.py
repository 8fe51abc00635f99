"""The directory in which mutmut works: a copy of the package and its tests, with the settings of mutmut."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import libcst as cst

from tests.mutants.modules import LEFT_OUT, MODULES, TESTS

ROOT: Final = Path(__file__).parents[2]
HOME: Final = ROOT / ".mutants"
# Few examples and no search for smaller ones: a mutant is killed by the first that fails.
_FEW_EXAMPLES: Final = """

import hypothesis

hypothesis.settings.register_profile(
    "mutants",
    max_examples=20,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
)
"""
_SETTINGS: Final[dict[str, list[str]]] = {
    "source_paths": ["ailoop_otel"],
    "only_mutate": list(MODULES.values()),
    "pytest_add_cli_args": ["-p", "no:cacheprovider", "-p", "no:rerunfailures", "--hypothesis-profile=mutants"],
    "pytest_add_cli_args_test_selection": [*TESTS, *(f"--deselect={test}" for test in LEFT_OUT)],
    "use_git_change_detection": ["false"],
    "timeout_multiplier": ["5.0"],
    "timeout_constant": ["2.0"],
}
# The decorators of methods that mutmut mutates by itself.
_PLAIN: Final = frozenset({"staticmethod", "classmethod"})


def prepare() -> None:
    """Bring the copy up to date; what mutmut knows of functions that did not change stays."""
    names = [Path("pyproject.toml")]
    for folder in ("ailoop_otel", "tests"):
        found = (path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts)
        names += [path.relative_to(ROOT) for path in found]
    for name in names:
        data = (ROOT / name).read_bytes()
        if name.as_posix() in MODULES.values():
            data = undecorated(data.decode()).encode()
        elif name == Path("tests/conftest.py"):
            data += _FEW_EXAMPLES.encode()
        _write(HOME / name, data)
    lines = [f"{key}={values[0]}" for key, values in _SETTINGS.items() if len(values) == 1]
    lines += ["\n    ".join([f"{key}=", *values]) for key, values in _SETTINGS.items() if len(values) > 1]
    _write(HOME / "setup.cfg", "\n".join(["[mutmut]", *lines, ""]).encode())


def _write(path: Path, data: bytes) -> None:
    # Only where it differs: mutmut goes by the time of the last change.
    if not path.exists() or path.read_bytes() != data:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def codes(module: str) -> dict[str, int | None]:
    """For each mutant of a module pytest's exit code, None where it was not run."""
    found: dict[str, int | None] = json.loads(_meta(module).read_text())["exit_code_by_key"]
    return found


def _meta(module: str) -> Path:
    return HOME / "mutants" / f"{MODULES[module]}.meta"


def generate() -> None:
    """Have mutmut write the mutants, without running one; `run` does it too."""
    # It fails in the end, since no mutant has this name.
    _mutmut("none")


def run(names: Sequence[str], workers: int) -> None:
    """Run mutants, by their names or by patterns; `mutmut.log` shows how far it is."""
    if names and _mutmut("--max-children", str(workers), *names) != 0:
        raise SystemExit((HOME / "mutmut.log").read_text()[-4000:])


def _mutmut(*arguments: str) -> int:
    command = [str(Path(sys.executable).with_name("mutmut")), "run", *arguments]
    with (HOME / "mutmut.log").open("w") as log:
        return subprocess.run(
            command, cwd=HOME, check=False, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        ).returncode


def forget(module: str) -> None:
    """Take back what was found about the mutants of a module."""
    meta = _meta(module)
    if not meta.exists():
        return
    data = json.loads(meta.read_text())
    data["exit_code_by_key"] = dict.fromkeys(data["exit_code_by_key"])
    meta.write_text(json.dumps(data, indent=4))


def undecorated(source: str) -> str:
    """The same module with `f = decorator(f)` below a function for `@decorator` above it.

    mutmut leaves decorated functions out: this way properties and cached functions are mutated too.
    """
    return cst.parse_module(source).visit(_Undecorate()).code


class _Undecorate(cst.CSTTransformer):
    def leave_FunctionDef(
        self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef
    ) -> cst.FunctionDef | cst.FlattenSentinel[cst.BaseStatement]:
        if len(updated_node.decorators) != 1:
            return updated_node
        decorator = cst.Module([]).code_for_node(updated_node.decorators[0].decorator)
        if decorator in _PLAIN:
            return updated_node
        # A property and its setter have one name.
        name = updated_node.name.value
        plain = f"{name}_{decorator.rpartition('.')[2]}"
        function = updated_node.with_changes(decorators=[], name=cst.Name(plain))
        return cst.FlattenSentinel([function, cst.parse_statement(f"{name} = {decorator}({plain})")])
