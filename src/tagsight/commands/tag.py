"""``tagsight tag``: labels for a collection, as lines or in sidecars."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass, fields
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.console import Console

from tagsight.commands.options import Hardware, NewLabels, PhotoPath, journal_file
from tagsight.commands.output import FAILED, INTERRUPTED, STANDARD_OUTPUT, print_info, print_result
from tagsight.commands.problems import listed
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount
from tagsight.runtime.progress import progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tagsight.inference.recognizer import Recognizer
    from tagsight.tagging.sidecars.writing import Outcome, Writer
    from tagsight.tagging.tagging import Selection, Tagged, Tagger


@Parameter(name="*")
@dataclass(frozen=True)
class Output:
    """What is written."""

    write: Literal["text", "csv", "json", "jsonl", "txt", "xmp"] = "text"
    """Lines for people, a table, an array or one object a line; or sidecars beside the photos, of
    comma-separated tags or in XMP."""

    out: Path = STANDARD_OUTPUT
    """File for all but sidecars; by default standard output."""

    all_scores: bool = False
    """Give the score of every label as well."""

    problems: Path | None = None
    """File for a table of the photos that were left out, and why."""

    @property
    def beside(self) -> bool:
        """Whether sidecars are written."""
        return self.write in {"txt", "xmp"}


@Parameter(name="*")
@dataclass(frozen=True)
class TagSelection:
    """Which labels and which photos are taken."""

    strictness: Literal["more", "balanced", "sure"] = "balanced"
    """How sure the model has to be: sure takes a label at three times the odds of its threshold,
    more at a third of them."""

    top: Annotated[int | None, Parameter(validator=Number(gte=1))] = None
    """Take so many labels of every photo, whatever their thresholds."""

    only: str | None = None
    """Labels to take, and no others, with commas between them."""

    never: str | None = None
    """Labels not to take, with commas between them."""

    shard: str | None = None
    """One of several parts of the photos, such as 2/8, for as many machines."""

    def selection(self) -> Selection:
        """Give these as tagging takes them."""
        from tagsight.tagging.tagging import Selection

        return Selection(self.top, _names(self.only), _names(self.never))

    def part(self) -> tuple[int, int] | None:
        """Which part of how many.

        Raises:
            DataError: If it is not of the form i/n.
        """
        if self.shard is None:
            return None
        first, _, second = self.shard.partition("/")
        if first.isdecimal() and second.isdecimal() and 1 <= int(first) <= int(second):
            return int(first), int(second)
        msg = f"expected --shard as i/n with i from 1 to n, such as 2/8, got {self.shard!r}"
        raise DataError(msg)


@Parameter(name="*")
@dataclass(frozen=True)
class Sidecars:
    """How sidecars are written."""

    dry_run: bool = False
    """Say what would be added to sidecars, and write nothing."""

    sidecar_dir: Path | None = None
    """Folder for the sidecars, in folders as the photos are; by default beside the photos."""

    sidecar_name: Literal["stem", "full"] | None = None
    """Name of a sidecar: photo.xmp (stem), which Lightroom reads beside raw files, or
    photo.jpg.xmp (full); by default full for XMP and stem for tag files."""

    extension: str = ".txt"
    """What the names of tag files end in, such as .caption."""

    separator: str = ", "
    """What stands between two tags of a tag file; \\n is a new line."""

    existing: Literal["append", "replace", "keep"] = "append"
    """What becomes of a tag file that is there: tags are put behind its own, or in their place, or
    it is left alone."""

    replace: list[str] | None = None
    """A tag to write in the place of a label, as dog=canine or dog=animal/dog; may be repeated."""

    journal: Path | None = None
    """File of the journal that 'tagsight undo' reads; by default one for all your runs."""

    def check(self, output: Output) -> None:
        """Refuse what has no meaning for the form that is written.

        Raises:
            DataError: If there is such.
        """
        meant = {"separator": {"txt"}, "extension": {"txt"}, "existing": {"txt"}}
        for option in fields(self):
            forms = meant.get(option.name, {"txt", "xmp"})
            if output.write not in forms and getattr(self, option.name) != option.default:
                flag = option.name.replace("_", "-")
                msg = f"expected --write {' or '.join(sorted(forms))} with --{flag}"
                raise DataError(f"{msg}, got {output.write}")
        if output.beside and (output.out != STANDARD_OUTPUT or output.all_scores):
            msg = f"expected neither --out nor --all-scores with --write {output.write}, got one"
            raise DataError(msg)
        self.renamed()
        if output.write == "txt":
            from tagsight.tagging.sidecars.places import ending_of
            from tagsight.tagging.sidecars.text import separator_of

            ending_of(self.extension)
            separator_of(self.separator)

    @contextmanager
    def writer(
        self, form: Literal["txt", "xmp"], model: str, given: list[Path], labels: Iterable[str]
    ) -> Iterator[Writer]:
        """Open the journal, and give what writes sidecars.

        Args:
            form: Of the sidecars.
            model: Who tags.
            given: The photos and folders that are tagged.
            labels: All that may be written.

        Raises:
            DataError: If a label cannot be written, or there is no journal to write to.
        """
        from tagsight.tagging.sidecars.journal import Journal
        from tagsight.tagging.sidecars.places import Places, ending_of
        from tagsight.tagging.sidecars.text import separator_of
        from tagsight.tagging.sidecars.writing import Manner, Writer

        suffix = ".xmp" if form == "xmp" else ending_of(self.extension)
        manner = Manner(form, separator_of(self.separator), self.existing, self.renamed())
        manner.check(labels)
        file = journal_file(self.journal)
        if self.dry_run and not file.exists():
            file = Path(":memory:")
        with Journal(file) as journal:
            places = Places(suffix, self.sidecar_dir, given, self.sidecar_name)
            yield Writer(manner, places, model, journal, dry_run=self.dry_run)

    def renamed(self) -> dict[str, str]:
        """Tags by the labels whose place they take.

        Raises:
            DataError: If one is not of the form label=tag.
        """
        pairs = [one.partition("=") for one in self.replace or []]
        for label, _, tag in pairs:
            if not (label.strip() and tag.strip()):
                msg = f"expected --replace as label=tag, got {label + '=' + tag!r}"
                raise DataError(msg)
        return {label.strip(): tag.strip() for label, _, tag in pairs}


def tag(
    model: Path,
    paths: list[PhotoPath],
    /,
    *,
    output: Output = Output(),
    wanted: TagSelection = TagSelection(),
    sidecars: Sidecars = Sidecars(),
    additions: NewLabels = NewLabels(),
    hardware: Hardware = Hardware(),
    engine: Literal["plain", "ray"] = "plain",
) -> int:
    """Tag photos and whole folders: a line each, or a sidecar. Photos are never written to.

    What is written into sidecars is noted first: 'tagsight undo' takes it back. Tags that are there
    stay, and one that you took out is not added again. Photos that cannot be read, and sidecars
    that cannot be written, are listed; the exit code is then 1.

    Args:
        model: The model folder, or a file that 'tagsight export' wrote.
        paths: Photos, folders of photos, and tars of photos.
        engine: Who recognises: this process, or the processes of a Ray cluster, that of the
            environment's RAY_ADDRESS or one that is started here for as long as it takes.
    """
    sidecars.check(output)
    part = wanted.part()
    print_info(f"loading {model}")

    from tagsight.data.photo_files import find_photos
    from tagsight.tagging.tagging import Lines, shard, tag_photos, tag_sidecars

    def load() -> Recognizer:
        return additions.added_to(hardware.recognizer(model.absolute()))

    recognizer = load().at(wanted.strictness)
    tagger = recognizer if engine == "plain" else _on_ray(load, recognizer, hardware)
    selection = wanted.selection()
    selection.check(recognizer.labels)

    def photos(on_problem: Callable[[Path, str], object] = _nothing) -> Iterator[Path]:
        found = find_photos(paths, on_problem=on_problem)
        return found if part is None else shard(found, *part)

    # A bar would be drawn over lines on the same terminal.
    on_screen = output.out == STANDARD_OUTPUT and sys.stdout.isatty()
    console = Console(stderr=True, quiet=on_screen and not output.beside)
    with (
        progress("tagging", sum(1 for _ in photos()), console=console) as advance,
        listed(output.problems) as left_out,
    ):
        done = count(1)

        def on_photo(_: Path) -> None:
            advance(next(done))

        match output.write:
            case "xmp" | "txt" as form:
                with sidecars.writer(
                    form, _who(model, recognizer), paths, selection.names(recognizer.labels)
                ) as writer:
                    tagged = tag_sidecars(
                        tagger,
                        photos(left_out.append),
                        writer,
                        selection,
                        on_photo=on_photo,
                        on_problem=lambda problem: left_out.append(*problem),
                        on_change=_say_change if sidecars.dry_run else None,
                    )
                changed = _told_changes(tagged, writer)
            case form:
                tagged = tag_photos(
                    tagger,
                    photos(left_out.append),
                    sys.stdout if output.out == STANDARD_OUTPUT else output.out,
                    Lines(form, selection, output.all_scores),
                    on_photo=on_photo,
                    on_problem=lambda problem: left_out.append(*problem),
                )
                changed = ""
    left_out.tell()
    print_info(f"{amount(tagged.photos, 'photo')} tagged, {left_out.count:,} left out{changed}")
    if tagged.interrupted:
        return INTERRUPTED
    if not (tagged.photos or left_out.count or part):
        print_info(f"no photo found in {', '.join(map(str, paths))}")
        return FAILED
    return FAILED if left_out.count else 0


def _nothing(*_: object) -> None:
    pass


def _on_ray(load: Callable[[], Recognizer], recognizer: Recognizer, hardware: Hardware) -> Tagger:
    from tagsight.tagging.ray import RayTagger

    return RayTagger(load, recognizer, workers=hardware.workers)


def _who(model: Path, recognizer: Recognizer) -> str:
    """A model as sidecars and journal call it: the end of its path, and what it is."""
    return f"{'/'.join(model.resolve().parts[-2:])} {recognizer.info.model[:12]}"


def _say_change(outcome: Outcome) -> None:
    print_result([f"{outcome.sidecar}: + {', '.join(outcome.added)}"])


def _told_changes(tagged: Tagged, writer: Writer) -> str:
    would = "would be changed" if writer.dry_run else "changed"
    back = f"; 'tagsight undo {writer.run}' takes it back" if writer.run is not None else ""
    return f"; {amount(tagged.changed, 'sidecar')} {would}{back}"


def _names(text: str | None) -> frozenset[str]:
    return frozenset(name.strip() for name in text.split(",")) if text is not None else frozenset()
