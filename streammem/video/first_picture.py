"""Looking ahead to the first usable picture of a pass, and giving back what was looked at."""

from collections.abc import Generator, Iterator

from streammem.video.reader import Picture


def up_to_picture(pictures: Iterator[Picture]) -> list[Picture]:
    """Damage up to and with the first usable picture, if there is one."""
    head: list[Picture] = []
    for item in pictures:
        head.append(item)
        if item.content is not None:
            break
    return head


def with_head(
    head: list[Picture], rest: Generator[Picture, None, None]
) -> Generator[Picture, None, None]:
    """The pictures of a pass again from its beginning."""
    yield from head
    yield from rest
