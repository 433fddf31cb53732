"""Masks of photographs: `python -m agent.predict ENTITY/PROJECT/model-RUN_ID:best photo.jpg… -o masks/`.

For every photograph, of any size and orientation, `masks/STEM.png` (0 or 255) and `masks/STEM-overlay.jpg`, both
upright and at the photograph's own size. The model is an Artifact, a checkpoint file, or all runs of one in a sweep.
"""

import argparse
import errno
import glob
import itertools
import os
import signal
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.progress import track
from torch import Tensor

from agent.inference import load
from agent.inference.average import Member, binarize, expected_iou, logits_of
from agent.inference.load import ModelError
from agent.lifecycle.failures import is_out_of_memory
from agent.training import performance
from common.cli import Parser, exit_code, whole_number
from common.files import replacing
from common.keys import RULES
from data import layout
from data.dataset import describe_range, read_image
from data.pixels import Range
from data.problems import DataError

Pixels = NDArray[np.uint8]

BATCH = {"cpu": 1, "cuda": 16}
BACKGROUND_BRIGHTNESS = 0.35
MAX_UNSURE = 5
"""Most photographs named as worth a label."""
JPEG_SIDE = 65_500
"""Pixels that a side of a JPEG can have; the overlay of a longer photograph is made smaller."""
UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""Errors of writing that would meet every photograph that follows."""


class UsageError(ValueError):
    """The command cannot be carried out, and nothing was written."""


class PhotographError(ValueError):
    """One photograph has no mask; the text is one sentence. The other photographs have theirs."""


@dataclass(frozen=True)
class Task:
    """A photograph and the files that are made of it."""

    photograph: Path
    mask: Path
    overlay: Path
    probabilities: Path | None = None


@dataclass(frozen=True)
class Prediction:
    """`foreground`: its share of the pixels; `expected_iou`: the model's certainty of the mask, 0 to 1."""

    foreground: float
    expected_iou: float


