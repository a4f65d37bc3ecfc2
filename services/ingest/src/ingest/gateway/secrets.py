"""The shops' secrets, from a file outside every table; it is read again when it changes."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, SecretStr, TypeAdapter
from pydantic_settings import BaseSettings, SettingsConfigDict

from runtime.fields import Timestamp

SignMethod = Literal["hmac-sha256", "md5"]


class SecretSettings(BaseSettings):
    """Where the secrets are (YIPAN_INGEST_...); without a file no webhook is taken."""

    model_config = SettingsConfigDict(env_prefix="YIPAN_INGEST_", frozen=True)

    secrets_file: Path | None = None


class Secret(BaseModel):
    """A secret; after a rotation the old one ends at `until`, at most 24 hours later."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    secret: SecretStr
    until: Timestamp | None = None


class Credential(BaseModel):
    """How one shop's webhooks are signed; the method is ours to choose, never the request's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: SignMethod = "hmac-sha256"
    app_key: str = ""
    secrets: Sequence[Secret]

    def valid(self, now: datetime) -> list[bytes]:
        """Return the secrets that count now."""
        return [
            each.secret.get_secret_value().encode()
            for each in self.secrets
            if each.until is None or now < each.until
        ]


_FILE = TypeAdapter(dict[str, Credential])


class Secrets:
    """Credentials by `channel/shop_id`, of a JSON file."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._credentials: Mapping[str, Credential] = {}

    def find(self, channel: str, shop_id: str) -> Credential | None:
        """Return the credential of a shop, or None. OSError or ValueError for a broken file."""
        if self._path is None:
            return None
        found = self._path.stat()
        stamp = (found.st_mtime_ns, found.st_size)
        if stamp != self._stamp:
            self._credentials = _FILE.validate_json(self._path.read_bytes())
            self._stamp = stamp
        return self._credentials.get(f"{channel}/{shop_id}")
