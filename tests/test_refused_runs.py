"""A run that is refused leaves its folder as it was, whatever it is refused for."""

from itertools import chain
from pathlib import Path

import pytest
from collection import TINY_OPTIONS, write_collection
from tiny import COLOURS

from tagsight.cli import main
from tagsight.training.log import RunLog

TRAINING = {
    "--recipe": "resnet-cpu",
    **dict(zip(TINY_OPTIONS[::2], TINY_OPTIONS[1::2], strict=True)),
}


@pytest.fixture
def labels(tmp_path) -> Path:
    return write_collection(tmp_path / "photos")


def table(labels: Path) -> list[list[str]]:
    return [line.split(",") for line in labels.read_text().splitlines()]


def rewrite(labels: Path, rows: list[list[str]]) -> None:
    labels.write_text("".join(",".join(row) + "\n" for row in rows))


def without_positives(labels: Path, splits: set[str]) -> None:
    """Say that photos of some splits have none of the labels."""
    head, *rows = table(labels)
    none = [[*row[:2], *["0"] * len(COLOURS)] if row[1] in splits else row for row in rows]
    rewrite(labels, [head, *none])


def no_labels(labels: Path) -> None:
    without_positives(labels, {"train", "val", "test"})


def no_validation_labels(labels: Path) -> None:
    without_positives(labels, {"val"})


def damaged_photos(labels: Path) -> None:
    for photo in sorted(labels.parent.glob("*.png"))[:6]:
        photo.write_bytes(b"no photo")


def untouched(_labels: Path) -> None:
    """The labels and photos are sound."""


def vectors(labels: Path) -> None:
    """Write word vectors of other words."""
    (labels.parent / "vectors.txt").write_text("elsewhere 0.1 0.2\n")


def contents(folder: Path) -> dict[str, bytes]:
    files = folder.rglob("*") if folder.exists() else ()
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in files if path.is_file()
    }


REFUSED = {
    "no-labels": (no_labels, {}, "expected labels to learn"),
    "no-validation-labels": (no_validation_labels, {}, "a photo of the split 'val' with a label"),
    "damaged-photos": (damaged_photos, {}, "(--max-bad)"),
    "unknown-label-in-a-rule": (untouched, {"--one-of": "red,ultraviolet"}, "ultraviolet"),
    "unknown-setting": (untouched, {"--system.hiden": "1"}, "hiden"),
    "no-initial-model": (untouched, {"--init": "nowhere"}, "nowhere"),
    "no-encoder-weights": (untouched, {"--system.backbone.weights": "gone.pt"}, "gone.pt"),
    "words-without-vectors": (
        vectors,
        {"--recipe": "gcam-cpu", "--vectors": "photos/vectors.txt"},
        "vectors.txt",
    ),
}
"""What is done to the collection, the options, and what the refusal says."""


@pytest.mark.parametrize(("change", "options", "said"), REFUSED.values(), ids=REFUSED)
def test_a_refused_run_leaves_no_folder(capsys, labels, monkeypatch, change, options, said):
    monkeypatch.chdir(labels.parents[1])
    change(labels)
    given = TRAINING | {"--out": "runs/first"} | options
    assert main(["train", "photos/labels.csv", *chain(*given.items())]) == 2
    complaint = capsys.readouterr().err.splitlines()[-1]
    assert complaint.startswith("tagsight: ")
    assert said in complaint
    assert not (labels.parents[1] / "runs").exists()


def test_a_run_that_may_not_go_on_keeps_every_byte(capsys, labels, tmp_path, monkeypatch):
    out = tmp_path / "run"
    given = TRAINING | {"--out": str(out)}
    command = ["train", str(labels), *chain(*given.items())]

    def cut_off(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(RunLog, "epoch", cut_off)
        main([*command, "--state-every", "0"])
    before = contents(out)
    assert {"data.toml", "split.csv", "run.jsonl"} < before.keys()
    head, *rows = table(labels)
    rewrite(labels, [head, *rows[1:]])
    assert main([*command, "--resume"]) == 2
    assert "the photos changed" in capsys.readouterr().err.splitlines()[-1]
    assert contents(out) == before
