"""Options that several commands share. Nothing here imports torch before a command runs."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypedDict

from cyclopts import Group, Parameter
from cyclopts.validators import Number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cyclopts import Token

    from tagsight.config import Recipe
    from tagsight.data.annotations import Annotations
    from tagsight.inference.networks.base import Network
    from tagsight.inference.recognizer import Recognizer
    from tagsight.runtime.device import Runtime
    from tagsight.systems.settings import Change
    from tagsight.training.run import Start


RECIPE = Group("Recipe and settings", sort_key=1)
LABELS = Group("Labels", sort_key=2)
START = Group("Initialisation and resuming", sort_key=3)
MEMORY = Group("Memory and cache", sort_key=4)
HARDWARE = Group("Hardware", sort_key=5)
LITERATURE = Group("Data sets of the literature", sort_key=6)
"""How the help of a command groups its options, those of the command itself before all others."""


def nested_settings(_kind: object, tokens: Any) -> dict[str, Any]:  # noqa: ANN401 - dictionaries of these or lists
    """Make tables of ``--system.graph.epsilon 0.3``; several values of a setting are a list.

    Args:
        tokens: What cyclopts collected: lists of tokens in dictionaries by the parts of the name.
    """
    if not isinstance(tokens, dict):
        msg = "expected the name of a setting after a dot, as in --training.lr 0.001"
        raise ValueError(msg)
    return {
        name.replace("-", "_"): nested_settings(_kind, value)
        if isinstance(value, dict)
        else _joined(value)
        for name, value in tokens.items()
    }


def _joined(tokens: list[Token]) -> str:
    return ",".join(token.value for token in tokens)


def leads_somewhere(_kind: object, path: Path | None) -> None:
    """Refuse a path of a photo that is neither on the disk nor in a tar there.

    One that cannot be examined, such as a link in a circle, is listed later like any other photo.
    """
    if path is None:
        return
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError) as error:
        if not any(one.suffix.lower() == ".tar" and one.is_file() for one in path.parents):
            msg = f'"{path}" does not exist.'
            raise ValueError(msg) from error
    except OSError:
        return


PhotoPath = Annotated[Path, Parameter(validator=leads_somewhere)]
Gibibytes = Annotated[float, Parameter(validator=Number(gte=0, lte=2**20))]
SettingsOption = Annotated[dict[str, Any] | None, Parameter(converter=nested_settings)]


@Parameter(name="*", group=LABELS)
@dataclass(frozen=True)
class Reading:
    """How the labels of a collection are read."""

    images: Path | None = None
    """Folder of the photos, where it is not the usual one of the format."""

    format: str | None = None
    """Format of the labels; by default their content decides, and a wrong name lists them all."""

    difficult: Literal["present", "absent", "unknown"] | None = None
    """What an object counts as that is hard to see, where a format marks such; by default unknown,
    which has no part in anything."""

    topics: Annotated[
        Literal["potential", "relevant", "all"] | None, Parameter(group=LITERATURE)
    ] = None
    """Which topics of MIRFLICKR-25K are labels; by default potential, which a photo may show."""

    unlabelled: Literal["keep", "drop"] | None = None
    """What becomes of photos in which no label is known to be present; by default keep."""

    protocol: Annotated[str | None, Parameter(group=LITERATURE)] = None
    """A way of the literature to read a data set; a wrong name lists them all."""

    split_seed: Annotated[int, Parameter(group=LITERATURE)] = 0
    """Draws the split, where a protocol has no official one."""

    without_labels: str | None = None
    """Labels to do without, with commas between them; their photos stay."""

    def read(self, data: Path, *, labels_only: bool = False) -> Annotations:
        """Read the labels.

        Args:
            data: A file or folder.
            labels_only: Whether it is no error that none of the photos exists.

        Raises:
            DataError: As readers and protocols do, if format and protocol are given, or if there
                is no such label to do without.
        """
        annotations = self._read(data, labels_only=labels_only)
        if self.without_labels is None:
            return annotations
        return annotations.without_labels(self.without_labels.split(","))

    def _read(self, data: Path, *, labels_only: bool) -> Annotations:
        from tagsight.data.protocols import read_protocol
        from tagsight.data.readers import Meaning, read_annotations
        from tagsight.errors import DataError

        meaning = Meaning()
        if self.difficult is not None:
            meaning["difficult"] = self.difficult
        if self.topics is not None:
            meaning["topics"] = self.topics
        if self.unlabelled is not None:
            meaning["unlabelled"] = self.unlabelled
        if self.protocol is None:
            return read_annotations(
                data, images=self.images, format=self.format, labels_only=labels_only, **meaning
            )
        if self.format is not None:
            msg = "expected --format or --protocol, which decides the format, got both"
            raise DataError(msg)
        return read_protocol(
            data,
            self.protocol,
            images=self.images,
            labels_only=labels_only,
            split_seed=self.split_seed,
            meaning=meaning,
        )


@Parameter(name="*", group=LABELS)
@dataclass(frozen=True)
class CheckedReading(Reading):
    """How the labels of a collection are read whose photos are needed."""

    max_bad: Annotated[float | None, Parameter(validator=Number(gte=0, lte=1))] = None
    """Largest fraction of the photos that may be unusable; by default 0.01, or 5 photos where that
    is more."""


@Parameter(name="*", group=MEMORY)
@dataclass(frozen=True)
class MemoryLimits:
    """Memory and cache limits."""

    photo_memory: Gibibytes = 2.0
    """Memory for photos that are decoded once, in GiB."""

    cache: Path | None = None
    """Folder for what frozen stages make of photos; by default one that all runs share."""

    cache_space: Gibibytes = 20.0
    """Most that this folder may take on the disk, in GiB; 0 keeps nothing."""

    accumulate: Annotated[int, Parameter(validator=Number(gte=1))] = 1
    """Parts that the photos of a step are taken in, one after the other, to need less memory."""

    def limits(self) -> _Limits:
        """Give these as a runtime takes them: folder and bytes."""
        from platformdirs import user_cache_path

        folder = self.cache or user_cache_path("tagsight")
        return {
            "photo_memory": round(self.photo_memory * 2**30),
            "cache": folder if self.cache_space else None,
            "cache_space": round(self.cache_space * 2**30),
            "accumulate": self.accumulate,
        }


class _Limits(TypedDict, total=False):
    photo_memory: int
    cache: Path | None
    cache_space: int
    accumulate: int


@Parameter(name="*", group=START)
@dataclass(frozen=True)
class Initialisation:
    """Initialisation and resuming."""

    vectors: Path | None = None
    """Word vectors of the labels, a GloVe text file or .npz with 'names' and 'vectors'."""

    init: Path | None = None
    """A model folder whose weights to start from; its labels are matched by name."""

    resume: bool = False
    """Go on where the run in this folder was cut off, with the same data and settings."""

    state_every: Annotated[float, Parameter(validator=Number(gte=0))] = 5.0
    """Minutes from one saved state to the next, which is what a crash loses at most."""

    def start(self) -> Start:
        """Give these as a run takes them."""
        from tagsight.training.run import Start

        return Start(self.vectors, self.init, self.resume, 60 * self.state_every)


def journal_file(file: Path | None) -> Path:
    """The journal of sidecars: a file that is given, or the one for all runs of a user."""
    from platformdirs import user_data_path

    return file or user_data_path("tagsight") / "journal.sqlite"


@Parameter(name="*")
@dataclass(frozen=True)
class NewLabels:
    """Labels that the model was not trained on."""

    add_labels: str | None = None
    """New labels, with commas between them, recognised by their words alone; systems that
    'tagsight systems' calls zero-shot can do it."""

    vectors: Path | None = None
    """The word vectors that the model was trained with; by default those of the extra glove."""

    def names(self) -> list[str] | None:
        """Give the labels, or None if there are none to add.

        Raises:
            DataError: If vectors are for nothing.
        """
        from tagsight.errors import DataError

        if self.add_labels is None and self.vectors is not None:
            msg = "expected --vectors with --add-labels, got no labels to add"
            raise DataError(msg)
        return None if self.add_labels is None else self.add_labels.split(",")

    def added_to(self, recognizer: Recognizer) -> Recognizer:
        """Give a recognizer that knows these as well.

        Raises:
            DataError: As `Recognizer.add_labels` does, or if vectors are for nothing.
        """
        names = self.names()
        return recognizer if names is None else recognizer.add_labels(names, vectors=self.vectors)


@Parameter(name="*", group=HARDWARE)
@dataclass(frozen=True)
class PhotoBudget:
    """What one photo may cost."""

    max_photo_memory: Annotated[float, Parameter(validator=Number(gt=0, lte=2**20))] = 1.0
    """Most memory that decoding one photo may take, in GiB, as its header tells; a photo that would
    take more is left out."""

    @property
    def photo_bytes(self) -> int:
        """The same in bytes."""
        return round(self.max_photo_memory * 2**30)


@Parameter(name="*", group=HARDWARE)
@dataclass(frozen=True)
class Hardware(PhotoBudget):
    """Hardware options; they do not affect results."""

    device: str = "auto"
    """A device such as cpu or cuda; by default the CUDA GPU if there is one and torch runs the
    model. Apple's mps and Intel's xpu are taken only if they are named, and compute in float32."""

    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Of the encoder; by default float32, in which a model says the same wherever it runs, and in
    training the fastest that is safe on the device."""

    workers: Annotated[int | None, Parameter(validator=Number(gte=1))] = None
    """Threads that decode photos; by default one for each processor, at most 16."""

    def network(self, model: Path) -> Network:
        """Open a model folder or an exported file there."""
        from tagsight.inference.networks import open_network

        return open_network(model, self.device, self.precision, workers=self.workers)

    def recognizer(self, model: Path) -> Recognizer:
        """Open a model folder or an exported file there, to recognise photos."""
        from tagsight.inference.recognizer import Recognizer

        return Recognizer(self.network(model), max_memory=self.photo_bytes)

    def runtime(self, memory: MemoryLimits | None = None) -> Runtime:
        """Choose the device, and what is kept there to be fast; by default nothing."""
        from tagsight.runtime.device import Runtime

        runtime = Runtime.choose(
            self.device,
            self.precision,
            workers=self.workers,
            **(memory.limits() if memory else {"photo_memory": 0}),
        )
        return replace(runtime, max_photo_memory=self.photo_bytes)

    def exact(self) -> Self:
        """The same for what a model says: in float32, unless a precision was asked for."""
        return replace(self, precision="float32") if self.precision == "auto" else self

    @contextmanager
    def together(self, memory: MemoryLimits | None = None) -> Iterator[Runtime]:
        """Choose as `runtime` does, and join the other processes if a launcher started several."""
        from tagsight.runtime.processes import joined

        runtime = self.runtime(memory)
        with joined(runtime.device) as processes:
            yield replace(runtime, processes=processes)


