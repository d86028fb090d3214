"""Talks to a provider's server: in time, without following redirects, and so many bytes of its answer and no more."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any
from urllib.parse import quote_plus

import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from urllib3.exceptions import HTTPError

from ...errors import LoginRefusedError, ProviderUnavailableError
from .settings import OidcSettings

CONNECT_SECONDS = 3.0
LARGEST = 512 * 1024
"""Bytes of an answer. Key sets of large providers have some 20 KiB."""

_ABOUT_THE_CODE = (400, 403, 406, 413, 414, 422, 431)
"""Statuses (RFC 9110, section 15.5; RFC 6585) of a refusal that is about what was sent, and not about where or when."""

# Compressed, a few bytes could become many.
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity"}


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that has been read."""

    url: str
    status_code: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the JSON in it.

        :raises ValueError: when it is none
        """
        return json.loads(self.body)

    def object(self) -> dict[str, Any]:
        """Return the JSON object in it.

        :raises ProviderUnavailableError: when it is none
        """
        try:
            found = self.json()
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise ProviderUnavailableError(f"{self.url} has answered with no JSON object", value=self.url)
        return found

    def says(self, name: str) -> bool:
        """Whether it is a JSON object with a member of that name."""
        try:
            found = self.json()
        except (ValueError, RecursionError):
            return False
        return isinstance(found, dict) and name in found

    def raise_for_status(self) -> None:
        """Refuse anything but 200.

        :raises ProviderUnavailableError: for it
        """
        if self.status_code == 200:
            return
        where = self.headers.get("Location")
        raise ProviderUnavailableError(
            f"{self.url} has answered {self.status_code}" + (f", to go to {where!r}" if where else ""),
            value=self.status_code,
            hint="Redirects are not followed" if where else "",
        )


class Line:
    """A few calls to a provider's server, which together have so many seconds. A context manager."""

    def __init__(self, settings: OidcSettings, seconds: float) -> None:
        self._until = monotonic() + seconds
        self._options = {
            "allow_redirects": False,
            "stream": True,
            # For each call: what the environment says of authorities would precede a session's own setting.
            "verify": settings.ca_file or True,
        }
        self._session = OAuth2Session(settings.client_id, settings.client_secret or None)
        self._session.register_client_auth_method(("client_secret_basic", _basic))
        self._session.register_compliance_hook("access_token_response", self._token_reply)

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def get(self, url: str, bearer: str = "") -> Reply:
        """Fetch a document.

        :param bearer: the access token, where one is needed
        :raises ProviderUnavailableError: when there is no answer in time, or one that is too long
        """
        headers = {**_HEADERS, "Authorization": f"Bearer {bearer}"} if bearer else _HEADERS
        try:
            response = self._session.request(
                "GET",
                url,
                withhold_token=True,
                auth=lambda request: request,  # or a .netrc would be asked
                headers=headers,
                timeout=self._timeout(url),
                **self._options,
            )
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            raise unreachable(url, error) from error
        return self._read(response)

    def redeem(self, url: str, code: str, verifier: str, callback: str, auth_method: str) -> dict[str, Any]:
        """Change the code for tokens (RFC 6749, section 4.1.3; RFC 7636, section 4.5).

        :param callback: the URL that the browser came back to
        :param auth_method: how the client's secret is shown
        :raises LoginRefusedError: when the provider refuses
        :raises ProviderUnavailableError: when there is no answer in time
        """
        try:
            found: dict[str, Any] = self._session.fetch_token(
                url,
                grant_type="authorization_code",
                code=code,
                code_verifier=verifier,
                redirect_uri=callback,
                auth=self._session.client_auth(auth_method),
                headers={**_HEADERS, "Content-Type": "application/x-www-form-urlencoded"},
                timeout=self._timeout(url),
                **self._options,
            )
        except OAuthError as error:
            reason = "client" if error.error == "invalid_client" else "code"
            raise LoginRefusedError(
                f"{url} refuses the code: {str(error.error)[:100]!r}, {str(error.description)[:200]!r}",
                reason=reason,
                value=error.error,
                hint="The client's id, secret or auth_method is wrong" if reason == "client" else "",
            ) from None
        except (requests.RequestException, HTTPError, OSError, ValueError, TypeError) as error:
            raise unreachable(url, error) from error
        return dict(found)

    def _token_reply(self, response: requests.Response) -> Reply:
        reply = self._read(response)
        if reply.status_code in _ABOUT_THE_CODE and not reply.says("error"):
            # Some guard before the provider dislikes what a visitor has sent as a code. That is their doing alone: it
            # must not look as if the provider were down, which would keep everybody out.
            raise LoginRefusedError(
                f"{reply.url} has answered {reply.status_code} to the code",
                reason="code",
                value=reply.status_code,
            )
        if reply.status_code >= 500 or reply.status_code == 429 or 300 <= reply.status_code < 400:
            reply.raise_for_status()
        found = reply.object()
        if reply.status_code != 200 and "error" not in found:
            reply.raise_for_status()
        return reply

    def _timeout(self, url: str) -> tuple[float, float]:
        left = self._until - monotonic()
        if left <= 0:
            raise ProviderUnavailableError(f"There is no time left for {url}", value=url)
        return min(left, CONNECT_SECONDS), left

    def _read(self, response: requests.Response) -> Reply:
        url = response.url.partition("?")[0]
        encoding = response.headers.get("Content-Encoding", "identity")
        if encoding != "identity":
            response.close()
            raise ProviderUnavailableError(f"{url} has answered compressed ({encoding!r})", value=encoding)
        body = bytearray()
        try:
            # Each read takes what is there: a server that sends a byte a second does not go on for ever.
            while chunk := response.raw.read1(65536, decode_content=False):
                body += chunk
                self._timeout(url)
                if len(body) > LARGEST:
                    raise ProviderUnavailableError(
                        f"{url} has answered with more than {LARGEST} bytes", value=url
                    )
        except (OSError, HTTPError) as error:
            raise unreachable(url, error) from error
        finally:
            response.close()
        return Reply(url, response.status_code, response.headers, bytes(body))


def unreachable(url: str, error: Exception) -> ProviderUnavailableError:
    """Say what became of a call."""
    if isinstance(error, requests.exceptions.SSLError):
        what, hint = "has no certificate that we trust", "See ca_file for an authority of your own"
    elif isinstance(error, requests.exceptions.Timeout):
        what, hint = "has not answered in time", ""
    elif isinstance(error, requests.exceptions.ConnectionError):
        what, hint = "cannot be reached", ""
    else:
        what, hint = "has given an answer that makes no sense", ""
    return ProviderUnavailableError(f"{url} {what} ({type(error).__name__}: {error})", value=url, hint=hint)


def _basic(client: Any, method: str, uri: str, headers: dict[str, str], body: Any) -> tuple[Any, ...]:
    # RFC 6749, section 2.3.1: both are form-encoded first, or an id with a colon would be another one.
    pair = f"{quote_plus(client.client_id)}:{quote_plus(client.client_secret)}"
    headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    return uri, headers, body
