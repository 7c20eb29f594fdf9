"""The table's schema as JSON: a pydantic model with a field for every column of the table that the model was trained on.

A number is a number, never its text; a missing one (null, or left out) is allowed where training rows had missing cells. A
category may be any text: one that was not there in training is no level, and so is a missing one. Columns that the model does
not use may be sent and are passed over; others are refused, since most of them are misspelt.
"""

from typing import Annotated, Any, TypeGuard

from pydantic import BaseModel, ConfigDict, FailFast, Field, StrictBool, StrictFloat, StrictInt, StrictStr, create_model

from trainwell.data.cells import LARGEST
from trainwell.data.encoders import ColumnEncoder, Date, Embedded, Switches
from trainwell.model import Model

EXAMPLES = 20  # chosen: levels of a category that the schema lists
DATE_FORMAT = "2024-12-31"

Number = Annotated[StrictFloat, Field(ge=-LARGEST, le=LARGEST, allow_inf_nan=False)]
Finite = Annotated[StrictFloat, Field(allow_inf_nan=False)]
Category = StrictStr | StrictBool | StrictInt | Finite


def is_category(column: ColumnEncoder) -> TypeGuard[Switches | Embedded]:
    return isinstance(column, Switches | Embedded)


def may_be_missing(column: ColumnEncoder) -> bool:
    """Whether a row without it is one that training has seen, or has a meaning all the same."""
    return isinstance(column, Switches | Embedded) or column.missing


def allowed(column: ColumnEncoder) -> str:
    """What a cell of the column may be, for a sentence."""
    kind = "a text" if is_category(column) else _date_words(column) if isinstance(column, Date) else "a finite number"
    return kind + (" or null" if may_be_missing(column) else "")


def row_model(model: Model) -> type[BaseModel]:
    """A row of the table: every column of training, by its own name."""
    used = {column.name: _field(column) for column in model.encoder.columns}
    fields: dict[str, Any] = {}
    for number, column in enumerate(model.schema.columns):
        unused = (Any, Field(default=None, alias=column.name, description=f"Not used: {column.why or column.role}."))
        fields[f"column_{number}"] = used.get(column.name, unused)
    return create_model("Row", __config__=ConfigDict(extra="forbid"), **fields)


def rows_model(row: type[BaseModel], most: int) -> type[BaseModel]:
    """The body of a request: one row or more."""
    # The most is said in the schema and checked by hand, since more get another status than a wrong body. One row that is wrong
    # suffices to refuse a body: errors of millions would take more memory than there is.
    several: Any = Annotated[list[row], FailFast()]  # type: ignore[valid-type]
    rows = (several, Field(min_length=1, json_schema_extra={"maxItems": most}, description="One mapping for each row."))
    return create_model("Rows", __config__=ConfigDict(extra="forbid"), rows=rows)


def answer_model(model: Model) -> type[BaseModel]:
    """The body of an answer: a prediction for every row, in their order, and what was unusual in the rows."""
    if model.classes:
        classes: dict[str, Any] = {"enum": list(model.classes)}
        fields: dict[str, Any] = {"prediction": (str, Field(json_schema_extra=classes))}
        for number, label in enumerate(model.classes):
            fields[f"field_{number}"] = (float, Field(alias=f"probability_{label}", ge=0, le=1))
    else:
        ends = (float | None, Field(default=None, description="End of the interval that was asked for."))
        fields = {"prediction": (float, Field()), "low": ends, "high": ends}
    one = create_model("Prediction", __config__=ConfigDict(extra="forbid"), **fields)
    return create_model(
        "Answer",
        predictions=(list[one], Field(description="One for each row, in their order.")),  # type: ignore[valid-type]
        notes=(list[str], Field(description="Cells that were not as in training: unseen or missing for the first time.")),
    )


class Problem(BaseModel):
    """What is wrong with a request: one sentence."""

    detail: str


def _field(column: ColumnEncoder) -> tuple[Any, Any]:
    kind: Any = Category if is_category(column) else StrictStr if isinstance(column, Date) else Number
    given: dict[str, Any] = {"alias": column.name, **_described(column)}
    return (kind | None, Field(default=None, **given)) if may_be_missing(column) else (kind, Field(**given))


def _described(column: ColumnEncoder) -> dict[str, Any]:
    if isinstance(column, Switches | Embedded):
        levels = list(column.levels)
        more = f", {len(levels):,} levels" if len(levels) > EXAMPLES else ""
        return {"examples": levels[:EXAMPLES], "description": f"Category{more}; any other text is an unknown level."}
    if isinstance(column, Date):
        extra = {"format": "date"} if _is_iso(column) else {}
        return {"description": f"Date, {_date_words(column)}.", "json_schema_extra": extra}
    return {"description": "Number."}


def _is_iso(column: Date) -> bool:
    return column.style in ("year-month-day", "timestamp")


def _date_words(column: ColumnEncoder) -> str:
    assert isinstance(column, Date)
    return f"a date as {DATE_FORMAT}" if _is_iso(column) else f"a date as {column.style}"