@dataclass(frozen=True)
class Model:
    """A model with its settings; `pixel_range` became 0 and 255 in training images of more than 8 bits."""

    members: tuple[Member, ...]
    tta: bool = False
    threshold: float = 0.5
    pixel_range: Range | None = None


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0: every photograph has its mask; 1: one has not; 2: nothing was begun; 130: after Ctrl-C."""
    options = _options(sys.argv[1:] if arguments is None else arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)

    def command() -> int:
        try:
            return _run(options)
        except OSError as error:
            raise OSError(f"{error.filename or options.out} cannot be written: {error.strerror}") from None

    interrupted = f"interrupted; every file in {options.out} is whole"
    return exit_code("agent.predict", command, {UsageError: 2, ModelError: 2, OSError: 1}, interrupted)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = Parser(prog="python -m agent.predict", description="Masks of photographs.")
    parser.add_argument(
        "model",
        help="ENTITY/PROJECT/model-RUN_ID:best, a checkpoint file, or ENTITY/PROJECT/SWEEP/MODEL for the mean of all "
        "finished runs of a model in a sweep, as in local/puzzle/ab12cd34/unet/resnet18/none",
    )
    parser.add_argument("photographs", nargs="+", help="picture files, folders of them, or patterns such as 'in/*.jpg'")
    parser.add_argument("-o", "--out", type=Path, default=Path("masks"), help="folder of the masks (default: masks)")
    parser.add_argument(
        "--rule", choices=RULES, help="rule that chose the weights in an Artifact (default: the lab's, by architecture)"
    )
    parser.add_argument(
        "--batch-size", type=whole_number(), metavar="N", help="photographs at a time (default: 1, on a GPU 16)"
    )
    parser.add_argument(
        "--ensemble",
        action="append",
        default=[],
        metavar="MODEL",
        help="another model, whose probabilities are averaged with those of the first; may come several times",
    )
    parser.add_argument(
        "--tta", action="store_true", help="average over the eight symmetries of the square: eight times the work"
    )
    parser.add_argument(
        "--threshold",
        type=_probability,
        default=0.5,
        metavar="P",
        help="a pixel with a probability above this is foreground (default: 0.5)",
    )
    parser.add_argument(
        "--probabilities", action="store_true", help="write STEM-probability.png, too: 16 bits, 65535 is 1"
    )
    return parser.parse_args(arguments)


def _probability(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"is {text!r}, but must be a number between 0 and 1")
    return value


def _run(options: argparse.Namespace) -> int:
    tasks, problems, passed_over = make_tasks(options.photographs, options.out, options.probabilities)
    if options.out.exists() and not options.out.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(options.out))
    device = performance.best_device()
    model = _model(options, device)
    print(f"on {device}; photographs: {len(tasks)}", flush=True)
    if model.pixel_range:
        print(describe_range(model.pixel_range), flush=True)
    options.out.mkdir(parents=True, exist_ok=True)
    for told in (*problems, *passed_over):
        print(f"agent.predict: {told}", file=sys.stderr, flush=True)
    failed, sure = 0, {}
    batch_size = options.batch_size or BATCH[device.type]
    results = predict(model, tasks, batch_size)
    screen = Console()
    for task, result in track(results, "predicting", len(tasks), console=screen, disable=not screen.is_terminal):
        if isinstance(result, PhotographError):
            failed += 1
            print(f"agent.predict: {result}", file=sys.stderr, flush=True)
        else:
            sure[task.photograph] = result.expected_iou
            figures = f"{result.foreground:.1%} foreground, expected IoU {result.expected_iou:.2f}"
            print(f"{task.photograph} → {task.mask} ({figures})", flush=True)
    print(f"{len(tasks) - failed} of {len(tasks)} photographs have their mask in {options.out}", flush=True)
    if len(sure) > 1:
        unsure = sorted(sure, key=lambda photograph: sure[photograph])[:MAX_UNSURE]
        print(f"least sure of, so most worth a label: {', '.join(map(str, unsure))}", flush=True)
    return 1 if failed or problems else 0


def _model(options: argparse.Namespace, device: torch.device) -> Model:
    """Every model that was named, on the device. Raises ModelError."""
    names = [each for name in (options.model, *options.ensemble) for each in load.expand_name(name)]
    members, ranges = [], []
    for name in names:
        saved = load.find(name, options.rule)
        members.append(Member(load.build(saved, device), saved.config.image_size))
        ranges.append(saved.pixel_range)
        print(f"{saved.source}: {saved.config.model} at {saved.config.image_size} pixels", flush=True)
    if len(set(ranges)) > 1:
        raise ModelError("the models were trained on photographs of other ranges of values: take one of them")
    how = [f"{len(members)} models"] * (len(members) > 1) + ["the eight symmetries"] * options.tta
    if how:
        print(f"the mean over {' and '.join(how)}", flush=True)
    return Model(tuple(members), options.tta, options.threshold, ranges[0])


def make_tasks(names: Sequence[str], out: Path, probabilities: bool = False) -> tuple[list[Task], list[str], list[str]]:
    """Photographs that the names mean, each once, with their output files; faults of other names; what is passed over.

    The last is a line for each folder with more in it than photographs and `out`.

    Raises:
        UsageError: no name means a file; two photographs, or a photograph and a mask, would be one file.
    """
    files: dict[Path, Path] = {}
    problems, passed_over = [], {}
    for name in names:
        try:
            found, others = _find_photographs(name)
            files |= {path.resolve(): path for path in found}
            if ignored := [path for path in others if not (path.is_dir() and out.is_dir() and path.samefile(out))]:
                passed_over[Path(name).resolve()] = layout.describe_ignored(ignored)
        except UsageError as error:
            problems.append(str(error))
        except (OSError, ValueError, RuntimeError) as error:  # such as a loop of links
            problems.append(f"{name!r} cannot be read: {_reason(error)}")
    if not files:
        raise UsageError("; ".join(problems))
    tasks = [
        Task(
            path,
            out / f"{path.stem}.png",
            out / f"{path.stem}-overlay.jpg",
            out / f"{path.stem}-probability.png" if probabilities else None,
        )
        for path in files.values()
    ]
    owners: dict[str, Path] = {}
    for task in tasks:
        for target in filter(None, (task.mask, task.overlay, task.probabilities)):
            if target.resolve() in files:
                raise UsageError(f"{target} would overwrite a photograph: give another folder with -o")
            other = owners.setdefault(target.name.casefold(), task.photograph)
            if other != task.photograph:
                raise UsageError(
                    f"{other} and {task.photograph} would both become {target}: rename one, or give each its own -o"
                )
    return tasks, problems, list(passed_over.values())


def _find_photographs(name: str) -> tuple[list[Path], list[Path]]:
    """The photographs that a name means, and what a folder holds beside them."""
    path, others = Path(name), list[Path]()
    if path.is_dir():
        files, others = layout.photographs(path)
    elif path.exists() or path.is_symlink():
        files = [path]
    else:
        files = [Path(each) for each in _glob(name)]
    if not files:
        what = "holds no picture" if path.is_dir() else "is no file, folder or pattern that finds one"
        raise UsageError(f"{name if name.isprintable() else ascii(name)} {what}: name the photographs to predict")
    return files, others


def _glob(pattern: str) -> list[str]:
    names = glob.glob(pattern, recursive=True)  # noqa: PTH207 - Path.glob refuses absolute patterns
    return sorted(each for each in names if Path(each).is_file())


def predict(
    model: Model, tasks: Iterable[Task], batch_size: int
) -> Iterator[tuple[Task, Prediction | PhotographError]]:
    """Write mask and overlay of each photograph; yields its prediction, or the reason why it has no mask.

    The next batch is read while the model works on this one. Raises OSError if no photograph could be written.
    """
    with ThreadPoolExecutor() as pool:
        for batch in _read_ahead(tasks, batch_size, model.pixel_range, pool):
            good = []
            for task, future in batch:
                try:
                    good.append((task, future.result()))
                except PhotographError as error:
                    yield task, error
            for (task, pixels), logits in zip(good, _logits(model, good), strict=True):
                if isinstance(logits, PhotographError):
                    yield task, logits
                else:
                    yield task, _write_prediction(task, pixels, logits, model.threshold)


def _read_ahead(
    tasks: Iterable[Task], batch_size: int, pixel_range: Range | None, pool: ThreadPoolExecutor
) -> Iterator[list[tuple[Task, Future[Pixels]]]]:
    source = iter(tasks)
    ahead: deque[list[tuple[Task, Future[Pixels]]]] = deque()
    while batch := list(itertools.islice(source, batch_size)):
        ahead.append([(task, pool.submit(_read, task.photograph, pixel_range)) for task in batch])
        if len(ahead) > 1:
            yield ahead.popleft()
    yield from ahead


def _read(path: Path, pixel_range: Range | None) -> Pixels:
    if not path.is_file():
        raise PhotographError(f"{path} is no picture file")
    try:
        return read_image(path, pixel_range)
    except DataError as error:
        raise PhotographError(str(error)) from None
    except Exception as error:  # decoders have no end of ways to fail
        raise PhotographError(f"{path} cannot be read as an image ({_reason(error)})") from None


def _logits(model: Model, photographs: Sequence[tuple[Task, Pixels]]) -> list[Tensor | PhotographError]:
    """Logits of each photograph, computed together or, if that fails, one by one."""
    if not photographs:
        return []
    try:
        return list(logits_of(model.members, [pixels for _, pixels in photographs], model.tta))
    except Exception as error:  # the other photographs are to be done
        if len(photographs) == 1:
            return [PhotographError(f"{photographs[0][0].photograph} got no mask ({_reason(error)})")]
    return [logits for each in photographs for logits in _logits(model, [each])]


def _write_prediction(task: Task, pixels: Pixels, logits: Tensor, threshold: float) -> Prediction | PhotographError:
    try:
        mask = binarize(logits, threshold)
        save_picture(task.overlay, overlay(pixels, mask))
        if task.probabilities:
            save_picture(task.probabilities, (logits.sigmoid().cpu().numpy() * 65535).round().astype(np.uint16))
        save_picture(task.mask, mask * 255)
        return Prediction(float(mask.mean()), expected_iou(logits, mask))
    except Exception as error:  # the other photographs are to be done
        if isinstance(error, OSError) and error.errno in UNWRITABLE:
            raise
        return PhotographError(f"{task.mask} or its overlay cannot be written ({_reason(error)})")


def _reason(error: Exception) -> str:
    if is_out_of_memory(error):
        return "there is too little memory: a smaller --batch-size needs less"
    text = getattr(error, "strerror", None) or " ".join(str(error).split())[:160].rstrip(".")
    return text or type(error).__name__


def overlay(photograph: Pixels, mask: Pixels) -> Pixels:
    """The photograph (H, W, 3), its background dark, its foreground outlined in white (1/300 of the longer side)."""
    picture = np.where(mask[:, :, None] == 1, photograph, (BACKGROUND_BRIGHTNESS * photograph).astype(np.uint8))
    outlines, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(picture, outlines, -1, (255, 255, 255), max(1, max(mask.shape) // 300), cv2.LINE_AA)
    height, width = mask.shape
    if max(height, width) > JPEG_SIDE:
        picture = cv2.resize(picture, (min(width, JPEG_SIDE), min(height, JPEG_SIDE)))
    return picture


def save_picture(path: Path, pixels: Pixels | NDArray[np.uint16]) -> None:
    """Save a picture in one step: when it is interrupted, the old file is there or the new one."""
    with replacing(path) as file:
        Image.fromarray(pixels).save(file, "PNG" if path.suffix == ".png" else "JPEG", quality=90)


if __name__ == "__main__":
    sys.exit(main())
