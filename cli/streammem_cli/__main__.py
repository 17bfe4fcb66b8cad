"""Lets `python -m streammem_cli` do what the installed command does."""

from streammem_cli.app import main

if __name__ == "__main__":
    main()
