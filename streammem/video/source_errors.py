"""What to tell the user when a source cannot be opened or read, one message for each cause."""

from streammem.core.errors import SourceError
from streammem.video.identity import redact
from streammem.video.protocols import OPEN_TIMEOUT_S, OpenPlan, refused_in_playlist

CHECK_NETWORK = "check the address and the network"
NO_SOUND_TRACK = "no_sound_track"


def cannot_open(plan: OpenPlan, shown: str, *, timed_out: bool, reason: str | None) -> SourceError:
    """The error for a source that the demuxer refused; `reason` is the network's, if it was one."""
    if plan.timeouts_s is not None:
        refused = refused_in_playlist(plan.address)
        if refused is not None:
            return SourceError(
                f"the playlist {shown} names {redact(refused)}, which a playlist from the "
                "network may not open",
                hint="it may name only http and https addresses",
                code="protocol_not_allowed",
            )
        if timed_out:
            return SourceError(
                f"{shown} did not answer within {OPEN_TIMEOUT_S:g} s",
                hint=CHECK_NETWORK,
                code="unreachable",
            )
        if reason is not None:
            return SourceError(
                f"{shown} cannot be reached: {reason}", hint=CHECK_NETWORK, code="unreachable"
            )
    if plan.kind is not None:
        return SourceError(
            f"{shown} begins like {plan.kind}, but its header or index is damaged or cut off",
            hint="copy or download it again, or repair it with a remuxing tool",
            code="undecodable",
        )
    return SourceError(
        f"{shown} is not a media file that can be read",
        hint="give a video file, a folder of images or the address of a stream",
        code="not_media",
    )


def no_video(shown: str, kinds: list[str]) -> SourceError:
    """The error for a source whose tracks are of other `kinds`."""
    what = f"only {' and '.join(sorted(set(kinds)))}" if kinds else "no tracks at all"
    return SourceError(
        f"{shown} has no video track, {what}",
        hint="give a source with pictures",
        code="no_video_track",
    )


def no_sound(shown: str) -> SourceError:
    """The error for a source without a sound track that can be decoded."""
    return SourceError(
        f"{shown} has no sound track that can be decoded",
        hint="give a source with sound",
        code=NO_SOUND_TRACK,
    )


def unknown_codec(shown: str) -> SourceError:
    """The error for a video track that no decoder here reads."""
    return SourceError(
        f"{shown} has a video track in a format that no decoder here knows",
        hint="convert it to H.264",
        code="undecodable",
    )


def nothing_decodes(shown: str, codec: str, pieces: int, *, encrypted: bool) -> SourceError:
    """The error for a video track without a single usable picture."""
    if encrypted:
        return SourceError(
            f"the video track of {shown} is encrypted",
            hint="give a copy without copy protection",
            code="undecodable",
        )
    why = (
        f"none of its {pieces} packets of {codec} data decodes"
        if pieces
        else f"it announces {codec} video but holds no data of it"
    )
    return SourceError(
        f"{shown} has no frame that can be decoded: {why}",
        hint="copy or download it again",
        code="undecodable",
    )


def live_cannot_resume(shown: str) -> SourceError:
    """The error for going on with a live source from an earlier time."""
    return SourceError(
        f"{shown} is a live source and cannot be read again from an earlier time",
        hint="start a new memory with --name",
        code="cannot_resume",
    )
