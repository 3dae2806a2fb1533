"""Record the ONNX graphs of the packaged weights' architectures, where the package lacks them.

python tools/record_graphs.py

Graphs hold no numbers: weights of an architecture that has one need none anew. Graphs that no
packaged weights need go, and frontend/graphs.json says which file is whose, for the page without a
server. NOTICE names the files; tests/test_wheel.py fails where it does not.
"""

from __future__ import annotations

import json
from pathlib import Path

from vhmae.model.export import export_onnx
from vhmae.model.files import packaged_weights, read_card
from vhmae.model.graph import half_of, packaged_graph
from vhmae.partial_output import write_text_whole

LIST = Path(__file__).parents[1] / "frontend" / "graphs.json"


def graphs() -> dict[str, Path]:
    """Where the graph of each of the packaged weights belongs."""
    return {name: packaged_graph(read_card(name).config) for name in packaged_weights()}


def listed() -> str:
    """What frontend/graphs.json has to say."""
    return json.dumps({name: path.name for name, path in graphs().items()}, indent=2) + "\n"


def main() -> None:
    wanted = graphs()
    for name, path in wanted.items():
        if path.is_file() and half_of(path).is_file():
            print(f"{path.name}: is there, for {name}")
            continue
        export_onnx(name, path)
        print(f"{path.name}: recorded, for {name}")
    kept = {one for path in wanted.values() for one in (path, half_of(path))}
    for folder in {path.parent for path in wanted.values()}:
        for path in sorted(set(folder.iterdir()) - kept):
            path.unlink()
            print(f"{path.name}: of no packaged weights, removed")
    write_text_whole(LIST, listed())


if __name__ == "__main__":
    main()
