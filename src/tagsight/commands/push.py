"""``tagsight push``: writes a model to the Hugging Face Hub or to another place."""

from __future__ import annotations

from pathlib import Path

from tagsight.commands.output import print_info, print_result


def push(model: Path, to: str, /, *, public: bool = False, message: str = "") -> None:
    """Write a model folder to the Hugging Face Hub, a bucket or another place.

    ```console
    tagsight push runs/first/model hf://me/garden-birds
    ```

    The weights, the settings and the card are written, and nothing else. Sign in to the Hub by
    'hf auth login', or set HF_TOKEN.

    Args:
        model: Model folder.
        to: hf://owner/name for a repository of the Hub, which is created if it does not exist; or
            the URL of a folder, such as s3://bucket/model.
        public: Let everybody read a repository that is created; by default it is private.
        message: Describes the change, on the Hub.
    """
    print_info(f"reading {model}")

    from tagsight.checkpoint.sharing.sharing import push as push_model

    print_result([push_model(model, to, public=public, message=message)])
