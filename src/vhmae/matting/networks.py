"""The user's network files, run by onnxruntime. None is part of this project; docs/matting.md says
where they come from."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Any

import numpy as np

from vhmae.arrays import Arrays, Numbers
from vhmae.errors import InputError
from vhmae.onnx_runtime import onnxruntime

FILES = {
    "rvm": ("VHMAE_RVM", "rvm_mobilenetv3.onnx", "rvm-weights"),
    "salient": ("VHMAE_ISNET", "isnet.onnx", "isnet-weights"),
}
"""Of each way: the variable that may name its file, and the file that a make target leaves in the
folder of models."""


def models_folder() -> Path:
    """Where fetched models are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vhmae" / "models"


def find_network(way: str, given: Path | None = None) -> Path:
    """The file of a network: the given one, that of its variable, or a fetched one.

    Raises:
        InputError: if there is none.
    """
    variable, name, target = FILES[way]
    named = given or (Path(os.environ[variable]) if os.environ.get(variable) else None)
    path = named or models_folder() / name
    if not path.is_file():
        told = f"{path}: no such file; " if named else ""
        raise InputError(
            f"{way}: {told}needs a network file: pass it by `weights` (harmonize: "
            f"`matte_weights`), set {variable}, or run make {target} "
            "(docs/matting.md)"
        )
    return path


class Network:
    """A network file, opened; inputs and outputs by name."""

    def __init__(
        self,
        path: Path,
        inputs: frozenset[str],
        outputs: frozenset[str],
        threads: int | None = None,
    ) -> None:
        """Open a file.

        Args:
            inputs, outputs: names that it must take and give.
        Raises:
            InputError: if it is no network, or another one.
        """
        if path.suffix.lower() != ".onnx":
            raise InputError(
                f"{path}: is not an .onnx file; TorchScript and pickles are not opened, since they "
                "may run code"
            )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or 0
        options.log_severity_level = 3
        try:
            self.session = onnxruntime.InferenceSession(
                str(path), options, providers=onnxruntime.get_available_providers()
            )
        except Exception as error:
            raise InputError(
                f"{path}: cannot be opened as a network ({str(error).splitlines()[0][:120]}); "
                "fetch it again"
            ) from None
        self.path = path
        self.inputs = {one.name: one for one in self.session.get_inputs()}
        self.outputs = [one.name for one in self.session.get_outputs()]
        self.shapes = [one.shape for one in self.session.get_outputs()]
        for needed, known in ((inputs, [*self.inputs]), (outputs, self.outputs)):
            missing = needed - set(known)
            if missing:
                raise InputError(
                    f"{path}: knows {', '.join(known)} but not {min(missing)}; it is another "
                    "network, choose the right file"
                )

    def kind(self, name: str) -> Any:
        """The numpy type of an input."""
        return np.float16 if self.inputs[name].type == "tensor(float16)" else np.float32

    def run(self, outputs: list[str], values: Arrays) -> list[Numbers]:
        """Run the network once."""
        return self.session.run(outputs, values)


@functools.lru_cache(maxsize=2)
def open_network(
    path: Path, inputs: frozenset[str], outputs: frozenset[str], threads: int | None
) -> Network:
    """A network of this process: many short videos are cut out by one, which keeps nothing of
    them."""
    return Network(path, inputs, outputs, threads)
