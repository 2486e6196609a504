"""Code inside TorchSSL's process."""
