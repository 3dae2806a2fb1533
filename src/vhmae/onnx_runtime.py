"""ONNX Runtime, without its telemetry: it would keep an identity of the device in the user's folder
and send what is run to its maker. It reads the variable while it is imported; who sets it to 0 has
it on."""

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime

__all__ = ["onnxruntime"]
