"""MEASURED: what Lakelight promises about speed and memory, beside a peer or the hand-written equivalent.

``python -m benchmarks`` measures what fits into ten minutes, ``python -m benchmarks --full`` all of it. Both write
``results.json`` and the table of ``docs/explanation/performance.md``. Timings are medians or percentiles of several
runs and are never asserted in tests.
"""

import os

for _threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")  # as the web processes do, before anything imports a numeric library
