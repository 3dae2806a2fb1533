"""One open clip: its document, the clip that the document describes, and how far it has been
read."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import CancelledError, Future
from pathlib import Path
from typing import Any, Literal

from vhmae.app.clip import OpenClip, plain_job, seen_of
from vhmae.app.commands import Place
from vhmae.app.document import Document
from vhmae.app.doubts import doubts_of
from vhmae.app.folder import Folder
from vhmae.app.refusals import Refused
from vhmae.app.run import RunFolder
from vhmae.app.worker import AWAITED, OPENING, PREPARED, READING, Worker
from vhmae.engine.backends import network_for
from vhmae.engine.networks import WindowNetwork
from vhmae.engine.settings import HarmonizerSettings
from vhmae.errors import InputError, MissingMatte, VhmaeError
from vhmae.options import build_options, options_of, values_from_json, values_to_json
from vhmae.video.containers import container_for
from vhmae.video.probe import sound_codecs
from vhmae.video.sequence import PICTURES, is_pattern
from vhmae.work.analysis import Analysis
from vhmae.work.job import HarmonizeJob
from vhmae.work.sources import Sources

State = Literal["opening", "reading", "ready", "failed"]
OWN = ("weights", "backend", "device", "precision", "threads")
"""Options of the command, which documents do not overrule."""
TOLD_EVERY_SECONDS = 0.5
LOOK_SECONDS = 20.0
"""For which a call waits for the network."""
MAPS_SECONDS = 1.0
"""For which a call for maps does: pages give many of them up, and ask again for the others."""


@dataclasses.dataclass
class AppContext:
    """What projects share."""

    folder: Folder
    run: RunFolder
    worker: Worker
    settings: HarmonizerSettings
    tell: Callable[[str, dict[str, Any]], None]
    """Tells an event to all pages."""
    most: int
    """Clips that may be open at a time."""
    network: WindowNetwork | None = None
    """Once it is open; by the worker's thread alone."""

    def open_network(self) -> None:
        """Open the network before a clip asks for it. What is wrong with it is told of the first
        clip."""
        with contextlib.suppress(VhmaeError, OSError):
            self.network = network_for(self.settings)


