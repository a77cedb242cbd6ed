"""Pictures in BLOB columns, decoded in functions of Daft's on the native runner and on a local Ray."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

pytest.importorskip("daft")
pytest.importorskip("PIL", reason="Pillow is not installed: pip install pillow")

import image_tables

PICTURES = [image_tables.picture(number) for number in range(image_tables.COUNT)]
COPIED = [data for kind, data in PICTURES if kind != "JPEG"]
TAKEN_IN = [*(bytes([number]) * 1000 for number in range(4)), None]


@pytest.fixture
def options(tmp_path: Path) -> dict[str, str]:
    options = {"warehouse": str(tmp_path)}
    image_tables.fill(options)
    return options


def test_pictures_are_decoded_fetched_copied_and_taken_in(options: dict[str, str], tmp_path: Path) -> None:
    assert image_tables.decoded(options) == image_tables.expected()
    assert image_tables.fetched(options, "db.images") == [data for _, data in PICTURES]
    assert image_tables.copied(options) == COPIED
    assert image_tables.taken_in(options, tmp_path) == TAKEN_IN


@pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed: pip install 'pypaimon[ray]'")
def test_workers_of_ray_do_the_same(options: dict[str, str]) -> None:
    script = Path(image_tables.__file__)
    done = subprocess.run(
        [sys.executable, str(script), options["warehouse"]], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-6000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["decoded"] == image_tables.expected()
    assert found["nulls"] == sum(data is None for _, data in PICTURES)
    for name, wanted in {"fetched": [data for _, data in PICTURES], "copied": COPIED, "taken_in": TAKEN_IN}.items():
        assert found[name] == [data and data.hex() for data in wanted], name
