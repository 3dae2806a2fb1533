"""What a job writes: whether it can be written, by which writer, and what it cannot hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av

from vhmae.color.light import LIGHT
from vhmae.color.spaces import named_space
from vhmae.engine.moving import Move
from vhmae.errors import InputError, counted
from vhmae.video.containers import check_output
from vhmae.video.delivery import planar_format
from vhmae.video.encoders import (
    ENCODERS,
    choose_encoder,
    encoder_options,
    has_alpha_channel,
    pixel_format,
)
from vhmae.video.exr import is_exr
from vhmae.video.frame_writer import FrameWriter
from vhmae.video.matte import has_alpha, layer_info
from vhmae.video.pictures import open_pictures, picture_encoder
from vhmae.video.probe import VideoInfo, sound_codecs
from vhmae.video.recode import DEEPEST
from vhmae.video.segments import SegmentedWriter
from vhmae.video.sequence import (
    PICTURES,
    check_picture_output,
    has_number,
    is_pictures,
    older_pictures,
    pictures_there,
)
from vhmae.video.source import probe_source
from vhmae.video.still_marks import HOLD_PROFILES, marks_of
from vhmae.video.stills import picture_bytes
from vhmae.video.writer import VideoWriter
from vhmae.work.job import HarmonizeJob

LAYER_CODECS = {".mov": "prores_ks", ".mkv": "ffv1"}
"""What a layer is written as, so that it keeps its alpha, where no codec is named."""


def _is_there(output: Path) -> bool:
    """Whether anything is there that a run would replace: a file, or any picture of a pattern."""
    of_pictures = has_number(output) and output.suffix.lower() in PICTURES
    return pictures_there(output) if of_pictures else output.is_file()


_VISIBLE_BITS = 10
"""With fewer, soft gradients show their steps."""


class Output:
    """The output of a job, before it is opened."""

    def __init__(self, job: HarmonizeJob, source: VideoInfo) -> None:
        """Refuse, before the work, what cannot be written."""
        self.job = job
        self.source = source
        self.has_alpha = job.layer == "foreground"
        """Whether a layer with the matte as its alpha is asked for."""
        self.info = layer_info(source) if self.has_alpha else source
        """The source as it is written: with alpha, where a layer is asked for."""
        if job.layer == "background" and not Move.parse(job.move).background:
            told = "`move` leaves the background as it is; take `move` background or both"
            raise InputError(told, field="layer", value=job.layer)
        self.is_pictures = job.output.suffix.lower() in PICTURES or job.output.is_dir()
        inputs = list(job.inputs().values())
        if not job.overwrite and _is_there(job.output):
            raise InputError(
                f"{job.output}: is there already; choose another name, or leave out `overwrite`"
            )
        if self.has_alpha and not self._holds_alpha():
            raise InputError(
                f"{self.encoder} holds no alpha; take `codec` prores_ks (.mov) or ffv1 (.mkv), or "
                ".png pictures",
                field="layer",
                value=job.layer,
            )
        if not self.is_pictures:
            check_output(job.output, inputs)
            name = pixel_format(self.encoder, self.info, job.pix_fmt)
            suffix = job.output.suffix.lower()
            encoder_options(self.encoder, job.crf, job.preset, name, suffix)
            return
        check_picture_output(job.output, inputs)
        if not has_number(job.output) and source.frames > 1:
            told = (
                f"is one picture but there are {source.frames} frames; name them as in "
                "frame.%04d.png"
            )
            raise InputError(f"{job.output}: {told}")
        if job.resume:
            told = (
                "is for video files; pictures that are there already need not be made again, use "
                "`start`"
            )
            raise InputError(told, field="resume")

    @property
    def codec(self) -> str | None:
        """The codec that is asked for; a layer takes one that holds alpha by itself, where there is
        one."""
        usual = LAYER_CODECS.get(self.job.output.suffix.lower()) if self.has_alpha else None
        return self.job.codec or usual

    @property
    def encoder(self) -> str:
        if self.is_pictures:
            return picture_encoder(self.job.output)
        return choose_encoder(self.codec, self.info, self.job.pix_fmt)

    @property
    def space_name(self) -> str:
        """What the output's values will stand for, as reports call it."""
        source = self.source
        if is_exr(self.job.output):  # a file like its source, else light
            return source.space_name if source.codec == "exr" else LIGHT
        return "SDR" if source.codec == "exr" else source.space_name

    @property
    def is_deeper(self) -> bool:
        """Whether what is written has finer steps than the source: inside the matte they are
        computed."""
        job, source = self.job, self.source
        if is_exr(job.output):
            return source.codec != "exr" and source.encoding.bits < DEEPEST
        written = planar_format(pixel_format(self.encoder, self.info, job.pix_fmt))
        return av.VideoFormat(written, 2, 2).components[0].bits > source.encoding.bits

    def _holds_alpha(self) -> bool:
        return has_alpha_channel(pixel_format(self.encoder, self.info, self.job.pix_fmt))

    def losses(self, cut: int) -> list[str]:
        """What of the composite the output cannot hold; ``cut`` frames had light above 1."""
        job, source = self.job, self.source
        told = []
        if cut and not is_exr(job.output):
            told.append(
                f"light above 1 became white in {counted(cut, 'frame')}; .exr pictures keep it"
            )
        if self.is_pictures and job.audio != "none" and (sound := sound_codecs(source)):
            told.append(f"pictures hold no sound ({', '.join(sound)}), which was left out")
        keeps_codec = job.codec is None and not (
            self.has_alpha or self.is_pictures or source.files is not None
        )
        own = (ENCODERS.get(source.codec), "libx264rgb")
        if keeps_codec and self.encoder not in own:
            unknown = source.codec not in ENCODERS
            why = "nothing here encodes it" if unknown else "its frames are not evenly spaced"
            told.append(
                f"{source.codec} became {self.encoder}, since {why}; `codec` chooses another"
            )
        if job.pix_fmt is None and keeps_codec and (fewer := self._fewer()):
            told.append(f"{self.encoder} holds {fewer}; `codec` or `pix_fmt` chooses another form")
        if job.output.suffix.lower() not in HOLD_PROFILES and self._has_profile():
            told.append("cannot hold the pictures' ICC profile: their colors are read as sRGB")
        if not self.has_alpha and has_alpha(source) and not self._holds_alpha():
            told.append(
                f"{self.encoder} holds no alpha: the composite's alpha channel was left out"
            )
        if job.foreground is not None and job.audio != "none":
            told += self._unheard()
        if lost := source.hdr.left_out(self.encoder):
            told.append(
                f"{', '.join(lost)} of {source.path} left out, its picture "
                f"({source.space_name}) is kept"
            )
        return [f"{job.output}: {what}" for what in told]

    def _fewer(self) -> str | None:
        """What of steps and colors gets lost in the pixel format that an encoder takes by itself,
        in a few words."""
        names = (self.info.pixel_format, pixel_format(self.encoder, self.info, None))
        before, after = (av.VideoFormat(planar_format(name), 2, 2) for name in names)
        told = []
        bits = before.components[0].bits, after.components[0].bits
        if bits[1] < min(bits[0], _VISIBLE_BITS):
            told.append(f"{bits[1]} bit of {bits[0]}")
        if len(before.components) > 1 and len(after.components) > 1:
            wide = [one.chroma_width(2) * one.chroma_height(2) for one in (before, after)]
            if wide[1] < wide[0]:
                told.append("chroma of fewer pixels")
        return " and ".join(told) or None

    def _has_profile(self) -> bool:
        files = self.source.files or ()
        return (
            bool(files)
            and not is_exr(files[0])
            and marks_of(picture_bytes(files[0], "composite")).profile is not None
        )

    def _unheard(self) -> list[str]:
        """What is said of a foreground layer's sound, which is not mixed into the background's."""
        assert self.job.foreground is not None
        if is_pictures(self.job.foreground):
            return []
        space = named_space(self.job.foreground_space, "foreground_space")
        layer = probe_source(self.job.foreground, "foreground", space=space)
        if not sound_codecs(layer):
            return []
        kept = "the background's sound alone is kept"
        if self.is_pictures or not sound_codecs(self.source):
            kept = "there is no other"
        return [f"the sound of {layer.path} was left out, and {kept}; add it to the result"]

    def older_pictures(self) -> list[str]:
        """What is said of pictures that will not be replaced and lie where a sequence goes."""
        if not self.is_pictures:
            return []
        numbers = self.source.numbers or range(1, self.source.frames + 1)
        said = older_pictures(self.job.output, numbers)
        return [] if said is None else [said]

    def check(self, identity: dict[str, Any]) -> tuple[str | None, list[str]]:
        """Refuse what opening the output refuses, and leave nothing behind; returns in what form
        its values are written, where it is another than the source's, and what its container
        cannot hold."""
        writer = self.open(identity)
        told = writer.recoded, writer.left_out
        writer.abandon()
        return told

    def described(self) -> dict[str, Any]:
        """What will be written, for a report."""
        sound = [] if self.is_pictures or self.job.audio == "none" else sound_codecs(self.source)
        kept = [name for name in sound if name != "unknown"]
        return {
            "output": str(self.job.output),
            "replaces": _is_there(self.job.output),
            "width": self.info.width,
            "height": self.info.height,
            "fps": round(float(self.info.fps), 3),
            "codec": self.encoder,
            "pixel_format": pixel_format(self.encoder, self.info, self.job.pix_fmt),
            "input_space": self.source.space_name,
            "output_space": self.space_name,
            "audio": ["aac"] * len(kept) if self.job.audio == "aac" else kept,
        }

    def open(self, identity: dict[str, Any]) -> FrameWriter:
        """The writer; ``identity`` is what makes two runs the same work, where one may be
        resumed."""
        job = self.job
        settings: dict[str, Any] = {
            "codec": self.codec,
            "crf": job.crf,
            "preset": job.preset,
            "pix_fmt": job.pix_fmt,
            "verify": job.verify,
        }
        if self.is_pictures:
            return open_pictures(job.output, self.info, **settings)
        settings |= {"start_seconds": job.start, "end_seconds": job.end, "audio": job.audio}
        if job.resume:
            return SegmentedWriter(job.output, self.info, settings, identity)
        return VideoWriter(job.output, self.info, **settings)
