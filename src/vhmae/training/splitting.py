"""Which clips are kept out of training, to be looked at on its way."""

from __future__ import annotations

from pathlib import Path

from vhmae.data.clips import Pack, read_names, source_group
from vhmae.errors import InputError

DEV_EVERY = 20
"""Of so many videos one is kept for validation where no list says which."""


def split_dev(
    packs: list[Pack], dev_list: Path | None, keep: bool = True
) -> tuple[list[Pack], Pack]:
    """Take the dev clips out of the first pack: (training packs, dev pack). Without a list, every
    20th of its videos; or none at all."""
    if not keep:
        return packs, packs[0].subset(set())
    if dev_list is None:
        # All objects of a video go together.
        video_of = {
            name: source_group(name.partition("/")[0], packs[0].together) for name in packs[0].names
        }
        kept = set(sorted(set(video_of.values()))[::DEV_EVERY])
        dev = {name for name, video in video_of.items() if video in kept}
        if len(dev) == len(video_of):
            raise InputError(
                "data.dev_list: is not given, and the data is one video, which cannot be split; "
                "give more videos"
            )
        return [packs[0].subset(set(packs[0].names) - dev), *packs[1:]], packs[0].subset(dev)
    dev = read_names(dev_list, "data.dev_list")
    unknown = dev - set(packs[0].names)
    if unknown:
        raise InputError(
            f"data.dev_list: {dev_list}: the data has no clip {sorted(unknown)[0]}; mend the list"
        )
    shared = {source_group(name, packs[0].together) for name in dev} & {
        source_group(name, packs[0].together) for name in set(packs[0].names) - dev
    }
    if shared:
        raise InputError(
            f"data.dev_list: {dev_list}: takes of {sorted(shared)[0]} stand on both sides; keep "
            "whole groups out"
        )
    return [packs[0].subset(set(packs[0].names) - dev), *packs[1:]], packs[0].subset(dev)
