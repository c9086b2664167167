"""A heartbeat: a URL that hears `/start`, success and `/fail`, so that a cron line which no longer runs is noticed elsewhere.

It carries nothing but that: no text, no count. A heartbeat that cannot be sent is said on stderr and stops nothing.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

TIMEOUT_S = 5.0


@contextmanager
def beating(url: str | None) -> Iterator[None]:
    """Ping around what is done: start, then success, or fail when it raises or exits with another code than 0 (or 3, 75)."""
    if not url:
        yield
        return
    _ping(f"{url.rstrip('/')}/start")
    try:
        yield
    except BaseException as error:
        code = getattr(error, "exit_code", None)
        code = getattr(error, "code", 1) if code is None else code
        _ping(url if code in (0, 3, 75, None) else f"{url.rstrip('/')}/fail")
        raise
    _ping(url)


def _ping(url: str) -> None:
    import httpx  # noqa: PLC0415  (only where a heartbeat is configured)

    try:
        with httpx.stream("GET", url, timeout=TIMEOUT_S, trust_env=False) as response:
            response.raise_for_status()  # the status says it all: an answer that drips is not read
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        sys.stderr.write(f"draftctl: the heartbeat could not be sent ({type(error).__name__})\n")
