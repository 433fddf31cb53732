"""How the tests are dealt out to the workers of `pytest --numprocesses 2 --dist loadgroup`."""

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Slow tests first, so that none is left for the end; a file's tests at one worker, in one piece.

    What a file's tests share (a server, a client's program) is then made once. A slow test that shares nothing says so
    with a group of its own: `pytest.mark.xdist_group`. In one process the order stays as it is written.
    """
    if not hasattr(config, "workerinput"):
        return
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))
    slow = {_group(item) for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: _group(item) not in slow)


def _group(item: pytest.Item) -> str:
    mark = item.get_closest_marker("xdist_group")
    assert mark is not None
    return str(mark.args[0])
