"""`python -m leadapron` is the command line."""

from leadapron.app.cli.main import main

main()
