"""FACTS: what the numbers are (lake, metrics) and what the application remembers (tables).

May import: the standard library, and the engines in their own adapter files.
Must not import: ``models``, ``services``, ``pages``, ``components``, or any screen library.
Only ``services`` (and the doors ``worker.py`` and ``cli.py`` through it) may import from here;
the one exception is ``data.definitions``, which every code folder may read.
"""
