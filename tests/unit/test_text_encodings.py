"""Subtitle files in old encodings come out as they were typed."""

import pytest

from streammem.text.encodings import decode_text

SENTENCES = {
    "cp1252": "Für Größe und schöne Mädchen: déjà vu à la façon, señor",
    "cp1250": "Zażółć gęślą jaźń, łódź i świat; příliš žluťoučký kůň",
    "cp1251": "Слева мы видим, справа мы видим голово-клацов",
    "koi8-r": "Слева мы видим, справа мы видим голово-клацов",
    "cp1253": "Καλημέρα κόσμε, όλα είναι ασφαλή εδώ",
    "cp1254": "Günaydın arkadaşım, çok güzel ışık ve değişik şeyler",
    "cp1255": "שלום עולם, זה הכל ואני הולך הביתה",
    "cp1256": "إلى الشمال يمكن أن نرى كل شيئ آمن",
    "cp874": "สวัสดีครับ ผมไปตลาดกับแม่ของผมทุกวัน",
    "shift_jis": "これはペンです。私は東京に行きます",
    "euc_jp": "これはペンです。私は東京に行きます",
    "gb18030": "这是一个我们的中国人在那里说话",
    "big5": "這是一個我們的國家在那裡說話",
    "cp949": "안녕하세요 이것은 우리나라의 이야기다",
}


@pytest.mark.parametrize("encoding", SENTENCES)
def test_old_encodings_are_told_apart_by_their_letters(encoding: str) -> None:
    """Without any hint, from one sentence among the numbers of a subtitle file."""
    text = f"1\r\n00:00:01,000 --> 00:00:02,000\r\n{SENTENCES[encoding]}\r\n\r\n"
    assert decode_text(text.encode(encoding)) == text.replace("\r\n", "\n")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("sentence", ["plain words", *SENTENCES.values()])
def test_unicode_needs_no_guess(encoding: str, sentence: str) -> None:
    """With a mark or without one."""
    text = f"1\n00:00:01,000 --> 00:00:02,000\n{sentence}\n"
    assert decode_text(text.encode(encoding)) == text


def test_the_language_of_the_name_decides_where_letters_cannot() -> None:
    """One short word of Russian is Greek in another encoding."""
    data = "да".encode("cp1251")
    assert decode_text(data, "ru") == "да"


def test_any_bytes_become_text() -> None:
    """Damage never raises, and zeros never reach the database."""
    for data in (b"", b"\xff", b"\x81\x8d\x8f", bytes(range(256)), b"\x00\xff" * 50):
        assert "\0" not in decode_text(data)
