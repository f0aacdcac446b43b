"""``tagsight pull``: fetches a model from the Hugging Face Hub or from another place."""

from __future__ import annotations

from pathlib import Path

from tagsight.commands.output import print_info, print_result, shown_source
from tagsight.runtime.amounts import amount


def pull(source: str, /, *, out: Path) -> None:
    """Fetch a model folder from the Hugging Face Hub, a bucket or another place.

    ```console
    tagsight pull hf://me/garden-birds --out garden-birds
    ```

    The model is checked before its folder appears, and nothing in it can run code.

    Args:
        source: hf://owner/name, hf://owner/name@revision, or the URL of a folder, such as
            s3://bucket/model.
        out: Model folder to write; it may replace an earlier model.
    """
    print_info(f"looking at {shown_source(Path(source))}")

    from tagsight.checkpoint.sharing.sharing import pull as pull_model

    model = pull_model(source, out)
    recipe = model.recipe
    print_result([f"{recipe.system} with {amount(len(model.labels), 'label')}", str(out)])
