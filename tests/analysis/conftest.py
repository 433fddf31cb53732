"""Evidence in milliseconds: its error rates come from a few simulated studies."""

import pytest

from analysis.evidence import simulate


@pytest.fixture(autouse=True)
def few_simulated_studies(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the rates are is tested in tests/bench; here they only have to be there."""
    monkeypatch.setattr(simulate, "STUDIES", 40)
