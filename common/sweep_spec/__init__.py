"""The grammar of a W&B sweep (https://docs.wandb.ai/models/sweeps/sweep-config-keys), one for all packages.

The embedded server draws from it, the linter explains it, the analysis asks for the scale of a parameter.
"""

DEFAULT_COMMAND = ("${env}", "${interpreter}", "${program}", "${args}")
"""Command of a trial in a sweep without `command`."""
