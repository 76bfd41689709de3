"""`python -m fca.cli`."""

import sys

from fca.cli.main import main

sys.exit(main())
