"""MAY: one file per thing a person asks. The viewer comes first and access is checked first.

May import: ``models`` and ``data``. Must not import: dash, flask, plotly, ``pages``, ``components``.
A public function has the shape ``verb(viewer, sources, ...) -> Answer`` with a frozen dataclass as answer.
"""
