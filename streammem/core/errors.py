"""The exception tree: every error a user can cause has a code, an exit status and a hint.

StreamMemError            1  internal
  UsageError              2  usage: unknown memory, empty library, bad option
    ConfigError           2  unknown key, value out of range
  MissingError            5  missing dependency, weights or network
  MemoryFileError         6  damaged, newer schema
    MemoryLockedError     6  another process is writing
  BudgetError             7  budget, disk or memory exhausted
  SourceError             8  source unreachable, unreadable, without a usable track
  Interrupted           130  Ctrl-C or SIGTERM (143) after a clean commit
"""

from typing import Any


class StreamMemError(Exception):
    """Base of all errors with a message for the user.

    `code` is a stable word for JSON, `exit_code` the process status, `hint` what to do next.
    """

    code = "internal"
    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if code is not None:
            self.code = code

    def to_json(self) -> dict[str, Any]:
        """The `error` object of the JSON documents."""
        return {"code": self.code, "message": self.message, "hint": self.hint}

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.message, self.hint, self.code, self.exit_code))


def reason_of(error: Exception) -> str:
    """Why it failed, without the number and the path that an error of the system carries."""
    return getattr(error, "strerror", None) or str(error)


def _rebuild(
    kind: type[StreamMemError], message: str, hint: str | None, code: str, exit_code: int
) -> StreamMemError:
    error = kind(message, hint=hint, code=code)
    error.exit_code = exit_code
    return error


class UsageError(StreamMemError):
    """The command or call cannot mean anything: unknown memory, empty library, bad option."""

    code = "usage"
    exit_code = 2


class ConfigError(UsageError):
    """A configuration key is unknown or its value is out of range."""

    code = "config"


class MissingError(StreamMemError):
    """A package, weights or the network that the request needs are not here."""

    code = "missing"
    exit_code = 5


class MemoryFileError(StreamMemError):
    """A .smem file is damaged, not a memory, or written by a newer version."""

    code = "memory_damaged"
    exit_code = 6


class MemoryLockedError(MemoryFileError):
    """Another process is writing this memory."""

    code = "memory_locked"


class BudgetError(StreamMemError):
    """The byte budget, the disk or the machine's memory cannot hold what was asked."""

    code = "budget"
    exit_code = 7


class SourceError(StreamMemError):
    """A source cannot be reached or read, or has no usable track."""

    code = "source_unreadable"
    exit_code = 8


class Interrupted(StreamMemError):  # noqa: N818  (a request, not a fault)
    """The user asked to stop; everything up to here is committed."""

    code = "interrupted"
    exit_code = 130
