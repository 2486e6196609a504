"""TorchSSL's unmodified code, in child processes."""
