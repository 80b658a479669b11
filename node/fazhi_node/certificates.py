"""TLS certificates of members: P-256, self-signed, good for nothing but being pinned.

gRPC refuses Ed25519 certificates, so that TLS has a key of its own; the chain binds its certificate's fingerprint to
the member's ledger key.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from .exits import Misuse

if TYPE_CHECKING:
    from cryptography import x509

VALID_DAYS: Final = 3653
MAX_CERTIFICATE_BYTES: Final = 16 * 1024


def make_certificate(server_name: str, hosts: Sequence[str]) -> tuple[bytes, bytes]:
    """A new key (PEM, PKCS#8 in the clear) and its certificate (DER) for ``server_name`` and further DNS names or IP
    addresses.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, server_name)])
    now = datetime.now(UTC).replace(microsecond=0)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # clocks of other members may be behind
        .not_valid_after(now + timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName([_general_name(host) for host in (server_name, *hosts)]), False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        .add_extension(x509.KeyUsage(True, False, False, False, False, False, False, False, False), True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), False)
    )
    certificate = builder.sign(key, hashes.SHA256())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return pem, certificate.public_bytes(serialization.Encoding.DER)


def check_certificate(certificate: bytes, server_name: str) -> None:
    """Refuse what the transport could not use or pin: not P-256, not self-signed, a certificate authority, or another
    name.

    A member whose certificate were an authority could issue others beside it, and the pinned bytes would no longer be
    the whole story.

    Raises:
        Misuse: ``bad-certificate`` with the reason.
    """
    import ssl

    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        parsed = x509.load_der_x509_certificate(certificate)
        key = parsed.public_key()
        # A certificate that TLS cannot read would take those of all members down with it: gRPC reads them as one list.
        # The library reads names only when they are asked for, and OpenSSL is stricter about them.
        if parsed.subject != parsed.issuer:
            raise ValueError("not self-signed")
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=certificate)
        names = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        basic = parsed.extensions.get_extension_for_class(x509.BasicConstraints).value
        parsed.verify_directly_issued_by(parsed)
    except Exception as error:  # noqa: BLE001 - the library raises many types, each bare: an odd version, an odd key
        raise Misuse("bad-certificate", name=server_name, reason=str(error) or type(error).__name__) from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
        raise Misuse("bad-certificate", name=server_name, reason="not P-256")
    if basic.ca:
        raise Misuse("bad-certificate", name=server_name, reason="CA:TRUE")
    if server_name not in names.get_values_for_type(x509.DNSName):
        raise Misuse("bad-certificate", name=server_name, reason="other name")


def _general_name(host: str) -> x509.GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
