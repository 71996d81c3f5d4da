"""Settings from outside the manifest: the key, and where the provider is. A manifest can set neither."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from wanbatch.errors import LocalFault, UsageInvalid, fault_text
from wanbatch.provider.protocol import Secret
from wanbatch.provider.proxies import route_of

KEY_NAMES = ("AIMLAPI_API_KEY", "AIML_API_KEY", "AIMLAPI_KEY")
BASE_URL_NAME = "AIMLAPI_BASE_URL"
DEFAULT_BASE_URL = "https://api.aimlapi.com"
_NOT_IN_ADDRESS = frozenset(" \\%\"'<>^`{|}")  # programs disagree on where the host in such an address ends
SANDBOX_KEY = "made-up-for-the-sandbox"


@dataclass(frozen=True)
class Patience:
    """How long the paid POST may take, and how many pages of the ledger are read at most."""

    post_s: float = 180.0  # slow answers happen: giving up early turns a good submit into an unknown one
    ledger_pages: int = 2_000


PATIENCE = Patience()


@dataclass(frozen=True)
class Endpoint:
    """Where the provider is. `is_loopback` permits plain http, and clip hosts on this machine."""

    base_url: str
    is_loopback: bool
    patience: Patience = PATIENCE

    @property
    def name(self) -> str:
        """The form in the state file: a provider on this machine may come back on another port."""
        return "this machine" if self.is_loopback else self.base_url


@dataclass(frozen=True)
class Settings:
    """The key, if there is one, where it was found, the provider's address, and what to report to the user.

    `detours` names what is between this machine and a provider elsewhere.
    """

    key: Secret | None
    key_source: str
    endpoint: Endpoint
    notices: tuple[str, ...] = ()
    detours: tuple[str, ...] = ()


def load_settings(environment: Mapping[str, str], env_file: Path | None, folder: Path) -> Settings:
    """Read the key and the address from the environment, then from `.env` in the working folder (or `env_file`).

    Raises UsageInvalid for a missing file, a key that cannot be a header value, or an unsafe address. No message
    shows a key.
    """
    from_file, path = _read_env_file(env_file, folder)
    notices: list[str] = []
    key, source = None, "none"
    for values, name_of_source in ((environment, "the environment"), (from_file, str(path))):
        found = next((name for name in KEY_NAMES if values.get(name)), None)
        if found is not None and key is None:
            key, source = _checked_key(values[found] or "", found), f"{found} in {name_of_source}"
    if source.endswith(str(path)) and path is not None:
        notices.append(f"the key is {source}")
    raw = environment.get(BASE_URL_NAME) or from_file.get(BASE_URL_NAME) or DEFAULT_BASE_URL
    endpoint = read_endpoint(raw)
    is_from_file = not environment.get(BASE_URL_NAME) and bool(from_file.get(BASE_URL_NAME))
    if is_from_file and key is not None and not source.endswith(str(path)):
        _refuse_stranger(endpoint, source, path)
    if endpoint.base_url != DEFAULT_BASE_URL:
        notices.append(f"the provider is {endpoint.base_url} ({BASE_URL_NAME})")
    detours = () if endpoint.is_loopback else _detours(environment, endpoint)
    return Settings(key, source, endpoint, tuple(notices), detours)


def _refuse_stranger(endpoint: Endpoint, source: str, path: Path | None) -> None:
    """Refuse to send a key to an address that another file names. Raises UsageInvalid.

    A folder from somebody else can hold a `.env`; it must not get the key of the environment sent elsewhere.
    """
    if endpoint.is_loopback or endpoint.base_url == DEFAULT_BASE_URL:
        return
    raise UsageInvalid(
        f"{path} sets the provider's address to {endpoint.base_url}, but the key is {source}: wanbatch does not send it"
        f" there. If the address is right, set {BASE_URL_NAME} in the environment, too, or put the key into {path};"
        f" else remove the line from {path}"
    )


def _detours(environment: Mapping[str, str], endpoint: Endpoint) -> tuple[str, ...]:
    """Report what the environment puts between this machine and the provider, without the credentials of a proxy."""
    reported = []
    try:
        route = route_of(environment, has_socks=True)
    except UsageInvalid:  # whoever opens the connection says so
        route = None
    parts = urlsplit(endpoint.base_url)
    if route is not None and not route.is_direct(parts.hostname or "", parts.port):
        reported.append(f"requests go through the proxy {route.address[:200]}")
    if environment.get("SSL_CERT_FILE"):
        reported.append("certificates are checked against SSL_CERT_FILE")
    return tuple(reported)


def _read_env_file(env_file: Path | None, folder: Path) -> tuple[Mapping[str, str | None], Path | None]:
    path = env_file if env_file is not None else folder / ".env"
    try:
        if not path.is_file():
            if env_file is not None:
                raise UsageInvalid(f"--env-file: {env_file} is not a file")
            return {}, None
        raw = path.read_bytes()
    except OSError as error:
        raise LocalFault(f"{path} cannot be read: {fault_text(error)}") from error
    from dotenv import dotenv_values

    return dotenv_values(stream=StringIO(_env_text(path, raw)), interpolate=False), path


def _env_text(path: Path, raw: bytes) -> str:
    """Decode a `.env`. Raises UsageInvalid, which names the encoding if it can be seen, and nothing from the file."""
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in raw:
        raise UsageInvalid(
            f"{path} is encoded as UTF-16, as some Windows programs do: save it as UTF-8, so that its key can be read"
        )
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise UsageInvalid(f"{path} is not valid UTF-8 (line {line}): save it as UTF-8") from error


def _checked_key(text: str, name: str) -> Secret:
    if not text.isascii() or not text.isprintable() or " " in text or len(text) > 512:
        raise UsageInvalid(f"{name} is not a key: it has a space, a line break or a character outside ASCII")
    return Secret(text)


def fingerprint(key: Secret | None) -> str:
    """Return 16 hex digits that distinguish keys and reveal nothing about them; empty without a key."""
    if key is None:
        return ""
    return hashlib.sha256(f"wanbatch key\n{key.reveal()}".encode()).hexdigest()[:16]


def read_endpoint(raw: str) -> Endpoint:
    """Check the provider's address: https, or http on this machine. Raises UsageInvalid."""
    url = raw.strip(" ").rstrip("/")
    if not url.isascii() or not url.isprintable() or set(url) & _NOT_IN_ADDRESS:
        raise UsageInvalid(
            f"{BASE_URL_NAME} has a space, a control character, a backslash or a character outside ASCII: it must be a"
            f" plain address such as {DEFAULT_BASE_URL}"
        )
    try:
        parts = urlsplit(url)
        host, is_default = parts.hostname, parts.port == {"https": 443, "http": 80}.get(parts.scheme)
        netloc = parts.netloc.lower()  # one spelling, since folders and state files compare it
        url = urlunsplit(parts._replace(netloc=netloc.rpartition(":")[0] if is_default else netloc))
    except ValueError as error:
        raise UsageInvalid(
            f"{BASE_URL_NAME} is not a URL: it must be a plain address such as {DEFAULT_BASE_URL}"
        ) from error
    if not host or "@" in parts.netloc or parts.query or parts.fragment:
        raise UsageInvalid(f"{BASE_URL_NAME} must be a plain address such as {DEFAULT_BASE_URL}")
    is_loopback = is_loopback_host(host)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback):
        raise UsageInvalid(f"{BASE_URL_NAME} must begin with https:// (http:// only for this machine)")
    return Endpoint(url, is_loopback)


def is_loopback_host(host: str) -> bool:
    """Say whether a host name or address is this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
