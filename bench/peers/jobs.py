"""The job of every peer in Python: nothing."""


def noop(*_):
    return None
