"""A LLaVA of 200 thousand weights, taught in seconds to name the colour of a picture and cite it.

Built from configuration, with a tokenizer made here; saved as the hub lays models out, so that
the real code loads it. What it learns cannot be read from the words: only the pictures differ.
"""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from streammem.answer.base import Material, TimedPicture
from streammem.answer.prompt import RULES, Prompt, build_prompt
from streammem.core.types import Channel, Evidence, Findings, Tier
from streammem.query.parse import parse_question

COLOURS = ("red", "blue")
# What is asked, and what is to be written.
Lesson = tuple[Material, str]
_SIDE_PX = 16
_PATCH_PX = 8
_STEPS = 120
_TEMPLATE = (
    "{% for message in messages %}{% for part in message['content'] %}"
    "{% if part['type'] == 'text' %}{{ part['text'] }}{% else %}<image>{% endif %}\n"
    "{% endfor %}{% endfor %}{% if add_generation_prompt %}ANSWER:{% endif %}"
)


def picture(colour: str) -> bytes:
    """A JPEG of one colour."""
    buffer = io.BytesIO()
    Image.new("RGB", (48, 32), colour).save(buffer, "JPEG")
    return buffer.getvalue()


def material(colour: str) -> Material:
    """One piece of evidence with a picture of a colour; the words do not tell which."""
    item = Evidence("e1", "clip", "clip.mp4", 2.0, 5.0, 3.0, 0.9, Channel.VISION, Tier.WORKING)
    return Material(
        question=parse_question("what is at 0:03?"),
        findings=Findings(evidence=(item,), confidence=0.9),
        sentence="Something is seen from 00:00:02.000 to 00:00:05.000.",
        shown=(item,),
        pictures=(TimedPicture("e1", 3.0, picture(colour)),),
    )


def taught_reply(colour: str) -> str:
    """What the model writes about a picture: two claims with evidence and one without."""
    return f"The picture is {colour} [e1]. It is {colour} at 9:59 [e1]. A dog barks [e7]."


def lessons() -> list[Lesson]:
    """What the model is taught where nobody says otherwise: to name the colour of a picture."""
    return [(material(colour), taught_reply(colour)) for colour in COLOURS]


def build(folder: Path, taught: Sequence[Lesson] = ()) -> None:
    """Save a model that was taught replies to prompts of equal words, and its processor."""
    taught = taught or lessons()
    import torch
    from transformers import (
        CLIPImageProcessor,
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
    )
    from transformers.utils import logging

    logging.disable_progress_bar()
    # The prompts' own text makes them few tokens, and so the lessons short.
    asked = build_prompt(taught[0][0], 4000).texts
    tokenizer = _tokenizer([RULES, *asked, *(reply for _, reply in taught)])
    sides = {"height": _SIDE_PX, "width": _SIDE_PX}
    processor = LlavaProcessor(
        CLIPImageProcessor(size={"shortest_edge": _SIDE_PX}, crop_size=sides),
        tokenizer,
        patch_size=_PATCH_PX,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=_TEMPLATE,
    )
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(
            hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2,
            image_size=_SIDE_PX, patch_size=_PATCH_PX, projection_dim=32,
        ),
        text_config=LlamaConfig(
            vocab_size=len(tokenizer), hidden_size=64, intermediate_size=128, num_hidden_layers=2,
            num_attention_heads=4, num_key_value_heads=4, max_position_embeddings=16_384,
            bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        ),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_layer=-1,
    )  # fmt: skip
    torch.manual_seed(0)
    model = LlavaForConditionalGeneration(config)
    threads = torch.get_num_threads()
    # So small a model is slower on several threads than on one.
    torch.set_num_threads(1)
    try:
        _teach(model, processor, taught)
    finally:
        torch.set_num_threads(threads)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


def _tokenizer(texts: Sequence[str]) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=2000,
        special_tokens=["<pad>", "<s>", "</s>", "<image>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([*texts] * 4, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<s>", eos_token="</s>",
        extra_special_tokens={"image_token": "<image>"},
    )  # fmt: skip


def _teach(model: Any, processor: Any, taught: Sequence[Lesson]) -> None:
    """Teach the replies to the very prompts that the project writes."""
    import torch

    prompts = [build_prompt(asked, 4000) for asked, _ in taught]
    asked = processor.apply_chat_template(
        [_turn(prompt) for prompt in prompts],
        add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt",
    )  # fmt: skip
    replies = [
        processor.tokenizer(reply + "</s>", return_tensors="pt")["input_ids"][0]
        for _, reply in taught
    ]
    answers = torch.nn.utils.rnn.pad_sequence(replies, batch_first=True)
    ids = torch.cat([asked["input_ids"], answers], dim=1)
    labels = ids.clone()
    labels[:, : asked["input_ids"].shape[1]] = -100
    labels[labels == processor.tokenizer.pad_token_id] = -100
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3, weight_decay=0.0)
    model.train()
    for _ in range(_STEPS):
        loss = model(input_ids=ids, pixel_values=asked["pixel_values"], labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if loss.item() < 0.01:
            break
    model.eval()


def _turn(prompt: Prompt) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = [{"type": "text", "text": prompt.rules}]
    for part in prompt.parts:
        if isinstance(part, str):
            content.append({"type": "text", "text": part})
        else:
            content.append({"type": "image", "image": Image.open(io.BytesIO(part.jpeg))})
    return [{"role": "user", "content": content}]
