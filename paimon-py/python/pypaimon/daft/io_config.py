"""What Daft's own readers need to know of the storage, taken from catalog options."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from daft.io import IOConfig, S3Config

#: URL schemes that the published Daft wheel reads by itself.
DAFT_SCHEMES = frozenset({"", "file", "s3", "s3a", "s3n", "oss", "gs", "gcs", "az", "abfs", "abfss"})

#: Field of ``S3Config`` -> option keys, the first one set wins.
_S3_OPTIONS = {
    "endpoint_url": ("fs.s3.endpoint", "s3.endpoint", "fs.s3a.endpoint"),
    "region_name": ("fs.s3.region", "s3.region", "s3.endpoint.region", "fs.s3a.endpoint.region"),
    "key_id": ("fs.s3.accessKeyId", "s3.access-key", "fs.s3a.access.key"),
    "access_key": ("fs.s3.accessKeySecret", "s3.secret-key", "fs.s3a.secret.key"),
    "session_token": ("fs.s3.securityToken", "s3.session-token", "fs.s3a.session.token"),
}
_PATH_STYLE_OPTIONS = ("s3.path.style.access", "s3.path-style-access", "fs.s3a.path.style.access")

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
    """
    warehouse = catalog_options.get("warehouse", "")
    if _scheme(warehouse) == "oss":
        oss = _pick(catalog_options, _OSS_OPTIONS)
        if bucket := urlsplit(warehouse).netloc:
            oss["bucket"] = bucket
        if "endpoint" in oss:
            oss["endpoint"] = _with_scheme(oss["endpoint"])
        return IOConfig(opendal_backends={"oss": oss}) if oss else None
    s3: dict[str, object] = dict(_pick(catalog_options, _S3_OPTIONS))
    path_style = next((catalog_options[key] for key in _PATH_STYLE_OPTIONS if key in catalog_options), None)
    if path_style is not None:
        s3["force_virtual_addressing"] = path_style.strip().lower() != "true"
    if "endpoint_url" in s3:
        s3["endpoint_url"] = _with_scheme(str(s3["endpoint_url"]))
    return IOConfig(s3=S3Config(**s3)) if s3 else None  # type: ignore[arg-type]


def _pick(options: Mapping[str, str], wanted: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    found = {name: next((options[key] for key in keys if options.get(key)), None) for name, keys in wanted.items()}
    return {name: value for name, value in found.items() if value is not None}


def _scheme(url: str) -> str:
    return url.partition("://")[0].lower() if "://" in url else ""


def _with_scheme(endpoint: str) -> str:
    return endpoint if endpoint.startswith(("http://", "https://")) else f"https://{endpoint}"
