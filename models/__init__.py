"""ML: what a registered machine-learning model is and does: registry, admission, scoring, explaining.

May import: the standard library, numpy, pandas, and each engine in its own adapter file.
Must not import: ``data`` (except ``data.definitions``), ``services``, ``pages``, ``components``,
or any screen library. Functions take arrays and frames; clocks and random generators are arguments.
"""
