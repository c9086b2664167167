"""The wire under python-digitalocean.

Its calls go through here, because as it stands it waits for ever, forgets what went wrong, follows a page's link to any host with the
token, and takes half a list for a whole one.

What this transport promises: every request has a timeout; the token goes to one host alone; GET and DELETE are tried again after 429,
5xx and a lost connection, POST after 429 alone (anything else may have been done); every answer but a 2xx is a CloudError with
its status and request id; a POST whose answer was lost says so (`unknown_outcome`).
"""

import logging
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import requests
import tenacity

from draftctl.gpu.cloud import CloudError

CONNECT_S, READ_S = 10.0, 30.0
TRIES = 4
MAX_WAIT_S = 60.0
_TOO_MANY, _SERVER = 429, 500
logging.getLogger("urllib3").setLevel(logging.WARNING)


class Transport:
    """Stands where python-digitalocean expects the `requests` module."""

    __name__ = "requests"
    __version__ = requests.__version__

    def __init__(self, end_point: str, *, tries: int = TRIES, sleep: Callable[[float], None] = time.sleep) -> None:
        self._origin = _origin(end_point)
        self._tries = tries
        self._sleep = sleep
        self._session = requests.Session()
        self._session.trust_env = False  # neither a proxy nor a .netrc gets to see the token
        self.date: float | None = None  # the `Date` of the last answer: what time it is at the other end

    def Session(self) -> "Transport":  # noqa: N802  (the name that the library calls)
        """Return what the library keeps for its calls."""
        return self

    def get(self, url: str, *, params: dict[str, Any] | None = None, headers: dict[str, str]) -> requests.Response:
        """Send a GET."""
        return self._send("GET", url, headers=headers, params=params)

    def post(self, url: str, *, data: str, headers: dict[str, str]) -> requests.Response:
        """Send a POST; sent once, unless the other end says that it did nothing (429)."""
        return self._send("POST", url, headers=headers, data=data)

    def delete(self, url: str, *, data: str, headers: dict[str, str]) -> requests.Response:
        """Send a DELETE, without the body that the library makes for it (the API refuses one)."""
        _ = data
        return self._send("DELETE", url, headers=headers)

    def put(self, url: str, **_values: Any) -> requests.Response:
        """Refuse: nothing here changes what is there. The library looks the name up all the same."""
        raise CloudError(f"{urlsplit(url).path}: draftctl only reads, makes and destroys.")

    patch = put

    def _send(self, method: str, url: str, **values: Any) -> requests.Response:
        parts = urlsplit(url)
        if _origin(url) != self._origin:
            raise CloudError(
                f"The cloud's answer names another host ({parts.hostname}) for its next page; the token is not sent there."
            )
        url = url.replace(f"{parts.path}", parts.path.rstrip("/"), 1) if parts.path.endswith("/") else url
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(lambda error: _again(method, error)),
            stop=tenacity.stop_after_attempt(self._tries),
            wait=_wait,
            sleep=self._sleep,
            reraise=True,
        )
        return retrying(self._once, method, url, **values)

    def _once(self, method: str, url: str, **values: Any) -> requests.Response:
        try:
            response = self._session.request(method, url, timeout=(CONNECT_S, READ_S), allow_redirects=False, **values)
        except requests.RequestException as error:
            never_left = isinstance(error, requests.ConnectTimeout) or _refused(error)
            raise CloudError(
                f"{method} {urlsplit(url).path} got no answer ({type(error).__name__}).",
                unknown_outcome=method == "POST" and not never_left,
                lost=True,
            ) from None  # the chained exception would carry the headers, and the token with them
        self.date = _date(response.headers.get("Date")) or self.date
        if 200 <= response.status_code < 300:  # noqa: PLR2004
            return response
        raise _error(method, url, response)


def _refused(error: requests.RequestException) -> bool:
    return isinstance(error, requests.ConnectionError) and "NewConnectionError" in repr(error)


def _again(method: str, error: BaseException) -> bool:
    if not isinstance(error, CloudError):
        return False
    if error.status == _TOO_MANY:
        return True
    return method != "POST" and (error.lost or (error.status or 0) >= _SERVER)


def _wait(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, CloudError) and error.retry_after_s is not None:
        return min(error.retry_after_s, MAX_WAIT_S)
    return float(tenacity.wait_random_exponential(multiplier=0.5, max=10)(state))


def _error(method: str, url: str, response: requests.Response) -> CloudError:
    try:
        body = response.json()
    except ValueError:
        body = {}
    body = body if isinstance(body, dict) else {}
    message = str(body.get("message") or response.reason or "no reason given")[:500]
    request_id = body.get("request_id") or response.headers.get("x-request-id")
    retry_after = response.headers.get("Retry-After", "")
    place = f"{method} {urlsplit(url).path}"
    return CloudError(
        f"{place} answered {response.status_code}: {message}" + (f" (request {request_id})" if request_id else ""),
        status=response.status_code,
        said=message,
        request_id=str(request_id) if request_id else None,
        retry_after_s=float(retry_after) if retry_after.isdigit() else None,
        unknown_outcome=method == "POST" and response.status_code >= _SERVER,
    )


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port


def _date(value: str | None) -> float | None:
    try:
        return parsedate_to_datetime(value).timestamp() if value else None
    except (TypeError, ValueError):
        return None
