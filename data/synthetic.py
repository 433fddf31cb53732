"""Draw jigsaw photographs with exact masks from a seed: `python -m data.synthetic FOLDER [--seed N]`.

No photograph, font or texture file is involved: outline, print, table, light and lens are all drawn here,
from one random generator. The code of each lies in `data/drawing/`.
"""

import hashlib
import math
import shutil
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from common.cli import Parser, whole_number
from common.drawn_data import PRETRAINING_SIZE, SIZE, parse_drawn
from common.environment import CACHE
from data.drawing import outline, photograph, prints
from data.drawing.noise import Field
from data.problems import DataError

Image = NDArray[np.uint8]
Mask = NDArray[np.uint8]

SHARE = (0.2, 0.3)
"""Range of the share of the picture that the piece covers; less if a long piece would leave the frame."""

DEFAULT_SEED = 8


def draw(
    seed: int | np.random.Generator, height: int = SIZE[0], width: int = SIZE[1], *, evening: int | None = None
) -> tuple[Image, Mask]:
    """One photograph (H, W, 3) uint8 RGB and its mask (H, W) uint8, 1 where the piece covers half the pixel.

    Equal seeds give equal bytes on one machine. Another size shows the same scene, as far as its pixels can.
    Photographs of one `evening`, a seed as well, share table and lamp; without it each has its own.
    Lengths below are in units of one pixel of a photograph of 1024 by 768.
    """
    shape, unit = (height, width), math.sqrt(height * width / (768 * 1024))
    form, print_rng, table_rng, light_rng, lens = np.random.default_rng(seed).spawn(5)
    if evening is not None:
        table_rng, light_rng = np.random.default_rng(evening).spawn(2)
    piece = outline.place(form, outline.piece(form), height, width, form.uniform(*SHARE))
    face = photograph.coverage(piece.points, shape)
    body = photograph.coverage(piece.points, shape, spread=form.uniform(0, 0.012))
    mask = (body >= 0.5).astype(np.uint8)

    angle = light_rng.uniform(0, 2 * math.pi)
    printed = _draw_print(print_rng, face, unit, angle)
    wall = np.array([92, 86, 80], np.float32) * np.float32(form.uniform(0.4, 1.2))
    solid = wall + face[..., None] * (printed - wall)
    ground = photograph.table(table_rng, shape, unit)
    if evening is not None:
        ground = photograph.nudge(form, ground, unit)
    ground *= photograph.shadow(light_rng, body, unit, angle)[..., None]
    scene = ground + body[..., None] * (solid - ground)
    scene *= photograph.light(light_rng, shape)[..., None]
    return photograph.Camera.pick(lens, unit).take(lens, scene), mask


def _draw_print(rng: np.random.Generator, face: Field, unit: float, angle: float) -> Field:
    """The print with its glossy rim, drawn only where the face is: (H, W, 3), 0 elsewhere."""
    rows, columns = np.flatnonzero(face.any(axis=1)), np.flatnonzero(face.any(axis=0))
    window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    ink = prints.draw(rng, face[window].shape, unit, prints.kind(rng))
    factor, added = photograph.gloss(rng, face, unit, angle)
    printed = np.zeros((*face.shape, 3), np.float32)
    printed[window] = ink * factor[window][..., None] + added[window][..., None]
    return printed


def write(
    folder: Path,
    seed: int,
    n_train: int = 10,
    n_val: int = 4,
    n_test: int = 4,
    *,
    height: int = SIZE[0],
    width: int = SIZE[1],
    one_evening: bool = True,
) -> None:
    """Draw train, val and test folders of images/image-N.png and masks/mask-N.png (0 or 255), N from 1.

    Those of one evening have the same table and lamp, another piece, and the phone held a little differently; else
    each has an evening of its own.
    """
    splits = ["train"] * n_train + ["val"] * n_val + ["test"] * n_test
    for number, split in enumerate(splits, start=1):
        evening = seed if one_evening else None
        image, mask = draw(np.random.default_rng((seed, number)), height, width, evening=evening)
        for kind, pixels in (("image", image[..., ::-1]), ("mask", mask * 255)):
            path = folder / split / f"{kind}s" / f"{kind}-{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])
        _progress(f"drawing photograph {number} of {len(splits)}", last=number == len(splits))


