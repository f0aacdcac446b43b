"""Text-image encoders, which map photos and sentences to one space: CLIP, SigLIP and their like.

A model is a folder as open_clip writes it: ``open_clip_config.json``, the weights as a
``.safetensors`` file, and ``tokenizer.json`` for models that do not use CLIP's own tokens. Nothing
is downloaded, and nothing in the folder can run code.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tagsight.errors import DataError, needs_extra, settings_sentence
from tagsight.nn.tensor_file import read_tensor_file

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from PIL import Image
    from torch import Tensor, nn

    from tagsight.runtime.device import Runtime

CONFIG, TOKENS = "open_clip_config.json", "tokenizer.json"
TOKEN_SETTINGS = "tokenizer_config.json"
LARGEST_CONFIG = 2**20
"""Bytes of a file of settings."""

UNUSED = {"logit_scale", "logit_bias"}
"""Tensors that comparisons of cosines do not need."""


class _Tokens(BaseModel):
    """Settings of the tokenizer that are known to be harmless."""

    model_config = ConfigDict(extra="forbid")

    clean: str = "whitespace"
    strip_sep_token: bool = False


class _TextSettings(BaseModel):
    model_config = ConfigDict(extra="allow")

    context_length: int = Field(77, ge=1, le=4096)
    hf_tokenizer_name: str | None = None
    hf_model_name: None = None
    """A text tower of another library, which would have to be downloaded, is not supported."""

    tokenizer_mode: None = None
    tokenizer_kwargs: _Tokens | None = None


class _ModelSettings(BaseModel):
    model_config = ConfigDict(extra="allow")

    embed_dim: int = Field(ge=1, le=2**16)
    text_cfg: _TextSettings
    vision_cfg: dict[str, Any]


class _Settings(BaseModel):
    model_cfg: _ModelSettings


@dataclass(frozen=True, eq=False)
class TextImageEncoder:
    """A text-image encoder whose weights are never changed.

    Args:
        network: The model of open_clip, in evaluation mode on the runtime's device.
        tokens: Turns sentences into ``(n, context)`` int64.
        square: Turns a photo into the ``(3, h, w)`` float32 that the model sees.
        side: Longer side of that, in pixels.
        dimensions: Length ``D`` of an embedding.
        name: Name of the folder and a digest of the weights.
        runtime: Device and precision.
    """

    network: nn.Module
    tokens: Callable[[Sequence[str]], Tensor]
    square: Callable[[Image.Image], Tensor]
    side: int
    dimensions: int
    name: str
    runtime: Runtime

    @classmethod
    def load(cls, folder: Path, runtime: Runtime) -> Self:
        """Read a model from its folder.

        Args:
            folder: A folder as open_clip writes it.
            runtime: Device and precision.

        Raises:
            DataError: If there is no such model, its parts do not fit, or the extra ``text`` is
                missing.
        """
        settings, weights = _read_settings(folder), _weights_file(folder)
        with needs_extra("text", "for a text-image encoder"):
            import open_clip
            from open_clip.transform import PreprocessCfg, image_transform_v2
        network = _built(open_clip, folder, weights).eval().to(runtime.device)
        network.requires_grad_(requires_grad=False)
        seen = PreprocessCfg(**cast("Any", network).visual.preprocess_cfg)
        size = seen.size if isinstance(seen.size, int) else max(seen.size)
        return cls(
            network,
            _tokenizer(open_clip, folder, settings.text_cfg),
            image_transform_v2(seen, is_train=False),
            size,
            settings.embed_dim,
            f"{folder.resolve().name}-{_digest(weights)}",
            runtime,
        )

    @torch.inference_mode()
    def images(self, squares: Sequence[Tensor]) -> Tensor:
        """Encode photos: ``B`` times ``(3, h, w)`` -> ``(B, D)`` float32 of length 1."""
        batch = torch.stack(list(squares)).to(self.runtime.device)
        with self.runtime.autocast():
            found = cast("Any", self.network).encode_image(batch)
        return F.normalize(found.float(), dim=-1).cpu()

    @torch.inference_mode()
    def texts(self, sentences: Sequence[str]) -> Tensor:
        """Encode sentences: ``n`` of them -> ``(n, D)`` float32 of length 1.

        Example:
            >>> from tagsight.runtime.device import Runtime
            >>> class Lengths(torch.nn.Module):
            ...     def encode_text(self, tokens):
            ...         return tokens.float()
            >>> tokens = lambda sentences: torch.tensor([[len(one), 4] for one in sentences])
            >>> runtime = Runtime.choose("cpu", "float32")
            >>> encoder = TextImageEncoder(Lengths(), tokens, None, 224, 2, "lengths", runtime)
            >>> encoder.texts(["dog"])  # (3, 4), of length 1
            tensor([[0.6000, 0.8000]])
        """
        with self.runtime.autocast():
            tokens = self.tokens(sentences).to(self.runtime.device)
            found = cast("Any", self.network).encode_text(tokens)
        return F.normalize(found.float(), dim=-1).cpu()


def _read_settings(folder: Path) -> _ModelSettings:
    file = folder / CONFIG
    if not file.is_file():
        msg = f"expected a text-image model in {folder}, with {CONFIG} as open_clip writes it"
        raise DataError(msg)
    if (size := file.stat().st_size) > LARGEST_CONFIG:
        msg = f"expected at most {LARGEST_CONFIG:,} bytes in {file}, got {size:,}"
        raise DataError(msg)
    try:
        return _Settings.model_validate_json(file.read_bytes()).model_cfg
    except ValidationError as error:
        msg = f"{file}: {settings_sentence(error)}"
        raise DataError(msg) from error


def _weights_file(folder: Path) -> Path:
    files = sorted(folder.glob("*.safetensors"))
    named = [file for file in files if file.name.startswith("open_clip")] or files
    if len(named) == 1:
        return named[0]
    msg = (
        f"expected the weights of a text-image model as one .safetensors file in {folder}, "
        f"got {[file.name for file in named]!r}"
    )
    raise DataError(msg)


def _built(open_clip: Any, folder: Path, weights: Path) -> nn.Module:  # noqa: ANN401
    """Build the network of a folder and read its weights."""
    tensors = read_tensor_file(weights).tensors
    logging.getLogger("open_clip").setLevel(logging.ERROR)

    def create(device: str) -> nn.Module:
        with torch.device(device):
            made: nn.Module = open_clip.create_model(
                f"local-dir:{folder}", load_weights=False, pretrained_text=False, device=device
            )
        return made

    try:
        # Without memory first: settings may describe a far larger network than the weights.
        shapes = {name: tensor.shape for name, tensor in create("meta").state_dict().items()}
        misfits = sorted(
            name
            for name, shape in shapes.items()
            if name not in UNUSED and (name not in tensors or tensors[name].shape != shape)
        )
        if misfits:
            msg = f"it lacks {misfits[0]!r} of the described shape"
            raise ValueError(msg)
        network = create("cpu")
        known = {name: tensors[name] for name in shapes if name in tensors}
        network.load_state_dict(known, strict=False)
    except Exception as error:  # open_clip raises errors of any kind
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        msg = f"expected weights in {weights} of the model that {CONFIG} describes: {reason:.200}"
        raise DataError(msg) from error
    return network


def _tokenizer(
    open_clip: Any,  # noqa: ANN401
    folder: Path,
    settings: _TextSettings,
) -> Callable[[Sequence[str]], Tensor]:
    """Return CLIP's tokenizer, or the one of the folder where the model names another."""
    if not settings.hf_tokenizer_name:
        simple = open_clip.tokenizer.SimpleTokenizer(context_length=settings.context_length)
        return lambda sentences: simple(list(sentences))
    with needs_extra("text", "for a text-image encoder"):
        from tokenizers import Tokenizer

    file = folder / TOKENS
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # a panic or an error of any kind, by what is wrong
        msg = f"expected the tokens of the model in {file}, got none that can be read"
        raise DataError(msg) from error
    padding = _padding_token(folder)
    number = tokenizer.token_to_id(padding)
    if number is None:
        msg = f"expected the padding token {padding!r} of {TOKEN_SETTINGS} among those of {file}"
        raise DataError(msg)
    length = settings.context_length
    tokenizer.enable_truncation(length)
    tokenizer.enable_padding(length=length, pad_id=number, pad_token=padding)
    clean = open_clip.tokenizer.get_clean_fn((settings.tokenizer_kwargs or _Tokens()).clean)

    def tokens(sentences: Sequence[str]) -> Tensor:
        encoded = tokenizer.encode_batch([clean(sentence) for sentence in sentences])
        return torch.tensor([one.ids for one in encoded])

    return tokens


def _padding_token(folder: Path) -> str:
    """Return the token that fills up short sentences, as the folder names it."""
    file = folder / TOKEN_SETTINGS
    if not file.is_file() or file.stat().st_size > 2**24:
        return "<pad>"
    try:
        named = json.loads(file.read_bytes()).get("pad_token", "<pad>")
    except (ValueError, AttributeError) as error:
        msg = f"{file}: expected the settings of a tokenizer as JSON"
        raise DataError(msg) from error
    return str(named.get("content") if isinstance(named, dict) else named)


def _digest(file: Path) -> str:
    digest = blake2b(digest_size=8)
    with file.open("rb") as opened:
        while part := opened.read(2**22):
            digest.update(part)
    return digest.hexdigest()
