"""The way to a Hub: its token, waiting and trying again, and its refusals in words."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx2
from huggingface_hub import (
    HfApi,
    constants,
    get_session,
    get_token,
    hf_raise_for_status,
    is_offline_mode,
    set_client_factory,
)
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled
from huggingface_hub.utils import logging as hub_logging

from specsia_build.errors import SpecsiaError, UsageError

T = TypeVar("T")

DATASET = "dataset"
"""The kind of repository."""

TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})
"""Statuses after which the same request may succeed, as huggingface_hub has them."""

DROPPED = (httpx2.NetworkError, httpx2.TimeoutException, httpx2.RemoteProtocolError)
"""What a connection that broke, or never came about, raises."""

WAITS = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds before each new try of a request that huggingface_hub does not try again by itself."""

TIMEOUT = httpx2.Timeout(120, connect=30)
"""Seconds without a byte after which a connection counts as dropped; huggingface_hub waits for ever."""

_REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)

_ADVICE = {
    401: "the token is not accepted: run `hf auth login`, or set HF_TOKEN to a token that may write to {owner}",
    402: "the account must pay for this first",
    403: "this token may not write to {repo}: use a token with write access to {owner}, or another --repo",
    404: "{repo} is not there, or this token may not see it: check --repo and the token",
    412: "someone else changed {repo} during the push: look at it, then run the same command again",
    413: "a file or the commit is larger than it takes",
    422: "it refuses what was sent",
    429: "it asks for patience again and again: run the same command in some minutes; it goes on from here",
}
_STORAGE = "its storage refuses what was sent: check this machine's clock and run the same command again"
_LATER = "run the same command later; it goes on from here"
_OTHERWISE = "it does not take the request as huggingface_hub makes it: bring that up to date, or ask the Hub's keeper"


class UnseenError(SpecsiaError):
    """Nothing can be known of a repository, because the Hub cannot be reached or wants a token."""


@dataclass(frozen=True)
class Hub:
    """A dataset repository on a Hub, which need not be there yet.

    Attributes:
        api: bound to the endpoint and the token.
        repo: `OWNER/NAME`.
    """

    api: HfApi
    repo: str

    @property
    def page(self) -> str:
        """Address of the dataset for people."""
        return page_of(self.repo, self.api.endpoint)

    def get(self, url: str) -> bytes:
        """What is at an address of the Hub, for which huggingface_hub has no function.

        Raises:
            HfHubHTTPError: if the Hub refuses.
        """

        def ask() -> bytes:
            answer = get_session().get(url, headers={"Authorization": f"Bearer {token}"} if token else {})
            hf_raise_for_status(answer)
            return answer.content

        token = self.api.token
        return patiently(ask)


def page_of(repo: str, endpoint: str | None = None) -> str:
    """Address of a dataset for people, on the Hub of `HF_ENDPOINT` where no other is named."""
    return f"{endpoint or constants.ENDPOINT}/datasets/{repo}"


def check_repo(repo: str) -> str:
    """The name if it is of the form `OWNER/NAME`.

    Raises:
        UsageError: if it is not.
    """
    if not _REPO.fullmatch(repo) or "--" in repo or ".." in repo:
        raise UsageError(f"--repo '{repo}' must be OWNER/NAME, of letters, digits, '-', '_' and '.'")
    return repo


@contextmanager
def connect(repo: str, say: Callable[[str], None], look: bool = False) -> Iterator[Hub]:
    """A Hub to work with: that of `HF_ENDPOINT`, with the token of the environment or the login store.

    While it is open, huggingface_hub's own log lines are off, as they show signed addresses; what is waited for is said
    through `say`. Errors of the Hub and of the way to it leave as sentences without the token. With `look` nothing is
    to be changed there, for which no token is needed.

    Raises:
        UnseenError: if the Hub cannot be reached, or only looking was asked for and that takes a token or the network.
        UsageError: if `HF_HUB_OFFLINE` is set, or there is no token or none that can be one.
        SpecsiaError: if the Hub refuses, or cannot be reached.
    """
    if is_offline_mode():
        if look:
            raise UnseenError("HF_HUB_OFFLINE is set, so the Hub was not asked")
        raise UsageError("HF_HUB_OFFLINE is set, and a push needs the network: unset it")
    token = get_token()
    if not token and not look:
        raise UsageError("there is no token for the Hub: run `hf auth login`, or set HF_TOKEN to one that may write")
    if token and not re.fullmatch(r"[!-~]+", token):
        raise UsageError(
            "the token for the Hub holds characters that no token has: run `hf auth login`, or mend HF_TOKEN"
        )
    hub = Hub(HfApi(token=token or False, library_name="specsia"), repo)
    level = hub_logging.get_verbosity()
    hub_logging.set_verbosity(logging.CRITICAL)
    usual = get_session()
    set_client_factory(lambda: _Client(say, usual))
    try:
        yield hub
    except (HfHubHTTPError, httpx2.HTTPError, OfflineModeIsEnabled, OSError, RuntimeError, ValueError) as error:
        raise in_words(error, hub) from error
    finally:
        set_client_factory(lambda: httpx2.Client(**_settings(usual)))
        hub_logging.set_verbosity(level)


