"""``tagsight graph``: the label graph that training would use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from tagsight.commands.labels import label_space
from tagsight.commands.options import LabelsPath
from tagsight.commands.output import print_info, print_result, shown_source
from tagsight.commands.reading import Reading
from tagsight.errors import DataError


def graph(
    data: LabelsPath,
    /,
    *,
    reading: Reading = Reading(),
    epsilon: Annotated[float, Parameter(validator=Number(gte=0, lte=1))] = 0.4,
    delta: Annotated[float, Parameter(validator=Number(gte=0, lte=1))] = 0.2,
    out: Path | None = None,
    save: Path | None = None,
) -> None:
    """Print and draw the label graph of the training photos, or of all if there is no split.

    ```console
    tagsight graph labels.csv --epsilon 0.3 --out graph.png
    ```

    Edges are conditional probabilities of one label given another, as counted in the labels.

    Args:
        data: Labels: a file or folder in a known format; or counts, an .npz that --save wrote.
        epsilon: Conditional probability below which an edge is dropped as noise.
        delta: Weight of a label's neighbours in its new state, in [0, 1].
        out: PNG file to draw the graph to.
        save: File to write the counts to, an .npz with 'names', 'counts' and 'cooccurrence'.
    """
    if out is not None and out.suffix.lower() != ".png":
        msg = f"expected --out to end in .png, got {out}"
        raise DataError(msg)
    print_info(f"reading {shown_source(data)}")

    from tagsight.labels.counts import write_counts
    from tagsight.nn.config import GraphConfig
    from tagsight.runtime.files import replacing
    from tagsight.visualize.graph_drawing import draw_graph
    from tagsight.visualize.graph_report import graph_report

    known = label_space(data, reading)
    if save is not None:
        write_counts(save, known)
        print_info(f"counts saved in {save}")
    config = GraphConfig(epsilon=epsilon, delta=delta)
    print_result(graph_report(known, config).lines())
    if out is not None:
        with replacing(out) as temporary:
            draw_graph(known, config).save(temporary, format="PNG")
        print_info(f"drawn in {out}")
