"""The Wide ResNet, its initial weights and its moving average."""
