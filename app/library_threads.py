"""How many threads the numeric libraries use, decided before they are loaded."""

import os


def limit_library_threads(threads: int) -> None:
    """Tell numeric libraries to use so many threads and to sleep while they wait for each other.

    By default OpenMP threads wait in a busy loop. On a machine whose cores are shared, with a second process of the
    call or with anything else, the loop takes the time that the awaited thread needs, and work slows down tenfold.
    """
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    os.environ.setdefault("MKL_NUM_THREADS", str(threads))
    # numpy's library multiplies nothing but the tracker's small matrices here, which threads only slow down.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
