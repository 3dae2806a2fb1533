"""Nothing of the package needs what Windows lacks: calls of POSIX have a way without them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

from tests.support.scenes import moving_scene, write_video

ELSEWHERE = """
import importlib, os, pkgutil, shutil, signal, sys
# What others need of the system they have by now; only this package does without.
import asyncio, concurrent.futures, multiprocessing, subprocess, tempfile
import av, cv2, numba, numpy, onnxruntime, safetensors, yaml

for name in ("fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "readline"):
    sys.modules[name] = None
for name in ("O_NOFOLLOW", "O_DIRECTORY", "O_CLOEXEC", "O_NONBLOCK", "sysconf", "sysconf_names",
             "getuid", "geteuid", "getgid", "getpgid", "killpg", "setsid", "mkfifo", "statvfs",
             "sched_getaffinity", "chown", "getloadavg", "pread", "pwrite", "preadv", "pwritev"):
    delattr(os, name)
for name in ("SIGHUP", "SIGKILL", "SIGPIPE", "SIGUSR1", "SIGUSR2", "SIGQUIT", "SIGALRM",
             "alarm", "setitimer"):
    delattr(signal, name)

import vhmae
from vhmae.errors import InputError
for found in pkgutil.walk_packages(vhmae.__path__, "vhmae."):
    if found.name in ("vhmae.__main__", "vhmae.app.child"):
        continue
    importlib.import_module(found.name)

from pathlib import Path
from vhmae.app.maps import Answered, MapStore
from vhmae.app.proxy import Proxy
from vhmae.app.run import RunFolder
from vhmae.cli import main
from vhmae.engine.rendering import FrameTransform
from vhmae.memory import available_bytes
from vhmae.rcvh.build import default_workers
from vhmae.web.connections import most_connections

folder = Path(sys.argv[1])
run = RunFolder(folder)
assert run.folder("jobs").is_dir()

proxy, maps = Proxy(run.path / "proxy", 3), MapStore(run.path / "maps", 3, 1)
proxy.put("frame", 0, b"first")
proxy.put("frame", 1, b"other")
assert [proxy.get("frame", 0), proxy.get("frame", 1)] == [b"first", b"other"]
said = FrameTransform(numpy.full((3, 10), 10, "f"), numpy.full((2, 2, 3, 4), 0.5, "f"))
maps.put(2, 0, [Answered(said)])
assert (maps.get(2)[0].maps.overall == 10).all()
assert (maps.get(2)[0].maps.local == 0.5).all()
proxy.close()
maps.close()

# As Windows has it: no folder is removed that holds what is open.
remove = shutil.rmtree
def removed(path, **how):
    for one in Path("/proc/self/fd").glob("*"):
        assert not (one.is_symlink() and one.readlink().is_relative_to(path)), one.readlink()
    remove(path, **how)
shutil.rmtree = removed
run.close()
shutil.rmtree = remove
assert not run.path.exists()
assert default_workers("salient") >= 1
assert most_connections() > 0
available_bytes()
inputs = [str(folder / "clip.mp4"), "--mask", str(folder / "mask.mp4"), "-q"]
main(["harmonize", *inputs, "-o", str(folder / "out.mp4"), "--resume"])
main(["preview", *inputs, "-o", str(folder / "sheet.png")])
"""


def test_all_runs_without_what_windows_lacks(tmp_path: Path) -> None:
    frames, masks = moving_scene(6, 96, 64)
    write_video(tmp_path / "clip.mp4", frames, codec="libx264")
    write_video(tmp_path / "mask.mp4", np.where(masks, 255, 0).astype(np.uint8), codec="libx264")
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )
    assert done.returncode == 0, done.stderr
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"clip.mp4", "mask.mp4", "out.mp4", "sheet.png"}
