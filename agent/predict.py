"""Masks of photographs: `python -m agent.predict ENTITY/PROJECT/model-RUN_ID:best photo.jpg… -o masks/`.

For every photograph, of any size and orientation, `masks/STEM.png` (0 or 255) and `masks/STEM-overlay.jpg`, both
upright and at the photograph's own size. The model is an Artifact, or a checkpoint file.
"""

import argparse
import errno
import glob
import itertools
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

from agent.inference import load
from agent.inference.load import ModelError, Predictor
from agent.training import performance
from agent.training.loop import resized
from common.cli import Parser, exit_code, whole_number
from common.files import replacing
from common.keys import RULES
from data import layout, puzzle
from data.pixels import Range
from data.puzzle import DataError

Pixels = NDArray[np.uint8]

BATCH = {"cpu": 1, "cuda": 16}
DIM = 0.35
JPEG_SIDE = 65_500
"""Pixels that a side of a JPEG can have; the overlay of a longer photograph is made smaller."""
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""Errors of writing that would meet every photograph that follows."""


class UsageError(ValueError):
    """What was asked for cannot be done, and nothing was written."""


class PhotographError(ValueError):
    """Why one photograph has no mask, in one sentence; the others have theirs."""


@dataclass(frozen=True)
class Task:
    """A photograph and the two files that are made of it."""

    photograph: Path
    mask: Path
    overlay: Path


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
    parser.add_argument("model", help="ENTITY/PROJECT/model-RUN_ID:best, or a checkpoint file")
    parser.add_argument(
        "photographs", nargs="+", help="picture files, folders of them, or patterns such as 'in/*.jpg'"
    )
    parser.add_argument(
        "-o", "--out", type=Path, default=Path("masks"), help="folder of the masks (default: masks)"
    )
    parser.add_argument(
        "--rule",
        choices=RULES,
        help="which weights of an Artifact (default: as the lab tests this architecture)",
    )
    parser.add_argument(
        "--batch-size",
        type=whole_number(),
        metavar="N",
        help="photographs at a time (default: 1, on a GPU 16)",
    )
    return parser.parse_args(arguments)


def _run(options: argparse.Namespace) -> int:
    tasks, problems = plan(options.photographs, options.out)
    model = load.find(options.model, options.rule)
    device = performance.best_device()
    predictor = load.build(model, device)
    side = model.config.image_size
    print(
        f"{model.source}: {model.config.model} at {side} pixels on {device}; photographs: {len(tasks)}",
        flush=True,
    )
    if model.pixel_range:
        print(puzzle.range_line(model.pixel_range), flush=True)
    options.out.mkdir(parents=True, exist_ok=True)
    for problem in problems:
        print(f"agent.predict: {problem}", file=sys.stderr, flush=True)
    failed = 0
    batch_size = options.batch_size or BATCH[device.type]
    results = predict(predictor, side, tasks, batch_size, model.pixel_range)
    screen = Console()
    for task, result in track(
        results, "predicting", len(tasks), console=screen, disable=not screen.is_terminal
    ):
        if isinstance(result, PhotographError):
            failed += 1
            print(f"agent.predict: {result}", file=sys.stderr, flush=True)
        else:
            print(f"{task.photograph} → {task.mask} ({result:.1%} foreground)", flush=True)
    print(f"{len(tasks) - failed} of {len(tasks)} photographs have their mask in {options.out}", flush=True)
    return 1 if failed or problems else 0


def plan(names: Sequence[str], out: Path) -> tuple[list[Task], list[str]]:
    """The photographs that the names mean, each once, what is made of each, and what is wrong with other names.

    Raises:
        UsageError: no name means a file; two photographs, or a photograph and a mask, would be one file.
    """
    files: dict[Path, Path] = {}
    problems = []
    for name in names:
        try:
            files |= {path.resolve(): path for path in _meant(name)}
        except UsageError as error:
            problems.append(str(error))
        except (OSError, ValueError, RuntimeError) as error:  # such as a loop of links
            problems.append(f"{name!r} cannot be read: {_reason(error)}")
    if not files:
        raise UsageError("; ".join(problems))
    tasks = [
        Task(path, out / f"{path.stem}.png", out / f"{path.stem}-overlay.jpg") for path in files.values()
    ]
    taken: dict[str, Path] = {}
    for task in tasks:
        for target in (task.mask, task.overlay):
            if target.resolve() in files:
                raise UsageError(f"{target} would overwrite a photograph: give another folder with -o")
        other = taken.setdefault(task.mask.name.casefold(), task.photograph)
        if other != task.photograph:
            raise UsageError(
                f"{other} and {task.photograph} would both become {task.mask}: rename one, or give each its own -o"
            )
    return tasks, problems


def _meant(name: str) -> list[Path]:
    path = Path(name)
    if path.is_dir():
        files = layout.photographs(path)
    elif path.exists() or path.is_symlink():
        files = [path]
    else:
        files = [Path(each) for each in _matching(name)]
    if not files:
        what = "holds no picture" if path.is_dir() else "is no file, folder or pattern that finds one"
        raise UsageError(
            f"{name if name.isprintable() else ascii(name)} {what}: name the photographs to predict"
        )
    return files


def _matching(pattern: str) -> list[str]:
    found = glob.glob(pattern, recursive=True)  # noqa: PTH207 - Path.glob refuses absolute patterns
    return sorted(each for each in found if Path(each).is_file())


def predict(
    predictor: Predictor, side: int, tasks: Iterable[Task], batch_size: int, pixel_range: Range | None = None
) -> Iterator[tuple[Task, float | PhotographError]]:
    """Write mask and overlay of each photograph; yields its share of foreground, or why it has none.

    `pixel_range` is what became 0 and 255 in training images of more than 8 bits. The next batch is read while the
    model works on this one. Raises OSError where no photograph could be written.
    """
    with ThreadPoolExecutor() as pool:
        for batch in _read_ahead(tasks, batch_size, pixel_range, pool):
            good = []
            for task, future in batch:
                try:
                    good.append((task, future.result()))
                except PhotographError as error:
                    yield task, error
            for (task, pixels), mask in zip(good, _masks(predictor, side, good), strict=True):
                yield task, mask if isinstance(mask, PhotographError) else _written(task, pixels, mask)


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
        return puzzle.read_image(path, pixel_range)
    except DataError as error:
        raise PhotographError(str(error)) from None
    except Exception as error:  # decoders have no end of ways to fail
        raise PhotographError(f"{path} cannot be read as an image ({_reason(error)})") from None


def _masks(
    predictor: Predictor, side: int, photographs: Sequence[tuple[Task, Pixels]]
) -> list[Pixels | PhotographError]:
    """The mask of each, together or, where that fails, one by one."""
    try:
        return list(masks_of(predictor, side, [pixels for _, pixels in photographs])) if photographs else []
    except Exception as error:  # the other photographs are to be done
        if len(photographs) == 1:
            return [PhotographError(f"{photographs[0][0].photograph} got no mask ({_reason(error)})")]
    return [mask for each in photographs for mask in _masks(predictor, side, [each])]


def _written(task: Task, pixels: Pixels, mask: Pixels) -> float | PhotographError:
    try:
        write(task.overlay, overlay(pixels, mask))
        write(task.mask, mask * 255)
        return float(mask.mean())
    except Exception as error:  # the other photographs are to be done
        if isinstance(error, OSError) and error.errno in FULL:
            raise
        return PhotographError(f"{task.mask} or its overlay cannot be written ({_reason(error)})")


def _reason(error: Exception) -> str:
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return "there is too little memory: a smaller --batch-size needs less"
    text = getattr(error, "strerror", None) or " ".join(str(error).split())[:160].rstrip(".")
    return text or type(error).__name__


@torch.inference_mode()
def masks_of(predictor: Predictor, side: int, photographs: Sequence[Pixels]) -> list[Pixels]:
    """Photographs (H, W, 3) of any sizes → masks (H, W) of those sizes: 1 where foreground is more likely than not.

    The model sees squares of `side` pixels, as in training; its logits are brought to the photograph's size, as where a
    run is tested.
    """
    squares = np.stack([puzzle.to_square(photograph, side) for photograph in photographs])
    images = torch.from_numpy(squares).to(predictor.mean.device).permute(0, 3, 1, 2).float().div(255)
    return [
        (resized(logits, *photograph.shape[:2]) > 0).to(torch.uint8).cpu().numpy()
        for logits, photograph in zip(predictor.logits(images), photographs, strict=True)
    ]


def overlay(photograph: Pixels, mask: Pixels) -> Pixels:
    """The photograph (H, W, 3), its background dark, its foreground outlined in white (1/300 of the longer side)."""
    picture = np.where(mask[:, :, None] == 1, photograph, (DIM * photograph).astype(np.uint8))
    outlines, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(picture, outlines, -1, (255, 255, 255), max(1, max(mask.shape) // 300), cv2.LINE_AA)
    height, width = mask.shape
    if max(height, width) > JPEG_SIDE:
        picture = cv2.resize(picture, (min(width, JPEG_SIDE), min(height, JPEG_SIDE)))
    return picture


def write(path: Path, pixels: Pixels) -> None:
    """Save a picture in one step: when it is interrupted, the old file is there or the new one."""
    with replacing(path) as file:
        Image.fromarray(pixels).save(file, "PNG" if path.suffix == ".png" else "JPEG", quality=90)


if __name__ == "__main__":
    sys.exit(main())
