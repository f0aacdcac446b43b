"""What is published: the content of the wheel and of the source archive, and their requirements."""

import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message
from itertools import chain
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tagsight.runtime.version import __version__
from tagsight.systems.catalogue import SYSTEMS

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
NOT_PUBLISHED = {"__pycache__", ".DS_Store"}


def build(kind: str, source: Path, folder: Path) -> Path:
    """Build a wheel or an sdist of a source tree, without a network."""
    pytest.importorskip("hatchling", reason="hatchling is not installed, which builds the package")
    command = [sys.executable, "-m", "hatchling", "build", "--target", kind, "--directory", folder]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (file,) = folder.iterdir()
    return file


@pytest.fixture(scope="module")
def sdist(tmp_path_factory) -> Path:
    return build("sdist", ROOT, tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def wheel(sdist, tmp_path_factory) -> Path:
    """The wheel as an index would have it built: of the source archive."""
    unpacked = tmp_path_factory.mktemp("source")
    with tarfile.open(sdist) as archive:
        archive.extractall(unpacked, filter="data")
    (source,) = unpacked.iterdir()
    return build("wheel", source, tmp_path_factory.mktemp("wheel"))


def metadata(wheel: Path, name: str) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        (inside,) = (one for one in archive.namelist() if one.endswith(f".dist-info/{name}"))
        return archive.read(inside)


def headers(wheel: Path) -> Message:
    return message_from_bytes(metadata(wheel, "METADATA"))


def test_the_wheel_has_every_file_of_the_package_and_no_other(wheel):
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    there = {
        path.relative_to(ROOT / "src").as_posix()
        for path in (ROOT / "src" / "tagsight").rglob("*")
        if path.is_file() and not NOT_PUBLISHED & set(path.parts)
    }
    assert packed == there
    assert {"tagsight/py.typed", "tagsight/server/web/index.html"} <= packed


def test_the_wheel_has_the_licence_and_starts_the_command(wheel):
    assert metadata(wheel, "licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()
    assert b"tagsight = tagsight.cli:main" in metadata(wheel, "entry_points.txt")
    assert headers(wheel)["License-Expression"] == "Apache-2.0"


def test_the_classifiers_are_those_of_the_index(wheel):
    known = pytest.importorskip("trove_classifiers").classifiers
    given = headers(wheel).get_all("Classifier", [])
    assert "Typing :: Typed" in given
    assert not set(given) - known


def test_the_source_archive_has_what_its_tests_and_documents_need(sdist):
    with tarfile.open(sdist) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    for folder in ("docs", "tests", "benchmarks", "examples"):
        there = {p.relative_to(ROOT).as_posix() for p in (ROOT / folder).rglob("*.[pm][yd]")}
        assert there <= packed
    assert {"Makefile", "constraints.txt", "conftest.py", "CITATION.cff"} <= packed
    assert not [name for name in packed if name.startswith((".venv", "dist/", "shared/"))]


def test_the_citation_is_of_this_version_and_licence():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == __version__ == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]
    assert citation["references"][0]["doi"] in SYSTEMS["gcam"].paper


@pytest.mark.parametrize("template", ["problem", "wish"])
def test_issue_templates_ask_for_what_the_doctor_says(template):
    folder = ROOT / ".github" / "ISSUE_TEMPLATE"
    form = yaml.safe_load((folder / f"{template}.yml").read_text(encoding="utf-8"))
    labels = [part["attributes"]["label"] for part in form["body"]]
    assert any("tagsight doctor" in label for label in labels)


def test_the_workflows_of_public_continuous_integration_are_sound():
    program = shutil.which("actionlint")
    if program is None:
        pytest.skip("actionlint is not installed")
    subprocess.run([program], cwd=ROOT, check=True)


def requirements() -> Iterator[Requirement]:
    """The direct requirements of the package and of each extra that its own continuous
    integration installs."""
    extras = PROJECT["optional-dependencies"]
    wanted, seen = ["dev", "browser", "bench", "mutation"], set()
    yield from map(Requirement, PROJECT["dependencies"])
    while wanted:
        extra = wanted.pop()
        if extra in seen:
            continue
        seen.add(extra)
        for requirement in map(Requirement, extras[extra]):
            if requirement.name == PROJECT["name"]:
                wanted.extend(requirement.extras)
            else:
                yield requirement


def test_every_direct_requirement_has_an_exact_version_that_satisfies_it():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    exact = {}
    for line in (line for line in lines if line and not line.startswith("#")):
        name, _, version = line.partition("==")
        exact[canonicalize_name(name)] = Version(version)
    for requirement in requirements():
        version = exact.get(canonicalize_name(requirement.name))
        assert version is not None, requirement.name
        assert requirement.specifier.contains(version), requirement


def test_every_direct_requirement_has_a_lowest_version():
    every = [*PROJECT["dependencies"], *chain(*PROJECT["optional-dependencies"].values())]
    bare = [r.name for r in map(Requirement, every) if not r.specifier]
    assert set(bare) <= {PROJECT["name"]}
