"""``tagsight tag``: labels for a collection, as lines, in sidecars or inside photos."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from tagsight.commands.options import Engine, NewLabels, PhotoPath, RecognitionHardware
from tagsight.commands.output import FAILED, INTERRUPTED, STANDARD_OUTPUT, print_info, print_result
from tagsight.commands.problems import listed, no_photo_found
from tagsight.commands.tag_options import Output, Sidecars, TagSelection
from tagsight.runtime.amounts import amount
from tagsight.runtime.progress import progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tagsight.commands.problems import LeftOut
    from tagsight.inference.recognizer import Recognizer
    from tagsight.tagging.sidecars.writing import Outcome
    from tagsight.tagging.tagging import Tagged, Tagger
    from tagsight.tagging.unfinished_run import TagWriter


def tag(
    model: Path,
    /,
    *paths: PhotoPath,
    output: Output = Output(),
    wanted: TagSelection = TagSelection(),
    sidecars: Sidecars = Sidecars(),
    additions: NewLabels = NewLabels(),
    hardware: RecognitionHardware = RecognitionHardware(),
    engine: Engine = "plain",
) -> int:
    """Tag photos and folders of photos: a line or a sidecar each.

    ```console
    tagsight tag runs/first/model photos --write xmp --dry-run
    tagsight tag runs/first/model photos --write csv --out tags.csv
    ```

    Photos are never modified, except with --embed. Changes to sidecars and photos are recorded, and
    'tagsight undo' reverts them. Existing tags stay, and a
    tag that you removed is not added again. Photos that cannot be read and sidecars that cannot be
    written are listed; the exit code is then 1.

    Args:
        model: Model folder, or a file written by 'tagsight export'.
        paths: Photos, folders of photos, or tar files of photos.
        engine: Run in this process (plain), or in the processes of a Ray cluster: that of
            RAY_ADDRESS in the environment, or one started here for the duration of the command.
    """
    sidecars.check(output)
    given = wanted.given(paths)  # what is wrong is told before the model is loaded
    print_info(f"loading {model}")

    from tagsight.tagging.tagging import Lines, tag_photos, tag_sidecars

    found = wanted.photos(given, _nothing)
    recognizer, tagger = _opened(model, found, wanted, additions, hardware, engine)
    selection = wanted.selection()
    selection.check(recognizer.labels)

    with _followed(output, sum(1 for _ in wanted.photos(given, _nothing))) as (left_out, on_photo):
        photos = wanted.photos(given, left_out.append)
        match output.form:
            case "xmp" | "txt" | "embedded" as form:
                name, labels = _model_name(model, recognizer), selection.names(recognizer.labels)
                on_change = _print_change if sidecars.dry_run else None
                with sidecars.writer(form, name, given.paths, labels) as writer:
                    tagged = tag_sidecars(
                        tagger,
                        photos,
                        writer,
                        selection,
                        on_photo=on_photo,
                        on_problem=lambda problem: left_out.append(*problem),
                        on_change=on_change,
                    )
                changed = _changes(tagged, writer, "photo" if output.embed else "sidecar")
            case form:
                lines = Lines(form, selection, output.all_scores)
                tagged = tag_photos(
                    tagger,
                    photos,
                    output.target,
                    lines,
                    on_photo=on_photo,
                    on_problem=lambda problem: left_out.append(*problem),
                )
                changed = _resumed(tagged, goes_on=output.out != STANDARD_OUTPUT)
    left_out.print_first()
    print_info(f"{amount(tagged.photos, 'photo')} tagged, {left_out.count:,} left out{changed}")
    if not (tagged.photos or left_out.count or tagged.interrupted or wanted.shard):
        return no_photo_found(given.named)
    failed = FAILED if left_out.count else 0
    return INTERRUPTED if tagged.interrupted else failed


@contextmanager
def _followed(output: Output, photos: int) -> Iterator[tuple[LeftOut, Callable[[Path], object]]]:
    """Show progress by photos, and list those that are left out.

    A bar would be drawn over lines on the same terminal: there is none then.
    """
    on_screen = output.out == STANDARD_OUTPUT and sys.stdout.isatty()
    console = Console(stderr=True, quiet=on_screen and output.has_lines)
    done = count(1)
    with (
        progress("tagging", photos, console=console) as advance,
        listed(output.problems) as left_out,
    ):
        yield left_out, lambda _photo: advance(next(done))


def _nothing(*_: object) -> None:
    pass


def _opened(
    model: Path,
    photos: Iterable[Path],
    wanted: TagSelection,
    additions: NewLabels,
    hardware: RecognitionHardware,
    engine: Engine,
) -> tuple[Recognizer, Tagger]:
    """Open the model here, and where the photos are recognised."""

    def load(photos: Iterable[Path] = ()) -> Recognizer:
        if additions.names() is not None and hardware.model_runtime == "auto":
            return additions.added_to(hardware.recognizer(model.absolute()))
        return additions.added_to(hardware.fast_recognizer(model.absolute(), photos))

    if engine == "plain":
        recognizer = load(photos).at(wanted.strictness)
        return recognizer, recognizer

    from tagsight.inference.cluster import RayRecognizer

    recognizer = load().at(wanted.strictness)

    return recognizer, RayRecognizer(load, recognizer, workers=hardware.workers)


def _model_name(model: Path, recognizer: Recognizer) -> str:
    """Return the name of the model in sidecars and journal: the end of its path, and its digest."""
    return f"{'/'.join(model.resolve().parts[-2:])} {recognizer.info.model[:12]}"


def _print_change(outcome: Outcome) -> None:
    print_result([f"{outcome.sidecar}: + {', '.join(outcome.added)}"])


def _resumed(tagged: Tagged, *, goes_on: bool) -> str:
    earlier = f"; {tagged.resumed:,} of them by an earlier run" if tagged.resumed else ""
    return earlier + ("; the same command goes on" if tagged.interrupted and goes_on else "")


def _changes(tagged: Tagged, writer: TagWriter, what: str) -> str:
    would = "would be changed" if writer.dry_run else "changed"
    all_of_it = "all of it" if tagged.resumed else "it"
    back = f"; 'tagsight undo {writer.run}' takes {all_of_it} back" if writer.run else ""
    more = f"{amount(tagged.changed, what)} {would}{' now' if tagged.resumed else ''}"
    return f"{_resumed(tagged, goes_on=not writer.dry_run)}; {more}{back}"
