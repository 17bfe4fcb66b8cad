"""Writes a tiny Whisper model whose weights make it say one sentence, word by word at known times.

It is a whole CTranslate2 model with Whisper's vocabulary layout, run by faster-whisper's own code.
The layers add nothing; what the decoder says at a position lies in its position encoding, and where
it looks in the sound in the query weights of its cross attention.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ctranslate2.specs import WhisperSpec
from ctranslate2.specs.model_spec import ModelSpec
from faster_whisper.tokenizer import _LANGUAGE_CODES
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

WIDTH = 64
ENCODER_FRAMES = 1500
POSITIONS = 448
FRAMES_PER_S = 50
TEXT_TOKENS = 50257
TIMESTAMPS = 1501
# Before the words come: start, language, task, and the first time.
PROMPT = 3


def vocabulary(words: Sequence[str]) -> list[str]:
    """Whisper's layout: bytes and words, filled up, then the special tokens and the times."""
    tokens = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens += [f"Ġ{word}" for word in words if f"Ġ{word}" not in tokens]
    tokens += [f"<unused{number}>" for number in range(TEXT_TOKENS - 1 - len(tokens))]
    # By an empty text CTranslate2 knows the vocabularies of several languages.
    tokens.append("")
    languages = list(_LANGUAGE_CODES)[:99]
    names = ["endoftext", "startoftranscript", *languages, "translate", "transcribe"]
    names += ["startoflm", "startofprev", "nospeech", "notimestamps"]
    tokens += [f"<|{name}|>" for name in names]
    return tokens + [f"<|{0.02 * number:.2f}|>" for number in range(TIMESTAMPS)]


def write_model(
    folder: Path, words: Sequence[str], *, seconds_per_word: float = 0.5, language: str = "en"
) -> Path:
    """A model folder. Word n is said from about n times `seconds_per_word` on."""
    tokens = vocabulary(words)
    ids = {token: number for number, token in enumerate(tokens)}
    ends_s = seconds_per_word * len(words)
    script = [f"<|{language}|>", "<|transcribe|>", "<|0.00|>", *(f"Ġ{word}" for word in words)]
    script += [f"<|{round(ends_s / 0.02) * 0.02:.2f}|>", "<|endoftext|>"]
    folder.mkdir(parents=True, exist_ok=True)
    spec = _spec(tokens, [ids[token] for token in script], seconds_per_word)
    spec.config.suppress_ids = []
    spec.config.suppress_ids_begin = []
    spec.config.alignment_heads = [[0, 0]]
    spec.config.lang_ids = [ids[f"<|{code}|>"] for code in list(_LANGUAGE_CODES)[:99]]
    spec.validate()
    spec.optimize(quantization=None)
    spec.save(str(folder))
    _write_tokenizer(folder / "tokenizer.json", tokens)
    return folder


def _write_tokenizer(path: Path, tokens: Sequence[str]) -> None:
    text = {token: number for number, token in enumerate(tokens[:TEXT_TOKENS])}
    tokenizer = Tokenizer(models.BPE(vocab=text, merges=[], ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(t, special=True) for t in tokens[TEXT_TOKENS:]])
    tokenizer.save(str(path))
    assert json.loads(path.read_text(encoding="utf-8"))["added_tokens"][0]["id"] == TEXT_TOKENS


def _spec(tokens: Sequence[str], script: Sequence[int], seconds_per_word: float) -> ModelSpec:
    random = np.random.default_rng(0)
    directions = random.standard_normal((len(tokens), WIDTH)).astype(np.float32)
    directions -= directions.mean(axis=1, keepdims=True)
    directions /= directions.std(axis=1, keepdims=True)
    places = random.standard_normal((ENCODER_FRAMES, WIDTH)).astype(np.float32)
    frames_per_word = round(seconds_per_word * FRAMES_PER_S)
    places = places[np.arange(ENCODER_FRAMES) // frames_per_word * frames_per_word]
    places -= places.mean(axis=1, keepdims=True)
    places /= places.std(axis=1, keepdims=True)

    spec = WhisperSpec(1, 1, 1, 1)
    spec.register_vocabulary(list(tokens))
    for convolution, inputs in ((spec.encoder.conv1, 80), (spec.encoder.conv2, WIDTH)):
        convolution.weight = np.zeros((WIDTH, inputs, 3), np.float32)
        convolution.bias = np.zeros(WIDTH, np.float32)
    spec.encoder.position_encodings.encodings = places
    spec.decoder.embeddings.weight = directions / 100
    spec.decoder.projection.weight = directions
    said = np.zeros((POSITIONS, WIDTH), np.float32)
    said[: len(script)] = directions[list(script)]
    said[len(script) :] = directions[script[-1]]
    spec.decoder.position_encodings.encodings = said
    for part in (spec.encoder, spec.decoder):
        _plain(part.layer_norm)
        layer = part.layer[0]
        _plain(layer.self_attention.layer_norm)
        _zero(layer.self_attention.linear[0], 3 * WIDTH, WIDTH)
        _zero(layer.self_attention.linear[1], WIDTH, WIDTH)
        _plain(layer.ffn.layer_norm)
        _zero(layer.ffn.linear_0, WIDTH, WIDTH)
        _zero(layer.ffn.linear_1, WIDTH, WIDTH)
    cross = spec.decoder.layer[0].attention
    _plain(cross.layer_norm)
    looks = places[[max(0, at - PROMPT) * frames_per_word for at in range(len(script))]]
    weights, *_ = np.linalg.lstsq(directions[list(script)], looks, rcond=None)
    cross.linear[0].weight = np.ascontiguousarray(weights.T)
    cross.linear[0].bias = np.zeros(WIDTH, np.float32)
    cross.linear[1].weight = np.concatenate([np.eye(WIDTH), np.zeros((WIDTH, WIDTH))]).astype("f4")
    cross.linear[1].bias = np.zeros(2 * WIDTH, np.float32)
    _zero(cross.linear[2], WIDTH, WIDTH)
    return spec


def _plain(norm: ModelSpec) -> None:
    norm.gamma, norm.beta = np.ones(WIDTH, np.float32), np.zeros(WIDTH, np.float32)


def _zero(linear: ModelSpec, outputs: int, inputs: int) -> None:
    linear.weight = np.zeros((outputs, inputs), np.float32)
    linear.bias = np.zeros(outputs, np.float32)
