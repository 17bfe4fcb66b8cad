"""What goes wrong with a library in a store, as errors that say what to do."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from streammem.core.errors import (
    BudgetError,
    MissingError,
    SourceError,
    StreamMemError,
    UsageError,
)
from streammem.video.identity import redact


@contextmanager
def told(address: str) -> Iterator[None]:
    """Turn whatever a store's package raises into an error about the library at `address`.

    Raises:
        UsageError: there is no such kind of store.
        MissingError: the store's package is not installed.
        SourceError: the store cannot be reached, read or written.
    """
    shown = redact(address)
    try:
        yield
    except StreamMemError:
        raise
    except ImportError as error:
        raise MissingError(
            f"the library {shown} cannot be reached: {error}",
            hint='pip install "streammem[remote]" and the package of this store, s3fs or gcsfs',
            code="missing_package",
        ) from error
    except ValueError as error:
        if "rotocol" not in str(error):
            raise
        raise UsageError(
            f"there is no kind of store for the library {shown}",
            hint="name a folder, or an address such as s3://bucket/library",
        ) from error
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise BudgetError(
                f"the disk is full: {error}", hint="free some space", code="disk_full"
            ) from error
        # Each store's package has errors of its own.
        raise SourceError(
            f"the library {shown} cannot be reached: {type(error).__name__}: {error}",
            hint="check the address and the credentials that the store's package looks for",
            code="store_unreachable",
        ) from error
