"""`python -m aipg_plugin` is `aipg`."""

import sys

from aipg_plugin.cli.main import main

sys.exit(main())
