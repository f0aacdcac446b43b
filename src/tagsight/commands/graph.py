"""``tagsight graph``: the label graph that training would use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.types import ExistingPath
from cyclopts.validators import Number

from tagsight.commands.options import Reading
from tagsight.commands.output import remark, say


def graph(
    data: ExistingPath,
    /,
    *,
    reading: Reading = Reading(),
    epsilon: Annotated[float, Parameter(validator=Number(gte=0, lte=1))] = 0.4,
    delta: Annotated[float, Parameter(validator=Number(gte=0, lt=1))] = 0.2,
    out: Path | None = None,
) -> None:
    """Print and draw the label graph of the training photos, or of all where none are marked so.

    Args:
        data: Labels: a file or a folder of a known format.
        epsilon: Conditional probability below which an edge is noise.
        delta: Share of a label's new state that comes from its neighbours.
        out: Picture of the graph, a PNG file.
    """
    from tagsight.config import GraphConfig
    from tagsight.errors import DataError
    from tagsight.files import replacing
    from tagsight.graph_drawing import draw_graph
    from tagsight.graph_report import graph_report
    from tagsight.labels import LabelSpace

    if out is not None and out.suffix.lower() != ".png":
        msg = f"expected --out to end in .png, got {out}"
        raise DataError(msg)
    annotations = reading.read(data, labels_only=True)
    if "train" in annotations.split_sizes:
        annotations = annotations.rows("train")
    labels = LabelSpace.from_targets(annotations.names, annotations.targets)
    config = GraphConfig(epsilon=epsilon, delta=delta)
    say(graph_report(labels, config).lines())
    if out is not None:
        with replacing(out) as temporary:
            draw_graph(labels, config).save(temporary, format="PNG")
        remark(f"drawn in {out}")
