"""Standing questions as callers hold them: played over memories and files, or put to a watch."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from streammem.core.alerts import Alert, AlertOptions, AlertRule, ReplayResult
from streammem.core.config import Config
from streammem.core.errors import Interrupted, StreamMemError, UsageError
from streammem.core.requests import request_from_config
from streammem.encoders.base import Encoder
from streammem.runtime.alerting_live import LiveAlerts, check_room
from streammem.runtime.alerting_replay import ReplaySettings, replay_file, replay_memory
from streammem.runtime.alerting_sinks import OpenSinks
from streammem.runtime.asking import EncoderCache, open_memories
from streammem.storage.library import SUFFIX, LibraryFolder
from streammem.video.discover import VIDEO_SUFFIXES, SourceKind, kind_of
from streammem.video.identity import redact


class Alerts:
    """Some rules with their options. Safe to use from one thread."""

    def __init__(
        self,
        rules: Sequence[AlertRule],
        options: AlertOptions,
        config: Config,
        folder: Path,
        encoders: EncoderCache,
    ) -> None:
        """Hold them; nothing is loaded yet.

        Raises:
            UsageError: there is no rule.
        """
        if not rules:
            raise UsageError(
                "there is nothing to look for",
                hint='add --alert "a person lies on the ground" or --alert-file alerts.toml',
            )
        self._rules = tuple(rules)
        self._options = options
        self._config = config
        self._request = options.request or request_from_config(config)
        self._library = LibraryFolder(folder)
        self._encoders = encoders

    def replay(self, targets: Sequence[str]) -> list[ReplayResult]:
        """Every target in turn, each as a camera of its own: nothing learnt is carried over.

        Nothing is stored. One that cannot be played does not stop the others; its error is in
        its result.

        Raises:
            UsageError: a target is neither a memory nor a source, or a rule cannot be used.
            SourceError: the only source cannot be read.
            Interrupted: somebody asked to stop.
        """
        # A wrong name is told before anything is played.
        kinds = [_is_memory(target, self._library) for target in targets]
        results = []
        for target, is_memory in zip(targets, kinds, strict=True):
            try:
                results.append(self._played(target, is_memory=is_memory))
            except Interrupted:
                raise
            except StreamMemError as error:
                if len(targets) == 1:
                    raise
                results.append(ReplayResult.failed(target if is_memory else redact(target), error))
        return results

    def observer(self, encoder: Encoder) -> LiveAlerts:
        """What watches for them beside a stream whose frames that encoder sees.

        Raises:
            UsageError: a rule, a sink or an answerer cannot be used, or their state has no room.
            MissingError: an answerer needs what is not here.
        """
        check_room(self._rules, self._request.budget_bytes)
        return LiveAlerts(self._rules, encoder, self._request, self._config.answer, self._options)

    def _played(self, target: str, *, is_memory: bool) -> ReplayResult:
        shown = target if is_memory else redact(target)
        options = self._options
        with OpenSinks(options.sinks, options.on_alert, options.on_note) as sinks:

            def tell(alert: Alert) -> None:
                sinks.offer(alert, shown)

            settings = ReplaySettings(
                self._request, self._config.answer, replace(options, on_alert=tell)
            )
            if is_memory:
                opened, _ = open_memories(
                    [self._library.resolve(target)], self._encoders,
                    weights=self._request.weights, device=self._request.device, named=True,
                )  # fmt: skip
                result = replay_memory(opened[0], self._rules, settings)
            else:
                result = replay_file(target, self._rules, settings)
            return replace(result, sinks=sinks.close())


def _is_memory(target: str, library: LibraryFolder) -> bool:
    """Whether a word names a memory; it is a source where it is none and could be one.

    Raises:
        UsageError: it is neither.
    """
    if target.endswith(SUFFIX) or target in library.ids():
        return True
    if Path(target).exists() or kind_of(target) is not SourceKind.FILE:
        return False
    if Path(target).suffix.lower() in VIDEO_SUFFIXES:
        # A file that is not there; reading it says so.
        return False
    # Neither: the error of an unknown memory names those that are nearly called so.
    library.resolve(target)
    return True
