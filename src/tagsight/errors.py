"""The errors that commands and the server must tell apart from a defect."""


class DataError(ValueError):
    """Something a user gave cannot be used; the message says what, where, and what to do."""


class TooLargeError(DataError):
    """Something is larger than it may be."""


class OtherKindError(DataError):
    """Something is not of the kind that was expected."""


class ShareError(DataError):
    """One of several processes met what the others did not, and must say so itself."""


TORCH = frozenset({"torch", "torchvision", "timm", "safetensors"})
"""What the extra ``torch`` brings: all but the use of exported files needs it."""


LONGEST_MESSAGE = 4_000
"""Characters."""


def user_message(error: Exception) -> str | None:
    """One line for an error that a user can mend; None for a defect of ours."""
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror or error}"
    if isinstance(error, RuntimeError) and str(error).startswith("Symlink loop"):
        return f"expected a path without links in a circle, got one: {error}"
    if isinstance(error, DataError | FloatingPointError):
        said = str(error)  # which may quote a file
        return said if len(said) <= LONGEST_MESSAGE else f"{said[: LONGEST_MESSAGE - 3]}..."
    if isinstance(error, ModuleNotFoundError) and error.name in TORCH:
        return (
            f"expected the extra 'torch' for this, got no {error.name}: "
            "pip install 'tagsight[torch]', or give a file that 'tagsight export' wrote"
        )
    # Torch's own error, which must not be imported to be told from others.
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return "the memory is full; try a lower --training.batch_size or --training.image_size"
    from pydantic import ValidationError

    from tagsight.setting_errors import sentence

    return sentence(error) if isinstance(error, ValidationError) else None