@Parameter(name="*", group=RECIPE)
@dataclass(frozen=True)
class RecipeOptions:
    """What is trained: a recipe, changed by a file, changed by flags."""

    recipe: str | None = None
    """A recipe that 'tagsight recipes' lists; by default gcam-cpu."""

    epochs: int | None = None
    """Passes over the training photos."""

    seed: int | None = None
    """Decides the split, if one has to be drawn, and everything random in training."""

    config: Path | None = None
    """A TOML file of settings; 'tagsight recipes NAME' writes one."""

    system: SettingsOption = None
    """A setting of the system, as in --system.graph.epsilon 0.3."""

    training: SettingsOption = None
    """A setting of the training, as in --training.lr 0.001."""

    def chosen(self) -> Recipe:
        """Apply file and flags to the recipe."""
        from tagsight.systems.catalogue import DEFAULT_RECIPE
        from tagsight.systems.settings import choose_recipe
        from tagsight.systems.settings_file import SettingsFile, read_settings

        file = read_settings(self.config) if self.config else SettingsFile(None, [])
        flags = setting_flags(self.system, self.training, epochs=self.epochs, seed=self.seed)
        return choose_recipe(self.recipe or file.recipe or DEFAULT_RECIPE, [*file.changes, *flags])


def setting_flags(
    system: dict[str, Any] | None, training: dict[str, Any] | None, **short: int | None
) -> list[Change]:
    """Collect the changes that flags make; those of the training have short flags as well."""
    from tagsight.systems.settings import Change, changes_in

    return [
        *changes_in({"system": system or {}, "training": training or {}}, "--"),
        *(
            Change(("training", name), value, f"--{name}")
            for name, value in short.items()
            if value is not None
        ),
    ]
