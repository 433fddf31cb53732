"""A sweep without faults, and copies of it with one."""

from pathlib import Path

from agent.lint import Report, check

CLEAN = """\
program: agent/train.py
command: ["${env}", "${interpreter}", "-m", "agent.train", "${args}"]
method: random
run_cap: 8
metric: {name: val/iou, goal: maximize}
early_terminate: {type: hyperband, min_iter: 5, strict: true}
parameters:
  architecture: {value: unet_bilinear}
  width: {values: [8, 16]}
  learning_rate: {distribution: log_uniform_values, min: 1.0e-4, max: 0.01}
  image_size: {value: 64}
  batch_size: {value: 2}
  epochs: {value: 45}
"""


def with_line(number: int, text: str) -> str:
    """The clean sweep with another line, counted from 1; none if `text` is empty."""
    lines = CLEAN.splitlines()
    lines[number - 1 : number] = [text] if text else []
    return "\n".join(lines) + "\n"


def lint(folder: Path, text: str) -> Report:
    file = folder / "sweep.yaml"
    file.write_text(text)
    return check(file)