class Project:
    """An open clip; for any thread."""

    def __init__(self, number: str, document: Document, context: AppContext) -> None:
        self.number = number
        self.document = document
        self.context = context
        self.state: State = "opening"
        self.error: dict[str, Any] | None = None
        self._clip: OpenClip | None = None
        self._seen: dict[str, Any] = {}
        """What the clip was opened with."""
        self._lock = threading.RLock()
        self._told = 0.0
        self._generation = 0
        """How often the clip was opened: what an earlier opening does is not heard any more."""
        self.closed = False
        self._looking: dict[int, Future[None]] = {}
        self.settled = threading.Event()
        """Set while the clip is read to its end, or will not be."""

    # --- opening

    @property
    def job(self) -> HarmonizeJob:
        """The job of the document, its files found; nothing said.

        Raises:
            Refused: where a file lies outside.
            InputError: for values that cannot be.
        """
        return self.job_of(self.document.tree["job"])

    def job_of(self, tree: dict[str, Any]) -> HarmonizeJob:
        """A job as documents hold it, its files found within the folder."""
        values = values_from_json(HarmonizeJob, tree, "job")
        base = self.document.path.parent
        for one in options_of(HarmonizeJob):
            value = values.get(one.name)
            if value is None or (one.role == "plain" and one.hint is not Path):
                continue
            several = isinstance(value, tuple)
            found = [
                self.context.folder.told(str(path), base)
                for path in (value if several else (value,))
            ]
            values[one.name] = tuple(found) if several else found[0]
        values |= {name: getattr(self.context.settings, name) for name in OWN}
        if "composite" not in values:
            raise InputError("composite: missing; name the video")
        values.setdefault("output", self.usual_output(values))
        return build_options(HarmonizeJob, values)

    @property
    def outputs(self) -> Path:
        """Where results go: beside the project; into the folder, where the clip was sent."""
        folder, beside = self.context.folder, self.document.path.parent
        return folder.root if folder.is_sent(beside) else beside

    @property
    def place(self) -> Place:
        """Where the lines are run that somebody copies."""
        folder = self.context.folder
        return Place(self.outputs, folder.root, self.document.path, folder.uploads.folder)

    @property
    def is_among_pictures(self) -> bool:
        """Whether results lie where the numbered pictures of the clip do."""
        clip = self.job.composite
        return is_pattern(clip) and self.outputs == clip.parent

    @property
    def overruled(self) -> dict[str, Any]:
        """Options of the command that are not as the document says."""
        told, plain = values_to_json(self.context.settings), values_to_json(HarmonizerSettings())
        said = {name: self.document.tree["job"].get(name, plain[name]) for name in OWN}
        return {name: told[name] for name in OWN if told[name] != said[name]}

    @property
    def name(self) -> str:
        """What people call the clip."""
        told = str(self.document.tree["job"].get("composite", ""))
        with contextlib.suppress(Refused):
            return self.context.folder.path(told, self.document.path.parent).name
        return Path(told).name

    def usual_output(self, values: dict[str, Any]) -> Path:
        """What a video is written as, if nothing is said."""
        clip = Path(values["composite"])
        stem = self.document.path.name.removesuffix(".vhmae.json")
        if "%" in clip.name or clip.is_dir():
            suffix = ".mov"
        else:
            suffix = clip.suffix.lower()
            suffix = suffix if suffix in PICTURES else container_for(suffix)
        return self.outputs / f"{stem}.harmonized{suffix}"

    def begin(self) -> None:
        """Open the clip, in a thread of its own; pages are told how it goes."""
        with self._lock:
            self._generation += 1
            generation, before = self._generation, self._clip
            self._clip, self.state, self.error = None, "opening", None
            self.settled.clear()
            self._looking.clear()
        if before is not None:
            before.close()
        self._tell_state()
        threading.Thread(
            target=self._open, args=(generation,), name="vhmae-opening", daemon=True
        ).start()

    def _open(self, generation: int) -> None:
        revision = self.document.revision
        try:
            job = plain_job(self.job)
            seen = seen_of(job)
            sources = Sources(job)
            sources.check()
            analysis = self.context.worker.ask(OPENING, lambda: self._analysis(sources)).result()
            # Of this opening alone: the clip may be closed and opened again meanwhile.
            folder = self.context.run.folder(f"{self.number}-{secrets.token_hex(4)}")
            clip = OpenClip(job, sources, analysis, folder)
        except Refused as error:
            self._fail(generation, error.tree(), revision)
            return
        except MissingMatte:  # the page can have one made
            self._fail(generation, Refused("server.no-matte").tree(), revision)
            return
        except VhmaeError as error:
            self._fail(generation, {"detail": str(error), "key": None, "values": {}}, revision)
            return
        except CancelledError:  # the server ends
            return
        except Exception as error:
            logging.getLogger("vhmae.app").exception("opening failed")
            self._fail(generation, {"detail": str(error), "key": None, "values": {}}, revision)
            return
        with self._lock:
            if generation != self._generation:
                clip.close()
                return
            if self._is_other(seen):  # the document was changed meanwhile
                clip.close()
                self.begin()
                return
            self._clip, self._seen, self.state = clip, seen, "reading"
        self._tell_state()
        self._look_first(clip, generation)
        self.context.worker.take_turns(READING, self._reading(clip, generation))

    def _is_other(self, seen: dict[str, Any]) -> bool:
        """Whether the document says by now that the network is to see another clip."""
        try:
            return seen_of(plain_job(self.job)) != seen
        except (Refused, VhmaeError):  # to be told by opening it
            return True

    def _analysis(self, sources: Sources) -> Analysis:
        """In the worker's thread."""
        analysis = Analysis(sources, self.context.network)
        self.context.network = analysis.harmonizers[0].network
        if not self.context.network.holds_between_key_frames:
            raise InputError("these weights draw pixels; take weights that say color maps")
        return analysis

    def _reading(self, clip: OpenClip, generation: int) -> Any:
        try:
            yield from clip.reading(
                lambda: self._tell_read(clip),
                lambda: self._surveyed(clip, generation),
            )
        except VhmaeError as error:
            self._fail(generation, {"detail": str(error), "key": None, "values": {}})
            return
        except Refused as error:
            self._fail(generation, error.tree())
            return
        except Exception as error:
            logging.getLogger("vhmae.app").exception("reading failed")
            self._fail(generation, {"detail": str(error), "key": None, "values": {}})
            return
        with self._lock:
            if generation != self._generation or clip.closed:
                return
            self.state = "ready"
            self.settled.set()
        self._tell_state()
        self._tell_maps(clip)

    def _look_first(self, clip: OpenClip, generation: int) -> None:
        """Have the first frame that shows something looked at, unless this opening is over: the
        clip was closed meanwhile, or is another one by now."""
        with self._lock:
            if generation == self._generation:
                self.look(clip.clip_guide.default)

    def _surveyed(self, clip: OpenClip, generation: int) -> None:
        """Pages ask anew for what they show and for what was said."""
        self._look_first(clip, generation)
        self.context.tell("maps", {"id": self.number, "first": 0, "last": clip.info.frames - 1})
        for frame in self.document.guide.frames:
            self.context.tell("guide", {"id": self.number, "frame": frame})

    def _tell_read(self, clip: OpenClip) -> None:
        """Tell pages how far a clip is read, now and then."""
        now = time.monotonic()
        if now - self._told >= TOLD_EVERY_SECONDS:
            self._told = now
            self._tell_state()
            self._tell_maps(clip)

    def _tell_maps(self, clip: OpenClip) -> None:
        told = {"id": self.number, "first": 0, "last": max(0, clip.read - 1)}
        self.context.tell("maps", told)
        self.context.tell("shots", {"id": self.number, "shots": clip.shots()})

    def _fail(self, generation: int, error: dict[str, Any], revision: int | None = None) -> None:
        """Tell why there is no clip; where the document has changed since a ``revision``, open it
        again instead."""
        with self._lock:
            if generation != self._generation:
                return
            if revision is not None and revision != self.document.revision:
                self.begin()
                return
            detail = self.context.folder.plain(str(error["detail"]))
            self.state, self.error = "failed", {**error, "detail": detail}
            self.settled.set()
        self._tell_state()

    def _tell_state(self) -> None:
        told = {"id": self.number, "state": self.state, "openings": self._generation}
        told |= {"error": self.error}
        self.context.tell("project", {**told, "progress": self.progress()})

    def progress(self) -> dict[str, float]:
        """How much of the clip has been read, and has its maps: 0 to 1."""
        clip = self._clip
        share = 0.0 if clip is None else round(clip.read / max(1, clip.info.frames), 4)
        kept = 0.0 if clip is None else clip.proxied / max(1, clip.info.frames)
        return {"proxy": round(kept, 4), "maps": share}

    @property
    def clip(self) -> OpenClip:
        """The clip.

        Raises:
            Refused: while it is being opened, and where that failed.
        """
        clip = self._clip
        if clip is not None:
            return clip
        if self.state == "failed":
            raise Refused("server.failed", detail=(self.error or {}).get("detail", ""))
        raise Refused("server.not-yet")

    def close(self) -> None:
        """Let the clip go."""
        with self._lock:
            self._generation += 1
            self.closed = True
            clip, self._clip = self._clip, None
            self.settled.set()
        if clip is not None:
            clip.close()

    # --- looking at frames

    def look(self, number: int, awaited: bool = False) -> Future[None]:
        """Have a frame looked at closely; pages are told when it has been."""
        clip = self.clip
        with self._lock:
            found = self._looking.get(number)
            if found is not None and not found.done():
                if awaited:
                    self.context.worker.hurry(found)
                return found
            named = self.document.guide.frames
            future = self.context.worker.ask(
                AWAITED if awaited else PREPARED, lambda: clip.look(number, named)
            )
            self._looking[number] = future
        future.add_done_callback(lambda _: self._looked(number))
        return future

    def _looked(self, number: int) -> None:
        with self._lock:
            self._looking.pop(number, None)
        self.context.tell("guide", {"id": self.number, "frame": number})

    def need_look(self, number: int) -> None:
        """Have a frame looked at, if that was not done, without waiting for it."""
        if not self.clip.looks.has(number):
            self.look(number, awaited=True)

    def ensure_looks(self, frames: Iterable[int], seconds: float = LOOK_SECONDS) -> None:
        """Wait until frames have been looked at, for so many seconds each.

        Raises:
            Refused: where that takes too long.
        """
        missing = [one for one in dict.fromkeys(frames) if not self.clip.looks.has(one)]
        waited = [self.look(one, awaited=True) for one in missing]
        try:
            for future in waited:
                future.result(seconds)
        except (TimeoutError, CancelledError):
            raise Refused("server.not-yet") from None

    def maps(self, first: int, count: int) -> bytes:
        """Maps as ``GET maps`` tells them; a single frame that nobody has come to is looked at
        first."""
        clip = self.clip
        clip.check_frame(first)
        if count == 1 and not clip.maps.known[first] and not clip.looks.has(first):
            self.ensure_looks([first], MAPS_SECONDS)
        if not clip.grid and clip.looks.get(clip.clip_guide.default) is None:
            self.ensure_looks([clip.clip_guide.default], MAPS_SECONDS)
        return clip.told_maps(first, count)

    # --- what is told

    def brief(self) -> dict[str, Any]:
        """The project as ``GET api/projects`` tells it among others."""
        progress = self.progress()["maps"]
        facts = {"id": self.number, "name": self.name, "state": self.state, "read": progress}
        return facts | {"sent": self._is_sent, "saved": self.document.is_saved}

    @property
    def _own_weights(self) -> str | None:
        """What runs here in the place of the weights that the project was made with."""
        return self.context.settings.weights if "weights" in self.overruled else None

    @property
    def _is_sent(self) -> bool:
        """Whether the clip was sent, so that it goes when it is closed."""
        return self.context.folder.is_sent(self.document.path)

    def facts(self) -> dict[str, Any]:
        """The project as ``GET api/projects/ID`` tells it."""
        clip, job = self._clip, self.document.tree["job"]
        path, place = self.document.path.resolve(), None
        if not self._is_sent:
            place = path.relative_to(self.context.folder.root).as_posix()
        facts: dict[str, Any] = {
            "id": self.number,
            "state": self.state,
            "openings": self._generation,
            "error": self.error,
            "name": self.name,
            "file": place if self.document.is_saved else None,
            "place": place,
            "layers": job.get("foreground") is not None,
            "progress": self.progress(),
            **self.document.state,
            **dict.fromkeys(FACTS),
        }
        if clip is None:
            return facts
        info = clip.info
        return facts | {
            "width": clip.width,
            "height": clip.height,
            "fps": round(float(info.fps), 4),
            "frames": info.frames,
            "seconds": round(info.duration_seconds, 4),
            "objects": clip.objects,
            "parts": [part.object_number for part in clip.parts],
            "turned": clip.turned,
            "bits": info.encoding.bits,
            "audio": bool(sound_codecs(info)),
            "preview": {"width": clip.preview[0], "height": clip.preview[1]},
            "grid": clip.grid or None,
            "warnings": [
                *doubts_of(self.document, self.context.folder, self._own_weights),
                *map(
                    self.context.folder.plain,
                    dict.fromkeys([*clip.analysis.warnings(), *clip.clip_guide.warnings]),
                ),
            ],
            "shots": clip.shots(),
        }

    # --- changing the document

    def change(
        self, revision: int, tree: dict[str, Any], mark: str | None = None
    ) -> dict[str, Any]:
        """Save what the page has; the clip is read anew where the network would see another one.

        Args:
            mark: what the page calls this save.
        Raises:
            Refused: where another tab was faster, or a file lies outside.
            InputError: for what cannot be meant.
        """
        if isinstance(tree.get("job"), dict):
            self.job_of(tree["job"])  # refuses what cannot be, before it is saved
        found = self.document.change(revision, tree, mark)
        self.context.tell("document", {"id": self.number, "revision": found})
        state = self.document.state  # of another tab's save, perhaps: none is like it
        digest = state["digest"] if state["revision"] == found else ""
        return {"revision": found, "digest": digest, "restarted": self.renew()}

    def renew(self) -> bool:
        """Read the clip anew, if the network would see another one than was opened, or that could
        not be opened; returns whether it is. One that is being opened looks itself in the end."""
        with self._lock:
            is_open = self._clip is not None
            restarted = self._is_other(self._seen) if is_open else self.state == "failed"
        if restarted:
            self.begin()
        return restarted


FACTS = (
    *("width", "height", "fps", "frames", "seconds", "objects", "parts", "turned", "bits", "audio"),
    *("preview", "grid", "warnings", "shots"),
)
"""What is not known before a clip was opened."""
