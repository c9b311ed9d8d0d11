"""`python -m muscle_mem` is the command line `muscle-mem`."""

from .cli import main

if __name__ == "__main__":
    main(prog_name="muscle-mem")
