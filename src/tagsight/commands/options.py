"""Options shared by several commands. Nothing here imports torch before a command runs."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self, TypedDict

from cyclopts import Group, Parameter
from cyclopts.validators import Number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tagsight.inference.networks.base import Network
    from tagsight.inference.recognizer import Recognizer
    from tagsight.runtime.device import Runtime
    from tagsight.training.run import Start


LABELS = Group("Labels", sort_key=2)
START = Group("Initialisation and resuming", sort_key=4)
MEMORY = Group("Memory and cache", sort_key=5)
HARDWARE = Group("Hardware", sort_key=6)
LITERATURE = Group("Data sets of the literature", sort_key=7)
"""Groups of options in the help of a command; its own options come first."""


def leads_somewhere(_kind: object, path: Path | None) -> None:
    """Reject a photo path that is neither on disk nor in a tar file on disk.

    A path that cannot be examined, such as a symlink loop, is reported later with the photos.

    Example:
        >>> leads_somewhere(Path, Path("photos/dog.jpg"))
        >>> leads_somewhere(Path, Path("photos/dgo.jpg"))
        Traceback (most recent call last):
        ValueError: "photos/dgo.jpg" does not exist.
    """
    from tagsight.data.remote.places import is_remote, missing, place

    if path is None or is_remote(path := place(path)):
        return
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError) as error:
        if not any(one.suffix.lower() == ".tar" and one.is_file() for one in path.parents):
            raise ValueError(missing(path)) from error
    except OSError:
        return


def is_there(_kind: object, path: Path | None) -> None:
    """Reject a path of labels that does not exist on this machine; a URL is asked later.

    Example:
        >>> is_there(Path, Path("labels.csv"))
        >>> is_there(Path, Path("s3://bucket/labels.csv"))
        >>> is_there(Path, Path("lables.csv"))
        Traceback (most recent call last):
        ValueError: "lables.csv" does not exist.
    """
    from tagsight.data.remote.places import is_remote, missing, place

    if path is not None and not is_remote(path := place(path)) and not path.exists():
        raise ValueError(missing(path))


LabelsPath = Annotated[Path, Parameter(validator=is_there)]
PhotoPath = Annotated[Path, Parameter(validator=leads_somewhere)]
PhotoPaths = Annotated[PhotoPath, Parameter(required=True)]
"""Photos of a command, at least one; of its arguments, they may stand before or after options."""

Engine = Literal["plain", "ray"]
"""What recognises many photos: this process, or those of a Ray cluster."""

Gibibytes = Annotated[float, Parameter(validator=Number(gte=0, lte=2**20))]


@Parameter(name="*", group=MEMORY)
@dataclass(frozen=True)
class MemoryLimits:
    """Memory and cache limits."""

    photo_memory: Gibibytes = 2.0
    """Memory for decoded photos, in GiB."""

    cache: Path | None = None
    """Cache folder for features of frozen encoder stages; by default one shared by all runs."""

    cache_space: Gibibytes = 20.0
    """Maximum size of the cache folder, in GiB; 0 disables the cache."""

    accumulate: Annotated[int, Parameter(validator=Number(gte=1))] = 1
    """Number of parts to split each batch into, to save memory (gradient accumulation)."""

    checkpoint_gradients: bool = False
    """Compute the encoder's features again in the backward pass, to save memory; a step takes about
    a third longer (gradient checkpointing)."""

    def limits(self) -> _Limits:
        """Convert to the units of a runtime: a folder and bytes.

        Example:
            >>> MemoryLimits(photo_memory=0.5).limits()["photo_memory"]
            536870912
        """
        from platformdirs import user_cache_path

        folder = self.cache or user_cache_path("tagsight")
        return {
            "photo_memory": round(self.photo_memory * 2**30),
            "cache": folder if self.cache_space else None,
            "cache_space": round(self.cache_space * 2**30),
            "accumulate": self.accumulate,
            "checkpoint_gradients": self.checkpoint_gradients,
        }


class _Limits(TypedDict, total=False):
    photo_memory: int
    cache: Path | None
    cache_space: int
    accumulate: int
    checkpoint_gradients: bool


@Parameter(name="*", group=START)
@dataclass(frozen=True)
class Initialisation:
    """Initialisation and resuming."""

    vectors: Path | None = None
    """Word vectors of the labels: a GloVe text file, or an .npz with 'names' and 'vectors'."""

    init: Path | None = None
    """Model folder to take the initial weights from; labels are matched by name."""

    resume: bool = False
    """Resume the interrupted run in this folder, with the same data and settings."""

    state_every: Annotated[float, Parameter(validator=Number(gte=0))] = 5.0
    """Minutes between saved states: the most that a crash can lose."""

    def start(self) -> Start:
        """Convert to the arguments of a run.

        Example:
            >>> Initialisation(state_every=2.0).start().state_every  # in seconds
            120.0
        """
        from tagsight.training.run import Start

        return Start(self.vectors, self.init, self.resume, 60 * self.state_every)


def journal_file(file: Path | None) -> Path:
    """Return the journal file: the given one, or the user's own.

    Example:
        >>> journal_file(Path("mine.sqlite")).name, journal_file(None).name
        ('mine.sqlite', 'journal.sqlite')
    """
    from platformdirs import user_data_path

    return file or user_data_path("tagsight") / "journal.sqlite"


@Parameter(name="*")
@dataclass(frozen=True)
class NewLabels:
    """Labels the model was not trained on."""

    add_labels: str | None = None
    """Comma-separated new labels, recognised by their words alone; only for systems that
    'tagsight systems' lists as zero-shot."""

    vectors: Path | None = None
    """Word vectors the model was trained with; by default those of the extra glove."""

    def names(self) -> list[str] | None:
        """Return the labels, or None if there are none to add.

        Raises:
            DataError: If there are vectors but no labels to add.

        Example:
            >>> NewLabels(add_labels="cat,kite").names(), NewLabels().names()
            (['cat', 'kite'], None)
        """
        from tagsight.errors import DataError

        if self.add_labels is None and self.vectors is not None:
            msg = "expected --vectors with --add-labels, got no labels to add"
            raise DataError(msg)
        return None if self.add_labels is None else self.add_labels.split(",")

    def added_to(self, recognizer: Recognizer) -> Recognizer:
        """Return a recognizer that also knows these labels.

        Raises:
            DataError: As `Recognizer.add_labels` does, or if there are vectors but no labels.
        """
        names = self.names()
        return recognizer if names is None else recognizer.add_labels(names, vectors=self.vectors)


@Parameter(name="*", group=HARDWARE)
@dataclass(frozen=True)
class PhotoBudget:
    """Memory limit of one photo."""

    max_photo_memory: Annotated[float, Parameter(validator=Number(gt=0, lte=2**20))] = 1.0
    """Maximum memory to decode one photo, in GiB, estimated from its header; photos that need more
    are left out."""

    @property
    def photo_bytes(self) -> int:
        """The limit in bytes.

        Example:
            >>> PhotoBudget(max_photo_memory=0.25).photo_bytes
            268435456
        """
        return round(self.max_photo_memory * 2**30)


@Parameter(name="*", group=HARDWARE)
@dataclass(frozen=True)
class Hardware(PhotoBudget):
    """Hardware options; they do not affect results."""

    device: str = "auto"
    """Device such as cpu or cuda; by default the CUDA GPU if there is one. Apple's mps and Intel's
    xpu have to be named, and compute in float32."""

    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Precision of the encoder; by default float32, which gives equal results on every device, and
    for training the fastest that is safe on the device."""

    workers: Annotated[int | None, Parameter(validator=Number(gte=1))] = None
    """Threads that decode photos; by default one per processor, at most 16."""

    def network(self, model: Path) -> Network:
        """Open a model folder or an exported file on this hardware."""
        from tagsight.inference.networks import open_network

        return open_network(model, self.device, self.precision, workers=self.workers)

    def recognizer(self, model: Path) -> Recognizer:
        """Open a model folder or an exported file as a recognizer on this hardware."""
        from tagsight.inference.recognizer import Recognizer

        return Recognizer(self.network(model), max_memory=self.photo_bytes)

    def runtime(self, memory: MemoryLimits | None = None) -> Runtime:
        """Choose the device and the caches; by default there are none."""
        from tagsight.runtime.device import Runtime

        runtime = Runtime.choose(
            self.device,
            self.precision,
            workers=self.workers,
            **(memory.limits() if memory else {"photo_memory": 0}),
        )
        return replace(runtime, max_photo_memory=self.photo_bytes)

    def exact(self) -> Self:
        """Return the same with float32 in place of the automatic precision.

        Example:
            >>> Hardware().exact().precision, Hardware(precision="bfloat16").exact().precision
            ('float32', 'bfloat16')
        """
        return replace(self, precision="float32") if self.precision == "auto" else self

    @contextmanager
    def together(self, memory: MemoryLimits | None = None) -> Iterator[Runtime]:
        """Choose as `runtime` does, and join the other processes of a launcher."""
        from tagsight.runtime.processes import joined

        runtime = self.runtime(memory)
        with joined(runtime.device) as processes:
            yield replace(runtime, processes=processes)


