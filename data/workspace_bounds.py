"""What a text must keep to before it is read as one of the workspace's files, where anybody but its owner wrote it.

The files on the disk are the operator's. A text that comes from a page is a stranger's until it is looked at: names
that stand for other parts can make a small text huge, tags can ask for more than plain values, and depth costs time.
"""

from __future__ import annotations

import yaml

DEEPEST = 20
MOST_WORDS = 10_000
OPENING = (
    yaml.BlockMappingStartToken,
    yaml.BlockSequenceStartToken,
    yaml.FlowMappingStartToken,
    yaml.FlowSequenceStartToken,
)
CLOSING = (yaml.BlockEndToken, yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken)
REFUSED = {
    yaml.AnchorToken: "a name for a part (&) is not allowed here: write the part out where it is used",
    yaml.AliasToken: "a name that stands for another part (*) is not allowed here: write the part out",
    yaml.TagToken: "a tag (!) is not allowed here: only plain texts, numbers, lists and keys are",
    yaml.DirectiveToken: "a directive (%) is not allowed here",
}


def beyond(text: str) -> tuple[int, str] | None:
    """The first line that goes beyond the bounds, and what is wrong; None where the text keeps to them.

    What is not YAML at all is left to whoever reads it: that says it with its line.
    """
    deep = words = 0
    try:
        for token in yaml.scan(text, Loader=yaml.SafeLoader):
            line = token.start_mark.line + 1
            for kind, sentence in REFUSED.items():
                if isinstance(token, kind):
                    return line, sentence
            deep += isinstance(token, OPENING) - isinstance(token, CLOSING)
            words += isinstance(token, yaml.ScalarToken)
            if deep > DEEPEST:
                return line, f"parts may lie within each other {DEEPEST} deep at most"
            if words > MOST_WORDS:
                return line, f"a file may hold {MOST_WORDS:,} words at most"
    except yaml.YAMLError:
        return None
    return None
