"""`python -m gpudl`: the command line."""

import sys

from gpudl.cli import main

sys.exit(main())
