"""Names of the colour tokens, for figures. The browser replaces them by the values of the current theme.

They are written as CSS variables because Plotly refuses any other text that is not a colour.
"""

ACCENT = "var(--ll-accent)"
INK = "var(--ll-ink)"
SOFT = "var(--ll-soft)"
LINE = "var(--ll-line)"
RAISE = "var(--ll-raise)"
LOWER = "var(--ll-lower)"
REST = "var(--ll-rest)"
DOT = "var(--ll-dot)"
WASH = "var(--ll-accent-wash)"
PAPER = "var(--ll-paper)"
