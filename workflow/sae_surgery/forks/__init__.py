"""Steps run in forks of one process that has the libraries loaded, in runs on one machine.

Importing them takes longer than many steps do. `start` is for the Snakefile, which starts the
server; `client` is the command of a step, which asks it for a fork; `server` is what forks.
"""