def resolve(name: str) -> Path:
    """The folder that `name` means: drawn and drawn:SEED are drawn once and kept, all else is a path.

    drawn:SEED:N are N drawings to train on and a tenth as many to validate and to test, of as many evenings, at half
    the size, for pretraining.

    Safe when several processes ask at once: each draws aside, the first to finish is kept.

    Raises:
        ValueError: another form of drawn.
        DataError: they cannot be written.
    """
    drawn = parse_drawn(name)
    if drawn is None:
        return Path(name)
    n, seed = drawn.n, DEFAULT_SEED if drawn.seed is None else drawn.seed
    target = CACHE / (f"drawn-{seed}-{n}-{_version()}" if n else f"drawn-{seed}-{_version()}")
    if not target.is_dir():
        try:
            _draw_into(target, seed, n)
        except OSError as error:
            reason = f"drawn photographs cannot be written to {target} ({error.strerror or error})"
            raise DataError([f"{reason}: free some disk, or name another folder in PUZZLE_CACHE."]) from None
    return target


def _draw_into(target: Path, seed: int, n: int) -> None:
    CACHE.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f"{target.name}.", dir=CACHE))
    try:
        if n:
            held_out = max(1, n // 10)
            height, width = PRETRAINING_SIZE
            write(aside, seed, n, held_out, held_out, height=height, width=width, one_evening=False)
        else:
            write(aside, seed)
        _publish(aside, target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _publish(aside: Path, target: Path) -> None:
    aside.chmod(0o755)
    try:
        aside.rename(target)
    except OSError:
        if not target.is_dir():
            raise


def _version() -> str:
    """Changes whenever the code that draws does."""
    code = hashlib.sha256()
    for path in [Path(__file__), *sorted(Path(prints.__file__).parent.glob("*.py"))]:
        code.update(path.read_bytes())
    return code.hexdigest()[:8]


def _progress(line: str, *, last: bool) -> None:
    if sys.stderr.isatty():
        print(f"\r{line}", end="\n" if last else "", file=sys.stderr, flush=True)


def sheet(path: Path, seed: int) -> None:
    """A contact sheet of 4 by 3 photographs, each 384 pixels wide and of another evening."""
    columns, rows = 4, 3
    drawn = [draw(np.random.default_rng((seed, n + 1)))[0] for n in range(columns * rows)]
    small = [cv2.resize(image, (384, 288), interpolation=cv2.INTER_AREA)[..., ::-1] for image in drawn]
    page = np.vstack([np.hstack(small[r * columns : (r + 1) * columns]) for r in range(rows)])
    path.parent.mkdir(parents=True, exist_ok=True)
    quality = [cv2.IMWRITE_JPEG_QUALITY, 88] if path.suffix == ".jpg" else []
    cv2.imwrite(str(path), page, quality)


def main(arguments: list[str] | None = None) -> None:
    parser = Parser(prog="python -m data.synthetic", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", help="folder of train/, val/ and test/; must be new or empty")
    parser.add_argument("--seed", type=whole_number(0), default=DEFAULT_SEED)
    for split, n in (("train", 10), ("val", 4), ("test", 4)):
        parser.add_argument(
            f"--{split}", type=whole_number(0), default=n, metavar="N", help=f"photographs (default {n})"
        )
    parser.add_argument("--sheet", type=Path, metavar="OUT.png", help="draw a contact sheet of 12 photographs")
    options = parser.parse_args(arguments)
    if options.folder is None and options.sheet is None:
        parser.error("name a FOLDER to draw into, or --sheet OUT.png")
    if options.folder is not None:
        if options.folder.exists() and (not options.folder.is_dir() or any(options.folder.iterdir())):
            parser.error(f"{options.folder} is not an empty folder: name a new one, nothing is overwritten")
        write(options.folder, options.seed, options.train, options.val, options.test)
    if options.sheet is not None:
        sheet(options.sheet, options.seed)


if __name__ == "__main__":
    main()
