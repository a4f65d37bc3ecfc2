"""How a process is tuned, from the environment; policy is data in tables, not here."""

import sys
from typing import Literal, TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

MIB_BYTES = 1024 * 1024
# After a refusal the rest of a request is discarded for so long: a client that is still sending
# then reads the answer, and not a reset connection.
LINGER_BYTES_MAX = 16 * MIB_BYTES
LINGER_S = 2.0
EXIT_CONFIGURATION = 78  # EX_CONFIG of sysexits.h

S = TypeVar("S", bound=BaseSettings)


class ProcessSettings(BaseSettings):
    """What every service needs (YIPAN_...)."""

    model_config = SettingsConfigDict(env_prefix="YIPAN_", frozen=True, hide_input_in_errors=True)

    database_url: SecretStr
    kafka_bootstrap: str = "127.0.0.1:9092"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    database_connections_max: int = Field(default=8, ge=2, le=200)
    migrate: bool = Field(default=True, description="bring the database up to date before running")
    start_timeout_s: int = Field(default=60, ge=1, description="how long to wait for PostgreSQL")
    stop_timeout_s: int = Field(default=10, ge=1, le=20, description="time that requests have")


class HttpSettings(BaseSettings):
    """Where HTTP is served and how much is taken at once (YIPAN_HTTP_...)."""

    model_config = SettingsConfigDict(env_prefix="YIPAN_HTTP_", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535, description="0 takes a free one")
    body_bytes_max: int = Field(default=MIB_BYTES, ge=1024)
    body_timeout_s: float = Field(default=10, gt=0, le=15)
    header_timeout_s: float = Field(default=10, gt=0, le=60)
    in_flight_max: int = Field(default=64, ge=1, description="requests; beyond it 503")
    buffered_bytes_max: int = Field(default=16 * MIB_BYTES, ge=MIB_BYTES, description="of bodies")
    connections_max: int = Field(default=512, ge=1)


def load(settings: type[S]) -> S:
    """Read settings from the environment, or end the process and say what is wrong with them.

    Names of variables are printed, values never.
    """
    try:
        return settings()
    except ValidationError as error:
        prefix = settings.model_config.get("env_prefix", "")
        for found in error.errors(include_input=False, include_url=False, include_context=False):
            name = prefix + ".".join(map(str, found["loc"])).upper()
            sys.stderr.write(f"{name}: {found['msg']}\n")
        raise SystemExit(EXIT_CONFIGURATION) from None
