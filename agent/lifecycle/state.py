"""The state of a run after an epoch, in one file: a run that resumes from it gives the same bits.

`.cache/runs/RUN_ID/` (PUZZLE_RUNS names another folder than `.cache/runs`) holds `state.pt` and the kept checkpoints of
a run that is under way, each with its SHA-256. Augmentation and the order of batches depend on (seed, epoch, index)
only: they need no state.
"""

import dataclasses
import os
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler

from agent.config import Config
from agent.lifecycle import torch_file
from agent.lifecycle.checkpoints import CHECKPOINT_FILE, Checkpoint, prune, save
from agent.lifecycle.torch_file import BadFile
from common import keys
from common.keys import RULES, Rule
from common.names import check_name
from data.pixels import Range

STATE_FILE = "state.pt"
Row = dict[str, float]
"""One row of the history: JSON numbers by key."""


@dataclass
class Progress:
    """Progress of a run: whole epochs, seconds spent training, and the history rows of all epochs."""

    epoch: int = 0
    seconds: float = 0.0
    rows: list[Row] = field(default_factory=list)

    def add(self, row: Row) -> None:
        """Add the row of one more epoch."""
        self.rows.append(row)
        self.epoch, self.seconds = len(self.rows), self.seconds + row[keys.SECONDS_PER_EPOCH]


@dataclass(frozen=True)
class State:
    """State of a run: `run` is ENTITY/PROJECT/RUN_ID, `kept` its checkpoints, `tensors` the input of `restore`."""

    run: str
    config: Config
    data_digest: str
    progress: Progress
    kept: dict[Rule, Checkpoint]
    tensors: dict[str, Any]
    n_threads: int | None = None
    """Threads of torch: another number would change the last bits of later steps. None in old files."""
    pixel_range: Range | None = None
    """Range of the training images, for the checkpoints; not in the file, since a resumed run reads them again."""


def capture(model: nn.Module, optimizer: torch.optim.Optimizer, schedule: LRScheduler | None = None) -> dict[str, Any]:
    """Weights, optimizer, its schedule and random state, copied on their device: a GPU need not wait.

    `dump` brings them to the CPU. Of several GPUs only the one in use counts.
    """
    content: dict[str, Any] = clone({"model": model.state_dict(), "optimizer": optimizer.state_dict()})
    content["schedule"] = clone(schedule.state_dict()) if schedule else {}
    content["random"] = torch.get_rng_state()
    content["random_cuda"] = [torch.cuda.get_rng_state()] if torch.cuda.is_available() else []
    return content


def restore(
    tensors: Mapping[str, Any], model: nn.Module, optimizer: torch.optim.Optimizer, schedule: LRScheduler | None = None
) -> None:
    """The reverse of `capture`; on the same kind of device the next step is bit by bit that of the uninterrupted run.

    Adam's moments take the memory format of their weights, which another device may have stored in another one: the
    fused step pairs their numbers in the order in which they lie, whatever their strides.
    """
    model.load_state_dict(tensors["model"])
    optimizer.load_state_dict(tensors["optimizer"])
    for weight, moments in optimizer.state.items():
        for name, value in moments.items():
            if value.shape == weight.shape:
                moments[name] = torch.empty_like(weight).copy_(value)
    if schedule and tensors.get("schedule"):  # files of before there were schedules have none
        schedule.load_state_dict(tensors["schedule"])
    torch.set_rng_state(tensors["random"])
    if torch.cuda.is_available() and tensors["random_cuda"]:
        torch.cuda.set_rng_state(tensors["random_cuda"][0])


def clone(value: Any) -> Any:
    """Nested dicts and lists with every tensor copied, on its device."""
    return _map_tensors(value, lambda tensor: tensor.detach().clone())


def to_cpu(value: Any) -> Any:
    """The same with every tensor on the CPU.

    On a GPU the copies run beside the kernels of the training that goes on, and begin when all that was asked of the
    GPU before is done.
    """
    if not torch.cuda.is_initialized():
        return _map_tensors(value, lambda tensor: tensor.detach().cpu())
    beside = torch.cuda.Stream()
    beside.wait_stream(torch.cuda.default_stream())
    with torch.cuda.stream(beside):
        return _map_tensors(value, lambda tensor: tensor.detach().cpu())


