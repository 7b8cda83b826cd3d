"""The OpenAPI schema of the explorer as JSON, from which the types of the front end are made: `make ui`."""

from __future__ import annotations

import json
import sys

from somscope.explorer.app import explorer_api

if __name__ == "__main__":
    schema = explorer_api([]).openapi()
    schema["info"]["version"] = "0"  # of the interface, which does not change with every release
    sys.stdout.write(json.dumps(schema, indent=1, sort_keys=True) + "\n")