@Parameter(name="*", group=HARDWARE)
@dataclass(frozen=True)
class RecognitionHardware(Hardware):
    """Hardware options of commands that recognise many photos; they do not affect results."""

    model_runtime: Annotated[
        Literal["auto", "torch", "onnx", "openvino"], Parameter(name="--runtime")
    ] = "auto"
    """What runs a model folder; by default the fastest on this machine of those installed that
    decide as torch does, which is measured once if there are thousands of photos."""

    def fastest(self, model: Path, *, measure: bool) -> Network:
        """Open a model folder in the runtime asked for, or an exported file, and say which.

        Args:
            model: The model folder or file.
            measure: Whether runtimes are compared first if that was not done yet.
        """
        from tagsight.inference.runtimes import open_model
        from tagsight.runtime.progress import TerminalLog

        return open_model(
            model,
            self.device,
            self.precision,
            runtime=self.model_runtime,
            measure=measure,
            workers=self.workers,
            log=TerminalLog(),
        )

    def fast_recognizer(self, model: Path, photos: Iterable[Path] = ()) -> Recognizer:
        """Open a model as a recognizer in the fastest runtime.

        Args:
            model: The model folder or file.
            photos: The photos to recognise: runtimes are compared first if they are many.

        Example:
            >>> hardware = RecognitionHardware(model_runtime="torch")
            >>> hardware.fast_recognizer(Path("runs/first/model")).labels
            ('dog', 'sky')
        """
        from tagsight.inference.recognizer import Recognizer
        from tagsight.inference.runtimes import MANY

        measure = sum(1 for _ in islice(photos, MANY)) == MANY
        return Recognizer(self.fastest(model, measure=measure), max_memory=self.photo_bytes)
