"""A certificate authority of a test's own, and keys for JSON Web Tokens: the openssl program does the work."""

import base64
import json
import os
import subprocess
import time


def openssl(*arguments, text=None):
    done = subprocess.run(["openssl", *map(str, arguments)], input=text, capture_output=True, timeout=60)
    assert done.returncode == 0, (arguments, done.stderr)
    return done.stdout


class Authority:
    """Signs certificates for this machine. `file`: what its clients trust."""

    def __init__(self, directory):
        self.directory = directory
        self.file = directory / "ca.pem"
        self.key = directory / "ca.key"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=a test's",
                "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-keyout", self.key, "-out", self.file)

    def issue(self, name, serial, days=30):
        """A certificate for 127.0.0.1 and localhost; its file (the chain too) and its key's."""
        certificate, key, request = (self.directory / f"{name}.{end}" for end in ("pem", "key", "csr"))
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost",
                "-keyout", key, "-out", request)
        extensions = self.directory / "extensions"
        extensions.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=critical,CA:FALSE\n"
                              "authorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\nextendedKeyUsage=serverAuth\n")
        openssl("x509", "-req", "-in", request, "-CA", self.file, "-CAkey", self.key, "-set_serial", serial, "-days", days,
                "-extfile", extensions, "-out", certificate)
        with open(certificate, "ab") as chain:
            chain.write(self.file.read_bytes())
        os.chmod(key, 0o600)
        return certificate, key


def encoded(data):
    return base64.urlsafe_b64encode(data if isinstance(data, bytes) else json.dumps(data).encode()).rstrip(b"=").decode()


class Signer:
    """An Ed25519 key of an identity provider."""

    def __init__(self, directory, kid):
        self.kid = kid
        self.key = directory / f"{kid}.ed25519"
        openssl("genpkey", "-algorithm", "ed25519", "-out", self.key)
        public = openssl("pkey", "-in", self.key, "-pubout", "-outform", "DER")[-32:]
        self.jwk = {"kty": "OKP", "crv": "Ed25519", "kid": kid, "use": "sig", "x": encoded(public)}

    def token(self, role, **claims):
        now = int(time.time())
        body = {"iss": "https://id.example", "aud": "pawl", "sub": "ann", "role": role, "iat": now, "exp": now + 600, **claims}
        message = encoded({"alg": "EdDSA", "kid": self.kid}) + "." + encoded(body)
        file = self.key.with_suffix(".message")
        file.write_text(message)
        return message + "." + encoded(openssl("pkeyutl", "-sign", "-rawin", "-inkey", self.key, "-in", file))
