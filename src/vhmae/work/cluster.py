"""Work spread over the machines of a Ray cluster by Ray Data (extra ``vhmae[cluster]``).

Actors keep what they loaded from one piece of work to the next. A killed actor is started again,
and its piece is done again. The machines must share the folders that the work names.
``RAY_ADDRESS`` names a cluster; without it one is started on this machine,
for this machine alone: whoever reaches Ray's ports runs what they like.
"""

from __future__ import annotations

import collections
import dataclasses
import logging
import os
import pickle
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from vhmae.errors import InputError, VhmaeError
from vhmae.work.job import HarmonizeJob

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

TRIES = 3
"""How often a piece of work is begun, at most, that kills its actor: too little memory may be its
fault."""
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DATA_LOG_LEVEL": "ERROR",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
}
"""Ray's own settings, by its environment: nothing is sent to its makers, and the terminal stays
ours."""
LOOPBACK, _ALONE = "127.0.0.1", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
"""Where Ray tells "no cluster but this machine", it listens on the loopback address; else it takes
the machine's address in the network in the place of the one that it is given."""

Worker = Callable[..., Any]
Settings = TypeVar("Settings", bound="DataclassInstance")


class _Tries:
    """Counts, for all actors, how often each piece of work was begun: Ray itself would begin it for
    ever."""

    def __init__(self) -> None:
        self.begun: collections.Counter[int] = collections.Counter()

    def begin(self, place: int) -> bool:
        self.begun[place] += 1
        return self.begun[place] <= TRIES


class _Actor:
    """Makes the worker once, in its own process."""

    def __init__(self, make: Callable[[], Worker], tries: Any) -> None:
        self.work, self.tries = make(), tries

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        import ray

        result: Any = None
        if ray.get(self.tries.begin.remote(row["place"])):
            try:
                result = self.work(*pickle.loads(row["arguments"]))
            except (
                VhmaeError
            ) as error:  # travels as a value: a cluster's errors tell of the cluster
                result = error
        return {"place": row["place"], "result": pickle.dumps(result)}


def spread(
    make: Callable[[], Worker], work: Sequence[tuple[Any, ...]], gpus: float = 0.0
) -> Iterator[tuple[int, Any]]:
    """Call a worker for each tuple of arguments, as many at once as the cluster has processors.

    Args:
        make: called once in each actor; returns the worker, whose results are never None.
        gpus: share of a GPU that an actor holds.
    Yields:
        (place in ``work``, result) as they come; None for work that killed its actor ``TRIES``
        times.
    Raises:
        InputError: where Ray is not installed, or its cluster cannot be reached.
        VhmaeError: what a worker raised.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    own = not os.environ.get("RAY_ADDRESS")
    if own:
        os.environ[_ALONE] = "0"
    try:
        import ray
        from ray._private import ray_constants
        from ray.exceptions import RayError
    except ImportError:
        raise InputError(
            "needs Ray; install it with: pip install 'vhmae[cluster]'", field="ray"
        ) from None
    if not work:
        return
    try:
        if own and not ray.is_initialized():
            ray_constants.ENABLE_RAY_CLUSTER = False  # somebody may have imported Ray before us
            _start_alone(ray)
        else:
            ray.init(ignore_reinit_error=True, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RayError, RuntimeError, ValueError) as error:
        raise InputError(
            f"the cluster cannot be reached ({str(error).splitlines()[0]}); look at RAY_ADDRESS",
            field="ray",
        ) from None
    ray.data.DataContext.get_current().enable_progress_bars = False
    rows = [{"place": place, "arguments": pickle.dumps(one)} for place, one in enumerate(work)]
    processors = (
        ray.cluster_resources().get("GPU", 0.0) / gpus
        if gpus
        else ray.cluster_resources().get("CPU", 1.0)
    )
    if processors < 1:
        raise InputError("the cluster has no GPU; leave `device` out", field="ray")
    tries = ray.remote(num_cpus=0)(_Tries).remote()
    pool = ray.data.ActorPoolStrategy(
        min_size=1, max_size=min(len(rows), int(processors)), max_tasks_in_flight_per_actor=1
    )
    actor: Any = _Actor
    done = ray.data.from_items(rows, override_num_blocks=len(rows)).map(
        actor, fn_constructor_args=(make, tries), compute=pool, num_gpus=gpus or None
    )
    try:
        for row in done.iter_rows():
            result = pickle.loads(row["result"])
            if isinstance(result, VhmaeError):
                raise result
            yield int(row["place"]), result
    except RayError as error:
        raise VhmaeError(
            f"`ray`: {str(error).strip().splitlines()[-1]}; look at the cluster, and run it again "
            "to go on"
        ) from None


def _start_alone(ray: Any) -> None:
    """Start a cluster of this machine that nobody else reaches.

    Raises:
        InputError: where Ray opens its ports to the network all the same.
    """
    options = {"log_to_driver": False, "logging_level": logging.ERROR, "include_dashboard": False}
    ray.init(address="local", _node_ip_address=LOOPBACK, **options)
    places = {node["NodeManagerAddress"] for node in ray.nodes()}
    if places != {LOOPBACK}:
        ray.shutdown()
        raise InputError(
            f"`ray`: this Ray listens on {', '.join(sorted(places))}, not on {LOOPBACK} alone; "
            "install another version"
        )


def with_absolute_paths(settings: Settings) -> Settings:
    """Settings for a process that works in another folder: a dataclass with its paths made
    absolute, and those of the dataclasses among its fields."""
    own = {field.name: getattr(settings, field.name) for field in dataclasses.fields(settings)}
    paths: dict[str, Any] = {
        name: value.absolute() for name, value in own.items() if isinstance(value, Path)
    }
    paths |= {
        name: with_absolute_paths(value)
        for name, value in own.items()
        if dataclasses.is_dataclass(value) and not isinstance(value, type)
    }
    for name, value in own.items():
        if isinstance(value, tuple) and value and all(isinstance(one, Path) for one in value):
            paths[name] = tuple(one.absolute() for one in value)
    return dataclasses.replace(settings, **paths)


def for_another_folder(job: HarmonizeJob) -> HarmonizeJob:
    """A job for a process that works in another folder."""
    weights = str(Path(job.weights).absolute()) if Path(job.weights).is_file() else job.weights
    return dataclasses.replace(with_absolute_paths(job), weights=weights)
