"""No float decides what is on the wire: both sides must compute the same on every machine."""

import ast
from pathlib import Path

import pytest

import codec

FOLDER = Path(codec.__path__[0])
WHOLE = (
    "cross_prediction",
    "frame_record",
    "linear_terms",
    "path_search",
    "post_filter",
    "predicted_frame",
    "predicted_packet",
)
FUNCTIONS = {
    "prediction": {"predict", "residual_tables", "within", "shown", "units_of_symbols"},
    "adaptive": {"table_for", "updated_mean", "_laplace_frequencies", "_geometric"},
    "encoder": {"encode_symbols"},
    "decoder": {"decode_symbols"},
    "short_packet": {"__bytes__", "payload", "checksum", "write", "read", "of", "parse", "joined", "_first_byte"},
    "predicted_decoding": {"decode_long", "decode_short", "_references", "_before", "_frame"},
}


def trees():
    for name in WHOLE:
        yield name, ast.parse((FOLDER / f"{name}.py").read_text())
    for name, functions in FUNCTIONS.items():
        found = [
            node
            for node in ast.walk(ast.parse((FOLDER / f"{name}.py").read_text()))
            if isinstance(node, ast.FunctionDef) and node.name in functions
        ]
        assert {node.name for node in found} == functions
        yield from ((f"{name}.{node.name}", node) for node in found)


@pytest.mark.parametrize(("name", "tree"), list(trees()), ids=lambda value: value if isinstance(value, str) else "")
def test_there_is_neither_a_float_nor_a_true_division(name, tree):
    for node in ast.walk(tree):
        where = f"{name}, line {getattr(node, 'lineno', 0)}"
        assert not (isinstance(node, ast.Constant) and isinstance(node.value, float)), where
        assert not (isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div)), where
        assert not (isinstance(node, ast.Name) and node.id == "float"), where
        assert not (isinstance(node, ast.Attribute) and node.attr in ("float32", "float64", "rint", "mean")), where
