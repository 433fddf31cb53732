"""What a run's own seconds say about the share that is not training."""

from bench.overhead import Spent, shortened, spent


def test_what_comes_once_is_spread_over_the_epochs_and_what_comes_in_each_is_not() -> None:
    each = Spent("unet/resnet18/none", steps=8.0, looking=2.0, once=10.0)
    assert each.share(1) == 12 / 20
    assert each.share(10) == 30 / 110


def test_the_parts_of_a_run_are_read_from_its_summary() -> None:
    config = {"architecture": "unet", "backbone": "resnet18", "weights": "none", "epochs": 2}
    summary = {"seconds/steps": 16.0, "seconds/train": 20.0, "seconds/total": 30.0}
    found = spent({name: {"value": value} for name, value in config.items()}, summary)
    assert found == Spent("unet/resnet18/none", steps=8.0, looking=2.0, once=10.0)


def test_every_model_of_a_sweep_is_trained_once_and_shortly() -> None:
    sweep = {
        "method": "grid",
        "parameters": {
            "backbone": {"values": ["resnet34", "mobilenet_v2"]},
            "seed": {"values": [1, 2, 3]},
            "epochs": {"value": 20},
        },
    }
    assert shortened(sweep, 1)["parameters"] == {
        "backbone": {"values": ["resnet34", "mobilenet_v2"]},
        "seed": {"value": 1},
        "epochs": {"value": 1},
    }
