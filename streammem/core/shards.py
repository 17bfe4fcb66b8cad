"""How a library is asked by several processes, each of which holds a part of it."""

from dataclasses import dataclass

from streammem.core.batches import LOCAL


@dataclass(frozen=True, slots=True)
class ShardOptions:
    """Into how many shards a library falls, and who holds them.

    `engine` is `local` (processes of this machine) or `ray` (actors), `ray_address` empty for a
    cluster of its own, `gpus` what Ray reserves for each actor.
    """

    shards: int = 2
    engine: str = LOCAL
    ray_address: str = ""
    gpus: float = 0.0
