"""A saved model as one ONNX file: from raw cells to calibrated predictions, checked against the model before it is written."""
