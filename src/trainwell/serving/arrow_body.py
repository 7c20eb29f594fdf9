"""An Arrow IPC stream from a stranger: rows and compression are seen in each message before its cells are read.

A compressed buffer of a few bytes may say that it holds any number of them, so compressed streams are refused. The two places
that are looked at lie in the message's metadata, a flatbuffer: tables whose fields are found through their vtable.

Source: Apache Arrow, columnar format, "Serialization and interprocess communication", and format/Message.fbs.
"""

import struct

import pyarrow as pa

from trainwell.serving.limits import Limits, RequestError, too_many_rows

# Places of fields in the tables of Message.fbs: Message.header, length and compression of RecordBatch, DictionaryBatch.data.
HEADER, LENGTH, COMPRESSION, DATA = 2, 0, 3, 1


def read_arrow(body: bytes, limits: Limits) -> pa.Table:
    """The table of a stream; `RequestError` where it is damaged, compressed or has too many rows."""
    try:
        _check_messages(body, limits)
        with pa.ipc.open_stream(pa.BufferReader(body)) as reader:
            table = reader.read_all()
        table.validate(full=True)
    except (pa.ArrowException, struct.error, OSError, EOFError, ValueError) as problem:
        if isinstance(problem, RequestError):
            raise
        said = (str(problem).splitlines() or ["it ends early"])[0][:100]
        raise RequestError(422, f"the body is no Arrow IPC stream: {said}.") from None
    return table


def _check_messages(body: bytes, limits: Limits) -> None:
    rows, source = 0, pa.BufferReader(body)
    while source.tell() < len(body):
        try:
            message = pa.ipc.read_message(source)
        except EOFError:  # the mark at the end of a stream
            return
        if message.type not in ("record batch", "dictionary"):
            continue
        metadata = bytes(message.metadata)
        batch = _table_at(metadata, _root(metadata), HEADER)
        if message.type == "dictionary":
            batch = _table_at(metadata, batch, DATA)
        if _field_at(metadata, batch, COMPRESSION) is not None:
            raise RequestError(422, "the body is a compressed Arrow IPC stream: send it without compression.")
        place = _field_at(metadata, batch, LENGTH)
        length = 0 if place is None else struct.unpack_from("<q", metadata, place)[0]
        rows += length if message.type == "record batch" else 0
        if max(rows, length) > limits.rows:
            raise too_many_rows(max(rows, length), limits)


def _root(metadata: bytes) -> int:
    return int(struct.unpack_from("<I", metadata, 0)[0])


def _field_at(metadata: bytes, table: int, field: int) -> int | None:
    """Where a field of a table lies; None where it has its default."""
    vtable = table - struct.unpack_from("<i", metadata, table)[0]
    size = struct.unpack_from("<H", metadata, vtable)[0]
    entry = 4 + 2 * field
    offset = struct.unpack_from("<H", metadata, vtable + entry)[0] if entry + 2 <= size else 0
    return table + offset if offset else None


def _table_at(metadata: bytes, table: int, field: int) -> int:
    place = _field_at(metadata, table, field)
    if place is None:
        raise ValueError("a message has no content")
    return place + int(struct.unpack_from("<I", metadata, place)[0])
