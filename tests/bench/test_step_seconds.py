"""The bench of training steps, on a stand-in for a GPU: a processor whose clock is counted by hand."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from agent.lint import price
from agent.training import loop, models, performance, step_times
from agent.training.loop import Precision
from agent.training.models.unet import UNet
from agent.training.step_times import ONE_CORE, WITHOUT_BFLOAT16, Step
from bench import step_seconds
from bench.step_seconds import Meter, measure, meter
from common import cores

CPU = torch.device("cpu")
Batch = tuple[torch.Tensor, torch.Tensor]
MODEL = ("unet_bilinear", "none", 64)
OTHER = Step(ONE_CORE + "CPU", "unet", "resnet18", 64, 64, 2, "float32", 5, 1.5, 0.1, 5)


class Card:
    """A device that computes for a second per step and says so only when one waits for it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.queued, self.taken = 0.0, 0, 0
        monkeypatch.setattr(models, "build", lambda *_, **__: UNet("bilinear", 2))
        adam = performance.adam

        def counted(model: torch.nn.Module, learning_rate: float) -> torch.optim.Adam:
            optimizer = adam(model, learning_rate)
            optimizer.register_step_post_hook(lambda *_: self.begin())
            return optimizer

        monkeypatch.setattr(performance, "adam", counted)

    def begin(self) -> None:
        self.queued, self.taken = self.queued + 1, self.taken + 1

    def finish(self) -> None:
        self.now, self.queued = self.now + self.queued, 0

    def meter(self, **settings: object) -> Meter:
        given = Meter(
            "NVIDIA H100, 80GB", CPU, ((32, 2), (64, 4)), ("float32", "bfloat16"), 3, lambda: self.now, self.finish
        )
        return replace(given, **settings)  # type: ignore[arg-type]


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Card:
    return Card(monkeypatch)


def test_a_measurement_waits_for_the_device_and_is_the_mean_of_its_steps(card: Card) -> None:
    """Five measurements of three steps each, after three that warm up and are waited for as well."""
    assert measure(MODEL, 32, 2, "float32", card.meter(), 5) == [1.0] * 5
    assert card.taken == 3 * (1 + 5)


def test_every_model_has_a_row_for_each_amount_of_work_and_precision(card: Card) -> None:
    steps = list(step_seconds.rows([MODEL], card.meter(), 2))
    assert [(s.image_size, s.batch_size, s.precision) for s in steps] == [
        (32, 2, "float32"), (32, 2, "bfloat16"), (64, 4, "float32"), (64, 4, "bfloat16"),
    ]  # fmt: skip
    assert {(s.device, s.seconds, s.n) for s in steps} == {("NVIDIA H100, 80GB", 1.0, 2)}
    assert steps[2].macs == pytest.approx(8 * steps[0].macs, rel=1e-6), "twice the images of four times the pixels"


def test_what_does_not_fit_is_told_and_left_out(
    card: Card, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = loop.train_epoch

    def scarce(
        model: torch.nn.Module, optimizer: torch.optim.Optimizer, batches: list[Batch], precision: Precision
    ) -> object:
        if len(batches[0][0]) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return whole(model, optimizer, batches, precision)

    monkeypatch.setattr(step_seconds, "train_epoch", scarce)
    steps = list(step_seconds.rows([MODEL], card.meter(), 2))
    assert {s.image_size for s in steps} == {32}
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 2
    assert told[0].startswith("left out, for it does not fit: NVIDIA H100, 80GB unet_bilinear none 64 64 4 float32 ")


def test_rows_of_a_gpu_come_beside_those_of_the_cpu_and_replace_its_own(card: Card, tmp_path: Path) -> None:
    table = tmp_path / "steps.csv"
    step_seconds.write([OTHER, replace(OTHER, device="NVIDIA H100, 80GB", width=8)], table)
    steps = list(step_seconds.rows([MODEL], card.meter(), 2))
    step_seconds.write(steps, table)
    assert step_times.read(table) == [OTHER, *steps]
    assert table.read_text().startswith("# python -m bench.step_seconds: ")
    assert [file.name for file in tmp_path.iterdir()] == ["steps.csv"]
    assert set(price.steps_by_device([table])) == {ONE_CORE + "CPU", "NVIDIA H100, 80GB"}


def test_a_gpu_is_measured_in_both_precisions_and_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "NVIDIA A100")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    found = meter(torch.device("cuda"))
    assert (found.name, found.precisions) == ("NVIDIA A100", ("float32", "bfloat16"))
    assert found.finish is torch.cuda.synchronize
    assert found.steps > 1, "steps follow on each other without being waited for, as in training"
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    assert meter(torch.device("cuda")).precisions == ("float32",)


@pytest.mark.parametrize(("flags", "end"), [({"amx_bf16"}, ""), (set(), WITHOUT_BFLOAT16)])
def test_a_processor_is_one_core_of_it(flags: set[str], end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "flags", lambda: flags)
    monkeypatch.setattr(step_seconds, "_processor", lambda: "CPU")
    found = meter(CPU)
    assert found.name == f"{ONE_CORE}CPU{end}"
    assert found.precisions == (("float32",) if end else ("float32", "bfloat16"))
    assert (found.steps, found.device) == (1, CPU)
