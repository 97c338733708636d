"""Write the OpenAPI document that the console's types are made from."""

from __future__ import annotations

import json
import sys

from leadapron.app.api.server import create_app


def main() -> None:
    """Print the document as JSON."""
    json.dump(create_app().openapi(), sys.stdout, indent=1, sort_keys=True)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
