"""The protocols of `streammem bench memory`, by name, in the order they run."""

from streammem.bench.protocols.ballet import BALLET
from streammem.bench.protocols.base import Protocol
from streammem.bench.protocols.needles import CHAINS_PROTOCOL, NEEDLES
from streammem.bench.protocols.planted_streams import BUDGETS_PROTOCOL, LOAD, STREAMS
from streammem.bench.protocols.real_features import CLIPS, TIMELINES
from streammem.bench.protocols.scale import SCALE
from streammem.bench.protocols.scripts import HORIZON, SCRIPTS

PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        STREAMS,
        LOAD,
        BUDGETS_PROTOCOL,
        NEEDLES,
        CHAINS_PROTOCOL,
        SCRIPTS,
        HORIZON,
        BALLET,
        CLIPS,
        TIMELINES,
        SCALE,
    )
}
