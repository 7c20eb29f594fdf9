"""What the site needs beyond the pages: links to files of the repository, which the site does not hold, become plain text."""

import re

LINK = re.compile(r"\[([^\]]+)\]\(((?:\.\./)+)[^)]*\)")


def on_page_markdown(markdown: str, page, **others) -> str:
    """The page's text as the site shows it."""
    inside = page.file.src_uri.count("/")
    return LINK.sub(lambda found: _kept(found, inside), markdown)


def _kept(found: re.Match[str], inside: int) -> str:
    """The link where it stays among the pages, else its words."""
    return found[0] if found[2].count("../") <= inside else found[1]
