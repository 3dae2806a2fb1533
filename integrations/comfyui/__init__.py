"""Nodes that make a composite look as if it had been shot at once. Read docs/comfyui.md."""

from __future__ import annotations

from .nodes import comfy_entrypoint

__all__ = ["comfy_entrypoint"]
