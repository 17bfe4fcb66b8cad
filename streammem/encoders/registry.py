"""Published weights that `streammem models pull` knows: where they are, and under what licence."""

from dataclasses import dataclass
from typing import Final

# open_clip's own order: safetensors where a repository has them.
_WEIGHTS: Final = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
_CONFIG: Final = ("open_clip_config.json",)
_TOKENIZER: Final = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")


@dataclass(frozen=True, slots=True)
class Published:
    """Weights on the Hugging Face hub.

    `weights` are file names, the first that exists is taken; `extras` are taken where they exist.
    `needs` is a package that questions need besides the weights.
    """

    id: str
    repository: str
    licence: str
    summary: str
    weights: tuple[str, ...] = _WEIGHTS
    extras: tuple[str, ...] = _CONFIG
    needs: str | None = None


def _siglip2(arch: str, summary: str) -> Published:
    return Published(
        id=f"open_clip:{arch}/webli",
        repository=f"timm/{arch}",
        licence="Apache-2.0",
        summary=summary,
        extras=_CONFIG + _TOKENIZER,
        needs="transformers",
    )


def _mobile(arch: str, summary: str) -> Published:
    return Published(
        id=f"open_clip:{arch}/dfndr2b",
        repository=f"timm/{arch}-OpenCLIP",
        licence="Apple AMLR (research only)",
        summary=summary,
    )


PUBLISHED: Final = (
    _siglip2("ViT-B-16-SigLIP2", "SigLIP 2, base, 224 px; D = 768"),
    _siglip2("ViT-B-32-SigLIP2-256", "SigLIP 2, base with larger patches, 256 px; D = 768"),
    _siglip2("ViT-SO400M-14-SigLIP2", "SigLIP 2, 400 M parameter vision tower, 224 px; D = 1152"),
    _mobile("MobileCLIP2-S0", "MobileCLIP 2, smallest, 256 px; D = 512"),
    _mobile("MobileCLIP2-S2", "MobileCLIP 2, small, 256 px; D = 512"),
    Published(
        id="open_clip:ViT-B-32/laion2b_s34b_b79k",
        repository="laion/CLIP-ViT-B-32-laion2B-s34B-b79K",
        licence="MIT",
        summary="CLIP, base, 224 px; D = 512",
    ),
    Published(
        id="open_clip:ViT-B-32/datacomp_xl_s13b_b90k",
        repository="laion/CLIP-ViT-B-32-DataComp.XL-s13B-b90K",
        licence="MIT",
        summary="CLIP, base, 224 px; D = 512",
    ),
    Published(
        id="open_clip:ViT-B-16/datacomp_xl_s13b_b90k",
        repository="laion/CLIP-ViT-B-16-DataComp.XL-s13B-b90K",
        licence="MIT",
        summary="CLIP, base with smaller patches, 224 px; D = 512",
    ),
    Published(
        id="open_clip:ViT-L-14/datacomp_xl_s13b_b90k",
        repository="laion/CLIP-ViT-L-14-DataComp.XL-s13B-b90K",
        licence="MIT",
        summary="CLIP, large, 224 px; D = 768",
    ),
)


def published(model_id: str) -> Published | None:
    """The entry of a model, None where it is not in the list."""
    return next((entry for entry in PUBLISHED if entry.id == model_id), None)
