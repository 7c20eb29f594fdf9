"""Loss curves of networks in training, put together from the pieces that the diary tells."""

from collections.abc import Iterable, Mapping
from typing import Any

MOST_CURVES = 512  # chosen: of the networks that trained last; a page with more can neither be read nor drawn quickly
KINDS = ("training_loss", "validation_loss")


def merged(events: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """``curves`` events as one piece for each network, of the `MOST_CURVES` that trained last.

    A piece has the network's number, its stage and state, how many epochs come before it, and both losses, epoch by epoch.
    """
    found: dict[Any, dict[str, Any]] = {}
    for event in events:
        for piece in event.get("members") or ():
            if _is_piece(piece):
                before = found.pop(piece["member"], None)  # so that those that trained last come last
                found[piece["member"]] = _put_together(before, {**piece, "stage": event.get("stage")})
    return list(found.values())[-MOST_CURVES:]


def _put_together(before: Mapping[str, Any] | None, piece: dict[str, Any]) -> dict[str, Any]:
    """The new piece behind the one before, from the epoch on with which it begins; alone where they do not meet."""
    if before is None or not 0 <= (kept := piece["after"] - before["after"]) <= len(before[KINDS[0]]):
        return piece
    return {**piece, "after": before["after"], **{kind: [*before[kind][:kept], *piece[kind]] for kind in KINDS}}


def _is_piece(piece: Any) -> bool:
    return (
        isinstance(piece, Mapping)
        and isinstance(piece.get("member"), int)
        and isinstance(piece.get("after"), int)
        and all(isinstance(piece.get(kind), list) for kind in KINDS)
    )
