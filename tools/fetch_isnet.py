"""Take ISNet (salient objects, fp16 weights, 88 MB) out of an npm package: python
tools/fetch_isnet.py FOLDER

The code of ISNet is Apache-2.0; for its weights no licence is stated, and its training data has
non-commercial terms: for your own use, not to be passed on with this project.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

PACKAGE = "@imgly/background-removal-data@1.4.5"
MODEL = "/models/medium"


def main() -> None:
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit("usage: python tools/fetch_isnet.py FOLDER")
    folder = Path(sys.argv[1])
    target = folder / "isnet.onnx"
    if target.exists():
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
        part.rename(target)
    print(target)


if __name__ == "__main__":
    main()
