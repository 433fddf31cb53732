import sys

from agent.lint import main

sys.exit(main())
