"""Logs of formats that their owners describe: text by patterns, TensorBoard, CSV, JSON lines."""
