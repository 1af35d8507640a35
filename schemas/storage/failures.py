"""Translation of errors of disks and stores into errors with a hint."""

from __future__ import annotations

import errno
from typing import Final

from corpusmill.schemas.errors import UnfinishedError

_FULL: Final = {errno.ENOSPC, errno.EDQUOT}
_AGAIN: Final = "then run the same command again: it continues where it stopped"


def disk_failure(error: OSError, *, action: str, address: str) -> UnfinishedError:
    """Return the error for a disk that failed to *action* (``read``, ``write``, …) the file at *address*."""
    if error.errno in _FULL:
        return UnfinishedError(f"cannot {action}: the disk is full", file=address, hint=f"free some space, {_AGAIN}")
    reason = (error.strerror or str(error)).lower()
    hint = f"change owner or mode, {_AGAIN}" if isinstance(error, PermissionError) else f"check the disk, {_AGAIN}"
    return UnfinishedError(f"cannot {action}: {reason}", file=address, hint=hint)


def store_failure(error: Exception, *, action: str, address: str) -> UnfinishedError:
    """Return the error for a store that failed to *action* the object at *address*, or did not respond."""
    if isinstance(error, OSError) and error.errno in _FULL and not service_code(error):
        return disk_failure(error, action=action, address=address)
    return UnfinishedError(f"cannot {action}: {_reason(error)}", file=address, hint=f"{_hint(error)}, {_AGAIN}")


def service_code(error: BaseException) -> str:
    """Return the error code of a store's response, such as ``NoSuchBucket``; empty if there is none."""
    for each in (error, error.__cause__):
        response = getattr(each, "response", None)
        if isinstance(response, dict):
            return str(response.get("Error", {}).get("Code", ""))
    return ""


def _reason(error: Exception) -> str:
    if service_code(error) == "NoSuchBucket" or isinstance(error, FileNotFoundError):
        return "the bucket does not exist"
    if isinstance(error, PermissionError):
        return f"permission denied ({_one_line(error)})"
    if type(error).__name__ in {"NoCredentialsError", "PartialCredentialsError"}:
        return "there are no credentials"
    return f"the store does not respond as expected ({_one_line(error)})"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


def _hint(error: Exception) -> str:
    if service_code(error) == "NoSuchBucket" or isinstance(error, FileNotFoundError):
        return "create the bucket or correct --store"
    if isinstance(error, PermissionError) or "Credentials" in type(error).__name__:
        return "check the credentials (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_PROFILE) and their permissions"
    return "check the network and the endpoint (AWS_ENDPOINT_URL)"
