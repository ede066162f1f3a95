"""What others offer, called as their users call it. None is needed by the package itself.

A library is imported when its contestant runs: one that is not installed has a row that says so.
"""
