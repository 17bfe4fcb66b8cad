"""Random models of the kinds that users have: SmolVLM, Qwen2.5-VL and LLaVA-OneVision, tiny.

Each wants pictures and their places in the words in a way of its own.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from streammem.answer.prompt import RULES

_LAYERS = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
}
_SMALL = {
    **_LAYERS, "num_key_value_heads": 2, "max_position_embeddings": 8192,
    "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
}  # fmt: skip


def save(kind: str, folder: Path) -> None:
    """A random model of a kind with its processor, as the hub lays them out."""
    import torch
    from transformers.utils import logging

    logging.disable_progress_bar()
    torch.manual_seed(0)
    model, processor = KINDS[kind]()
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


def _tokenizer(marks: list[str], **named: str) -> Any:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=700,
        special_tokens=["<pad>", "<s>", "</s>", *marks],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([RULES] * 4, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<s>", eos_token="</s>",
        extra_special_tokens=named,
    )  # fmt: skip


def _template(picture: str) -> str:
    return (
        "{% for message in messages %}{% for part in message['content'] %}"
        "{% if part['type'] == 'text' %}{{ part['text'] }}{% else %}" + picture + "{% endif %}\n"
        "{% endfor %}{% endfor %}{% if add_generation_prompt %}ANSWER:{% endif %}"
    )


def _smolvlm() -> tuple[Any, Any]:
    from transformers import (
        LlamaConfig,
        SmolVLMConfig,
        SmolVLMForConditionalGeneration,
        SmolVLMImageProcessor,
        SmolVLMProcessor,
        SmolVLMVideoProcessor,
    )

    marks = {
        "image_token": "<image>",
        "fake_image_token": "<fake_token_around_image>",
        "global_image_token": "<global-img>",
        "end_of_utterance_token": "<end_of_utterance>",
    }
    tokenizer = _tokenizer([*marks.values()], **marks)
    side = {"longest_edge": 32}
    processor = SmolVLMProcessor(
        SmolVLMImageProcessor(size=side, max_image_size=side, do_image_splitting=False),
        tokenizer,
        SmolVLMVideoProcessor(
            size=side, max_image_size=side,
            video_sampling={"max_frames": 4, "fps": 1, "video_size": side},
        ),
        image_seq_len=4,
        chat_template=_template("<image>"),
    )  # fmt: skip
    config = SmolVLMConfig(
        vision_config={**_LAYERS, "image_size": 32, "patch_size": 8},
        text_config=LlamaConfig(vocab_size=len(tokenizer), **_SMALL),
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        scale_factor=2,
        pad_token_id=0,
    )
    return SmolVLMForConditionalGeneration(config), processor


def _qwen() -> tuple[Any, Any]:
    from transformers import (
        Qwen2_5_VLConfig,
        Qwen2_5_VLForConditionalGeneration,
        Qwen2_5_VLProcessor,
        Qwen2VLImageProcessor,
        Qwen2VLVideoProcessor,
    )

    marks = ["<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>"]
    tokenizer = _tokenizer(marks, image_token=marks[0], video_token=marks[1])
    picture, video, start, end = map(tokenizer.convert_tokens_to_ids, marks)
    processor = Qwen2_5_VLProcessor(
        Qwen2VLImageProcessor(patch_size=14, min_pixels=28 * 28, max_pixels=56 * 56),
        tokenizer,
        Qwen2VLVideoProcessor(),
        chat_template=_template("<|vision_start|><|image_pad|><|vision_end|>"),
    )
    rope = {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 10_000.0}
    config = Qwen2_5_VLConfig(
        text_config={**_SMALL, "vocab_size": len(tokenizer), "rope_parameters": rope},
        vision_config={
            "depth": 1, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2,
            "out_hidden_size": 32, "patch_size": 14, "window_size": 56,
            "fullatt_block_indexes": [0],
        },
        image_token_id=picture, video_token_id=video,
        vision_start_token_id=start, vision_end_token_id=end,
    )  # fmt: skip
    return Qwen2_5_VLForConditionalGeneration(config), processor


def _onevision() -> tuple[Any, Any]:
    from transformers import (
        LlavaOnevisionConfig,
        LlavaOnevisionForConditionalGeneration,
        LlavaOnevisionImageProcessor,
        LlavaOnevisionProcessor,
        LlavaOnevisionVideoProcessor,
        Qwen2Config,
        SiglipVisionConfig,
    )

    tokenizer = _tokenizer(["<image>", "<video>"], image_token="<image>", video_token="<video>")
    picture, video = map(tokenizer.convert_tokens_to_ids, ("<image>", "<video>"))
    side, grid = {"height": 28, "width": 28}, [[28, 28], [28, 56], [56, 28]]
    processor = LlavaOnevisionProcessor(
        LlavaOnevisionImageProcessor(size=side, image_grid_pinpoints=grid),
        tokenizer,
        LlavaOnevisionVideoProcessor(size=side),
        num_image_tokens=4,
        vision_feature_select_strategy="full",
        chat_template=_template("<image>"),
    )
    config = LlavaOnevisionConfig(
        vision_config=SiglipVisionConfig(**_LAYERS, image_size=28, patch_size=14),
        text_config=Qwen2Config(vocab_size=len(tokenizer), **_SMALL),
        image_token_index=picture,
        video_token_index=video,
        image_grid_pinpoints=grid,
        vision_feature_layer=-1,
    )
    return LlavaOnevisionForConditionalGeneration(config), processor


KINDS: dict[str, Callable[[], tuple[Any, Any]]] = {
    "SmolVLM": _smolvlm,
    "Qwen2.5-VL": _qwen,
    "LLaVA-OneVision": _onevision,
}
