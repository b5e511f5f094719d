"""LOOK: answers in, Dash and Plotly out. No input or output, no aggregation, no business words.

May import: dash, plotly, and ``data.definitions``. At run time nothing else of ours; answer types of
``services`` only under ``TYPE_CHECKING``. Colours come from ``components.theme``, never from literals.
"""
