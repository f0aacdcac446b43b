"""Options of ``tagsight tag``: output, labels and photos, sidecars."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

from cyclopts import Group, Parameter
from cyclopts.validators import Number

from tagsight.commands.options import journal_file, leads_somewhere
from tagsight.commands.output import STANDARD_OUTPUT
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import TextIO

    from tagsight.tagging.tagging import Selection
    from tagsight.tagging.unfinished_run import TagWriter

OUTPUT = Group("Output", sort_key=-3)
SELECTION = Group("Labels and photos", sort_key=-2)
SIDECARS = Group("Sidecars", sort_key=-1)

STANDARD_INPUT = Path("-")


@Parameter(name="*", group=OUTPUT)
@dataclass(frozen=True)
class Output:
    """Output format and files."""

    write: Literal["text", "csv", "json", "jsonl", "txt", "xmp"] = "text"
    """Output format: text lines, a CSV table, a JSON array, JSON lines, or sidecars beside the
    photos: txt (comma-separated tags) or xmp."""

    out: Path = STANDARD_OUTPUT
    """Output file, unless sidecars are written; by default standard output."""

    all_scores: bool = False
    """Also write the score of every label."""

    problems: Path | None = None
    """CSV file for the photos that were left out, with reasons."""

    embed: bool = False
    """Write keywords into JPEG, TIFF, PNG and WebP photos, through exiftool, for programs that read
    no sidecars. Each original is kept beside the photo, as photo.jpg_original."""

    @property
    def form(self) -> Literal["text", "csv", "json", "jsonl", "txt", "xmp", "embedded"]:
        """Output format, with keywords inside photos as another."""
        return "embedded" if self.embed else self.write

    @property
    def has_lines(self) -> bool:
        """Whether lines are written, in place of sidecars and photos."""
        return self.form not in {"txt", "xmp", "embedded"}

    def check(self) -> None:
        """Reject options that contradict each other.

        Raises:
            DataError: If there are some.

        Example:
            >>> Output(write="csv", all_scores=True).check()
            >>> Output(write="xmp", all_scores=True).check()  # doctest: +ELLIPSIS
            Traceback (most recent call last):
            tagsight.errors.DataError: expected neither --out nor --all-scores with --write xmp, ...
        """
        if self.embed and self.write != "text":
            msg = f"expected --embed or --write {self.write}, got both"
            raise DataError(msg)
        if not self.has_lines and (self.out != STANDARD_OUTPUT or self.all_scores):
            with_ = "--embed" if self.embed else f"--write {self.write}"
            msg = f"expected neither --out nor --all-scores with {with_}, got one"
            raise DataError(msg)

    @property
    def target(self) -> Path | TextIO:
        """The file or stream that lines are written to."""
        return sys.stdout if self.out == STANDARD_OUTPUT else self.out


class Given(NamedTuple):
    """What is searched for photos.

    Attributes:
        named: What the user gave: arguments, and perhaps a list.
        paths: Photos, folders and tar files that exist, or URLs.
        missing: Other paths of the list, and why they are left out.
    """

    named: tuple[Path, ...]
    paths: tuple[Path, ...]
    missing: dict[Path, str]


@Parameter(name="*", group=SELECTION)
@dataclass(frozen=True)
class TagSelection:
    """Labels to write, and photos to tag."""

    strictness: Literal["more", "balanced", "sure"] = "balanced"
    """How confident the model must be: sure requires three times the odds of a label's threshold,
    more a third of them."""

    top: Annotated[int | None, Parameter(validator=Number(gte=1))] = None
    """Write this many labels for every photo, regardless of thresholds."""

    only: str | None = None
    """Comma-separated labels to write; no others are written."""

    never: str | None = None
    """Comma-separated labels never to write."""

    shard: str | None = None
    """Part of the photos to tag, such as 2/8 on the second of eight machines."""

    files_from: Path | None = None
    """File that lists photos and folders to tag, a line each; - reads standard input, also what
    'find -print0' writes."""

    def selection(self) -> Selection:
        """Convert to the arguments of tagging."""
        from tagsight.tagging.tagging import Selection

        return Selection(self.top, _names(self.only), _names(self.never))

    def part(self) -> tuple[int, int] | None:
        """Return the part and the number of parts.

        Raises:
            DataError: If it is not of the form i/n.

        Example:
            >>> TagSelection(shard="2/8").part()
            (2, 8)
        """
        if self.shard is None:
            return None
        first, _, second = self.shard.partition("/")
        if first.isdecimal() and second.isdecimal() and 1 <= int(first) <= int(second):
            return int(first), int(second)
        msg = f"expected --shard as i/n with i from 1 to n, such as 2/8, got {self.shard!r}"
        raise DataError(msg)

    def given(self, paths: Sequence[Path]) -> Given:
        """Return what is to be searched for photos.

        Args:
            paths: What the user gave as arguments.

        Raises:
            DataError: If there is nothing, the list cannot be read, or there is no such part.
        """
        from tagsight.data.photos.path_list import read_path_list

        self.part()
        if self.files_from is None and not paths:
            msg = "expected photos or folders to tag, or a list of them as --files-from, got none"
            raise DataError(msg)
        if self.files_from is None:
            return Given(tuple(paths), tuple(paths), {})
        if self.files_from == STANDARD_INPUT:
            name, listed = "standard input", read_path_list(sys.stdin.buffer, "standard input")
        else:
            name = str(self.files_from)
            with self.files_from.open("rb") as file:
                listed = read_path_list(file, name)
        missing = {path: reason for path in listed if (reason := _reason_against(path)) is not None}
        there = (*paths, *(path for path in listed if path not in missing))
        if not there:
            first = next(iter(missing.values()), "")
            got = (
                f"{amount(len(missing), 'path')} that cannot be found: {first}" if first else "none"
            )
            msg = f"{name}: expected a photo or folder in each line, got {got}"
            raise DataError(msg)
        return Given((*paths, self.files_from), there, missing)

    def photos(self, given: Given, on_problem: Callable[[Path, str], object]) -> Iterator[Path]:
        """Find the photos of the part.

        Args:
            given: What is searched.
            on_problem: Called with each path that is missing or cannot be searched, and why.
        """
        from tagsight.data.photos.finding import find_photos
        from tagsight.tagging.tagging import shard

        for path, reason in given.missing.items():
            on_problem(path, reason)
        found, part = find_photos(given.paths, on_problem=on_problem), self.part()
        return found if part is None else shard(found, *part)


@Parameter(name="*", group=SIDECARS)
@dataclass(frozen=True)
class Sidecars:
    """Options for sidecars, some of which are for keywords inside photos too."""

    dry_run: bool = False
    """Print what would be added to sidecars or photos, without writing anything."""

    sidecar_dir: Path | None = None
    """Folder for sidecars, with the subfolders of the photos; by default beside the photos."""

    sidecar_name: Literal["stem", "full"] | None = None
    """Sidecar name: photo.xmp (stem), which Lightroom reads beside raw files, or photo.jpg.xmp
    (full); by default full for xmp and stem for txt."""

    extension: str = ".txt"
    """File extension of txt sidecars, such as .caption."""

    separator: str = ", "
    """Separator between the tags of a txt sidecar; \\n is a new line."""

    existing: Literal["append", "replace", "keep"] = "append"
    """How to treat an existing txt sidecar: append tags to it, replace its tags, or keep it as it
    is."""

    replace: list[str] | None = None
    """Tag to write instead of a label, as dog=canine or dog=animal/dog; may be repeated."""

    journal: Path | None = None
    """Journal file, which 'tagsight undo' reads; by default one for all your runs."""

    def check(self, output: Output) -> None:
        """Reject options that do not apply to the output format, and others that contradict it.

        Raises:
            DataError: If there is one; then, if exiftool is needed and missing.
        """
        output.check()
        forms = {"separator": {"txt"}, "extension": {"txt"}, "existing": {"txt"}}
        embedded = {"dry_run", "replace", "journal"}
        for option in fields(self):
            meant = forms.get(option.name, {"txt", "xmp"})
            if option.name in embedded:
                meant = {*meant, "embedded"}
            if output.form not in meant and getattr(self, option.name) != option.default:
                written = f"--write {' or '.join(sorted(meant - {'embedded'}))}"
                or_embed = ", or --embed," if "embedded" in meant else ""
                flag = option.name.replace("_", "-")
                got = "--embed" if output.embed else output.write
                msg = f"expected {written}{or_embed} with --{flag}, got {got}"
                raise DataError(msg)
        self.renamed()
        if output.write == "txt":
            from tagsight.tagging.sidecars.places import ending_of
            from tagsight.tagging.sidecars.text import separator_of

            ending_of(self.extension)
            separator_of(self.separator)
        if output.embed:
            from tagsight.tagging.embedding.exiftool import require_exiftool

            require_exiftool()

    @contextmanager
    def writer(
        self,
        form: Literal["txt", "xmp", "embedded"],
        model: str,
        given: Sequence[Path],
        labels: Iterable[str],
    ) -> Iterator[TagWriter]:
        """Open the journal and yield the writer of sidecars, or of keywords inside photos.

        Args:
            form: Format of the sidecars, or keywords inside photos.
            model: Name of the model, for the journal.
            given: Photos and folders given by the user.
            labels: All labels that may be written.

        Raises:
            DataError: If a label cannot be written, or the journal cannot be opened.
        """
        from tagsight.tagging.embedding.embedder import Embedder
        from tagsight.tagging.embedding.exiftool import ExifTool
        from tagsight.tagging.sidecars.journal import Journal
        from tagsight.tagging.sidecars.places import Places, ending_of
        from tagsight.tagging.sidecars.text import separator_of
        from tagsight.tagging.sidecars.writing import Manner, Writer

        suffix = ending_of(self.extension) if form == "txt" else ".xmp"
        sidecars: Literal["txt", "xmp"] = "txt" if form == "txt" else "xmp"
        manner = Manner(sidecars, separator_of(self.separator), self.existing, self.renamed())
        manner.check(labels)
        file = journal_file(self.journal)
        if self.dry_run and not file.exists():
            file = Path(":memory:")
        with Journal(file) as journal, ExifTool() as exiftool:
            if form == "embedded":
                yield Embedder(exiftool, model, journal, manner.renamed, dry_run=self.dry_run)
            else:
                places = Places(suffix, self.sidecar_dir, given, self.sidecar_name)
                yield Writer(manner, places, model, journal, dry_run=self.dry_run)

    def renamed(self) -> dict[str, str]:
        """Map labels to the tags that replace them.

        Raises:
            DataError: If one is not of the form label=tag.

        Example:
            >>> Sidecars(replace=["dog=animal/dog"]).renamed()
            {'dog': 'animal/dog'}
        """
        pairs = [one.partition("=") for one in self.replace or []]
        for label, _, tag in pairs:
            if not (label.strip() and tag.strip()):
                msg = f"expected --replace as label=tag, got {label + '=' + tag!r}"
                raise DataError(msg)
        return {label.strip(): tag.strip() for label, _, tag in pairs}


def _names(text: str | None) -> frozenset[str]:
    return frozenset(name.strip() for name in text.split(",")) if text is not None else frozenset()


def _reason_against(path: Path) -> str | None:
    try:
        leads_somewhere(None, path)
    except (ValueError, DataError) as error:
        return str(error)
    return None
