"""Settings of this server: one value, made from the command line."""

from dataclasses import dataclass

GIGABYTE = 10**9


@dataclass(frozen=True)
class Settings:
    """Options of the server. Times are in seconds.

    api_key: the key of the folder's own user `local`.
    crash_after: silence of a run after which it counts as crashed. The client sends a sign of life every 30 s.
    stop_grace: a run that is to stop is asked over its own stream first; after this time its agent is told to end it.
    max_upload: bytes of one file, and of all the files of an artifact.
    storage_region: the name that artifacts may give to this server's place; None: they name no place.
    pages_need_key: pages in a browser ask for the key. Not needed on loopback, see `server.pages`.
    """

    api_key: str
    crash_after: float = 90.0
    stop_grace: float = 20.0
    max_upload: int = 100 * GIGABYTE
    pages_need_key: bool = False
    storage_region: str | None = None
