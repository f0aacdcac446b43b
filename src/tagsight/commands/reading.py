"""Options for reading labels, shared by all commands that read any."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from tagsight.commands.columns import ColumnOptions
from tagsight.commands.label_rules import LabelRuleOptions
from tagsight.commands.options import LABELS, LITERATURE

if TYPE_CHECKING:
    from tagsight.data.annotations import Annotations
    from tagsight.data.splits.grouping import Grouping


@Parameter(name="*", group=LABELS)
@dataclass(frozen=True)
class Reading:
    """Options for reading labels."""

    images: Path | None = None
    """Folder of the photos; by default the usual one of the format."""

    format: str | None = None
    """Format of the labels; by default it is detected. An unknown name prints the valid ones."""

    difficult: Literal["present", "absent", "unknown"] | None = None
    """How to treat objects marked difficult; by default unknown: excluded from loss and metrics."""

    topics: Annotated[
        Literal["potential", "relevant", "all"] | None, Parameter(group=LITERATURE)
    ] = None
    """Topics of MIRFLICKR-25K to use as labels; by default potential: topics that
    may be seen in the photo."""

    unlabelled: Literal["keep", "drop"] | None = None
    """Whether to keep photos without any label known to be present; by default keep."""

    level: Literal["path", "leaf"] | int | None = None
    """Part of a tag such as animal/dog that makes a label: the whole path, as by default, its last
    level (leaf), or the number of levels from the root."""

    label_studio_files: Path | None = None
    """Label Studio's data folder, for uploads, or the root of its local storage."""

    protocol: Annotated[str | None, Parameter(group=LITERATURE)] = None
    """Published protocol for reading a data set. An unknown name prints the valid ones."""

    split_seed: Annotated[int, Parameter(group=LITERATURE)] = 0
    """Seed of the split, where a protocol has no official one."""

    columns: ColumnOptions = ColumnOptions()

    rules: LabelRuleOptions = LabelRuleOptions()

    def read(
        self,
        data: Path,
        *,
        labels_only: bool = False,
        grouping: Grouping | None = None,
        every_label: bool = False,
        write_photos: bool = True,
    ) -> Annotations:
        """Read the labels.

        Args:
            data: A file or folder.
            labels_only: Accept that none of the photos exists.
            grouping: What keeps photos on one side of a split.
            every_label: Keep labels with few photos, as to measure a model that knows them.
            write_photos: Write photos that are inside a file of labels to the cache.

        Raises:
            DataError: As readers and protocols do; if both format and protocol are given; or if a
                rule does not fit the labels.

        Example:
            >>> rules = LabelRuleOptions(rename=("dog=animal",))
            >>> Reading(rules=rules).read(Path("labels.csv")).names
            ('animal', 'sky')
        """
        from tagsight.data.format import ReadOptions
        from tagsight.data.literature.protocols import read_protocol
        from tagsight.data.readers import read_annotations
        from tagsight.errors import DataError

        options = ReadOptions(
            self.images,
            self.difficult,
            self.topics,
            self.unlabelled,
            self.rules.chosen(),
            self.level,
            self.columns.chosen(),
            grouping,
            every_label=every_label,
            label_studio_files=self.label_studio_files,
            write_photos=write_photos,
        )
        if self.protocol is None:
            return read_annotations(
                data, format=self.format, labels_only=labels_only, options=options
            )
        if self.format is not None:
            msg = "expected --format or --protocol, which decides the format, got both"
            raise DataError(msg)
        return read_protocol(
            data,
            self.protocol,
            labels_only=labels_only,
            split_seed=self.split_seed,
            options=options,
        )


@Parameter(name="*", group=LABELS)
@dataclass(frozen=True)
class GroupingOptions:
    """Groups of photos that stay on one side of a split."""

    group: str | None = None
    """Comma-separated groups of photos to keep on one side of a split: folder, session (times in
    Exif), near-twins (photos that look alike), encoder-twins (these, and those that look alike to
    the encoder of the recipe quick), or a column of the table, such as patient."""

    session_minutes: Annotated[float, Parameter(validator=Number(gt=0))] = 30.0
    """Longest pause between two photos of a session, in minutes."""

    def chosen(self) -> Grouping | None:
        """Return the grouping, or None if there is none.

        Example:
            >>> GroupingOptions(group="folder, near-twins").chosen().by
            ('folder', 'near-twins')
        """
        from tagsight.data.splits.grouping import Grouping

        if self.group is None:
            return None
        return Grouping(tuple(map(str.strip, self.group.split(","))), self.session_minutes)


@Parameter(name="*", group=LABELS)
@dataclass(frozen=True)
class CheckedReading(Reading):
    """Options for reading labels and checking their photos."""

    max_bad: Annotated[float | None, Parameter(validator=Number(gte=0, lte=1))] = None
    """Largest fraction of unusable photos to accept; by default 0.01, or 5 photos if that is
    more."""
