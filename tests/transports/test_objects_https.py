"""A private store over https, whose certificate nobody has signed."""

import ipaddress
import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from fsspec import config
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from muonscope.errors import SourceError
from muonscope.transports.objects import ObjectSource


def self_signed(folder: Path) -> tuple[str, str]:
    """Return the files of a certificate of this machine, and of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "store")])
    now = datetime.now(UTC)
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(here, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "store.pem").write_bytes(certificate.public_bytes(pem))
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key.pem").write_bytes(private)
    return str(folder / "store.pem"), str(folder / "key.pem")


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Run a store with one object; give the file of its certificate."""
    s3fs = pytest.importorskip("s3fs")
    pair = self_signed(tmp_path)
    app = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", 0, app, threaded=True, ssl_context=pair)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    for name in [n for n in os.environ if n.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in {
        "ENDPOINT_URL": f"https://127.0.0.1:{server.port}", "ACCESS_KEY_ID": "AKIATEST",
        "SECRET_ACCESS_KEY": "secret", "DEFAULT_REGION": "us-east-1", "MAX_ATTEMPTS": "1",
        "CONFIG_FILE": "/nonexistent", "SHARED_CREDENTIALS_FILE": "/nonexistent",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"AWS_{name}", value)
    client = boto3.client("s3", verify=pair[0])
    client.create_bucket(Bucket="private")
    client.put_object(Bucket="private", Key="a.dat", Body=b"words")
    client.close()
    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 1)
    s3fs.S3FileSystem.clear_instance_cache()
    yield pair[0]
    s3fs.S3FileSystem.clear_instance_cache()
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_certificate_that_nobody_signed_is_refused_with_what_to_do(certificate: str) -> None:
    with pytest.raises(SourceError, match=r"CERTIFICATE_VERIFY_FAILED.*; AWS_CA_BUNDLE names"):
        ObjectSource(["s3://private"])


def test_a_certificate_in_the_bundle_is_believed(
    certificate: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", certificate)
    pieces = list(ObjectSource(["s3://private"]).pieces())
    assert b"".join(piece.data for piece in pieces) == b"words"


@pytest.mark.parametrize("verify", ["false", "bundle"])
def test_what_to_verify_can_be_set_for_fsspec(
    certificate: str, verify: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = "false" if verify == "false" else f'"{certificate}"'
    settings: dict[str, dict[str, object]] = {}
    config.set_conf_env(settings, {"FSSPEC_S3": f'{{"client_kwargs": {{"verify": {value}}}}}'})
    monkeypatch.setitem(config.conf, "s3", settings["s3"])
    pieces = list(ObjectSource(["s3://private"]).pieces())
    assert b"".join(piece.data for piece in pieces) == b"words"
