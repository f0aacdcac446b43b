"""Labelling configurations of Label Studio: which controls ask for labels of photos."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args
from xml.parsers import expat

from starlette.exceptions import HTTPException

from tagsight.data.tags.text import same

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Kind = Literal[
    "choices",
    "taxonomy",
    "rectanglelabels",
    "ellipselabels",
    "polygonlabels",
    "brushlabels",
    "bitmasklabels",
    "keypointlabels",
]
"""Types of results that can be suggested; each is the name of its control in lower case."""

EXAMPLE = (
    '<View><Image name="image" value="$image"/><Choices name="label" toName="image" '
    'choice="multiple"><Choice value="dog"/><Choice value="cat"/></Choices></View>'
)
"""A labelling configuration, for the examples."""

_OPTIONS = {"Choice", "Label"}
_CONTAINERS = {"Choices", "Taxonomy"}


@dataclass(frozen=True)
class Control:
    """A control of a labelling configuration that offers labels for a photo.

    Args:
        name: Name of the control.
        kind: Its element's name in lower case, such as ``choices``; see `Kind`.
        to_name: Name of the image that it refers to.
        field: Field of a task's data that contains that image.
        several: Whether more than one label of it may be given.
        options: Labels as written there, by their normalised text; the levels of a taxonomy are
            joined by ``/``.
    """

    name: str
    kind: str
    to_name: str
    field: str
    several: bool
    options: Mapping[str, str]


@dataclass
class _Open:
    """A control whose end has not been read."""

    kind: str
    attributes: dict[str, str]
    options: dict[str, str] = field(default_factory=dict)


class _Reader:
    """Collects images and controls while a configuration is parsed."""

    def __init__(self) -> None:
        self.fields: dict[str, str] = {}
        self.found: list[_Open] = []
        self._levels: list[tuple[str, str]] = []

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        """Handle the start of an element."""
        if name == "Image":
            self.fields[attributes.get("name", "")] = attributes.get("value", "").removeprefix("$")
        elif name in _CONTAINERS or name.endswith("Labels"):
            self.found.append(_Open(name.lower(), attributes))
        elif name in _OPTIONS:
            value = attributes.get("value", "")
            self._levels.append((value, attributes.get("alias", value)))
            if self.found and value:
                # Only a taxonomy nests its choices.
                values, written = map("/".join, zip(*self._levels, strict=True))
                self.found[-1].options[same(values)] = written

    def end(self, name: str) -> None:
        """Handle the end of an element."""
        if name in _OPTIONS:
            self._levels.pop()


def _refuse_document_type(*_: object) -> None:
    """Refuse entities, which can make a short document long."""
    raise HTTPException(422, "expected a labelling configuration, got a document type")


def controls(configuration: str) -> list[Control]:
    """Parse the controls for photos in a labelling configuration.

    Choices for single regions (``perRegion``) ask nothing about the photo and are left out.

    Raises:
        HTTPException: 422 if it is not XML, or declares a document type.

    Example:
        >>> [(one.name, one.kind, one.field, one.several) for one in controls(EXAMPLE)]
        [('label', 'choices', 'image', True)]
    """
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.StartElementHandler = reader.begin
    parser.EndElementHandler = reader.end
    parser.StartDoctypeDeclHandler = _refuse_document_type
    try:
        parser.Parse(configuration, True)  # noqa: FBT003 - positional only
    except expat.ExpatError as error:
        raise HTTPException(422, f"expected a labelling configuration in XML: {error}") from error
    return [
        Control(
            name=one.attributes.get("name", ""),
            kind=one.kind,
            to_name=one.attributes["toName"],
            field=reader.fields[one.attributes["toName"]],
            several=one.kind != "choices" or one.attributes.get("choice") == "multiple",
            options=one.options,
        )
        for one in reader.found
        if one.attributes.get("toName") in reader.fields
        and one.attributes.get("perRegion", "false") != "true"
    ]


def answered_controls(found: Iterable[Control], labels: Sequence[str]) -> list[Control]:
    """Return the controls of a known kind with an option that is a label of the model.

    Raises:
        HTTPException: 422 if there is none.

    Example:
        >>> [control.name for control in answered_controls(controls(EXAMPLE), ["dog", "sky"])]
        ['label']
    """
    known, kinds = {same(label) for label in labels}, get_args(Kind)
    answered = [one for one in found if one.kind in kinds and one.options.keys() & known]
    if not answered:
        raise HTTPException(
            422,
            "expected Choices, Taxonomy, or RectangleLabels, EllipseLabels, PolygonLabels, "
            "BrushLabels, BitmaskLabels or KeyPointLabels for an Image, some of them labels of the "
            f"model such as {', '.join(labels[:5])}, got none in the labelling configuration",
        )
    return answered
