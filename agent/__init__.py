"""One configuration → one run (docs/architecture.md)."""

import os

from common.cli import end_quietly, need_temporary_folder

# Before torch loads OpenMP: threads that wait must not spin. With more threads than cores, as when two trials with
# torch's default run side by side, spinning takes a hundred times as long as the work.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# The client tells its maker about errors unless it is asked not to; nothing here goes to another server than the one
# that WANDB_BASE_URL names.
os.environ.setdefault("WANDB_ERROR_REPORTING", "false")

end_quietly()
need_temporary_folder()
