"""Predicts the tier a prompt needs: reading → features and tokens → one ONNX graph → sufficiency per tier."""
