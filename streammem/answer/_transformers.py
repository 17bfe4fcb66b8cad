"""The adapter for vision-language models of transformers: Qwen-VL, SmolVLM, LLaVA and others."""

import io
from pathlib import Path
from typing import Any

from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor
from transformers.utils import logging

from streammem.answer.base import NoReplyError
from streammem.answer.prompt import Prompt
from streammem.core.errors import MissingError
from streammem.encoders._devices import resolve_device


class VisionLanguageModel:
    """A model and its processor from one folder. Nothing is downloaded, no code of it is run."""

    def __init__(self, folder: Path, device: str) -> None:
        """Load them.

        Raises:
            MissingError: the folder holds no such model, or the device is not here.
        """
        place = resolve_device(device)
        logging.set_verbosity_error()
        logging.disable_progress_bar()
        options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        try:
            self._processor = AutoProcessor.from_pretrained(folder, **options)
            model = AutoModelForImageTextToText.from_pretrained(
                folder, use_safetensors=True, dtype="auto", **options
            )
        except MemoryError:
            raise
        except Exception as error:
            raise _unusable(folder, error) from error
        if getattr(self._processor, "chat_template", None) is None:
            raise MissingError(
                f"{folder} has no chat template, so it cannot be asked",
                hint="use a model that was made for instructions",
                code="weights_unusable",
            )
        self._model = model.to(place).eval()

    def write(self, prompt: Prompt, max_tokens: int) -> str:
        """What the model writes to a prompt; always the likeliest word, so twice the same.

        Raises:
            NoReplyError: the model or its template failed, or there is too little memory.
        """
        try:
            return self._write(prompt, max_tokens)
        except Exception as error:
            # Templates, processors and kernels of any model raise here, each in its own way.
            spent = isinstance(error, MemoryError) or "out of memory" in str(error)
            reason = "out of memory" if spent else type(error).__name__
            raise NoReplyError(f"the model failed ({reason})") from error

    def _write(self, prompt: Prompt, max_tokens: int) -> str:
        content: list[dict[str, Any]] = [{"type": "text", "text": prompt.rules}]
        for part in prompt.parts:
            if isinstance(part, str):
                content.append({"type": "text", "text": part})
            else:
                picture = Image.open(io.BytesIO(part.jpeg)).convert("RGB")
                content.append({"type": "image", "image": picture})
        # Rules stand in the user's turn: not every template has a place for a system's.
        inputs = self._processor.apply_chat_template(
            [{"role": "user", "content": content}],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        ).to(self._model.device, dtype=self._model.dtype)
        written = self._model.generate(**inputs, max_new_tokens=max_tokens, do_sample=False)
        new = written[:, inputs["input_ids"].shape[1] :]
        text: str = self._processor.batch_decode(new, skip_special_tokens=True)[0]
        return text


def _unusable(folder: Path, error: Exception) -> MissingError:
    if "trust_remote_code" in str(error):
        return MissingError(
            f"{folder} is a model that needs code of its own, which is not run",
            hint="use a model that transformers knows",
            code="weights_unusable",
        )
    lines = str(error).strip().splitlines()
    if isinstance(error, ImportError):
        return MissingError(
            f"{folder} needs a package that is not installed: {lines[0] if lines else ''}",
            hint="pip install 'streammem[vlm]'",
            code="missing_dependency",
        )
    return MissingError(
        f"{folder} holds no vision-language model that can be used: "
        f"{lines[0] if lines else type(error).__name__}",
        hint="name the folder of a model such as SmolVLM, Qwen2.5-VL or LLaVA-OneVision",
        code="weights_unusable",
    )
