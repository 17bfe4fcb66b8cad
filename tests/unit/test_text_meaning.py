"""The text encoder: equal to the reference model, small codes, no torch."""

import subprocess
import sys
import warnings

import numpy as np
import pytest

from streammem.text.meaning import TextEncoder, load_text_encoder, text_encoder_folder
from streammem.text.minilm import MiniLM
from streammem.text.wordpiece import WordPieces

TEXTS = [
    "when does he talk about the pendulum?",
    "naïve café — 15 kg! C++ e.g. it's 3.5% ...",
    "日本語 and Привет, мир; إلى الشمال",
    "",
    "x" * 300 + " word " * 400,
    "line one\nline two\ttabbed",
    "don't stop-believing (really)!",
]


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    found = load_text_encoder()
    if found is None:
        pytest.skip("the extra `text` is not installed: pip install 'streammem[text]'")
    return found


def test_vectors_equal_those_of_the_reference(encoder: TextEncoder) -> None:
    """sentence-transformers, with torch, gives the same unit vectors."""
    reference = pytest.importorskip("sentence_transformers")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = reference.SentenceTransformer(str(text_encoder_folder()), device="cpu")
        expected = model.encode(TEXTS, normalize_embeddings=True)
    for text, vector in zip(TEXTS, expected, strict=True):
        assert np.abs(encoder.embed(text) - vector).max() < 2e-6, text


def test_meaning_is_near_where_words_differ(encoder: TextEncoder) -> None:
    """A paraphrase is nearer than another sentence of equal words, by vector and by code."""
    texts = ["150 joules is enough to kill you.", "And when it swings back", "Stay away from me!"]
    codes = np.stack([np.frombuffer(encoder.code(text), np.uint8) for text in texts])
    for question, place in (("a lethal amount of energy", 0), ("leave me alone", 2)):
        query = encoder.embed(question)
        exact = np.array([encoder.embed(text) @ query for text in texts])
        guessed = encoder.similarities(query, codes)
        assert exact.argmax() == guessed.argmax() == place
        assert np.abs(exact - guessed).max() < 0.12
    assert codes.shape == (3, 48)


def test_other_scripts_have_no_code(encoder: TextEncoder) -> None:
    """The model has read English; of Russian it knows letters and finds all words alike."""
    assert encoder.code("Ты не ранен?") == encoder.code("طاحنات الرؤوس") == b""
    assert encoder.understands("café, naïve 15 %")
    assert len(encoder.code("café")) == 48


def test_it_runs_without_torch(encoder: TextEncoder) -> None:
    """Loading and embedding in a new process import NumPy and safetensors only."""
    code = (
        "import sys; from streammem.text.meaning import load_text_encoder;"
        "load_text_encoder().code('a text'); heavy = {'torch', 'transformers', 'tokenizers',"
        "'sentence_transformers'} & set(sys.modules); sys.exit(', '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_without_the_extra_there_is_no_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its absence is an answer, not an error."""
    monkeypatch.setattr("streammem.text.meaning._PACKAGE", "no_such_package_anywhere")
    assert text_encoder_folder() is None


def test_words_are_cut_into_the_longest_known_pieces() -> None:
    """Unknown letters make the whole word unknown; marks stand alone."""
    pieces = WordPieces(["[UNK]", "[CLS]", "[SEP]", "un", "##aff", "##able", "a", "##ff", "!", "é"])

    def named(text: str, longest: int = 99) -> list[int]:
        return pieces.encode(text, longest)

    assert named("Unaffable!") == [1, 3, 4, 5, 8, 2]
    assert named("aff a q") == [1, 6, 7, 6, 0, 2]
    assert named("a" * 101) == [1, 0, 2]
    assert named("a a a a", 4) == [1, 6, 6, 2]
    assert named("") == [1, 2]


def test_a_folder_without_a_model_is_refused(tmp_path) -> None:
    """An incomplete installation is no silent absence."""
    with pytest.raises(FileNotFoundError):
        MiniLM(tmp_path)
