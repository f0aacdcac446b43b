"""``tagsight vectors``: a file of word vectors for labels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.types import ExistingPath

from tagsight.commands.labels import label_space
from tagsight.commands.options import LabelsPath
from tagsight.commands.output import print_info, print_result
from tagsight.commands.reading import Reading
from tagsight.runtime.amounts import amount


def vectors(
    data: LabelsPath | None = None,
    /,
    *,
    out: Path,
    source: Annotated[ExistingPath | None, Parameter(name="--from")] = None,
    labels: str | None = None,
    reading: Reading = Reading(),
) -> None:
    """Write a word vector for each label, to inspect, edit, and use with --vectors.

    ```console
    tagsight vectors labels.csv --out vectors.npz
    tagsight vectors --labels dog,sky --from glove.6B.300d.txt --out vectors.npz
    ```

    They come from --from FILE, else from the extra 'glove', else from the co-occurrence of the
    labels of DATA.

    Args:
        data: Labels of photos, or an .npz of counts that 'tagsight graph --save' wrote.
        out: The file to write, an .npz with 'names' and 'vectors'.
        source: Word vectors: GloVe's text, or an .npz of names and vectors.
        labels: Labels instead of DATA: coco, voc, nus, a file with a name per line, or names
            separated by commas.
    """
    print_info("looking for word vectors")

    from tagsight.errors import DataError
    from tagsight.labels.names import named_labels
    from tagsight.labels.vectors import label_vectors
    from tagsight.labels.word_files import write_word_vectors

    if data is not None and labels is None:
        known = label_space(data, reading)
        names, cooccurrence = known.names, known.cooccurrence
    elif data is None and labels is not None:
        names, cooccurrence = named_labels(labels), None
    else:
        msg = f"expected either DATA or --labels, got {'neither' if data is None else 'both'}"
        raise DataError(msg)
    found = label_vectors(names, source=source, cooccurrence=cooccurrence)
    write_word_vectors(out, names, found.vectors.numpy())
    for note in found.notes:
        print_info(note)
    print_result([found.source, f"{amount(len(names), 'word vector')} written to {out}"])
