"""Take ISNet (salient objects, fp16 weights, 88 MB) out of an npm package: python
tools/fetch_isnet.py FOLDER

The code of ISNet is Apache-2.0; for its weights no licence is stated, and its training data has
non-commercial terms: for your own use, not to be passed on with this project.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

PACKAGE = "@imgly/background-removal-data@1.4.5"
MODEL = "/models/medium"
SHA256 = "b6e8497ba978a6f5fbb647e419d2696cd80df5a23cb6a8ea532021911bd76acb"
"""Of the finished file: what came by the network is looked at before it is used."""


def main() -> None:
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit("usage: python tools/fetch_isnet.py FOLDER")
    folder = Path(sys.argv[1])
    target = folder / "isnet.onnx"
    if target.exists():
        check(target)
        print(f"{target} is there already")
        return
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        packed = subprocess.run(
            ["npm", "pack", "--silent", PACKAGE],
            cwd=work,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        part = folder / ".isnet.part"
        with tarfile.open(Path(work) / packed.strip()) as archive, part.open("wb") as out:

            def read(name: str) -> bytes:
                file = archive.extractfile(f"package/dist/{name}")
                assert file is not None
                return file.read()

            for chunk in sorted(
                json.loads(read("resources.json"))[MODEL]["chunks"],
                key=lambda chunk: chunk["offsets"][0],
            ):
                out.write(read(chunk["hash"]))
        check(part)
        part.rename(target)
    print(target)


def check(path: Path) -> None:
    """End with an error where a file is not the network that is meant."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != SHA256:
        sys.exit(
            f"{path}: its SHA-256 is {found}, expected {SHA256}; it is damaged or another network: "
            "remove it and fetch it again"
        )


if __name__ == "__main__":
    main()
