"""What Daft's own readers need to know of the storage, taken from catalog options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from daft.io import IOConfig, S3Config

#: URL schemes that the published Daft wheel reads by itself.
DAFT_SCHEMES = frozenset({"", "file", "s3", "s3a", "s3n", "oss", "gs", "gcs", "az", "abfs", "abfss"})

_S3_SCHEMES = frozenset({"s3", "s3a", "s3n"})

#: How the keys of options begin that are about S3.
_S3_PREFIXES = ("s3.", "s3a.", "s3n.", "fs.s3.", "fs.s3a.", "fs.s3n.")

#: Key of OpenDAL's OSS service -> option keys.
_OSS_OPTIONS = {
    "endpoint": ("fs.oss.endpoint",),
    "access_key_id": ("fs.oss.accessKeyId",),
    "access_key_secret": ("fs.oss.accessKeySecret",),
    "region": ("fs.oss.region",),
    "security_token": ("fs.oss.securityToken",),
}


def daft_reads(url: str) -> bool:
    """Whether Daft has a reader for the scheme of this URL."""
    return _scheme(url) in DAFT_SCHEMES


def infer_io_config(catalog_options: Mapping[str, str]) -> IOConfig | None:
    """The ``IOConfig`` that says to Daft what the catalog options say to Paimon.

    Returns:
        ``None`` when the options say nothing; Daft's defaults (the environment) then apply.

    Raises:
        InvalidInputError: Options about S3 that are misspelt, contradict one another, or are not enough.
    """
    warehouse = catalog_options.get("warehouse", "")
    if _scheme(warehouse) == "oss":
        oss = _pick(catalog_options, _OSS_OPTIONS)
        if bucket := urlsplit(warehouse).netloc:
            oss["bucket"] = bucket
        if "endpoint" in oss:
            oss["endpoint"] = _with_scheme(oss["endpoint"])
        return IOConfig(opendal_backends={"oss": oss}) if oss else None
    if _scheme(warehouse) not in _S3_SCHEMES and not _speaks_of_s3(catalog_options):
        return None
    from pypaimon._native import s3_settings

    bucket = urlsplit(warehouse).netloc if _scheme(warehouse) in _S3_SCHEMES else ""
    return IOConfig(s3=S3Config(**s3_settings(bucket, dict(catalog_options))))


def options_with(catalog_options: Mapping[str, Any], io_config: IOConfig | None) -> dict[str, str]:
    """Catalog options as text, completed for S3: where they say nothing of it, ``io_config`` does.

    So an explicit ``IOConfig`` is enough, for Daft's reader and for Paimon's access to the table.
    """
    options = {str(key): str(value) for key, value in catalog_options.items()}
    if io_config is None or _scheme(options.get("warehouse", "")) not in _S3_SCHEMES or _speaks_of_s3(options):
        return options
    return {**options, **s3_options(io_config)}


def s3_options(io_config: IOConfig) -> dict[str, str]:
    """What an ``IOConfig`` says of S3, as options."""
    s3 = io_config.s3
    provider = s3.credentials_provider if s3.key_id is None else None
    keys = s3 if provider is None else provider()
    said = {
        "s3.endpoint": s3.endpoint_url,
        "s3.region": s3.region_name,
        "s3.access-key": keys.key_id,
        "s3.secret-key": keys.access_key,
        "s3.session.token": keys.session_token,
        "s3.profile": None if keys.key_id or s3.anonymous else s3.profile_name,
        "s3.anonymous": "true" if s3.anonymous else None,
        "s3.path.style.access": "false" if s3.force_virtual_addressing else None,
    }
    return {key: value for key, value in said.items() if value}


def _speaks_of_s3(options: Mapping[str, str]) -> bool:
    return any(key.lower().startswith(_S3_PREFIXES) for key in options)


def _pick(options: Mapping[str, str], wanted: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    found = {name: next((options[key] for key in keys if options.get(key)), None) for name, keys in wanted.items()}
    return {name: value for name, value in found.items() if value is not None}


def _scheme(url: str) -> str:
    return url.partition("://")[0].lower() if "://" in url else ""


def _with_scheme(endpoint: str) -> str:
    return endpoint if endpoint.startswith(("http://", "https://")) else f"https://{endpoint}"
