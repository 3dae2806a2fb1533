"""What is to be said of frames that the network could not read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vhmae.errors import counted

if TYPE_CHECKING:
    from vhmae.engine.harmonizer import Harmonizer


def told_of_unread(harmonizer: Harmonizer) -> list[str]:
    """A line for each side that moves whose frames were in part left untouched."""
    found = []
    for side in harmonizer.moving:
        if side.unread:
            other = {"foreground": "background", "background": "foreground"}[side.side.of]
            found.append(
                f"{counted(side.unread, 'frame')} of shots that had shown no {other} yet "
                f"{'was' if side.unread == 1 else 'were'} left untouched"
            )
    return found


def told_of_borrowed(frames: int) -> list[str]:
    """A line where so many frames took the change of another."""
    if not frames:
        return []
    return [
        f"{counted(frames, 'frame')} {'shows' if frames == 1 else 'show'} no background and took "
        "the transform of the nearest frame that does"
    ]
