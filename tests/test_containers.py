"""The container files: what they install and start is what the package has."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from tagsight.cli import app
from tagsight.server.access import OPEN_PATHS

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "containers").glob("*.Dockerfile"))
files = pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])


def instructions(file: Path) -> list[tuple[str, str]]:
    """The instructions of a container file, each on one line."""
    text = re.sub(r"^#.*\n", "", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines) if word]


def last(file: Path, wanted: str) -> str:
    return [rest for word, rest in instructions(file) if word == wanted][-1]


@files
def test_the_container_file_is_sound(file):
    program = shutil.which("hadolint")
    if program is None:
        pytest.skip("hadolint is not installed")
    subprocess.run([program, str(file)], check=True)


@files
def test_it_installs_extras_that_there_are(file):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (extras,) = re.findall(r"\[([\w,]+)\]\"$", next(r for w, r in instructions(file) if w == "RUN"))
    assert set(extras.split(",")) <= set(project["optional-dependencies"])


@files
def test_it_runs_as_nobody_in_particular_and_starts_a_command_that_there_is(file):
    assert last(file, "USER") == "10001"
    assert last(file, "ENTRYPOINT") == '["tagsight"]'
    command = re.findall(r'"([^"]*)"', last(file, "CMD"))
    app.parse_args(command, exit_on_error=False, print_error=False)


def test_the_health_check_asks_a_route_that_needs_no_token():
    check = last(ROOT / "containers" / "cpu.Dockerfile", "HEALTHCHECK")
    (path,) = re.findall(r"http://127\.0\.0\.1:8000(/\w*)", check)
    assert path in OPEN_PATHS
