"""Long explanations in paragraphs that can be read."""

import re

LONGEST_PARAGRAPH = 420  # letters, chosen: about six lines of the page
_SENTENCES = re.compile(r"(?<=[a-z0-9)%][.!?]) (?=[A-Z])")


def paragraphs(text: str) -> list[str]:
    """The sentences of a text in paragraphs; a line break is kept, a sentence is never broken.

    >>> [len(part) for part in paragraphs("A sentence of thirty-one letters. " * 20)]
    [407, 271]
    >>> paragraphs("Short." + chr(10) + "Another line.")
    ['Short.', 'Another line.']
    """
    found: list[str] = []
    for line in filter(None, map(str.strip, text.split("\n"))):
        found.append("")
        for sentence in _SENTENCES.split(line):
            if found[-1] and len(found[-1]) + len(sentence) >= LONGEST_PARAGRAPH:
                found.append("")
            found[-1] = f"{found[-1]} {sentence}".strip()
    return found
