"""What holds for all tests."""

import os

# Set before numpy and torch are loaded. The tests work on small arrays, for which one thread is nearly as fast as two on
# an idle machine; where other processes want the cores, threads that wait for each other make it ten times slower.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
