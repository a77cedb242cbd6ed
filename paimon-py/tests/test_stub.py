from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def test_the_stub_describes_the_extension_module(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    command = [
        sys.executable,
        "-m",
        "mypy.stubtest",
        "pypaimon._native",
        "--mypy-config-file",
        str(ROOT / "pyproject.toml"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_public_name_of_the_package_has_a_docstring() -> None:
    import importlib
    import inspect
    import pkgutil

    import pypaimon

    bare = []
    for found in pkgutil.walk_packages(pypaimon.__path__, "pypaimon."):
        if found.name.endswith("._native") or ".daft" in found.name:
            continue
        module = importlib.import_module(found.name)
        if not module.__doc__:
            bare.append(found.name)
        for name in getattr(module, "__all__", ()):
            value = getattr(module, name)
            if inspect.isclass(value) and not value.__doc__:
                bare.append(f"{found.name}.{name}")
    assert bare == []
