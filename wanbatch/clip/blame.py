"""Blame: whether an error in a media file is about the file's bytes, this machine or the program.

Only an error of the media library about the bytes makes a clip bad. A clip that was paid for must never be called
broken because a library changed its interface, lacks a codec or was installed wrongly.
"""

from __future__ import annotations

import errno
from enum import Enum

_LIBRARY = "av."  # PyAV: it names FFmpeg's errors in `av.error`


class Blame(Enum):
    """What an error is about, and so what may follow from it."""

    BYTES = "bytes"
    MACHINE = "machine"
    PROGRAM = "program"


OF_THE_BYTES = frozenset(
    {
        "InvalidDataError",
        "EOFError",
        "ArgumentError",  # EINVAL, a decoder's answer to headers that contradict each other; PyAV 19's name
        "ValueError",  # its name up to PyAV 18
        "PatchWelcomeError",  # a feature that FFmpeg knows but cannot read
        "NotImplementedError",
        "OverflowError",
        "BufferTooSmallError",
        "InputChangedError",
        "PermissionError",  # EPERM is -1, which FFmpeg returns for an index that leads nowhere; it opens no file
        "OSError",  # EIO of a read beyond the end; a disk's own error comes as Python's OSError
        "BugError",  # what decoders report for impossible streams
        "UnknownError",
        "UndefinedError",
        "ExternalError",  # a decoder outside of FFmpeg gave up
    }
)
"""FFmpeg's errors about what was read, by their names in PyAV."""

OF_THE_PROGRAM = frozenset(
    {
        "LookupError",
        "BSFNotFoundError",
        "DecoderNotFoundError",
        "DemuxerNotFoundError",
        "EncoderNotFoundError",
        "FilterNotFoundError",
        "MuxerNotFoundError",
        "OptionNotFoundError",
        "ProtocolNotFoundError",
        "ExperimentalError",
        "ExitError",
        "OutputChangedError",
        "PyAVCallbackError",
        "HTTPError",  # no clip is ever read from the network by FFmpeg
        "HTTPClientError",
        "HTTPBadRequestError",
        "HTTPForbiddenError",
        "HTTPNotFoundError",
        "HTTPOtherClientError",
        "HTTPTooManyRequestsError",
        "HTTPUnauthorizedError",
        "HTTPServerError",
    }
)
"""FFmpeg's errors about how it was built or called."""

OF_THE_MACHINE = frozenset(
    {
        "MemoryError",
        "BlockingIOError",
        "BrokenPipeError",
        "ChildProcessError",
        "ConnectionAbortedError",
        "ConnectionRefusedError",
        "ConnectionResetError",
        "FileExistsError",
        "FileNotFoundError",
        "InterruptedError",
        "IsADirectoryError",
        "NotADirectoryError",
        "ProcessLookupError",
        "TimeoutError",
    }
)
"""FFmpeg's errors about this machine."""

_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG})


def blame_for(error: BaseException, *, has_memory: bool = True) -> Blame:
    """Say what an error is about. Errors in no table, and all of Python's own, are the program's.

    `has_memory` if plenty is still free: FFmpeg also says "no memory" if a corrupt index asks for gigabytes.
    """
    kind = type(error)
    if not kind.__module__.startswith(_LIBRARY):
        return Blame.MACHINE if isinstance(error, OSError | MemoryError) else Blame.PROGRAM
    if isinstance(error, OSError) and error.errno in _DISK:
        return Blame.MACHINE
    if isinstance(error, MemoryError):
        return Blame.BYTES if has_memory else Blame.MACHINE
    if kind.__name__ in OF_THE_BYTES:
        return Blame.BYTES
    return Blame.MACHINE if kind.__name__ in OF_THE_MACHINE else Blame.PROGRAM
