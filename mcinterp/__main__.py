"""`python -m mcinterp`."""

from mcinterp.cli import main

main()
