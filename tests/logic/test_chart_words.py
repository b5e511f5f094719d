"""The words of a chart stand as they are: Plotly would read tags, links and entities in them."""

from __future__ import annotations

from components import charts, waterfall

LINK = '<a href="https://evil.example/">Click</a> & &lt;b&gt;'
SHOWN = '&lt;a href="https://evil.example/"&gt;Click&lt;/a&gt; &amp; &amp;lt;b&amp;gt;'


def drawn(figure):
    """What Plotly is given."""
    return next(part.figure for part in figure._traverse() if hasattr(part, "figure"))


def test_every_word_of_a_drawing_is_text_and_a_line_is_a_line():
    trace = {
        "x": [1.5, 2],
        "text": [LINK, None],
        "customdata": [[LINK, 3, f"one\n{LINK}"]],
        "name": LINK,
        "hovertemplate": "<b>%{customdata[0]}</b><extra></extra>",
    }
    layout = {
        "title": {"text": LINK},
        "xaxis": {"ticktext": (LINK,), "title": {"text": LINK, "font": {"family": "a<b"}}},
        "annotations": [{"text": f"two\n{LINK}", "bgcolor": "var(--ll-paper)"}],
    }
    found = drawn(charts.figure("", {"data": [trace], "layout": layout}, height=9, rows=[], columns=[]))
    assert found["data"] == [
        {
            "x": [1.5, 2],
            "text": [SHOWN, None],
            "customdata": [[SHOWN, 3, f"one<br>{SHOWN}"]],
            "name": SHOWN,
            "hovertemplate": "<b>%{customdata[0]}</b><extra></extra>",
        }
    ]
    assert found["layout"]["title"]["text"] == SHOWN
    assert found["layout"]["xaxis"] == {"ticktext": [SHOWN], "title": {"text": SHOWN, "font": {"family": "a<b"}}}
    assert found["layout"]["annotations"] == [{"text": f"two<br>{SHOWN}", "bgcolor": "var(--ll-paper)"}]


def test_a_waterfall_names_its_steps_as_they_are_called():
    made = waterfall.waterfall("Why", ("start", 0.2, "20 %"), [(LINK, 0.1, "+10 pp")], ("Score", 0.3, "30 %"))
    trace = drawn(made)["data"][0]
    assert list(trace["customdata"]) == ["start", SHOWN, "Score"] and "<" not in "".join(trace["text"])
    assert not any("<" in text for text in drawn(made)["layout"]["yaxis"]["ticktext"])
