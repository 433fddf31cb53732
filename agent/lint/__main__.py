"""`python -m agent.lint FILE…`: faults of sweeps, by line and code, and their price."""

import signal
import sys

from agent.lint import main

if hasattr(signal, "SIGPIPE"):  # `| head` ends it quietly
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
sys.exit(main())
