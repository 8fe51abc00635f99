"""The files of /etc/ailoop, made in a folder: what each tier, Kafka and Cassandra show each other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import trustme
import yaml
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from collector.scale import Additions
from tests.kubernetes.manifests import KUBERNETES

TOKEN = "a-token-of-the-team"
_FOLDERS = {"tls": ("tls.crt", "tls.key"), "kafka": ("user.crt", "user.key")}
_AUTHORITIES = ("tls", "kafka-ca", "cassandra")


@dataclass(frozen=True)
class Files:
    """A folder in place of /etc/ailoop, and the authority that all certificates in it are of."""

    folder: Path

    @property
    def authority(self) -> Path:
        """The authority's certificate."""
        return self.folder / "tls" / "ca.crt"

    @property
    def both(self) -> Path:
        """Key (PKCS #8) and certificate in one file, as Java takes them."""
        return self.folder / "both.pem"

    def tier(self, name: str) -> Path:
        """What Kubernetes adds to a tier's configuration, with the files of this folder, and without a cluster."""
        text = (KUBERNETES / "tiers" / f"{name}.yaml").read_text(encoding="utf-8")
        added = yaml.safe_load(text.replace("/etc/ailoop", str(self.folder)))
        if name == "agent":
            # Only the contrib image has it, and it asks a cluster.
            del added["processors"]["k8sattributes"]
            for pipeline in added["service"]["pipelines"].values():
                pipeline["processors"].remove("k8sattributes")
        written = self.folder / f"{name}.yaml"
        written.write_text(yaml.safe_dump(added), encoding="utf-8")
        return written

    def additions(self) -> Additions:
        """What makes a chain speak TLS on every leg, each side known to the other."""
        kafka = {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self.both),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.authority),
            "ssl.client.auth": "required",
        }
        encrypted = {
            "enabled": True,
            "optional": False,
            "ssl_context_factory": {"class_name": "org.apache.cassandra.security.PEMBasedSslContextFactory"},
            "keystore": str(self.both),
        }
        cassandra = {"authenticator": "PasswordAuthenticator", "client_encryption_options": encrypted}
        tiers = {name: self.tier(name) for name in ("agent", "gateway", "ingester", "query")}
        return Additions(kafka, cassandra, tiers)


def files(folder: Path) -> Files:
    """Make them, with tokens for two teams."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    chain, key = issued.cert_chain_pems[0], issued.private_key_pem
    for name, (certificate, private) in _FOLDERS.items():
        (folder / name).mkdir(parents=True)
        chain.write_to_path(folder / name / certificate)
        key.write_to_path(folder / name / private)
    for name in _AUTHORITIES:
        (folder / name).mkdir(exist_ok=True)
        authority.cert_pem.write_to_path(folder / name / "ca.crt")
    (folder / "tokens").mkdir()
    # One a line: another team's comes first.
    (folder / "tokens" / "tokens").write_text(f"of-another-team\n{TOKEN}\n")
    made = Files(folder)
    pkcs8 = load_pem_private_key(key.bytes(), None).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    made.both.write_bytes(pkcs8 + chain.bytes())
    return made
