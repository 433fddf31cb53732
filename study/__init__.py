"""`make study`: starts the other packages as processes, from photographs to results."""

from common.cli import end_quietly, need_temporary_folder

end_quietly()
need_temporary_folder()
