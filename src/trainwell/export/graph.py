"""A graph of ONNX operators, built node by node.

Every function of this room takes names of values and returns names of values; the graph keeps the nodes in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from trainwell.errors import InputError

if TYPE_CHECKING:
    import onnx

OPSET, ML_OPSET, IR = 20, 3, 9  # the first with StringSplit and RegexFullMatch; read by onnxruntime 1.17 and later
ML = "ai.onnx.ml"
OWN = "trainwell/"  # begins the names of values between inputs and outputs


def need_onnx() -> None:
    """`InputError` where the extra is not installed."""
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
    except ImportError as missing:
        raise InputError(
            f"Exporting needs {missing.name or 'onnx'}, which is not installed: pip install 'trainwell[export]'."
        ) from None


class Graph:
    """Nodes and constants so far; the inputs have names of their own."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: dict[str, np.ndarray] = {}
        self.inputs: dict[str, Any] = {}
        self.outputs: dict[str, Any] = {}
        self._known: dict[tuple, str] = {}

    def name(self) -> str:
        return f"{OWN}{len(self.nodes) + len(self.constants)}"

    def input(self, name: str, kind: type | np.dtype) -> str:
        """A column (rows, 1) that is given."""
        self.inputs[name] = _value(name, kind, 1)
        return name

    def output(self, name: str, value: str, kind: type | np.dtype, width: int | None = None) -> None:
        """A value that is handed out: (rows,), or (rows, width)."""
        while name in self.inputs or name in self.outputs:
            name += "_"
        self.add("Identity", value, into=name)
        self.outputs[name] = _value(name, kind, width)

    def constant(self, value: Any, kind: Any = None) -> str:
        """A number, an array of numbers, or texts; equal ones are kept once."""
        array = np.asarray(value, kind)
        key = (array.dtype.str, array.shape, array.tobytes() if array.dtype.kind != "O" else tuple(array.ravel().tolist()))
        if key not in self._known:
            self._known[key] = self.name()
            self.constants[self._known[key]] = array
        return self._known[key]

    def texts(self, values: str | Sequence[Any]) -> str:
        return self.constant(values, object)

    def add(self, operator: str, *inputs: str, into: str | None = None, domain: str = "", **attributes: Any) -> str:
        """A node with one output, whose name is returned."""
        return self.add_many(operator, inputs, [self.name() if into is None else into], domain, **attributes)[0]

    def add_many(
        self, operator: str, inputs: Sequence[str], outputs: list[str], domain: str = "", **attributes: Any
    ) -> list[str]:
        from onnx import helper

        self.nodes.append(helper.make_node(operator, list(inputs), outputs, domain=domain, **attributes))
        return outputs

    def cast(self, value: str, kind: Any) -> str:
        return self.add("Cast", value, to=_element(kind))

    def model(self, metadata: dict[str, str]) -> onnx.ModelProto:
        """The whole, checked by ONNX's own checker."""
        import onnx
        from onnx import helper

        graph = helper.make_graph(
            self.nodes,
            "trainwell",
            list(self.inputs.values()),
            list(self.outputs.values()),
            [_tensor(name, value) for name, value in self.constants.items()],
        )
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(ML, ML_OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR, producer_name="trainwell")
        helper.set_model_props(model, metadata)
        onnx.checker.check_model(model, full_check=True)
        return model


def _element(kind: Any) -> int:
    from onnx import TensorProto, helper

    if kind is str:
        return int(TensorProto.STRING)
    return int(helper.np_dtype_to_tensor_dtype(np.dtype(kind)))


def _value(name: str, kind: Any, width: int | None) -> Any:
    from onnx import helper

    return helper.make_tensor_value_info(name, _element(kind), ["rows"] if width is None else ["rows", width])


def _tensor(name: str, value: np.ndarray) -> Any:
    from onnx import TensorProto, helper, numpy_helper

    if value.dtype.kind != "O":
        return numpy_helper.from_array(np.ascontiguousarray(value).reshape(value.shape), name)
    return helper.make_tensor(name, TensorProto.STRING, value.shape, [text.encode() for text in value.ravel().tolist()])