def _map_tensors(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, dict):
        return {key: _map_tensors(each, change) for key, each in value.items()}
    if isinstance(value, list):
        return [_map_tensors(each, change) for each in value]
    return value


def dump(state: State, folder: Path, best: Path | None, weights: Mapping[str, Tensor]) -> None:
    """Save an epoch: its `weights` as the file `best`, unless None, then the state; then delete stale files.

    Whenever this is cut off, the folder holds a whole state and the checkpoints that it names.
    """
    if best:
        save(best, to_cpu(dict(weights)), state.config, state.pixel_range)
    torch_file.write(
        folder / STATE_FILE,
        {
            "run": state.run,
            "config": dataclasses.asdict(state.config),
            "data_digest": state.data_digest,
            "progress": dataclasses.asdict(state.progress),
            "kept": {rule: dataclasses.asdict(kept) | {"path": kept.path.name} for rule, kept in state.kept.items()},
            "tensors": to_cpu(state.tensors),
            "n_threads": state.n_threads,
        },
    )
    prune(folder, [kept.path for kept in state.kept.values()])


def load(folder: Path) -> State | None:
    """The state in a folder; None if there is none.

    Raises BadFile: it is damaged, or a checkpoint that it names is, or is missing; the text names the file.
    """
    path = folder / STATE_FILE
    if not os.path.lexists(path):
        return None
    try:
        snapshot = _state(torch_file.read(path), folder)
        for kept in snapshot.kept.values():
            path = kept.path
            if not os.path.lexists(path):
                raise BadFile("is missing")
            torch_file.check(path)
    except BadFile as error:
        raise BadFile(f"{path} {error}") from None
    return snapshot


def _state(content: Any, folder: Path) -> State:
    try:
        entity, project, run_id = content["run"].split("/")
        for kind, name in (("entity", entity or "none"), ("project", project), ("run id", run_id)):
            check_name(kind, name)
        return State(
            run=content["run"],
            config=Config(**content["config"]),
            data_digest=content["data_digest"],
            progress=Progress(**content["progress"]),
            kept={rule: _checkpoint(folder, content["kept"][rule]) for rule in RULES if rule in content["kept"]},
            tensors=content["tensors"],
            n_threads=content.get("n_threads"),
        )
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise BadFile(f"is no state of a run, or one of another version ({error})") from None


def _checkpoint(folder: Path, content: dict[str, Any]) -> Checkpoint:
    if not CHECKPOINT_FILE.fullmatch(content["path"]):
        raise ValueError(f"it names {content['path']!r} as a checkpoint")
    return Checkpoint(**content | {"path": folder / content["path"]})


def differences(tensors: Mapping[str, Any], model: nn.Module) -> str:
    """Missing, surplus and differently shaped tensors of a state dict for a model, in words; empty if none."""
    own = {name: tuple(each.shape) for name, each in model.state_dict().items()}
    theirs = {name: tuple(each.shape) for name, each in tensors.items()}
    groups = {
        "missing": [name for name in own if name not in theirs],
        "left over": [name for name in theirs if name not in own],
        "of another shape": [name for name in own if theirs.get(name, own[name]) != own[name]],
    }
    words = [f"{len(names)} tensors are {what}, first {names[0]}" for what, names in groups.items() if names]
    if other := groups["of another shape"]:
        words[-1] += f": {theirs[other[0]]}, not {own[other[0]]}"
    return "; ".join(words)


class StateWriter:
    """Saves in a thread, one save at a time, while training goes on. Use it in a `with`: leaving it waits for the last.

    The next call raises the error of a save.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, "state")
        self._last: Future[None] | None = None

    @property
    def busy(self) -> bool:
        return self._last is not None and not self._last.done()

    def submit(self, work: Callable[[], None]) -> None:
        """Start a save as soon as the one before is over."""
        self.wait()
        self._last = self._pool.submit(work)

    def wait(self) -> None:
        """Return when all is on disk."""
        if self._last:
            last, self._last = self._last, None
            last.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown()
        if kind is None:
            self.wait()
