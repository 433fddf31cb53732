"""A picture and its mask: found on disk (dataset), drawn from a seed (synthetic), varied (augment)."""

import os

from common.cli import end_quietly

# albumentations asks the network for a newer version when it is imported; training must not wait for that.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

end_quietly()
