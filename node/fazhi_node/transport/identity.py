"""Who is at the other end: TLS certificates pinned to members.

A TLS peer is a member because its certificate, byte for byte, is the one whose fingerprint the chain holds for that
member, and for no other reason: neither a name in the certificate nor a chain to some root counts. Certificates are
P-256 (gRPC refuses Ed25519) and self-signed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fazhi_ledger.errors import FazhiError


class NotAMember(FazhiError):
    """The certificate of a connection is not the pinned one of any member, or not of the member that was called."""


@dataclass(frozen=True, slots=True)
class Peer:
    """One member as the transport sees it: who, where, and the DER bytes of its certificate."""

    org: str
    address: str
    certificate: bytes

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 of the certificate's DER bytes."""
        return hashlib.sha256(self.certificate).digest()

    @property
    def server_name(self) -> str:
        """The name in the certificate: ``fazhi-`` and the organisation."""
        return server_name(self.org)


def server_name(org: str) -> str:
    """The DNS name that a member's certificate carries."""
    return f"fazhi-{org}"


def pem_of(certificate: bytes) -> bytes:
    """PEM of a DER certificate."""
    import base64
    import textwrap

    lines = textwrap.wrap(base64.b64encode(certificate).decode("ascii"), 64)
    return "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""]).encode("ascii")


def der_of(pem: bytes) -> bytes:
    """DER bytes of the one certificate in a PEM text; raises :class:`NotAMember` where there is not exactly one."""
    import ssl

    if pem.count(b"-----BEGIN CERTIFICATE-----") != 1:
        raise NotAMember("not-one-certificate")
    try:
        return ssl.PEM_cert_to_DER_cert(pem.decode("ascii").strip())
    except ValueError:  # UnicodeDecodeError and binascii.Error among them
        raise NotAMember("malformed-certificate") from None


class Pins:
    """The pinned certificates: fingerprint to member."""

    __slots__ = ("_org_of",)

    def __init__(self, peers: Iterable[Peer]) -> None:
        self._org_of = {peer.fingerprint: peer.org for peer in peers}

    def org_of_certificate(self, certificate: bytes) -> str:
        """The member of this certificate (DER).

        Raises:
            NotAMember: ``unknown-certificate``.
        """
        fingerprint = hashlib.sha256(certificate).digest()
        org = self._org_of.get(fingerprint)
        if org is None:
            raise NotAMember("unknown-certificate", fingerprint=fingerprint.hex())
        return org

    def org_of_connection(self, auth_context: Mapping[str, Any]) -> str:
        """The member at the other end of a connection, by gRPC's authentication context: what TLS saw, never what the
        peer says of itself.

        Raises:
            NotAMember: ``no-certificate``, or its certificate is no member's.
        """
        shown: list[bytes] = list(auth_context.get("x509_pem_cert") or ())
        if auth_context.get("transport_security_type") != [b"ssl"] or len(shown) != 1:
            raise NotAMember("no-certificate")
        return self.org_of_certificate(der_of(shown[0]))
