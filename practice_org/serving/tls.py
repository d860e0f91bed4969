"""A certificate authority for one server run, because unmodified clients insist on https."""

from __future__ import annotations

import ipaddress
import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from practice_org.clock import SystemClock

NAMES = ("localhost", "login.salesforce.com", "test.salesforce.com", "*.my.salesforce.com", "*.mktorest.com")


class Certificates:
    """``ca_file``, ``certificate_file`` and ``key_file`` in a temporary folder, until :meth:`close`."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="practice-org-tls-"))
        ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Practice Org Authority")])
        ca = self._build(ca_name, ca_name, ca_key.public_key(), ca_key, authority=True)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Practice Org")])
        leaf = self._build(name, ca_name, key.public_key(), ca_key, authority=False)
        self.ca_file = self._write("ca.pem", ca.public_bytes(serialization.Encoding.PEM))
        self.certificate_file = self._write("server.pem", leaf.public_bytes(serialization.Encoding.PEM))
        self.key_file = self._write(
            "server.key",
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ),
        )

    @staticmethod
    def _build(
        subject: x509.Name,
        issuer: x509.Name,
        key: ec.EllipticCurvePublicKey,
        signer: ec.EllipticCurvePrivateKey,
        *,
        authority: bool,
    ) -> x509.Certificate:
        now: datetime = SystemClock().now().astimezone(UTC)  # TLS libraries go by the machine's clock
        addresses: list[x509.GeneralName] = [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        built = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=0 if authority else None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        )
        if authority:
            usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
            built = built.add_extension(usage, critical=True)
        else:
            names = x509.SubjectAlternativeName([*map(x509.DNSName, NAMES), *addresses])
            built = built.add_extension(names, critical=False)
        return built.sign(signer, hashes.SHA256())

    def _write(self, name: str, content: bytes) -> Path:
        path = self._folder / name
        path.touch(mode=0o600)
        path.write_bytes(content)
        return path

    def close(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