def _settings(client: httpx2.Client) -> dict[str, Any]:
    return {name: getattr(client, name) for name in ("event_hooks", "follow_redirects", "timeout")}


class _Client(httpx2.Client):
    """A client as huggingface_hub's usual one, with a timeout, and which says why it waits."""

    def __init__(self, say: Callable[[str], None], usual: httpx2.Client) -> None:
        super().__init__(**{**_settings(usual), "timeout": TIMEOUT})
        self._say, self._dropped = say, ""

    def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        try:
            response = super().send(request, **options)
        except DROPPED as error:
            told = f"the connection to {request.url.host} failed ({str(error) or type(error).__name__})"
            # Tries that fail alike, one after the other, are told once.
            if told != self._dropped:
                self._say(told)
            self._dropped = told
            raise
        self._dropped = ""
        if response.status_code in TRANSIENT:
            asked = retry_after(response)
            if asked is not None:
                # The library understands seconds only, not a date.
                response.headers["Retry-After"] = str(asked)
            wait = "" if asked is None else f" and asks to wait {asked} s"
            self._say(f"{request.url.host} answered {response.status_code}{wait}")
        return response


def retry_after(response: httpx2.Response) -> int | None:
    """Whole seconds that an answer asks to wait, given as such or as a date; None where it does not ask."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isdigit():
        return int(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0, round((moment - datetime.now(moment.tzinfo or UTC)).total_seconds() + 0.5))


def patiently(call: Callable[[], T]) -> T:
    """Result of a call that huggingface_hub makes once, tried again after dropped connections, 429 and 5xx."""
    for wait in WAITS:
        try:
            return call()
        except HfHubHTTPError as error:
            if error.response.status_code not in TRANSIENT:
                raise
            asked = retry_after(error.response)
            time.sleep(wait if asked is None else asked)
        except DROPPED:
            time.sleep(wait)
    return call()


def in_words(error: BaseException, hub: Hub) -> SpecsiaError:
    """One sentence on what a Hub refused or why it was not reached, and what to do; it never holds the token."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, HfHubHTTPError | httpx2.HTTPError):
        cause = cause.__cause__
    if isinstance(cause, HfHubHTTPError):
        if not hub.api.token and cause.response.status_code == 401:
            return UnseenError(f"without a token {hub.api.endpoint} does not tell whether {hub.repo} is there")
        return SpecsiaError(_refusal(cause, hub))
    if cause is not None:
        why = _clean(str(cause), hub) or type(cause).__name__
        return UnseenError(f"{hub.api.endpoint} cannot be reached ({why}): check the network and HF_ENDPOINT; {_LATER}")
    return SpecsiaError(f"the push to {hub.repo} failed: {_clean(str(error), hub)}; {_LATER}")


def _refusal(error: HfHubHTTPError, hub: Hub) -> str:
    status = error.response.status_code
    said = _clean(error.server_message or "", hub)
    elsewhere = urlsplit(str(error.response.url)).netloc != urlsplit(hub.api.endpoint).netloc
    if status >= 500 or status == 408:
        advice = _LATER
    elif elsewhere and status != 429:
        advice = _STORAGE
    else:
        advice = _ADVICE.get(status, _OTHERWISE).format(repo=hub.repo, owner=hub.repo.split("/")[0])
    return f"{hub.api.endpoint} answered {status}{f' ({said})' if said else ''}: {advice}"


def _clean(text: str, hub: Hub) -> str:
    """One short line without secrets: no token, no signature of an address, no markup."""
    if text.lstrip().startswith("<"):
        return ""
    text = text.replace(hub.api.token, "***") if isinstance(hub.api.token, str) else text
    text = " ".join(text.split())
    text = re.sub(r"\bhf_\w{6,}", "***", re.sub(r"\?\S+", "", text)).rstrip(".")
    return text if len(text) <= 200 else text[:199] + "…"
